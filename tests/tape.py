"""What a CUDA graph does, done on the CPU: work is captured without being run, and replayed.

While capturing, every operator that torch dispatches, also those of the backward pass, is noted
with the very tensors it reads and writes. What it changed that was there before is then put back,
for a graph's capture runs nothing. A replay does the operators again on the same memory and knows
no Python: numbers are those of the capture, and tensors made elsewhere are never seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Work = Callable[[], None]


class Tape(TorchDispatchMode):
    """The operators of one capture.

    Attributes:
        replays: how often they were done again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._made: set[int] = set()
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.replays = 0

    def capture(self, work: Work) -> Work:
        with self:
            work()
        for storage, before in self._before.values():
            storage.copy_(before)
        # Until a replay fills them, the results are nothing.
        for _, _, _, results in self._calls:
            for result in results:
                if _place(result) in self._made and result.is_floating_point():
                    result.detach().fill_(torch.nan)
        return self._replay

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for tensor in _tensors((args, kwargs)):
                place = _place(tensor)
                if place not in self._made and place not in self._before:
                    storage = tensor.untyped_storage()
                    self._before[place] = (storage, storage.clone())
        result = func(*args, **kwargs)
        given = {_place(tensor) for tensor in _tensors((args, kwargs))}
        results = _tensors(result)
        self._made |= {_place(tensor) for tensor in results} - given
        self._calls.append((func, args, kwargs, results))
        return result

    def _replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for func, args, kwargs, results in self._calls:
                again = _tensors(func(*args, **kwargs))
                for old, new in zip(results, again, strict=True):
                    if _place(old) != _place(new):
                        old.detach().copy_(new)


@contextlib.contextmanager
def tape_graph() -> Iterator[Callable[[Work], Work]]:
    """Stand in for `gan.graph.cuda_graph`."""
    yield Tape().capture


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
