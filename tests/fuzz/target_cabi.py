"""The C functions of the engine: sidecars, metadata of models, models, structures and images.

The first byte of an input says what the rest is:

    S   the .json beside a TensorRT engine
    M   metadata of a model, one KEY=VALUE a line, as bytes
    R   a model, as .onnx
    F   64-bit numbers for the fields of the structures, see `FIELDS`

Every call must end with a status and words in UTF-8, leave what is not the output's as it was, and
never with KGF_INTERNAL_ERROR. `KERNELGAN_FAST_LIBRARY` names another library than the installed
one, such as one that was built with sanitizers.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
from engine_abi import Image
from fuzz.outcomes import RejectedInput, WrongOutcome

from kernelgan_fast import sdk

MODELS = Path(__file__).resolve().parents[1] / "cpp" / "models"

_OK, _BACKEND_ERROR, _INTERNAL_ERROR = 0, 4, 8
_LONGEST_ERROR = 4096
_MEMORY = 1 << 16
_OUT_AT = 1 << 15
_SIDE = 20

# The numbers of an input that begins with F, in order, with those of a run that works.
FIELDS = {
    "options_size": 56,
    "threads": 1,
    "info_size": 48,
    "run_size": 48,
    "tile": -1,
    "overlap": -1,
    "cancel": 0,
    "memory": 0,
    "stream": 0,
    "beyond": 0,
    "kernel_size": 5,
    "kernel_value": 0,
    "number": 0,
    **{"in_at": 0, "in_type": 0, "in_height": _SIDE, "in_width": _SIDE, "in_channels": 3},
    **{"in_row": 3 * _SIDE, "in_pixel": 3, "in_channel": 1, "in_white": 0},
    **{"out_at": _OUT_AT, "out_type": 0, "out_height": _SIDE // 2, "out_width": _SIDE // 2},
    **{"out_channels": 3, "out_row": 3 * _SIDE // 2, "out_pixel": 3, "out_channel": 1},
    "out_white": 0,
}
_LIMITS = (0, 1, -1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 33, 40, 48, 56, 64, 255, 1024, 4096, 4097)
_LIMITS += (2**15, 2**24, 2**24 + 1, 2**31 - 1, -(2**31), 2**40, 2**61, 2**62, 2**63 - 1, -(2**63))
# Patterns of float64 that are read as float32: NaN, infinities, the smallest, the largest.
_LIMITS += tuple(
    struct.unpack("<q", struct.pack("<d", value))[0]
    for value in (float("nan"), float("inf"), -float("inf"), 1e-45, 3e38, 0.5, 1023.0)
)


class _Options(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("onnxruntime", ctypes.c_char_p),
        ("threads", ctypes.c_int32),
        ("device", ctypes.c_char_p),
        ("tensorrt", ctypes.c_char_p),
        ("cudart", ctypes.c_char_p),
        ("stream", ctypes.c_void_p),
    )


_Progress = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)


class _RunOptions(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("tile", ctypes.c_int32),
        ("overlap", ctypes.c_int32),
        ("progress", _Progress),
        ("user", ctypes.c_void_p),
        ("memory", ctypes.c_int32),
        ("stream", ctypes.c_void_p),
    )


@functools.cache
def seeds() -> list[bytes]:
    """One input of each kind that is not refused."""
    sidecar = (
        b'{"format": "kernelgan-fast engine 1", "flavour": "tensorrt", "version": "10.14.1.48", '
        b'"bytes": 6, "for": ["SM90"], "metadata": {"kernelgan_fast.scale": "2"}}'
    )
    metadata = b"scale=3\ncontext=4\nmultiple=1\nleast_side=2\ntask=upscale\nrange=[0, 1]"
    return [
        b"S" + sidecar,
        b"M" + metadata,
        b"R" + (MODELS / "up2.onnx").read_bytes(),
        b"R" + (MODELS / "shrink.onnx").read_bytes(),
        b"F" + struct.pack(f"<{len(FIELDS)}q", *FIELDS.values()),
    ]


def structured(data: bytes, rng: np.random.Generator) -> bytes:
    """Set one field to a limit; of other kinds, repeat, drop or exchange a piece."""
    body = bytearray(data[1:])
    if data[:1] == b"F" and len(body) >= 8:
        at = 8 * int(rng.integers(len(body) // 8))
        value = _LIMITS[rng.integers(len(_LIMITS))] + int(rng.integers(-1, 2)) * int(
            rng.integers(2)
        )
        body[at : at + 8] = struct.pack("<Q", value % 2**64)
    elif body:
        first, last = sorted(int(place) for place in rng.integers(0, len(body) + 1, 2))
        piece = bytes(body[first : min(last, first + 64)])
        pieces = (b"", piece * 2, rng.bytes(len(piece)), b"\xff", b"\0", b"99999999999999999999")
        body[first : first + len(piece)] = pieces[rng.integers(len(pieces))]
    return data[:1] + bytes(body)


def run(data: bytes) -> None:
    """Hand the input to the engine.

    Raises:
        RejectedInput: the engine refused it.
        WrongOutcome: the engine did what it may not do; a crash is worse.
    """
    kind, body = data[:1], data[1:]
    if kind == b"S":
        _sidecar(body)
    elif kind == b"M":
        _run_model((MODELS / "plain.onnx").read_bytes() + _properties(body))
    elif kind == b"R":
        _run_model(body)
    else:
        _structures(body)


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ.get("KERNELGAN_FAST_LIBRARY") or sdk.get_library())
    library.kgf_last_error.restype = ctypes.c_char_p
    library.kgf_number_name.restype = ctypes.c_char_p
    return library


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise WrongOutcome(what)


def _call(function: str, *arguments: object) -> None:
    """Call a function that returns a status."""
    status = getattr(_library(), function)(*arguments)
    if status == _OK:
        return
    words: bytes = _library().kgf_last_error()
    _check(0 < len(words) <= _LONGEST_ERROR, f"words of {len(words)} bytes")
    text = words.decode()  # strict: anything but UTF-8 is a finding
    _check(_OK < status < _INTERNAL_ERROR, f"{function} returned {status}: {text}")
    raise RejectedInput(f"{function} returned {status}: {text}")


def _sidecar(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = Path(folder) / "fuzzed.engine"
        engine.write_bytes(b"engine")
        engine.with_suffix(".json").write_bytes(text)
        model = ctypes.c_void_p()
        try:
            _call("kgf_open", bytes(engine), None, ctypes.byref(model))
        except RejectedInput as refusal:
            # Without TensorRT a sidecar that is right gets no further than this.
            if f" returned {_BACKEND_ERROR}:" not in str(refusal):
                raise
        _check(model.value is None, "a model without TensorRT")


def _properties(lines: bytes) -> bytes:
    """Metadata as the end of an ONNX file, where protobuf adds it to what is there."""
    found = b""
    for line in lines.split(b"\n"):
        key, _, value = line.partition(b"=")
        entry = _field(1, b"kernelgan_fast." + key) + _field(2, value)
        found += _field(14, entry)
    return found


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = b""
    while value >= 128:
        found += bytes([value % 128 + 128])
        value //= 128
    return found + bytes([value])


class _Opened:
    """A model with a context, closed at the end."""

    def __init__(self, model: bytes, options: object) -> None:
        self.model, self.context = ctypes.c_void_p(), ctypes.c_void_p()
        _call("kgf_open_memory", model, len(model), options, ctypes.byref(self.model))
        try:
            _call("kgf_create_context", self.model, ctypes.byref(self.context))
        except RejectedInput:
            self.close()
            raise

    def close(self) -> None:
        """Free both."""
        _library().kgf_destroy_context(self.context)
        _library().kgf_close(self.model)


@functools.cache
def _runtime() -> bytes:
    """The path of ONNX Runtime; kept, since copies of structures point to it."""
    return sdk.get_onnxruntime().encode()


def _options(threads: int = 1) -> _Options:
    return _Options(ctypes.sizeof(_Options), _runtime(), threads, None, None, None, None)


def _run_model(content: bytes) -> None:
    opened = _Opened(content, ctypes.byref(_options()))
    try:
        info = (ctypes.c_int32 * 12)()
        ctypes.cast(info, ctypes.POINTER(ctypes.c_size_t))[0] = ctypes.sizeof(info)
        _call("kgf_get_info", opened.model, info)
        channels, kernel_size = info[4] or 3, info[5]
        if kernel_size:
            taps = (ctypes.c_float * kernel_size**2)()
            _call("kgf_set_kernel", opened.context, taps, kernel_size)
        high, wide = ctypes.c_int32(), ctypes.c_int32()
        sides = (ctypes.byref(high), ctypes.byref(wide))
        _call("kgf_output_size", opened.model, _SIDE, _SIDE, *sides)
        image = np.zeros((channels, _SIDE, _SIDE), np.float32)
        result = np.zeros((channels, high.value, wide.value), np.float32)
        images = [_planar(image), _planar(result)]
        _call("kgf_run", opened.context, *map(ctypes.byref, images), None)
        _check(bool(np.isfinite(result).all()), "a result that is not finite")
    finally:
        opened.close()


def _planar(planes: np.ndarray[tuple[int, int, int], np.dtype[np.float32]]) -> Image:
    channels, height, width = planes.shape
    sizes = (2, height, width, channels, 4 * width, 4, 4 * width * height)
    return Image(planes.ctypes.data, *sizes, 0.0)


def _structures(body: bytes) -> None:
    whole = body.ljust(8 * len(FIELDS), b"\0")[: 8 * len(FIELDS)]
    fields = dict(zip(FIELDS, struct.unpack(f"<{len(FIELDS)}q", whole), strict=True))
    options = _room(_options(_int32(fields["threads"])), fields["options_size"], fields["beyond"])
    opened = _Opened((MODELS / "shrink.onnx").read_bytes(), options)
    try:
        _run_structures(opened, fields)
    finally:
        opened.close()


def _run_structures(opened: _Opened, fields: dict[str, int]) -> None:
    info = ctypes.create_string_buffer(b"\xaa" * 8192, 8192)
    ctypes.cast(info, ctypes.POINTER(ctypes.c_size_t))[0] = fields["info_size"] % 2**64
    _call("kgf_get_info", opened.model, info)
    _check(set(info.raw[fields["info_size"] :]) <= {0xAA}, "kgf_get_info wrote beyond its size")
    taps = (ctypes.c_float * 25)(*[_float(fields["kernel_value"])] * 25)
    _call("kgf_set_kernel", opened.context, taps, _int32(fields["kernel_size"]))
    _call("kgf_set_number", opened.context, b"lift", ctypes.c_float(_float(fields["number"])))
    memory = np.arange(_MEMORY, dtype=np.uint32).astype(np.uint8)
    images = [_image(fields, name, memory) for name in ("in", "out")]
    progress = _Progress(lambda user, done, total: fields["cancel"] & 1)
    numbers = [_int32(fields[name]) for name in ("tile", "overlap", "memory")]
    run_options = _RunOptions(48, *numbers[:2], progress, None, numbers[2], fields["stream"] & 1)
    room = _room(run_options, fields["run_size"], fields["beyond"])
    before = memory.copy()
    try:
        _call("kgf_run", opened.context, *map(ctypes.byref, images), room)
    finally:
        low, high = _extent(images[1])
        first = (images[1].data or 0) - memory.ctypes.data
        changed = np.flatnonzero(memory != before)
        inside = (changed >= first + low) & (changed < first + high)
        _check(bool(inside.all()), "kgf_run wrote beyond its output")


def _image(
    fields: dict[str, int], name: str, memory: np.ndarray[tuple[int], np.dtype[np.uint8]]
) -> Image:
    """An image within `memory`, or one that must be refused.

    Raises:
        RejectedInput: it lies elsewhere in the address space, which the engine cannot know.
    """
    sizes = [_int32(fields[f"{name}_{key}"]) for key in ("type", "height", "width", "channels")]
    strides = [fields[f"{name}_{key}"] for key in ("row", "pixel", "channel")]
    at = fields[f"{name}_at"] % _MEMORY
    white = _float(fields[f"{name}_white"])
    image = Image(memory.ctypes.data + at, *sizes, *strides, white)
    low, high = _extent(image)
    address = memory.ctypes.data + at
    fits = at + low >= 0 and at + high <= _MEMORY
    if min(sizes[1:]) >= 1 and not fits and address + low >= 0 and address + high < 2**63:
        raise RejectedInput(f"{name} lies outside of the memory of this test")
    return image


def _extent(image: Image) -> tuple[int, int]:
    """First and last byte + 1 from an image's address."""
    low, high = 0, {0: 1, 1: 2}.get(image.type, 4)
    counts = (image.height, image.width, image.channels)
    for stride, count in zip(
        (image.row_stride, image.pixel_stride, image.channel_stride), counts, strict=True
    ):
        reach = stride * (count - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high


def _room(structure: ctypes.Structure, size: int, beyond: int) -> ctypes.Array[ctypes.c_char]:
    """A structure that says it is of some size, with bytes behind it, as many as may be read."""
    whole = bytes(structure).ljust(8192, bytes([beyond & 1]))
    room = ctypes.create_string_buffer(whole, 8192)
    ctypes.cast(room, ctypes.POINTER(ctypes.c_size_t))[0] = size % 2**64
    return room


def _int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _float(pattern: int) -> float:
    """A float32 of the number or the pattern of a float64; small integers are themselves."""
    if abs(pattern) < 2**20:
        return float(pattern)
    (value,) = struct.unpack("<d", struct.pack("<q", pattern))
    with np.errstate(over="ignore"):
        return float(np.float32(value))
