"""The work that is timed: every stage of a photo's way, each beside a yardstick that never changes.

The photo of 2 megapixels, as an estimate meets it, and the small one that is enlarged are made from
a committed one. What a stage needs is made before its clock runs.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests" / "golden" / "coffee_192x256.png"
LARGE, SMALL = (1632, 1224), (640, 480)  # width, height
ITERATIONS = 100  # of the training that is timed
METHODS = ("bicubic", "backprojection", "tv", "unfold")

YARDSTICKS = {
    "literal": "one training iteration of `literal.py`, the published program in plain PyTorch",
    "photo": "`photo_work`: the small photo blurred, transformed, gamma-corrected, compressed",
    "numpy": "`numpy_work`: spectra of blocks of the small photo, and many short NumPy calls",
    "python": "a Python that starts, imports argparse and json, and ends",
}

Work = Callable[[], object]


class Stage(NamedTuple):
    """What is timed.

    Attributes:
        what: it does, for the table.
        yardstick: one of `YARDSTICKS`.
        ready: makes everything it needs, and returns the call to time.
        slow: only where asked for.
    """

    what: str
    yardstick: str
    ready: Callable[[Bench], Work]
    slow: bool = False


@dataclass(frozen=True)
class Bench:
    """What the stages share.

    Attributes:
        folder: for files.
        device: "cpu" or "cuda", for those stages that can compute there.
        threads: of the CPU.
    """

    folder: Path
    device: str = "cpu"
    threads: int = 1

    @cached_property
    def file(self) -> Path:
        from PIL import Image

        path = self.folder / "photo.png"
        Image.fromarray(enlarged(*LARGE)).save(path)
        return path

    @cached_property
    def pixels(self) -> NDArray[Any]:
        from kernelgan_fast.images import read_image

        return read_image(self.file).pixels

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        return enlarged(*SMALL)

    @cached_property
    def kernel(self) -> Any:
        from kernelgan_fast import BlurKernel
        from kernelgan_fast.degradation.blur_models import draw

        return BlurKernel(draw("div2krk", 2, seed=0, name="").array, 2)

    @cached_property
    def literal(self) -> Work:
        from literal import LiteralTraining

        from kernelgan_fast.gan.config import profile

        return LiteralTraining(profile("paper"), self.device).iterate

    def yardstick(self, name: str) -> Work:
        """One of `YARDSTICKS`."""
        if name == "literal":
            return self.literal
        if name == "photo":
            return partial(photo_work, self.small)
        if name == "numpy":
            return partial(numpy_work, self.small)
        assert name == "python", name
        return partial(subprocess.run, [sys.executable, "-c", "import argparse, json"], check=True)

    def work(self, stage: Stage) -> tuple[Work, Work]:
        """A stage's call and its yardstick's."""
        return stage.ready(self), self.yardstick(stage.yardstick)


def enlarged(width: int, height: int) -> NDArray[np.uint8]:
    """The committed photo, larger."""
    from PIL import Image

    with Image.open(SOURCE) as photo:
        large = photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large)


def photo_work(pixels: NDArray[np.uint8]) -> float:
    """Some of all that stages do to a photo: convolution, transform, arithmetic, compression."""
    import torch
    from torch.nn import functional

    planes = torch.from_numpy(pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255)
    taps = torch.full((3, 1, 13, 13), 1 / 169)
    blurred = functional.conv2d(planes, taps, padding=6, groups=3)
    light = blurred.clamp(0, 1).pow(2.2).sum()
    power = np.abs(np.fft.rfft2(pixels.mean(axis=2))).sum()
    return float(light) + float(power) + len(zlib.compress(pixels.tobytes()))


def numpy_work(pixels: NDArray[np.uint8]) -> float:
    """Much as estimates compute: transforms of 128 x 128 blocks, then many calls on few numbers."""
    grey = pixels.mean(axis=2)
    window = np.hanning(128)
    window = window[:, None] * window
    total = np.zeros((128, 65))
    for top in range(0, grey.shape[0] - 127, 32):
        blocks = np.lib.stride_tricks.sliding_window_view(grey[top : top + 128], 128, axis=1)
        total += (np.abs(np.fft.rfft2(blocks.transpose(1, 0, 2)[::64] * window)) ** 2).sum(axis=0)
    logarithm = np.log(total + 1).ravel()
    known, places = np.arange(len(logarithm)), np.linspace(0, len(logarithm) - 1, 1000)
    found = 0.0
    for step in range(300):
        values = np.interp(places, known, logarithm)
        found += float(np.sqrt(np.exp(-values / (step + 1)).sum()))
    return found


def _start(bench: Bench) -> Work:
    command = [sys.executable, "-m", "kernelgan_fast", "--help"]
    return partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)


def _read(bench: Bench) -> Work:
    from kernelgan_fast.images import read_image

    return partial(read_image, bench.file)


def _spectrum(bench: Bench) -> Work:
    from kernelgan_fast.estimation.spectral import estimate_spectral_scales

    return partial(estimate_spectral_scales, bench.pixels, [2], threads=bench.threads)


def _prepare(bench: Bench) -> Work:
    from kernelgan_fast.gan.config import profile
    from kernelgan_fast.gan.crops import plan_crops

    return partial(plan_crops, bench.pixels, profile("paper"))


def _train(bench: Bench) -> Work:
    from kernelgan_fast.gan.config import profile
    from kernelgan_fast.gan.crops import plan_crops
    from kernelgan_fast.gan.trainer import Problem, train

    config = profile("paper").replace(iterations=ITERATIONS)
    problems = [Problem(plan_crops(bench.pixels, config), seed=0)]
    return partial(train, problems, config, device=bench.device, threads=bench.threads)


def _settings(bench: Bench, profile: str, iterations: int | None = None) -> Any:
    from kernelgan_fast.estimation.options import estimate_options

    return estimate_options(
        profile=profile,
        iterations=iterations,
        device=bench.device,
        threads=bench.threads,
    )


def _finish(bench: Bench) -> Work:
    """Of a photo trained so long that its kernel is one."""
    from kernelgan_fast.estimation.devices import Choice
    from kernelgan_fast.estimation.pipeline import find_batch, finish, prepare

    settings = _settings(bench, "paper", ITERATIONS)
    choice = Choice(settings.devices, bench.device, "asked for")
    prepared = prepare(bench.file, settings)
    (found,) = find_batch([prepared], settings, choice)
    return partial(finish, prepared, found, settings)


def _save(bench: Bench) -> Work:
    from kernelgan_fast.jobs import records
    from kernelgan_fast.jobs.outputs import FORMATS, OutputFolder

    settings = _settings(bench, "paper", ITERATIONS)
    estimate: Any = _finish(bench)()
    folder = OutputFolder(bench.folder / "saved")

    def save() -> None:
        files = folder.write("photo", estimate, FORMATS)
        facts = records.source_facts(bench.file)
        record = records.make_record(estimate, facts, settings, files)
        records.write_record(folder.record_path("photo"), record)

    return save


def _estimate(bench: Bench, **options: Any) -> Work:
    from kernelgan_fast.api import estimate_files

    chosen = {"device": bench.device, "threads": bench.threads, **options}
    out = bench.folder / "estimated"

    def run() -> None:
        (result,) = estimate_files([bench.file], out, **chosen).results()
        assert result.error is None, result.error

    return run


def _downscale(bench: Bench) -> Work:
    from kernelgan_fast import downscale

    return partial(downscale, bench.pixels, bench.kernel)


def _downscale_onnx(bench: Bench) -> Work:
    from kernelgan_fast.export.onnx import export_downscale
    from kernelgan_fast.runtime.session import Session

    file = export_downscale(bench.folder / "downscale.onnx", kernel=bench.kernel).path
    session = Session(file, device=bench.device, threads=bench.threads)
    image = bench.pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255
    return partial(session.run, image=image)


def _upscale(bench: Bench, method: str) -> Work:
    from kernelgan_fast import upscale

    where = {"device": bench.device, "threads": bench.threads}
    return partial(upscale, bench.small, kernel=bench.kernel, method=method, **where)


def _upscale_onnx(bench: Bench) -> Work:
    from kernelgan_fast import upscale
    from kernelgan_fast.export.onnx import export_sr

    file = export_sr(bench.folder / "unfold.onnx", kernel=bench.kernel).path
    where = {"device": bench.device, "threads": bench.threads}
    return partial(upscale, bench.small, engine=file, **where)


def _op(bench: Bench, op: str) -> Work:
    """Forward, and back where there is a gradient, at the published sizes.

    Not beside its reference implementation: eager PyTorch on small tensors varies by a quarter from
    process to process.
    """
    import torch

    from kernelgan_fast.ops import native

    arguments = published(op).make(torch.Generator().manual_seed(0), torch.float32)
    arguments = {name: _moved(value, bench.device) for name, value in arguments.items()}
    wanted = [arguments[name].requires_grad_() for name in published(op).differentiable]

    def call() -> None:
        result = getattr(native, op)(**arguments)
        out = result[0] if isinstance(result, tuple) else result
        if wanted:
            torch.autograd.grad(out, wanted, torch.ones_like(out))

    return call


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, list):
        return [part.to(device) for part in value]
    return value.to(device) if hasattr(value, "to") else value


def published(op: str) -> Any:
    """An op's last case at the published sizes, the one with most work."""
    return [case for case in _cases()[op] if case.published][-1]


