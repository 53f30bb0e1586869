"""Engines: what is asked of TensorRT, when one is built again, and where they may lie."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from models import blur, narrow_blur, write_srmd_weights, write_weights
from quick import pixels

from kernelgan_fast.errors import DeviceUnavailable, InputError, OutputError
from kernelgan_fast.export.onnx import export_downscale, export_sr
from kernelgan_fast.export.tensorrt import Profile, build_engine
from kernelgan_fast.runtime.session import Session

pytest.importorskip("onnxruntime")


class FakeTensorRT:
    """Stands for the module: it notes what it is told and builds engines of a few bytes."""

    __version__ = "1.2.3"
    ILogger = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0, "WARNING": 2})
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    ComputeCapability = SimpleNamespace(SM89=89, SM120=120)

    def __init__(self) -> None:
        self.flags: list[int] = []
        self.shapes: dict[str, Any] = {}
        self.targets: list[int] = []
        self.errors: list[str] = []
        self.fails = False
        self.loads = True
        self.loaded: list[bytes] = []

    def Builder(self, log: Any) -> Any:
        def build(network: object, config: object) -> bytes | None:
            log.log(1, "no such tactic")
            return None if self.fails else b"engine %d" % len(self.flags)

        inputs = [SimpleNamespace(name="image", shape=(-1, 3, -1, -1)),
                  SimpleNamespace(name="kernel", shape=(13, 13))]  # fmt: skip
        network = SimpleNamespace(num_inputs=2, get_input=lambda index: inputs[index])
        config = SimpleNamespace(
            add_optimization_profile=lambda profile: None,
            set_compute_capability=lambda target, index: self.targets.append(target),
        )
        return SimpleNamespace(
            create_network=lambda flags: self.flags.append(flags) or network,
            create_builder_config=lambda: config,
            create_optimization_profile=lambda: SimpleNamespace(
                set_shape=lambda name, *shapes: self.shapes.update({name: shapes})
            ),
            build_serialized_network=build,
        )

    def Runtime(self, log: object) -> Any:
        def load(engine: bytes) -> object:
            self.loaded.append(engine)
            return object() if self.loads else None

        return SimpleNamespace(deserialize_cuda_engine=load)

    def OnnxParser(self, network: object, log: object) -> Any:
        def error(index: int) -> Any:
            return SimpleNamespace(desc=lambda: self.errors[index])

        return SimpleNamespace(
            parse=lambda content: not self.errors, num_errors=len(self.errors), get_error=error
        )


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    fake = FakeTensorRT()
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", fake)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "tensorrt", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return export_downscale(tmp_path / "m.onnx", size=13).path


def test_an_engine_is_built_once(trt: FakeTensorRT, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    first = build_engine(model, "tensorrt-rtx", folder=folder)
    assert not first.cached and first.path.read_bytes() == b"engine 1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert trt.flags == [2]  # strongly typed
    assert trt.shapes == {"image": ((1, 3, 32, 32), (1, 3, 256, 256), (4, 3, 1024, 1024))}
    told = json.loads(first.path.with_suffix(".json").read_text())
    assert told["version"] == "1.2.3" and told["for"] == "default" and len(told["engine"]) == 64
    # The C++ engine reads these.
    assert told["format"].startswith("kernelgan-fast engine ")
    assert told["flavour"] == "tensorrt-rtx" and told["bytes"] == len(b"engine 1")
    assert told["metadata"] == Session(model).properties
    assert told["metadata"]["kernelgan_fast.task"] == "downscale"

    again = build_engine(model, "tensorrt-rtx", folder=folder)
    assert again.cached and again.path == first.path and len(trt.flags) == 1
    # A damaged engine, or one without its facts, is built again.
    first.path.write_bytes(b"eng")
    assert not build_engine(model, "tensorrt-rtx", folder=folder).cached
    for damaged in ("{", "[]", "{}"):
        first.path.with_suffix(".json").write_text(damaged)
        assert not build_engine(model, "tensorrt-rtx", folder=folder).cached


def test_whatever_it_depends_on_makes_another(
    trt: FakeTensorRT, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path(**more: Any) -> Path:
        return build_engine(model, "tensorrt-rtx", folder=tmp_path / "e", **more).path

    paths = [path(), path(profile=Profile(usual=(1, 64, 64))), path(targets=("SM89", "SM120"))]
    assert trt.targets == [89, 120]
    monkeypatch.setattr(FakeTensorRT, "__version__", "1.2.4")
    paths.append(path())
    export_downscale(model, size=13, scale=4)
    paths.append(path())
    assert len(set(paths)) == 5


def test_an_engine_that_does_not_load_is_built_again(
    trt: FakeTensorRT, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cached(**more: Any) -> bool:
        return build_engine(model, "tensorrt-rtx", folder=tmp_path / "e", **more).cached

    trt.loads = False
    assert not cached()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cached() and trt.loaded == []  # nobody can tell
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not cached() and trt.loaded == [b"engine 1"]
    trt.loads = True
    assert cached() and trt.loaded[1:] == [b"engine 2"]
    # Engines for other GPUs are not for this one to judge.
    trt.loads = False
    assert not cached(targets=("SM89",)) and cached(targets=("SM89",))


def test_the_cache_of_the_user(
    trt: FakeTensorRT, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    engine = build_engine(model, "tensorrt-rtx")
    assert engine.path.parent == tmp_path / "cache" / "kernelgan-fast" / "engines"


def test_what_is_refused(
    trt: FakeTensorRT, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "e"
    with pytest.raises(InputError, match="the engine must be tensorrt or tensorrt-rtx, got 'trt'"):
        build_engine(model, "trt", folder=folder)
    with pytest.raises(InputError, match=r"none\.onnx: cannot be read"):
        build_engine(tmp_path / "none.onnx", "tensorrt-rtx", folder=folder)
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(InputError, match="the model is no ONNX file"):
        build_engine(tmp_path / "text.onnx", "tensorrt-rtx", folder=folder)
    with pytest.raises(InputError, match="targets must be among SM120, SM89, got 'SM90'"):
        build_engine(model, "tensorrt-rtx", folder=folder, targets=("SM90",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceUnavailable, match="build it there, or take tensorrt-rtx"):
        build_engine(model, "tensorrt", folder=folder)
    trt.fails = True
    with pytest.raises(InputError, match="could not build the engine: no such tactic"):
        build_engine(model, "tensorrt-rtx", folder=folder)
    trt.errors = ["no importer for Conv"]
    with pytest.raises(InputError, match=r"cannot read the model \(no importer for Conv\)"):
        build_engine(model, "tensorrt-rtx", folder=folder)
    assert list(folder.iterdir()) == []
    folder.chmod(0o770)
    with pytest.raises(OutputError, match="nobody else may write there; chmod 700 it"):
        build_engine(model, "tensorrt-rtx", folder=folder)
    with pytest.raises(OutputError, match="cannot be made"):
        build_engine(model, "tensorrt-rtx", folder=model / "e")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(InputError, match=r"pip install 'kernelgan-fast\[tensorrt-rtx\]'"):
        build_engine(model, "tensorrt-rtx", folder=folder)


def test_an_engine_for_the_gpu_that_is_there(
    trt: FakeTensorRT, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    engine = build_engine(model, "tensorrt", folder=tmp_path / "e")
    assert json.loads(engine.path.with_suffix(".json").read_text())["for"] == "A GPU, 9.0"


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("scale", [2, 4])
def test_tensorrt_builds_every_model(
    tmp_path: Path, scale: int, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU is needed for that."""
    pytest.importorskip("tensorrt_rtx")
    weights = write_weights(tmp_path / "tiny.safetensors")
    kernel = blur(scale)
    for number, options in enumerate(({"kernel": kernel}, {"size": 13, "scale": scale})):
        sr, down = tmp_path / f"sr{number}.onnx", tmp_path / f"down{number}.onnx"
        export_sr(sr, weights_file=weights, precision=precision, **options)  # type: ignore[arg-type]
        export_downscale(down, precision=precision, **options)  # type: ignore[arg-type]
    if scale == 4:  # what x2 does is the first half of it, and it takes seconds to build
        monkeypatch.setattr("kernelgan_fast.sr.zssr._CROP", 16)
        export_sr(
            tmp_path / "zssr.onnx", method="zssr", kernel=kernel, photo=pixels(32, 32),
            iterations=1, precision=precision,
        )  # fmt: skip
    export_sr(
        tmp_path / "srmd.onnx", method="srmd", kernel=narrow_blur(scale), precision=precision,
        weights_file=write_srmd_weights(tmp_path / "srmd.pth", scale),
    )  # fmt: skip
    files = sorted(tmp_path.glob("*.onnx"))
    assert len(files) == {2: 5, 4: 6}[scale]
    for file in files:
        engine = build_engine(file, "tensorrt-rtx", folder=tmp_path / "engines")
        assert engine.path.stat().st_size > 20_000
