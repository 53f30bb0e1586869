"""Steps of training on a GPU, captured once as a CUDA graph and then replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from kernelgan_fast.ops.capturing import CAPTURING

Work = Callable[[], None]


@contextlib.contextmanager
def capturing(device: torch.device) -> Iterator[Callable[[Work], Work]]:
    """Work on a device, on a GPU in a stream of its own: the default one cannot be captured.

    What is to be captured must have run a few times before, inside this `with`, so that all it
    needs is there; may read and write only tensors that stay where they are; and must not wait for
    the GPU.

    Args:
        device: on the CPU nothing is captured.

    Yields:
        What turns work into its replay, which is good until the `with` ends. Capturing does not
        run the work. On the CPU work is its own replay.
    """
    if device.type != "cuda":
        yield lambda work: work
        return
    graph = torch.cuda.CUDAGraph()

    def capture(work: Work) -> Work:
        stream = torch.cuda.current_stream()
        # Another GPU's thread may allocate meanwhile; only this one's mistakes count.
        mode = "thread_local"
        with CAPTURING, torch.cuda.graph(graph, stream=stream, capture_error_mode=mode):
            work()
        return graph.replay

    with torch.cuda.device(device):
        outside, inside = torch.cuda.current_stream(), torch.cuda.Stream()
        inside.wait_stream(outside)
        try:
            with torch.cuda.stream(inside):
                yield capture
        finally:
            outside.wait_stream(inside)
            inside.synchronize()  # a graph must not be let go while it runs
            graph.reset()
