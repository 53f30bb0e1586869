"""Write the README's tables of figures from the committed results.

    python benchmarks/make_table.py [--check]

--check writes nothing and fails where the README says something else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

RATIOS = {
    "Ratio of the two": ("literal / ours, CPU, one problem, one thread", 0),
    "One photo on two threads against one": ("speed-up, one problem on two threads", 2),
    "Two photos on two threads, throughput": ("throughput, two problems on two threads", 2),
}


SETS = {
    "div2krk": "DIV2KRK",
    "dev_cc0": "Gaussians with grain",
    "noisy": "Gaussians with grain, noise of 2/255 and JPEG 90",
    "disk": "disks",
    "motion": "motion",
    "bicubic": "bicubic",
    "lanczos": "Lanczos",
    "box": "box",
}


SR_SETS = {"dev_cc0": "CC0", "div2krk": "DIV2KRK"}
SR_METHODS = ("bicubic", "backprojection", "tv", "unfold", "zssr")
KERNELS = {
    "": "none",
    "bicubic": "bicubic",
    "paper": "published recipe",
    "default": "**ours**",
    "true": "true",
}


def accuracy() -> str:
    """The table of relative errors."""
    lines = ["| kernels | photos | `default` | recurrence | constant |", "|---|---|---|---|---|"]
    rival = _result("accuracy_recurrence_x2")["relative_l2"]
    for scale in (2, 4):
        found = _result(f"accuracy_x{scale}")["relative_l2"]
        for name, what in SETS.items():
            if name in found:
                row = {**(rival[name] if scale == 2 else {}), **found[name]}
                figures = [
                    f"{row[one]['mean']:.3f}" if one in row else "-"
                    for one in ("default", "recurrence", "constant")
                ]
                lines.append(f"| {what}, ×{scale} | {row['photos']} | {' | '.join(figures)} |")
    ranks = _result("accuracy_x2")["spearman"]
    lines.append("")
    lines.append(
        "Rank correlation of `expected_error` with the errors of all ×2 photos: "
        f"{ranks['default']:.2f}."
    )
    return "\n".join(lines) + "\n"


def super_resolution() -> str:
    """The table of PSNR and SSIM, with the gain over bicubic."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    heads = []
    for path in sorted((ROOT / "benchmarks" / "results").glob("super_resolution_*.json")):
        for scale, sets in json.loads(path.read_text(encoding="utf-8"))["scales"].items():
            for name, found in sets.items():
                head = f"{SR_SETS[name]} ×{scale[1:]} ({found['photos']})"
                heads.append(head)
                for row in found["rows"]:
                    gain = f" ({row['gain']:+.2f})" if row["kernel"] else ""
                    text = f"{row['psnr']:.2f}{gain}, {row['ssim']:.3f}"
                    cells.setdefault((row["method"], row["kernel"]), {})[head] = text
    lines = [f"| method | kernel | {' | '.join(heads)} |", "|---|---" + "|---" * len(heads) + "|"]
    for method, kernel in sorted(cells, key=_sr_order):
        texts = [cells[method, kernel].get(head, "-") for head in heads]
        lines.append(f"| `{method}` | {KERNELS[kernel]} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def _sr_order(way: tuple[str, str]) -> tuple[int, int]:
    return SR_METHODS.index(way[0]), list(KERNELS).index(way[1])


def speed() -> str:
    """The table of times and ratios."""
    train, pipeline = _result("train"), _result("pipeline")
    cpu = {name: spread["median"] for name, spread in train["cpu_ms"].items()}
    whole = pipeline["estimate_2_megapixels"]["median"]
    rows = {
        "One iteration, plain PyTorch, one thread": f"{cpu['literal']:.0f} ms of CPU",
        "One iteration, ours, one thread": f"{cpu['problems=1 threads=1']:.1f} ms of CPU",
        **{what: _ratio(train["ratios"][name], digits) for what, (name, digits) in RATIOS.items()},
        "`estimate --profile mended`, 2 megapixels, 3000 iterations, two threads": f"{whole:.1f} s",
        "of that, preparing the crops": f"{pipeline['stages']['prepare']:.2f} s",
        "Memory for 12 megapixels, beyond PyTorch's": f"{pipeline['memory_12_megapixels']:.0f} MiB",
    }
    upscaling = _result("upscale")
    for method, seconds in upscaling["methods"].items():
        wall = seconds["wall"]
        rows[f"`upscale --method {method}`, 0.7 megapixels ×2, two threads"] = (
            f"{wall['median']:.1f} s ({wall['min']:.1f} to {wall['max']:.1f})"
        )
    most = max(upscaling["memory_12_megapixels"].values())
    rows["Memory to upscale 12 megapixels ×2, by any of these"] = f"{most:.0f} MiB"
    machine = train["machine"]
    where = f"{machine['cores']} shared cores of an {machine['cpu']}"
    vectors = machine["extension"]["simd"]
    lines = [f"| on {where}, {vectors} | median (least to most) |", "|---|---|"]
    lines += [f"| {what} | {figure} |" for what, figure in rows.items()]
    return "\n".join(lines) + "\n"


def readme(text: str) -> str:
    """The README with the tables in their places."""
    tables = {"accuracy": accuracy(), "sr": super_resolution(), "figures": speed()}
    for mark, table in tables.items():
        before, rest = text.split(f"<!-- {mark} -->\n")
        _, after = rest.split(f"<!-- /{mark} -->")
        text = f"{before}<!-- {mark} -->\n{table}<!-- /{mark} -->{after}"
    return text


def _result(benchmark: str) -> dict[str, Any]:
    (path,) = (ROOT / "benchmarks" / "results").glob(f"{benchmark}_*.json")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _ratio(spread: dict[str, float], digits: int) -> str:
    low, middle, high = (f"{spread[key]:.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} × ({low} to {high})"


def main() -> int:
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    wanted = readme(text)
    if "--check" in sys.argv[1:]:
        return int(text != wanted)
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
