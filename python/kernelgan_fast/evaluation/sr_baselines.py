"""Other people's networks as baselines that know nothing of kernels: RCAN, SwinIR, HAT and others.

spandrel reads their weights and finds out which network they are of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelgan_fast.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "spandrel:"


class Baseline:
    """A network of a file of weights, with the face of `sr.upscaler.Upscaler`.

    Args:
        method: "spandrel:FILE".
        scale: that it must have.
        device: where it is to run.

    Raises:
        InputError: spandrel is not installed, the file cannot be read, or holds no network that
            enlarges colour photos by this scale.
    """

    context = 0
    multiple = 1

    def __init__(self, method: str, scale: int, device: str = "cpu") -> None:
        self.scale = scale
        path = Path(method.removeprefix(PREFIX))
        self._network = _loaded(path, device)
        network = self._network
        made = (network.purpose, network.scale, network.input_channels, network.output_channels)
        wanted = ("SR", scale, 3, 3)
        if made != wanted:
            raise InputError(
                f"{path}: a baseline must be of purpose, scale and channels {wanted}, got {made}; "
                "give other weights"
            )

    def __call__(self, low: Tensor) -> Tensor:
        """Enlarge (1, 3, H, W) float32 in [0, 1] to (1, 3, sH, sW)."""
        high: Tensor = self._network(low.clone())  # some networks write to it
        return high


def _loaded(path: Path, device: str) -> Any:
    try:
        import spandrel  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise InputError(
            f"baselines need spandrel, which is not there ({error}); pip install "
            "'kernelgan-fast[baselines]'"
        ) from error
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        network = spandrel.ModelLoader(device=device).load_from_file(path)
    except Exception as error:
        # Damaged files and unknown networks give errors of many kinds.
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: not weights that spandrel knows ({reason})") from error
    if not isinstance(network, spandrel.ImageModelDescriptor):
        raise InputError(f"{path}: a baseline must take a photo alone; give other weights")
    return network.eval()
