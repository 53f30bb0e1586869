"""PSNR and SSIM of super-resolution on test sets, method by method, kernel by kernel.

    python benchmarks/super_resolution.py SET... [--methods LIST] [--kernels LIST] [--scales LIST]
        [--stored NAME=DIR] [--out FILE]

A set is a folder as `kernelgan-fast evaluate sr` takes it, which does the measuring.
Kernels that take long to find may have been found before, by `kernelgan-fast estimate`: in a folder
DIR in whose name {set} and {scale} stand for the set's and the scale.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import write

METHODS = "bicubic,backprojection,tv,unfold"
KERNELS = "bicubic,spectral,true"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--methods", default=METHODS, help=f"default {METHODS}")
    parser.add_argument("--kernels", default=KERNELS, help=f"default {KERNELS}")
    parser.add_argument("--stored", metavar="NAME=DIR", help="kernels found before")
    parser.add_argument("--scales", default="2,4", metavar="LIST")
    parser.add_argument("--photos", metavar="N|GLOB", help="some photos only")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for scale in options.scales.split(","):
        for folder in options.sets:
            figures.setdefault(f"x{scale}", {})[folder.name] = measured(folder, scale, options)
    write("super_resolution", {"unit": "dB; seconds a photo", "scales": figures}, options.out)


def measured(folder: Path, scale: str, options: argparse.Namespace) -> dict[str, Any]:
    """The means of one set at one scale."""
    command = [sys.executable, "-m", "kernelgan_fast", "evaluate", "sr", str(folder), "--json"]
    kernels, names = options.kernels, {}
    if options.stored:
        name, _, place = options.stored.partition("=")
        place = place.format(set=folder.name, scale=scale)
        kernels, names = f"{kernels},{place}", {Path(place).name: name}
    command += ["--scale", scale, "--methods", options.methods, "--kernels", kernels]
    if options.photos:
        command += ["--photos", options.photos]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    document = json.loads(done.stdout)
    return {"photos": document["photos"], "rows": [row(way, names) for way in document["summary"]]}


def row(way: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """One method with one kernel: means, and how far the gains of the photos spread."""
    return {
        "method": way["method"],
        "kernel": names.get(way["kernel"], way["kernel"]),
        "psnr": round(way["psnr"]["mean"], 3),
        "ssim": round(way["ssim"]["mean"], 4),
        "gain": round(way["gain"]["mean"], 3),
        "gain_spread": round(way["gain"]["spread"], 3),
        "kept": None if way["kept"] is None else round(way["kept"], 3),
        "cpu_seconds": round(way["cpu_seconds"]["mean"], 2),
    }


if __name__ == "__main__":
    main()
