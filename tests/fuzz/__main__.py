"""`python -m tests.fuzz`: run the targets for some time, and show what was found.

For example:

    python -m tests.fuzz --minutes 60                    all targets, each for its share
    python -m tests.fuzz --minutes 5 --target png --seed 7
    python -m tests.fuzz --reproduce build/fuzz/png-0-1234.json
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections import Counter
from pathlib import Path

from .runner import Finding, Harness, Tally, target_names

FOLDER = Path(__file__).resolve().parents[2] / "build" / "fuzz"
# Inputs that meet the same fault tell nothing new.
_SAVED_PER_CAUSE = 3


def main() -> int:
    """Run the command; returns 1 if there were faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=1, help="of all targets together")
    parser.add_argument("--count", type=int, default=1 << 62, help="cases per target, at most")
    parser.add_argument("--target", action="append", choices=target_names(), help="may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reproduce", metavar="FILE", type=Path, help="run one finding again")
    args = parser.parse_args()
    if args.reproduce is not None:
        return reproduce(args.reproduce)
    names = args.target or target_names()
    tallies: dict[str, Tally] = {}
    end = time.monotonic() + 60 * args.minutes
    for number, name in enumerate(names):
        share = (end - time.monotonic()) / (len(names) - number)
        with Harness() as harness:
            until = time.monotonic() + share
            tallies[name] = harness.cases(name, args.seed, args.count, until=until)
        saved = save(tallies[name].faults)
        print(
            f"{name}: {tallies[name].cases} inputs, {len(saved)} faults saved",
            file=sys.stderr,
        )
    print(table(tallies))
    return 1 if any(tally.faults for tally in tallies.values()) else 0


def table(tallies: dict[str, Tally]) -> str:
    """The result as a Markdown table."""
    lines = ["| parser | inputs | refused | faults |", "|---|---|---|---|"]
    for name, tally in tallies.items():
        causes: dict[str, set[str]] = {}
        for finding in tally.faults:
            causes.setdefault(finding.kind, set()).add(finding.place)
        kinds = Counter(finding.kind for finding in tally.faults)
        told = ", ".join(
            f"{kind} {count} ({len(causes[kind])} places)" for kind, count in kinds.most_common()
        )
        refused = f"{tally.refused / max(tally.cases, 1):.0%}"
        lines.append(f"| {name} | {tally.cases:,} | {refused} | {told or 'none'} |")
    total = sum(tally.cases for tally in tallies.values())
    return "\n".join([*lines, f"| together | {total:,} | | |"])


def save(faults: list[Finding]) -> list[Path]:
    """Write faults into `FOLDER`, a few of each cause."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    causes: Counter[tuple[str, str, str]] = Counter()
    saved = []
    for finding in faults:
        causes[finding.cause] += 1
        if causes[finding.cause] > _SAVED_PER_CAUSE:
            continue
        content = {**vars(finding), "data": base64.b64encode(finding.data).decode()}
        path = FOLDER / f"{finding.target}-{finding.seed}-{finding.index}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
        saved.append(path)
    return saved


def reproduce(path: Path) -> int:
    """Run a saved finding again; returns 1 if it is still one."""
    content = json.loads(path.read_text())
    with Harness() as harness:
        found = harness.input(content["target"], base64.b64decode(content["data"]))
    print("no finding any more" if found is None else f"{found.kind}\n{found.text}")
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
