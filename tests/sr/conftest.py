"""Photos and kernels for super-resolution."""

from __future__ import annotations

import pytest
from degraded import Degraded
from degraded import degraded as make_degraded


@pytest.fixture(scope="session", params=[2, 4], ids=["x2", "x4"])
def degraded(request: pytest.FixtureRequest) -> Degraded:
    """A photo made small by a kernel that is not symmetric, at each scale."""
    return make_degraded(request.param)
