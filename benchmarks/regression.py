"""The guard of speed: ratios to the yardsticks, a new result's against the committed one's.

    benchmarks/compare [--new FILE] [--old FILE] [--only STAGE ...] [--seconds S] [--update]

Without --new it measures by itself, and again where a ratio fell, so that a burst of noise does not
decide. Ends with 0 where all is well, with 1 where a stage takes over 15 % longer beside its
yardstick (so that its ratio fell by 13 %), and with 2 where the results cannot be compared or noise
leaves it open. --update writes the committed file.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).resolve().parent / "results"
SLOWDOWN = 0.15
LIMIT = 1 / (1 + SLOWDOWN)  # of a ratio beside the committed one
LEAST_ROUNDS = 5
PHOTOS = 3  # whole runs of each profile in a result to commit
AGAIN = 2  # times that a stage which seems to have fallen is measured again

_TORCH = "PyTorch, which the yardsticks are made of"

OK, SLOWER, FASTER, UNCLEAR = "ok", "SLOWER", "faster", "UNCLEAR"

Document = Mapping[str, Any]
Measure = Callable[[Collection[str], str], Document]


class NotComparable(Exception):
    """Two results of which one says nothing of the other."""


class Verdict(NamedTuple):
    """A stage's ratio to its yardstick then and now, and what that means."""

    stage: str
    old: float
    new: float
    word: str


def judge(old: Sequence[float], new: Sequence[float]) -> str:
    """What the ratios of some rounds mean beside those of others.

    A fall is one of the median below `LIMIT` that noise cannot be taken for: of the new rounds the
    better quarter must begin below where the old rounds' worse quarter ends.

    Args:
        old, new: yardstick / stage, round by round; larger is faster.
    """
    change = statistics.median(new) / statistics.median(old)
    if LIMIT <= change <= 1 / LIMIT:
        return OK
    low, high = (new, old) if change < 1 else (old, new)
    if statistics.quantiles(low, n=4)[2] >= statistics.quantiles(high, n=4)[0]:
        return UNCLEAR if change < 1 else OK
    return SLOWER if change < 1 else FASTER


def compare(old: Document, new: Document, only: Collection[str] = ()) -> list[Verdict]:
    """A verdict of every stage.

    Args:
        old, new: results of bench_stages.py.
        only: of these stages; of all if empty.

    Raises:
        NotComparable: they were measured otherwise or elsewhere, or stages are missing.
    """
    _same("device", old, new)
    for name in ("cpu", "gpu"):
        _same(name, old["machine"], new["machine"])
    _same("simd", old["machine"]["extension"], new["machine"]["extension"])
    for name in ("basis", "threads", "sizes"):
        _same(name, old, new)
    versions = [one["machine"]["torch"].split("+")[0] for one in (old, new)]
    _same(_TORCH, *({_TORCH: word} for word in versions))
    then, today = (_chosen(one["stages"], only) for one in (old, new))
    _refuse(set(then) - set(today), "the new result lacks", new)
    _refuse(set(today) - set(then), "the committed result lacks", old)
    _refuse(set(only) - set(then), "the committed result lacks", old)
    if not then:
        raise NotComparable("there is no stage to compare")
    return [_verdict(stage, then[stage], today[stage]) for stage in then]


