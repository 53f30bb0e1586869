"""TensorRT engines of exported models, built once and kept.

Only calls that TensorRT 10.12, 11 and TensorRT-RTX share are used. TensorRT-RTX builds without a
GPU; TensorRT builds for the GPU that is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kernelgan_fast.errors import DeviceUnavailable, InputError, OutputError
from kernelgan_fast.files import atomic_write
from kernelgan_fast.runtime.extras import required

# Flavours by name, and the module of each.
FLAVOURS = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}

_FORMAT = "kernelgan-fast engine 2"


@dataclass(frozen=True)
class Profile:
    """Sizes of `image` that an engine takes.

    Attributes:
        least, usual, most: n, h and w; it is quickest at the usual ones.
    """

    least: tuple[int, int, int] = (1, 32, 32)
    usual: tuple[int, int, int] = (1, 256, 256)
    most: tuple[int, int, int] = (4, 1024, 1024)


@dataclass(frozen=True)
class BuiltEngine:
    """An engine on disk.

    Attributes:
        path: the file; what it was made of is beside it, as .json, and with it all that the
            model says of itself, for the C++ engine.
        cached: whether it was there already.
    """

    path: Path
    cached: bool


def build_engine(
    model: str | os.PathLike[str],
    flavour: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    profile: Profile | None = None,
    targets: Sequence[str] = (),
) -> BuiltEngine:
    """Build the engine of a model, or find the one that was built before.

    Engines are programs: they are kept where nobody but the user can write.

    Args:
        model: an ONNX file that `export` has made.
        flavour: one of `FLAVOURS`.
        folder: for engines, made if it is not there; that of the user's cache if None.
        profile: the sizes it takes.
        targets: of TensorRT-RTX, GPUs to build for, such as "SM89"; its own choice if empty.

    Raises:
        InputError: the package is missing, the model cannot be read, or an unknown target.
        DeviceUnavailable: TensorRT finds no GPU.
        OutputError: the folder belongs to others too, or the engine could not be written.
    """
    if flavour not in FLAVOURS:
        raise InputError(f"the engine must be {' or '.join(FLAVOURS)}, got {flavour!r}")
    trt = required(FLAVOURS[flavour], flavour)
    try:
        content = Path(model).read_bytes()
    except OSError as error:
        raise InputError(f"{model}: cannot be read ({error.strerror}); export it again") from error
    profile = profile or Profile()
    facts: dict[str, object] = {
        "format": _FORMAT,
        "model": hashlib.sha256(content).hexdigest(),
        "profile": {name: list(sizes) for name, sizes in asdict(profile).items()},
        "flavour": flavour,
        "version": str(trt.__version__),
        "for": list(targets) or ("default" if flavour == "tensorrt-rtx" else _gpu()),
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    place = _private(_cache() if folder is None else Path(folder))
    path = place / f"{Path(model).stem}-{key[:16]}.engine"
    kept = _kept(path, facts)
    if kept is not None and (targets or _loads(trt, kept)):
        return BuiltEngine(path, cached=True)
    metadata = _metadata(content)
    engine = _build(trt, content, profile, targets)
    told = {**facts, **_of_file(engine), "metadata": metadata}
    _write(path, engine)
    _write(_sidecar(path), json.dumps(told, indent=1).encode())
    return BuiltEngine(path, cached=False)


def _build(trt: Any, content: bytes, profile: Profile, targets: Sequence[str]) -> bytes:
    log = _log(trt)
    builder = trt.Builder(log)
    # From 11 on all networks are of this kind, and so are those of TensorRT-RTX.
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(content):
        told = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise InputError(f"TensorRT cannot read the model ({told}); export it again")
    config = builder.create_builder_config()
    if targets:
        config.num_compute_capabilities = len(targets)
        for index, target in enumerate(targets):
            config.set_compute_capability(_capability(trt, target), index)
    sizes = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 in tuple(tensor.shape):
            shapes = ((n, 3, h, w) for n, h, w in (profile.least, profile.usual, profile.most))
            sizes.set_shape(tensor.name, *shapes)
    config.add_optimization_profile(sizes)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise InputError(f"TensorRT could not build the engine: {log.told()}")
    return bytes(engine)


def _log(trt: Any) -> Any:
    """What TensorRT says, kept for an error and not printed."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self._errors.append(message)

        def told(self) -> str:
            return "; ".join(self._errors) or "it does not say why"

    return Log()


def _capability(trt: Any, target: str) -> Any:
    known = getattr(trt, "ComputeCapability", None)
    found = getattr(known, target, None)
    if found is None:
        names = sorted(name for name in dir(known) if name.startswith("SM"))
        raise InputError(
            f"targets must be among {', '.join(names) or 'none with TensorRT'}, got {target!r}"
        )
    return found


def _gpu() -> str:
    """The GPU that an engine of TensorRT is bound to."""
    import torch

    if not torch.cuda.is_available():
        raise DeviceUnavailable(
            "TensorRT builds an engine on the GPU that it is for, and there is none; build it "
            "there, or take tensorrt-rtx"
        )
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()}, {major}.{minor}"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kernelgan-fast" / "engines"


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); give another") from error
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others or status.st_uid != os.getuid():
        raise OutputError(
            f"{folder}: engines are programs, so nobody else may write there; chmod 700 it, or "
            "give a folder of your own"
        )
    return folder


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _kept(path: Path, facts: dict[str, object]) -> bytes | None:
    """The engine of these facts, as it was written byte by byte; None whatever fails."""
    try:
        told = json.loads(_sidecar(path).read_text("utf-8"))
        engine = path.read_bytes()
    except (OSError, ValueError, RecursionError):
        return None
    wanted = {**facts, **_of_file(engine)}
    whole = isinstance(told, dict) and wanted == {name: told.get(name) for name in wanted}
    return engine if whole else None


def _of_file(engine: bytes) -> dict[str, object]:
    return {"engine": hashlib.sha256(engine).hexdigest(), "bytes": len(engine)}


def _metadata(content: bytes) -> dict[str, str]:
    """The model's metadata_props: engines have none."""
    onnx = required("onnx", "onnx")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's, by any of its names
        raise InputError(f"the model is no ONNX file ({error}); export it again") from error
    return {entry.key: entry.value for entry in model.metadata_props}


def _loads(trt: Any, engine: bytes) -> bool:
    """Whether the GPU here takes the engine; without one nobody can tell, and it is believed."""
    import torch

    if not torch.cuda.is_available():
        return True
    return trt.Runtime(_log(trt)).deserialize_cuda_engine(engine) is not None


def _write(path: Path, content: bytes) -> None:
    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(path, write)
