"""Write the tables of figures in the READMEs, and the chart, from the committed results.

    python benchmarks/make_table.py [--check]

A table stands wherever a page has a pair of its marks. --check writes nothing and fails where a
page or the chart says something else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chart import Row, chart

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "benchmarks/README.md")
CHART = "docs/images/run_time.svg"

ITERATIONS = 3000  # of the published training
# Bell-Kligler et al. 2019, "Run-time": seconds a photo. Theirs, on their cards; not measured by us.
PAPER = {"Tesla V100": 61, "Tesla K80": 102}

RATIOS = {
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
    "spectral": "**ours**",
    "true": "true",
}


def accuracy() -> str:
    """The table of relative errors."""
    lines = ["| kernels | photos | `spectral` | recurrence | constant |", "|---|---|---|---|---|"]
    rival = _result("accuracy_recurrence_x2")["relative_l2"]
    for scale in (2, 4):
        found = _result(f"accuracy_x{scale}")["relative_l2"]
        for name, what in SETS.items():
            if name in found:
                row = {**(rival[name] if scale == 2 else {}), **found[name]}
                figures = [
                    f"{row[one]['mean']:.3f}" if one in row else "-"
                    for one in ("spectral", "recurrence", "constant")
                ]
                lines.append(f"| {what}, ×{scale} | {row['photos']} | {' | '.join(figures)} |")
    ranks = _result("accuracy_x2")["spearman"]
    lines.append("")
    lines.append(
        "Rank correlation of `expected_error` with the errors of all ×2 photos: "
        f"{ranks['spectral']:.2f}."
    )
    return "\n".join(lines) + "\n"


def first() -> str:
    """What the kernel is worth, in three lines: gains of `unfold` on the CC0 photos."""
    who = {
        "bicubic": "bicubic, as usually assumed",
        "spectral": "**estimated by `kernelgan-fast`**",
        "true": "the true one",
    }
    gains = {(row["kernel"], head): row["gain"] for head, row in _sr_rows("unfold", "dev_cc0")}
    heads = sorted(head for kernel, head in gains if kernel == "bicubic")  # where all three are
    lines = [f"| enlarged by the kernel | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for kernel, what in who.items():
        lines.append(
            f"| {what} | {' | '.join(f'{gains[kernel, head]:+.2f} dB' for head in heads)} |"
        )
    return "\n".join(lines) + "\n"


def super_resolution() -> str:
    """The table of PSNR and SSIM, with the gain over bicubic."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for head, row in _sr_rows():
        gain = f" ({row['gain']:+.2f})" if row["kernel"] else ""
        text = f"{row['psnr']:.2f}{gain}, {row['ssim']:.3f}"
        cells.setdefault((row["method"], row["kernel"]), {})[head] = text
    heads = list(dict.fromkeys(head for head, _ in _sr_rows()))
    lines = [f"| method | kernel | {' | '.join(heads)} |", "|---|---" + "|---" * len(heads) + "|"]
    for method, kernel in sorted(cells, key=_sr_order):
        texts = [cells[method, kernel].get(head, "-") for head in heads]
        lines.append(f"| `{method}` | {KERNELS[kernel]} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def _sr_rows(
    method: str | None = None, only: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of the results, with the set, scale and number of photos it is of."""
    for path in sorted(RESULTS.glob("super_resolution_*.json")):
        for scale, sets in _read(path)["scales"].items():
            for name, found in sets.items():
                head = f"{SR_SETS[name]} ×{scale[1:]} ({found['photos']})"
                for row in found["rows"]:
                    if method in (None, row["method"]) and only in (None, name):
                        yield head, row


def _sr_order(way: tuple[str, str]) -> tuple[int, int]:
    return SR_METHODS.index(way[0]), list(KERNELS).index(way[1])


def in_the_wild() -> str:
    """The table of gains on noisy, compressed and real photos, with the harm done."""
    scales = _result("in_the_wild")["scales"]
    heads = [f"{what} ×{scale[1:]}" for scale in scales for what in ("gain", "worst", "harmed")]
    lines = [f"| photos | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in dict.fromkeys(name for cells in scales.values() for name in cells):
        texts = []
        for cells in scales.values():
            cell = cells.get(name)
            texts += ["-"] * 3 if cell is None else _harm(cell)
        lines.append(f"| {name} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def _harm(cell: dict[str, Any]) -> list[str]:
    return [f"{cell['gain']:+.2f}", f"{cell['worst']:+.2f}", f"{cell['harmed']:.0%}"]


def speed() -> str:
    """The table of times and ratios."""
    here, *elsewhere = _stages()
    photos, memory = here["photos"], _result("memory")
    threads = f"{photos['threads']} threads"
    parts = photos["paper"]["stages"]
    listed = ", ".join(f"{name} {took:.2g} s" for name, took in parts.items() if took >= 0.005)
    rows = {
        f"`estimate`, 2 megapixels, {threads}": _seconds(photos["spectral"]["wall"]),
        f"`estimate --profile paper`, {ITERATIONS} iterations, {threads}": _seconds(
            photos["paper"]["wall"]
        ),
        "of that": listed,
        f"The same in plain PyTorch, one thread: {ITERATIONS} × one iteration": _literal(here),
        "The same as the paper has it, on its own cards": ", ".join(
            f"{seconds} s ({card})" for card, seconds in PAPER.items()
        ),
        "Plain PyTorch / ours, an iteration, CPU time, one thread": _ratio(
            _times(here["stages"]["train"]["ratio"], here["sizes"]["iterations"]), 0
        ),
    }
    ratios = _result("train")["ratios"]
    rows |= {what: _ratio(ratios[name], digits) for what, (name, digits) in RATIOS.items()}
    for name, row in here["stages"].items():
        if name.split()[0] in ("downscale", "upscale"):
            rows[f"{row['what']}, one thread"] = _seconds(row["usual"]["cpu"])
    for other in elsewhere:
        where = f"{_device(other)}: `estimate --profile paper`, {ITERATIONS} iterations"
        rows[where] = _seconds(other["photos"]["paper"]["wall"])
    rows |= {
        "Memory to estimate from 12 megapixels, beyond PyTorch's": _most(memory["estimate"]),
        "Memory to upscale 12 megapixels ×2, by any of these": _most(memory["upscale"]),
    }
    lines = [f"| on {_device(here)} | median (least to most) |", "|---|---|"]
    lines += [f"| {what} | {figure} |" for what, figure in rows.items()]
    return "\n".join(lines) + "\n"


def stages() -> str:
    """The tables of all stages, one a device."""
    tables = []
    for document in _stages():
        lines = [
            f"On {_device(document)}; PyTorch {document['machine']['torch']}:",
            "",
            "| stage | name | CPU ms | wall ms | memory MiB | baseline | ratio |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, row in document["stages"].items():
            cpu, wall = (_three(1000 * row["usual"][kind]["median"]) for kind in ("cpu", "wall"))
            memory = "-" if row.get("memory_mib") is None else f"{row['memory_mib']:.0f}"
            if "gpu_memory_mib" in row:
                memory += f", GPU {row['gpu_memory_mib']:.0f}"
            low, middle, high = (_three(row["ratio"][end]) for end in ("min", "median", "max"))
            ratio = f"{middle} ({low} to {high})"
            figures = (row["what"], f"`{name}`", cpu, wall, memory, row["yardstick"], ratio)
            lines.append(f"| {' | '.join(figures)} |")
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def picture() -> str:
    """The chart of seconds a photo."""
    rows = [
        Row(f"the paper's own, {card}", seconds, "cited")
        for card, seconds in sorted(PAPER.items(), key=lambda card: -card[1])
    ]
    for document in _stages():
        where = "GPU" if document["device"] == "cuda" else "CPU"
        photos = document["photos"]
        rows += [
            Row(f"plain PyTorch, {where}", _literal_seconds(document), "plain"),
            Row(f"ours, --profile paper, {where}", photos["paper"]["wall"]["median"], "ours"),
            Row(f"ours, closed form, {where}", photos["spectral"]["wall"]["median"], "ours"),
        ]
    where = "; ".join(_device(document) for document in _stages())
    notes = (
        f"Filled: measured in one run on {where}; plain PyTorch: {ITERATIONS} × one iteration.",
        "Dashed: what the paper says of its own program on its own cards; not measured by us.",
    )
    return chart(rows, "Seconds to find the kernel of one photo (logarithmic)", notes)


TABLES = {
    "first": first,
    "accuracy": accuracy,
    "sr": super_resolution,
    "wild": in_the_wild,
    "speed": speed,
    "stages": stages,
}


def filled(text: str) -> str:
    """A page with the tables between their marks."""
    for mark, table in TABLES.items():
        between = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        if between.search(text):
            new = table()
            text = between.sub(lambda found, new=new: f"{found[1]}{new}{found[2]}", text)
    return text


def _stages() -> list[dict[str, Any]]:
    """The stages' results, those on CPUs first."""
    found = [_read(path) for path in sorted(RESULTS.glob("stages_*.json"))]
    return sorted(found, key=lambda document: document["device"] != "cpu")


def _device(document: dict[str, Any]) -> str:
    machine = document["machine"]
    if document["device"] == "cuda":
        return str(machine["gpu"])
    vectors = machine["extension"]["simd"]
    return f"{machine['cores']} shared cores of an {machine['cpu']}, {vectors}"


def _literal_seconds(document: dict[str, Any]) -> float:
    took: float = document["stages"]["train"]["yardstick_took"]["wall"]["median"]
    return ITERATIONS * took


def _literal(document: dict[str, Any]) -> str:
    return _seconds(_times(document["stages"]["train"]["yardstick_took"]["wall"], ITERATIONS))


def _times(spread: dict[str, float], factor: float) -> dict[str, float]:
    return {end: factor * value for end, value in spread.items()}


def _seconds(spread: dict[str, float]) -> str:
    unit, factor = ("s", 1) if spread["median"] >= 0.0995 else ("ms", 1000)
    low, middle, high = (_short(factor * spread[end]) for end in ("min", "median", "max"))
    return f"{middle} {unit} ({low} to {high})"


def _short(value: float) -> str:
    digits = next((n for n, least in enumerate((99.5, 0.995)) if value >= least), 2)
    return f"{value:.{digits}f}"


def _three(value: float) -> str:
    """To three figures, without an exponent."""
    return f"{float(f'{value:.3g}'):.6g}"


def _most(memory: dict[str, float]) -> str:
    return f"{max(memory.values()):.0f} MiB"


def _result(benchmark: str) -> dict[str, Any]:
    (path,) = RESULTS.glob(f"{benchmark}_*.json")
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _ratio(spread: dict[str, float], digits: int) -> str:
    low, middle, high = (f"{spread[key]:.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} × ({low} to {high})"


def main() -> int:
    wanted = {page: filled((ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
    wanted[CHART] = picture()
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in wanted.items() if _text(ROOT / name) != text]
        if stale:
            print(f"benchmarks/make_table.py writes otherwise: {', '.join(stale)}", file=sys.stderr)
        return int(bool(stale))
    for name, text in wanted.items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