def _same(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    # JSON knows no tuples.
    was, is_now = (json.loads(json.dumps(one.get(name))) for one in (old, new))
    if was != is_now:
        raise NotComparable(f"they differ in {name}: committed {was}, new {is_now}")


def _chosen(stages: Mapping[str, Any], only: Collection[str]) -> dict[str, Any]:
    return {name: row for name, row in stages.items() if not only or name in only}


def _refuse(missing: Collection[str], what: str, document: Document) -> None:
    if missing:
        left_out = document.get("left_out", {})
        names = [f"{name} ({left_out.get(name, 'not measured')})" for name in sorted(missing)]
        raise NotComparable(f"{what} {', '.join(names)}")


def _verdict(stage: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Verdict:
    if old.get("yardstick") != new.get("yardstick"):
        raise NotComparable(f"{stage} has another yardstick than it had")
    ratios = [one.get("ratios", []) for one in (old, new)]
    for name, rounds in zip(("committed", "new"), ratios, strict=True):
        good = [ratio for ratio in rounds if math.isfinite(ratio) and ratio > 0]
        if len(good) < len(rounds) or len(rounds) < LEAST_ROUNDS:
            raise NotComparable(
                f"{stage}: the {name} result must have {LEAST_ROUNDS} rounds or more, each with a "
                f"ratio above 0, got {rounds}"
            )
    medians = (statistics.median(rounds) for rounds in ratios)
    return Verdict(stage, *medians, judge(*ratios))


def confirmed(
    old: Document, new: Document, measure: Measure, only: Collection[str] = ()
) -> list[Verdict]:
    """Verdicts, where those near the limit or beyond it rest on several measurements.

    Stages that fell half as far as they may are measured again, `AGAIN` times at most, and
    judged by the rounds of all measurements together.

    Raises:
        NotComparable: see `compare`.
    """
    pooled: dict[str, Any] = json.loads(json.dumps(new))
    verdicts = compare(old, pooled, only)
    for _ in range(AGAIN):
        doubtful = [one.stage for one in verdicts if one.new < (1 + LIMIT) / 2 * one.old]
        if not doubtful:
            break
        print(f"once more, to be sure: {', '.join(doubtful)}", file=sys.stderr)
        more = measure(doubtful, old["device"])
        compare(old, more, doubtful)
        for stage in doubtful:
            pooled["stages"][stage]["ratios"] += more["stages"][stage]["ratios"]
        verdicts = compare(old, pooled, only)
    return verdicts


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as lines."""
    lines = [f"{'stage':<24} {'committed':>10} {'new':>10} {'change':>8}"]
    for one in verdicts:
        change = f"{100 * (one.new / one.old - 1):+.1f} %"
        lines.append(f"{one.stage:<24} {one.old:>10.4g} {one.new:>10.4g} {change:>8}  {one.word}")
    return "\n".join([*lines, "", _conclusion([one.word for one in verdicts])])


def _conclusion(words: Sequence[str]) -> str:
    limit = f"{100 * SLOWDOWN:.0f} %"
    if SLOWER in words:
        found = f"{words.count(SLOWER)} of {len(words)} stages take"
        return f"{found} more than {limit} longer beside their yardsticks"
    if UNCLEAR in words:
        return (
            f"{words.count(UNCLEAR)} of {len(words)} stages seem to take more than {limit} longer, "
            "but the rounds spread so far that noise may be why; run it again on a quiet machine"
        )
    more = "; faster ones can be committed with --update" if FASTER in words else ""
    return f"none of {len(words)} stages takes more than {limit} longer{more}"


def exit_status(verdicts: Sequence[Verdict]) -> int:
    words = {one.word for one in verdicts}
    return 1 if SLOWER in words else 2 if UNCLEAR in words else 0


def committed(facts: Document, device: str, folder: Path = RESULTS) -> Path:
    """The committed result of a kind of machine.

    Args:
        facts: the machine's, as `measure.machine` tells them.
        device: "cpu" or "cuda".

    Raises:
        NotComparable: there is none, or more than one.
    """
    known = {path: read(path) for path in sorted(folder.glob("stages_*.json"))}
    found = [
        path
        for path, one in known.items()
        if one["device"] == device and _kind(one["machine"]) == _kind(facts)
    ]
    if len(found) != 1:
        kinds = [f"{path.name} ({', '.join(_kind(known[path]['machine']))})" for path in known]
        raise NotComparable(
            f"there must be one committed result on {device} of {', '.join(_kind(facts))}, there "
            f"are {len(found)} among "
            f"{'; '.join(kinds) or 'none'}; name one with --old"
        )
    return found[0]


def _kind(machine: Mapping[str, Any]) -> tuple[str, ...]:
    return (machine["cpu"], machine["extension"]["simd"], *filter(None, [machine.get("gpu")]))


def read(path: Path) -> dict[str, Any]:
    """A result of bench_stages.py.

    Raises:
        NotComparable: it is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotComparable(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("benchmark") != "stages":
        raise NotComparable(f"{path} is no result of bench_stages.py")
    return document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--new", type=Path, metavar="FILE", help="a result, instead of measuring")
    parser.add_argument("--old", type=Path, metavar="FILE", help="instead of this machine's")
    parser.add_argument("--only", nargs="+", default=(), metavar="STAGE", help="these stages only")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=6.0, help="a stage (6), if it can")
    parser.add_argument("--update", action="store_true", help="write the committed result")
    options = parser.parse_args()
    try:
        return _run(options)
    except NotComparable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {error}; run it by the Python of .venv, which scripts/run makes",
              file=sys.stderr)  # fmt: skip
        return 2
    except Exception:  # Python would end with 1, which here means that something fell
        traceback.print_exc()
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.update and options.only:
        raise NotComparable("--update commits all stages; leave --only out")
    new = None if options.new is None else read(options.new)
    device = options.device if new is None else new["device"]
    path = options.old or committed(_machine(device) if new is None else new["machine"], device)

    def measure(names: Collection[str], where: str, photos: int = 0) -> Document:
        from bench_stages import measure

        return measure(names, where, options.seconds, photos)

    if options.update:
        old = read(path) if path.exists() else None
        return _update(path, old, new or measure(_all_stages(old), device, PHOTOS))
    old = read(path)
    if new is None:
        new = measure(options.only or _all_stages(old), device)
        verdicts = confirmed(old, new, measure, options.only)
    else:
        verdicts = compare(old, new, options.only)
    print(table(verdicts))
    for name, one in (("committed", old), ("new", new)):
        _tell_if_busy(name, one)
    return exit_status(verdicts)


def _tell_if_busy(name: str, document: Document) -> None:
    """Of a machine that did other things too, which moves ratios by some percent."""
    load, cores = document["machine"].get("load_1min", 0), document["machine"].get("cores") or 1
    if load > cores:
        print(
            f"note: the machine's load was {load:g}, on {cores} cores, when the {name} result was "
            "begun; measure on a quiet one",
            file=sys.stderr,
        )


def _update(path: Path, old: Document | None, new: Document) -> int:
    from measure import save

    former = set() if old is None else set(old["stages"]) - set(new["stages"])
    _refuse({*former, *new["left_out"]}, "a result to commit must be whole; it lacks", new)
    if "photos" not in new:
        raise NotComparable("a result to commit must be whole; measure it without --photos 0")
    if old is not None:
        try:
            print(table(compare(old, new)))
        except NotComparable as error:
            print(f"beside the former result: {error}")
    save(dict(new), path)
    print(f"wrote {path}; now benchmarks/make_table.py")
    return 0


def _all_stages(old: Document | None) -> list[str]:
    """Those that are committed, and any that came since."""
    from stages import stages

    known = stages()
    usual = [name for name, stage in known.items() if not stage.slow]
    return list(dict.fromkeys([*(old or {}).get("stages", ()), *usual]))


def _machine(device: str) -> dict[str, Any]:
    from measure import gpu, machine

    return machine() if device == "cpu" else {**machine(), **gpu()}


if __name__ == "__main__":
    sys.exit(main())
