"""The compiled operations. Use kernelgan_fast.ops, which makes the outputs and knows gradients.

Tensors are contiguous, on one device, and made by the caller; what a function computes it writes
into its last ones. A tensor that does not fit, or has no memory (meta, fake, sparse), raises
InputError naming it. On a GPU a function queues its work on the stream `cuda_stream`
(torch.cuda.Stream.cuda_stream) and returns; some need a workspace there.
"""

from collections.abc import Sequence

from torch import Tensor

version: str
build_info: str
float64: bool

def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
def set_simd_level(level: str) -> None: ...
def num_threads() -> int: ...
def set_num_threads(count: int) -> None: ...
def extract_kernel_saved(sizes: Sequence[int], features: int) -> int: ...
def extract_kernel_forward(
    weights: Tensor,
    sizes: Sequence[int],
    features: int,
    kernel: Tensor,
    saved: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def extract_kernel_backward(
    grad_kernel: Tensor,
    weights: Tensor,
    saved: Tensor,
    sizes: Sequence[int],
    features: int,
    grad_weights: Tensor,
    workspace: Tensor | None = None,
    cuda_stream: int = 0,
) -> None: ...
def kernel_regularizers_forward(
    kernel: Tensor,
    mask: Tensor,
    weights: Tensor,
    sparse_power: float,
    loss: Tensor,
    terms: Tensor,
    grad: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def sample_crops(
    images: Sequence[Tensor],
    cdfs: Sequence[Tensor],
    seeds: Tensor,
    stream: int,
    first: int,
    noise: float,
    crops: Tensor,
    corners: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def gaussian_noise(
    seeds: Tensor,
    stream: int,
    first: int,
    out: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def downscale_crops_forward(
    crops: Tensor,
    kernel: Tensor,
    out: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def downscale_crops_backward(
    grad_out: Tensor,
    crops: Tensor,
    grad_kernel: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def discriminate_saved(
    channels: int,
    side: int,
    features: int,
    size: int,
    blocks: int,
    passes: int,
) -> int: ...
def discriminate_workspace(
    channels: int,
    side: int,
    features: int,
    size: int,
    blocks: int,
    passes: int,
    needs_crops: bool,
    needs_weights: bool,
    float64: bool,
    device: int,
) -> int: ...
def set_cuda_matmul(precision: str) -> None: ...
def cuda_matmul() -> str: ...
def discriminate_forward(
    crops: Tensor,
    weights: Tensor,
    u: Tensor,
    features: int,
    size: int,
    blocks: int,
    map: Tensor,
    u_next: Tensor,
    saved: Tensor,
    workspace: Tensor | None = None,
    cuda_stream: int = 0,
) -> None: ...
def discriminate_backward(
    grad_map: Tensor,
    crops: Tensor,
    weights: Tensor,
    map: Tensor,
    saved: Tensor,
    features: int,
    size: int,
    blocks: int,
    grad_crops: Tensor | None,
    grad_weights: Tensor | None,
    workspace: Tensor | None = None,
    cuda_stream: int = 0,
) -> None: ...
def downscale_forward(
    images: Tensor,
    kernel: Tensor,
    scale: int,
    out: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def downscale_backward_images(
    grad_out: Tensor,
    kernel: Tensor,
    scale: int,
    grad_images: Tensor,
    cuda_stream: int = 0,
) -> None: ...
def downscale_bands(images: int, channels: int, height: int, scale: int, kernels: int) -> int: ...
def downscale_backward_kernel(
    grad_out: Tensor,
    images: Tensor,
    scale: int,
    grad_kernel: Tensor,
    workspace: Tensor | None = None,
    cuda_stream: int = 0,
) -> None: ...
