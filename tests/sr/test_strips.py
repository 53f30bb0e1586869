"""Strips give what one run gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kernelgan_fast.sr.strips import in_strips


@pytest.mark.parametrize("height", [1, 8, 9, 30])
def test_strips_give_what_one_run_gives(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelgan_fast.sr.strips._PIXELS", 80)
    heights: list[int] = []

    def network(seen: Tensor) -> Tensor:
        heights.append(seen.shape[-2])
        return torch.nn.functional.avg_pool2d(seen, 5, 1)

    seen = torch.rand(1, 3, height + 4, 10)
    result = in_strips(network, seen, 2)
    assert max(heights) <= 12 and len(heights) == -(-height // 8)
    assert torch.equal(result, torch.nn.functional.avg_pool2d(seen, 5, 1))
