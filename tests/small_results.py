"""Folders as `estimate` and `upscale` write them, made without estimating anything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kernelgan_fast.jobs.records import FORMAT
from kernelgan_fast.kernels import BlurKernel, save

HOSTILE = (
    "<script>alert(1)<!--.png",
    "\"quotes\" 'and' onload=alert(2) &lt;.png",
    "${alert(3)} `$title` \u2028\u202egnp.png",
    "]]><img src=x onerror=alert(4)>.png",
)


def gaussian(major: float = 1.6, minor: float = 1.1, size: int = 13, scale: int = 2) -> BlurKernel:
    """A kernel whose wider axis lies flat, centred as the convention says."""
    centre = size // 2 + (scale - size % 2) / 2
    rows, cols = np.indices((size, size)) - centre
    array = np.exp(-0.5 * ((rows / minor) ** 2 + (cols / major) ** 2))
    return BlurKernel(array / array.sum(), scale)


def photo(path: Path, width: int = 96, height: int = 64, seed: int = 0) -> Path:
    """Write a photo with more contrast on its right side."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(100, 110, (height, width, 3))
    pixels[:, width // 2 :] += rng.integers(0, 100, (height, width - width // 2, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path, format="PNG")
    return path


def record(source: Path, **fields: Any) -> dict[str, Any]:
    """What a run would tell of a photo; `fields` are put in place of its own."""
    there = source.is_file()
    content = source.read_bytes() if there else b""
    told: dict[str, Any] = {
        "format": FORMAT,
        "source": {
            "path": str(source),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "request": {"seeds": [0], "method": "spectral", "iterations": 0, "config": None},
        "files": [],
        "kernels": {"x2": {"width_major": 1.6, "width_minor": 1.1, "angle": 0.0}},
        "expected_error": 0.13,
        "spread": None,
        "warnings": [],
        "spectrum": {"shape": "gaussian", "probabilities": {"gaussian": 0.98}},
        "losses": {"iteration": []},
        "timings": {"read": 0.01, "spectrum": 0.25},
        "device": "cpu",
        "versions": {"kernelgan_fast": "0.1.0"},
        "finished": "2026-11-23T09:00:00+00:00",
    }
    return {**told, **fields}


def losses(points: int = 300, seeds: int = 2) -> dict[str, Any]:
    """Losses of a training, smooth and with a hole."""
    iterations = list(range(0, 10 * points, 10))
    falling = [round(1 / (1 + at / 100), 5) for at in iterations]
    holed: list[float | None] = [*falling]
    holed[points // 2] = None
    return {
        "iteration": iterations,
        "gan_g": [falling] * seeds,
        "gan_d": [holed] * seeds,
        "sparse": [[0.0] * points] * seeds,
    }


def write(folder: Path, name: str, told: dict[str, Any] | str, *kernels: BlurKernel) -> None:
    """Write a record, or a text in its place, and kernels as .npy."""
    folder.mkdir(parents=True, exist_ok=True)
    text = told if isinstance(told, str) else json.dumps(told, indent=1)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    for kernel in kernels:
        save(kernel, folder / f"{name}_kernel_x{kernel.scale}.npy")


def write_upscaled(folder: Path, name: str, source: Path, scale: int = 2) -> Path:
    """Write an enlarged photo and the record of it."""
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.open(source)
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    file = folder / f"{name}_x{scale}.png"
    large.save(file)
    entry = {
        "source": record(source)["source"],
        "method": "unfold",
        "applied": "its own kernel",
        "files": [file.name],
    }
    content = {"format": "kernelgan-fast upscaling 1", "photos": {name: {f"x{scale}": entry}}}
    (folder / "upscale.json").write_text(json.dumps(content), encoding="utf-8")
    return file
