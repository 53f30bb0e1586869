"""`python -m kernelgan_fast.training PHOTOS --out FILE`: train the unfolding network."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import KernelGanError
from kernelgan_fast.escaping import printable

if TYPE_CHECKING:
    from kernelgan_fast.training.train import Training

_SAVE_EVERY = 120.0
_TELL_EVERY = 30.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m kernelgan_fast.training",
        description="Train the unfolding network on a folder of sharp photos, without a loader: "
        "photos are kept in memory, kernels are drawn and applied on the device.",
        epilog="One H100: scripts/gpu_check train -- PHOTOS --out FILE --minutes 25",
    )
    made.add_argument("photos", help="folder of photos; the larger and sharper the better")
    made.add_argument("--out", required=True, metavar="FILE", help="weights, .safetensors")
    made.add_argument("--minutes", type=float, default=25.0, metavar="M", help="default 25")
    made.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    made.add_argument("--threads", type=int, default=1, metavar="N", help="of the CPU, default 1")
    made.add_argument("--held-out", type=int, default=6, metavar="N", help="photos to check with")
    made.add_argument("--batch", type=int, default=8, metavar="N", help="crops a step, default 8")
    made.add_argument("--side", type=int, default=96, metavar="PX", help="of HR crops, default 96")
    made.add_argument("--widths", default="32,64,96", metavar="LIST", help="default 32,64,96")
    made.add_argument("--blocks", type=int, default=1, metavar="N", help="a level, default 1")
    made.add_argument("--stages", type=int, default=2, metavar="N", help="default 2")
    made.add_argument(
        "--bank", type=int, default=100, metavar="N", help="estimated kernels a scale"
    )
    made.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    made.add_argument(
        "--pause-after", type=float, metavar="M", help="minutes of this run; go on with --resume"
    )
    made.add_argument(
        "--resume", action="store_true", help="go on from FILE.checkpoint of a stopped run"
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit code."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        train(args)
    except KernelGanError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; go on with --resume", file=sys.stderr)
        return 130
    return 0


def train(args: argparse.Namespace) -> None:
    """Train as the command line says, and write the weights."""
    import torch

    from kernelgan_fast.sr import weights
    from kernelgan_fast.sr.unfold_net import Shape
    from kernelgan_fast.training.check import gain_over_bicubic
    from kernelgan_fast.training.photos import PhotoStore, split
    from kernelgan_fast.training.train import SCALES, Plan, Training

    torch.set_num_threads(args.threads)
    widths = tuple(int(width) for width in args.widths.split(","))
    plan = Plan(
        minutes=args.minutes,
        shape=Shape(args.stages, widths, args.blocks),
        side=args.side,
        batch=args.batch,
        bank=args.bank,
        seed=args.seed,
    )
    device = torch.device(args.device)
    paths, held_out = split(args.photos, args.held_out, args.seed)
    largest = args.side + 2 * 32
    photos, kept = (PhotoStore(some, largest, device) for some in (paths, held_out))
    training = Training(plan, photos, device)
    checkpoint = Path(f"{args.out}.checkpoint")
    if args.resume and checkpoint.exists():
        training.restore(checkpoint)
    progress = _Progress(training, checkpoint, args.pause_after)
    try:
        training.run(progress)
    finally:
        training.save(checkpoint)
    gains = {f"x{scale}": gain_over_bicubic(training.averaged, kept, scale) for scale in SCALES}
    about = {
        "plan": asdict(plan),
        "steps": training.step,
        "photos": [path.name for path in paths],
        "held_out": [path.name for path in held_out],
        "gain_over_bicubic": gains,
    }
    weights.save(training.averaged, args.out, about)
    logging.info("%d steps; over bicubic on photos held out: %s", training.step, gains)


class _Progress:
    """Tells and saves from time to time."""

    def __init__(self, training: Training, checkpoint: Path, pause_after: float | None) -> None:
        self._training, self._checkpoint = training, checkpoint
        self._told = self._saved = time.monotonic()
        self._pause_at = math.inf if pause_after is None else self._told + 60 * pause_after
        self._losses: list[float] = []

    def __call__(self, step: int, loss: float, part: float) -> None:
        self._losses.append(loss)
        now = time.monotonic()
        if now - self._told > _TELL_EVERY:
            mean = sum(self._losses) / len(self._losses)
            logging.info("%5.1f %%  step %d  loss %.5f", 100 * part, step, mean)
            self._told, self._losses = now, []
        if now > self._pause_at:
            raise KeyboardInterrupt  # saved and told as when a user stops it
        if now - self._saved > _SAVE_EVERY:
            self._training.save(self._checkpoint)
            self._saved = now


if __name__ == "__main__":
    sys.exit(main())
