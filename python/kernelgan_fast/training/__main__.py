"""`python -m kernelgan_fast.training PHOTOS --out FILE`: train the unfolding network."""

from __future__ import annotations

import argparse
import json
import logging
import math
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kernelgan_fast.errors import InputError, KernelGanError
from kernelgan_fast.escaping import printable

if TYPE_CHECKING:
    import torch

    from kernelgan_fast.sr.unfolding_network import Architecture
    from kernelgan_fast.training.photos import PhotoStore
    from kernelgan_fast.training.train import Training

_SAVE_EVERY = 120.0
_LOG_EVERY = 30.0
_VALIDATE_EVERY = 600.0


class _TimeIsUp(Exception):
    pass


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m kernelgan_fast.training",
        description="Train the unfolding network on a folder of sharp photos. The rate is constant "
        "after a warm-up: repeat the command with --resume for as long as you like, then make a "
        "release with --cooldown, which starts from the checkpoint and leaves it as it is.",
    )
    made.add_argument("photos", help="folder of photos; the larger and sharper the better")
    made.add_argument("--out", required=True, metavar="FILE", help="weights, .safetensors")
    made.add_argument("--minutes", type=float, default=25.0, metavar="M", help="default 25")
    made.add_argument("--steps", type=int, metavar="N", help="stop after N steps, if earlier")
    made.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="default: --out with .checkpoint added"
    )
    made.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    made.add_argument(
        "--from-weights", type=Path, metavar="FILE", help="start from these weights instead"
    )
    made.add_argument(
        "--cooldown",
        type=int,
        metavar="N",
        help="from the checkpoint, let the rate fall to 0 over N steps and write the weights",
    )
    made.add_argument(
        "--baseline", action="store_true", help="measure `tv` on the photos held out, and stop"
    )
    made.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    made.add_argument("--threads", type=int, default=1, metavar="N", help="of the CPU, default 1")
    made.add_argument("--held-out", type=int, default=4, metavar="N", help="photos to validate on")
    made.add_argument("--batch", type=int, default=8, metavar="N", help="crops per step, default 8")
    made.add_argument("--side", type=int, default=48, metavar="PX", help="of LR crops, default 48")
    made.add_argument("--rate", type=float, default=8e-4, help="learning rate, default 0.0008")
    made.add_argument(
        "--architecture",
        metavar="LIST",
        help="stages, width, blocks, coarse width and coarse blocks; default: as shipped",
    )
    made.add_argument(
        "--bank", type=int, default=400, metavar="N", help="estimated kernels per scale"
    )
    made.add_argument("--bank-folder", type=Path, metavar="DIR", help="keep estimated kernels here")
    made.add_argument("--drawings", type=int, default=240, metavar="N", help="default 240")
    made.add_argument(
        "--precision",
        choices=("bfloat16", "float32"),
        help="of the prior; default: what is quicker here",
    )
    made.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Train; return the exit code."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        train(args)
    except KernelGanError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; continue with --resume", file=sys.stderr)
        return 130
    return 0


def train(args: argparse.Namespace) -> None:
    """Train as the command line says, and write the weights."""
    import torch

    from kernelgan_fast.training.photos import PhotoStore, split
    from kernelgan_fast.training.train import Plan, Training
    from kernelgan_fast.training.validation import gains_of_tv

    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    checkpoint = args.checkpoint or Path(f"{args.out}.checkpoint")
    if args.cooldown is not None and not checkpoint.exists():
        raise InputError(f"{checkpoint}: no checkpoint to cool down from; train first")
    plan = Plan(
        architecture=_architecture(args.architecture),
        side=args.side,
        batch=args.batch,
        rate=args.rate,
        bank=args.bank,
        precision=args.precision or _quicker_precision(device),
        seed=args.seed,
    )
    paths, held_out = split(args.photos, args.held_out, args.seed)
    kept = PhotoStore(held_out, plan.crop, device)
    if args.baseline:
        logging.info("gain of tv over bicubic: %s", gains_of_tv(kept))
        return
    photos = PhotoStore(paths, plan.crop, device, args.drawings)
    training = Training(plan, photos, device)
    if args.resume or args.cooldown is not None:
        if checkpoint.exists():
            training.restore(checkpoint)
    elif args.from_weights is not None:
        training.start_from(args.from_weights)
    training.fill_banks(args.bank_folder)
    about = {
        "plan": asdict(plan),
        "photos": [path.name for path in paths],
        "held_out": [path.name for path in held_out],
    }
    cooling = args.cooldown is not None
    progress = _Progress(training, kept, None if cooling else checkpoint, args)
    try:
        training.run(args.cooldown or args.steps or sys.maxsize, progress, cooldown=cooling)
    except _TimeIsUp:
        pass
    finally:
        progress.save()
    gains = progress.validate()
    if cooling:
        about["cooldown"] = args.cooldown
    _write(training, Path(args.out), {**about, "steps": training.step, "gain_over_bicubic": gains})


def _write(training: Training, out: Path, about: dict[str, object]) -> None:
    from kernelgan_fast.sr import weights

    weights.save(training.averaged, out, about)
    logging.info("%s written after %d steps", out, training.step)


def _architecture(list_: str | None) -> Architecture:
    from kernelgan_fast.sr.unfolding_network import Architecture

    return Architecture(*(int(each) for each in list_.split(","))) if list_ else Architecture()


def _quicker_precision(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return "bfloat16"
    return "bfloat16" if torch.cpu._is_amx_tile_supported() else "float32"


class _Progress:
    """Logs, validates and saves from time to time."""

    def __init__(
        self,
        training: Training,
        kept: PhotoStore,
        checkpoint: Path | None,
        args: argparse.Namespace,
    ) -> None:
        self._training, self._kept, self._checkpoint = training, kept, checkpoint
        self._curve = Path(f"{args.out}.curve.jsonl")
        now = time.monotonic()
        self._logged = self._saved = self._validated = now
        self._step_of_log = training.step
        self._stop_at = math.inf if args.cooldown is not None else now + 60 * args.minutes
        self._losses: list[float] = []

    def __call__(self, step: int, loss: float) -> None:
        self._losses.append(loss)
        now = time.monotonic()
        if now - self._logged > _LOG_EVERY:
            mean = sum(self._losses) / len(self._losses)
            pace = (step - self._step_of_log) / (now - self._logged)
            logging.info("step %d  loss %.4f  %.2f steps/s", step, mean, pace)
            self._logged, self._step_of_log, self._losses = now, step, []
        if now > self._stop_at:
            raise _TimeIsUp
        if now - self._saved > _SAVE_EVERY:
            self.save()
            self._saved = now
        if now - self._validated > _VALIDATE_EVERY:
            self.validate()
            self._validated = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint; not of a cooldown, which must leave it as it is."""
        if self._checkpoint is not None:
            self._training.save(self._checkpoint)

    def validate(self) -> dict[str, float]:
        """Measure the averaged weights and add a line to the learning curve."""
        import torch

        from kernelgan_fast.training.validation import gains

        precision = getattr(torch, self._training.plan.precision)
        found = gains(self._training.averaged, self._kept, precision)
        logging.info("step %d  gain over bicubic: %s", self._training.step, found)
        with self._curve.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": self._training.step, "gain": found}) + "\n")
        return found


if __name__ == "__main__":
    for kind in (signal.SIGINT, signal.SIGTERM):  # shells let background jobs ignore SIGINT
        signal.signal(kind, signal.default_int_handler)
    sys.exit(main())
