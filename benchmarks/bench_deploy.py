"""Exported models at work: frames a second, beside PyTorch and our own op; the time to open one.

    python benchmarks/bench_deploy.py [--only LIST] [--threads N] [--rounds R] [--out FILE]

Frames are 8 bits in and 8 bits out, in tiles where they are large, as `upscale --engine` does them;
reading and writing files is left out. Weights are those that the package carries. On a machine with
a GPU the same frames go through ONNX Runtime's CUDA provider, PyTorch, and PyTorch compiled there.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import beside, gpu, repeat, write
from numpy.typing import NDArray
from stages import enlarged

# Width, height and scale.
FRAMES = {
    "480p_x2": (854, 480, 2),
    "240p_x4": (427, 240, 4),
    "1080p_x2": (1920, 1080, 2),
}
ALONE = ("1080p_x2",)  # PyTorch would take minutes
LARGE = (1920, 1080)  # that is made smaller
SIZES = {2: 13, 4: 25}
PARTS = ("frames", "downscale", "open", "tensorrt", "gpu")

Work = Callable[[], object]


def main() -> None:
    import onnxruntime
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"default {','.join(PARTS)}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="of what takes seconds, default 3")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    parts = options.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}, got {options.only}")
    torch.set_num_threads(options.threads)
    figures: dict[str, Any] = {
        "unit": "seconds a call; ratio: the other's time over ours, more is faster",
        "threads": options.threads,
        "onnxruntime": onnxruntime.__version__,
    }
    facts = gpu() if torch.cuda.is_available() else None
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.threads, options.rounds)
        for part in parts:
            if part != "gpu" or facts is not None:
                figures[part] = getattr(bench, part)()
    write("deploy", figures, options.out, facts)


class Bench:
    """The parts of the benchmark.

    Args:
        folder: for models and engines.
        threads: of the CPU.
        rounds: of what takes seconds.
    """

    def __init__(self, folder: Path, threads: int, rounds: int) -> None:
        self._folder, self._threads, self._rounds = folder, threads, rounds

    def frames(self) -> dict[str, Any]:
        """`unfold` with its kernel baked in, beside eager PyTorch."""
        found = {}
        for name, (width, height, scale) in FRAMES.items():
            frame = enlarged(width, height)
            ours = self._model(frame, scale, "cpu")
            if name in ALONE:
                took = repeat(ours, runs=self._rounds)
            else:
                pytorch = self._pytorch(frame, scale, "cpu")
                took = beside(ours, pytorch, seconds=0, least=self._rounds)
            found[name] = with_rate(took)
        return found

    def downscale(self) -> dict[str, Any]:
        """A frame made smaller by the model, beside the package's own op."""
        import torch

        from kernelgan_fast.ops import native
        from kernelgan_fast.runtime.session import Session

        found = {}
        image = enlarged(*LARGE).transpose(2, 0, 1)[None].astype(np.float32) / 255
        for scale, size in SIZES.items():
            taps = kernel(scale, size).array.astype(np.float32)
            session = Session(self._downscaler(scale), threads=self._threads)
            planes, weight = torch.from_numpy(image), torch.from_numpy(taps)[None]

            def ours(session: Session = session) -> object:
                return session.run(image=image)

            def op(planes: Any = planes, weight: Any = weight, scale: int = scale) -> object:
                return native.downscale(planes, weight, scale)

            found[f"x{scale}"] = beside(ours, op, seconds=5)
        return found

    def open(self) -> dict[str, Any]:
        """A model opened by us, beside ONNX Runtime's own load of the file."""
        import onnxruntime

        from kernelgan_fast.runtime.engine import Engine
        from kernelgan_fast.runtime.session import Session

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.log_severity_level = 4
        found = {}
        for name, path, opened in (
            ("unfold_x2", self._upscaler(2), Engine),
            ("downscale_x2", self._downscaler(2), Session),
        ):

            def ours(path: Path = path, opened: Any = opened) -> object:
                return opened(path, device="cpu", threads=self._threads)

            def alone(path: Path = path) -> object:
                return onnxruntime.InferenceSession(
                    str(path), settings, providers=["CPUExecutionProvider"]
                )

            took = beside(ours, alone, seconds=5)
            took["ours_alone"] = took["wall"]["median"] - took["yardstick_took"]["wall"]["median"]
            found[name] = took
        return found

    def tensorrt(self) -> dict[str, Any]:
        """An engine built, and found again in the cache; TensorRT's own load is not in it."""
        from kernelgan_fast.export.tensorrt import FLAVOURS, build_engine

        module = FLAVOURS["tensorrt-rtx"]
        if importlib.util.find_spec(module) is None:
            return {"left_out": "tensorrt-rtx is not installed"}
        found = {}
        for name, path in (("unfold_x2", self._upscaler(2)), ("downscale_x2", self._downscaler(2))):

            def build(path: Path = path) -> Any:
                return build_engine(path, "tensorrt-rtx", folder=self._folder / "engines")

            built = repeat(build, runs=1, warmup=0)
            assert build().cached
            size = build().path.stat().st_size
            found[name] = {"bytes": size, "built": built, "found_again": repeat(build, runs=25)}
        return found

    def gpu(self) -> dict[str, Any]:
        """The same frames on a GPU: ONNX Runtime, PyTorch, and PyTorch compiled."""
        from kernelgan_fast.errors import DeviceUnavailable

        found: dict[str, Any] = {}
        for name, (width, height, scale) in FRAMES.items():
            frame = enlarged(width, height)
            row: dict[str, Any] = {}
            try:
                row["onnxruntime"] = with_rate(repeat(self._model(frame, scale, "cuda"), runs=15))
            except DeviceUnavailable as error:
                row["onnxruntime"] = {"left_out": str(error)}
            for how in ("eager", "compiled"):
                work = self._pytorch(frame, scale, "cuda", compiled=how == "compiled")
                row[how] = with_rate(repeat(work, runs=15, warmup=3))
            found[name] = row
        return found

    def _model(self, frame: NDArray[np.uint8], scale: int, device: str) -> Work:
        from kernelgan_fast.runtime.engine import Engine
        from kernelgan_fast.sr.conditioning import Conditioning
        from kernelgan_fast.sr.tiling import enlarge_photo

        engine = Engine(self._upscaler(scale), device=device, threads=self._threads)
        upscaler = engine.upscaler(kernel(scale, SIZES[scale]), Conditioning())
        return lambda: enlarge_photo(upscaler, frame)

    def _pytorch(
        self, frame: NDArray[np.uint8], scale: int, device: str, *, compiled: bool = False
    ) -> Work:
        import torch

        from kernelgan_fast.sr.tiling import enlarge_photo
        from kernelgan_fast.sr.unfold import Unfold
        from kernelgan_fast.sr.upscaler import Options

        upscaler = Unfold(kernel(scale, SIZES[scale]), Options())
        if compiled:
            upscaler._network.compile()
        # The result is 8 bits in host memory, so that the GPU has ended when the call does.
        return lambda: enlarge_photo(upscaler, frame, device=torch.device(device))

    def _upscaler(self, scale: int) -> Path:
        from kernelgan_fast.export.onnx import export_sr

        path = self._folder / f"unfold_x{scale}.onnx"
        if not path.exists():
            export_sr(path, kernel=kernel(scale, SIZES[scale]))
        return path

    def _downscaler(self, scale: int) -> Path:
        from kernelgan_fast.export.onnx import export_downscale

        path = self._folder / f"downscale_x{scale}.onnx"
        if not path.exists():
            export_downscale(path, kernel=kernel(scale, SIZES[scale]))
        return path


def kernel(scale: int, size: int) -> Any:
    """A Gaussian of 0.8 LR px in a frame of its usual size."""
    from kernelgan_fast.kernels import BlurKernel, target_centre

    rows, columns = np.indices((size, size)) - target_centre(size, scale)
    gaussian = np.exp(-(rows**2 + columns**2) / 2 / (0.8 * scale) ** 2)
    return BlurKernel(gaussian / gaussian.sum(), scale)


def with_rate(took: dict[str, Any]) -> dict[str, Any]:
    """Add frames a second of the wall, at the median."""
    return {"frames_a_second": round(1 / took["wall"]["median"], 4), **took}


if __name__ == "__main__":
    main()
