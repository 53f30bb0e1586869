"""`kernelgan-fast info`: what is installed, and what would run."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from kernelgan_fast.cli.console import print_document, print_message

HELP = "show versions, devices and what would run"
DESCRIPTION = """\
Show versions, how the compiled extension was built, which vector instructions
it chose, the devices, and what --device auto would run on.
"""
EPILOG = """\
environment: KERNELGAN_FAST_SIMD=baseline, avx2 or avx512 makes the compiled
extension use these vector instructions in place of the best that the CPU has

exit codes: 0 estimates can run, 2 KERNELGAN_FAST_SIMD names instructions that
this CPU lacks, 3 estimates cannot run (the reason is shown)
"""
_SIMD_VARIABLE = "KERNELGAN_FAST_SIMD"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    facts = gather()
    print_document(json.dumps(facts, indent=1) if args.json else _text(facts))
    if facts["extension"] is None:
        print_message(f"error: {facts['missing']}")
        return 3
    return 0


def gather() -> dict[str, Any]:
    """Collect the facts.

    Returns:
        versions: by package;
        extension: what the compiled extension tells of itself, or None;
        missing: why it is None, otherwise None;
        cpus: how many this process may use;
        cuda: what the extension and torch have of it, in words;
        gpus: device, name, compute capability, GiB of memory of each that torch sees, and whether
            the extension's kernels run on it;
        auto: what `--device auto` runs on, or None.
    """
    from kernelgan_fast.estimation.devices import what_auto_means
    from kernelgan_fast.estimation.options import available_threads, versions

    extension, missing = _extension()
    return {
        "versions": versions(),
        "extension": extension,
        "missing": missing,
        "cpus": available_threads(),
        "cuda": _cuda(extension),
        "gpus": _gpus(extension),
        "auto": what_auto_means() if extension else None,
    }


def _extension() -> tuple[dict[str, Any] | None, str | None]:
    try:
        from kernelgan_fast.ops import native

        return dict(native.info()), None
    except ImportError as error:
        return None, str(error)


def _cuda(extension: dict[str, Any] | None) -> str:
    if extension is None:
        return _torch_cuda()
    if extension["cuda"] is None:
        return f"no kernels in this build, KGF_CUDA=ON makes them; {_torch_cuda()}"
    return f"kernels made by CUDA {extension['cuda']}; {_torch_cuda()}"


def _gpus(extension: dict[str, Any] | None) -> list[dict[str, Any]]:
    if extension is None:
        return []
    import torch

    from kernelgan_fast.ops import native

    found = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append(
            {
                "device": f"cuda:{index}",
                "name": card.name,
                "capability": f"{card.major}.{card.minor}",
                "memory_gib": round(card.total_memory / 2**30, 1),
                "runs": native.runs_on((card.major, card.minor), extension["cuda_architectures"]),
            }
        )
    return found


def _torch_cuda() -> str:
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if torch.version.cuda is None:
        return "this torch is built without CUDA"
    if not torch.cuda.is_available():
        return "torch sees no GPU"
    count = torch.cuda.device_count()
    return f"torch {torch.version.cuda} sees {count} GPU{'s' if count > 1 else ''}"


def _text(facts: dict[str, Any]) -> str:
    rows = [(name.replace("_", "-"), version) for name, version in facts["versions"].items()]
    extension = facts["extension"]
    if extension is None:
        rows += [("extension", "missing"), ("--device auto", "nothing can run")]
    else:
        levels = ", ".join(extension["simd_levels"])
        chosen = f"; set by {_SIMD_VARIABLE}" if os.environ.get(_SIMD_VARIABLE) else ""
        rows += [
            ("extension", f"version {extension['version']}"),
            *[("", switch) for switch in str(extension["build"]).split()],
            ("vector unit", f"{extension['simd']} (of {levels}{chosen})"),
            ("--device auto", f"{facts['auto']}, {facts['cpus']} threads"),
        ]
    rows += [("cpu", f"{facts['cpus']} usable by this process"), ("cuda", facts["cuda"])]
    for gpu in facts["gpus"]:
        words = f"{gpu['name']}, compute capability {gpu['capability']}, {gpu['memory_gib']} GiB"
        rows.append((gpu["device"], words + ("" if gpu["runs"] else "; no kernels for it here")))
    return "\n".join(f"{name:<15} {value}" for name, value in rows)
