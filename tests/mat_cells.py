"""MATLAB cell arrays, as SciPy writes them."""

from __future__ import annotations

from typing import Any

import numpy as np


def cells(*arrays: Any) -> Any:
    """A cell array of one row."""
    content = np.empty((1, len(arrays)), dtype=object)
    content[0, :] = arrays
    return content
