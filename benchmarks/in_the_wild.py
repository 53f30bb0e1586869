"""Gain over bicubic on noisy and compressed photos, and how often `upscale` does harm.

    python benchmarks/in_the_wild.py SET [--pairs DIR] [--cells LIST] [--scales LIST] [--out FILE]

SET is a folder as `kernelgan-fast evaluate sr` takes it, with HR photos and clean LR photos. For
each cell its LR photos are spoiled, and `evaluate sr` measures the photos that `upscale` makes of
them with the kernel that it selects. DIR holds pairs of real photos, laid out in the same way.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import write
from PIL import Image

# Standard deviation of white noise in grey levels, and JPEG quality.
CELLS: dict[str, tuple[float, int | None]] = {
    "clean": (0, None),
    "noise 2": (2, None),
    "noise 5": (5, None),
    "noise 10": (10, None),
    "noise 15": (15, None),
    "JPEG 90": (0, 90),
    "JPEG 75": (0, 75),
    "JPEG 50": (0, 50),
    "noise 3, JPEG 75": (3, 75),
}
PAIRS = "camera pairs"

# Photos this far below bicubic count as harmed, in dB.
HARMED = -0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path, metavar="SET")
    parser.add_argument("--pairs", type=Path, metavar="DIR", help="real pairs, at scale 2")
    parser.add_argument("--cells", default=";".join(CELLS), metavar="LIST", help="split by ;")
    parser.add_argument("--scales", default="2,4", metavar="LIST")
    parser.add_argument("--method", default="unfold")
    parser.add_argument("--photos", metavar="N|GLOB", help="some photos only")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    names = [name.strip() for name in options.cells.split(";")]
    figures: dict[str, Any] = {}
    for scale in map(int, options.scales.split(",")):
        cells = figures.setdefault(f"x{scale}", {})
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                spoil(options.set, Path(folder), scale, *CELLS[name])
                cells[name] = measured(Path(folder), scale, options)
            print(f"x{scale} {name}: {cells[name]}", file=sys.stderr)
        if options.pairs is not None and scale == 2:
            cells[PAIRS] = measured(options.pairs, scale, options)
    write("in_the_wild", {"unit": "dB", "method": options.method, "scales": figures}, options.out)


def spoil(source: Path, target: Path, scale: int, noise: float, quality: int | None) -> None:
    """Lay out a set whose LR photos are those of another set with noise, as PNG or JPEG."""
    for name in ("hr", "gt", f"gt_k_x{scale}"):
        if (source / name).is_dir():
            (target / name).symlink_to((source / name).resolve())
    low = target / f"lr_x{scale}"
    low.mkdir()
    for path in sorted((source / f"lr_x{scale}").iterdir()):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB")).astype(np.float64)
        if noise:
            random = np.random.default_rng(sum(path.stem.encode()))
            pixels = np.floor(pixels + noise * random.standard_normal(pixels.shape) + 0.5)
        spoiled = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        if quality is None:
            spoiled.save(low / f"{path.stem}.png")
        else:
            spoiled.save(low / f"{path.stem}.jpg", quality=quality, subsampling="4:2:0")


def measured(folder: Path, scale: int, options: argparse.Namespace) -> dict[str, Any]:
    """Mean gain over bicubic, the worst photo, and the share of photos that were harmed."""
    command = [sys.executable, "-m", "kernelgan_fast", "evaluate", "sr", str(folder), "--json"]
    command += ["--scale", str(scale), "--methods", options.method, "--kernels", "selected"]
    if options.photos:
        command += ["--photos", options.photos]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    gains = gain_by_photo(json.loads(done.stdout))
    worst = min(gains, key=lambda name: gains[name])
    return {
        "photos": len(gains),
        "gain": round(float(np.mean(list(gains.values()))), 3),
        "worst": round(gains[worst], 3),
        "worst_photo": worst,
        "harmed": round(float(np.mean([gain < HARMED for gain in gains.values()])), 3),
    }


def gain_by_photo(document: dict[str, Any]) -> dict[str, float]:
    """PSNR above bicubic of each photo, from the JSON of `evaluate sr`."""
    gains = {}
    for row in document["rows"]:
        scores = {(score["method"], score["kernel"]): score["psnr"] for score in row["scores"]}
        base = scores.pop(("bicubic", ""))
        (psnr,) = scores.values()
        gains[row["photo"]] = psnr - base
    return gains


if __name__ == "__main__":
    main()