def _cases() -> dict[str, Any]:
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.insert(0, tests)
    from cases import CASES

    return CASES


def _ops() -> Iterator[tuple[str, Stage]]:
    for op in _cases():
        back = " and back" if published(op).differentiable else ""
        yield f"op {op}", Stage(f"`{op}`, forward{back}", "photo", partial(_op, op=op))


def stages() -> dict[str, Stage]:
    """Everything that is timed, by name, in the order of the table."""
    photo = "photo"
    found = {
        "start": Stage("start: `kernelgan-fast --help`", "python", _start),
        "read": Stage("read, a PNG of 2 megapixels", photo, _read),
        "spectrum": Stage("the closed form", "numpy", _spectrum),
        "prepare": Stage("prepare the crops", photo, _prepare),
        "train": Stage(f"train, {ITERATIONS} iterations", "literal", _train),
        "finish": Stage("finish a trained kernel", photo, _finish),
        "save": Stage("save four files and the record", photo, _save),
        "estimate": Stage("`estimate`, whole, 2 megapixels", "numpy", _estimate),
        "downscale": Stage("`downscale`, 2 megapixels ×½", photo, _downscale),
        "downscale onnx": Stage("the same by ONNX Runtime", photo, _downscale_onnx),
    }
    for method in (*METHODS, "zssr"):
        what = f"`upscale --method {method}`, 0.3 megapixels ×2"
        ready = partial(_upscale, method=method)
        found[f"upscale {method}"] = Stage(what, photo, ready, slow=method == "zssr")
    found["upscale unfold onnx"] = Stage("`unfold` by ONNX Runtime", photo, _upscale_onnx)
    ready = partial(_estimate, method="recurrence", device="cpu")
    what = "`estimate --method recurrence`, 2 megapixels"
    found["recurrence"] = Stage(what, photo, ready, slow=True)
    return {**found, **dict(_ops())}
