"""`export`, and what it made in `upscale --engine`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from models import blur, write_srmd_weights, write_weights
from quick import write_photo

from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import InputError
from kernelgan_fast.export import tensorrt
from kernelgan_fast.export.tensorrt import BuiltEngine
from kernelgan_fast.images import read_image
from kernelgan_fast.jobs import export as exporting
from kernelgan_fast.jobs.resolved_kernel import KernelSource, ResolvedKernel
from kernelgan_fast.kernels import save

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder with weights, a kernel and a photo."""
    monkeypatch.chdir(tmp_path)
    write_weights(Path("tiny.safetensors"))
    save(blur(2), "k.mat")
    write_photo(Path("photo.png"), 40, 50)


def export(*arguments: str) -> int:
    return main(["export", *arguments])


def test_the_downscaler(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("downscale", "--size", "25", "--scale", "4") == 0
    size = Path("downscale_x4.onnx").stat().st_size
    line = capsys.readouterr().out
    assert line.startswith(f"downscale_x4.onnx  {size} bytes, within ")
    assert export("downscale", "--kernel", "k.mat", "--out", "d.onnx", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == "d.onnx" and 0 <= document["difference"] < 1e-5


def test_a_model_enlarges_photos(capsys: pytest.CaptureFixture[str]) -> None:
    weights = ("--weights", "tiny.safetensors")
    assert export("sr", "--kernel", "k.mat", "--noise", "2", *weights) == 0
    assert main(["upscale", "photo.png", "--engine", "unfold_x2.onnx"]) == 0
    printed = capsys.readouterr()
    assert "unfold by the model's kernel, scale 2" in printed.err
    assert "50 x 40 to 100 x 80 px by the model's kernel" in printed.out
    assert read_image("kernelgan_large/photo_x2.png").pixels.shape == (80, 100, 3)
    # A model that takes kernels, of the other scale, which the command need not be told.
    assert export("sr", "--size", "33", "--scale", "4", "--precision", "float16", *weights) == 0
    command = ["upscale", "photo.png", "--engine", "unfold_x4.onnx", "--kernel", "bicubic"]
    assert main(command) == 0
    assert read_image("kernelgan_large/photo_x4.png").pixels.shape == (160, 200, 3)


def test_another_model_makes_the_photo_again(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["upscale", "photo.png", "--engine", "m.onnx", "--resume", "--quiet"]
    for noise in ("1", "9"):
        arguments = ("--kernel", "k.mat", "--noise", noise, "--weights", "tiny.safetensors")
        assert export("sr", *arguments, "--out", "m.onnx") == 0
        assert main(command) == 0
        made = Path("kernelgan_large/photo_x2.png").stat().st_mtime_ns
        assert main(command) == 0
        assert Path("kernelgan_large/photo_x2.png").stat().st_mtime_ns == made
    record = json.loads(Path("kernelgan_large/upscale.json").read_text())["photos"]["photo"]["x2"]
    assert len(record["request"]["engine"]) == 64


def test_a_network_trained_on_a_photo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelgan_fast.sr.zssr._CROP", 16)
    command = ("sr", "--method", "zssr", "--photo", "photo.png", "--iterations", "2")
    assert export(*command, "--kernel", "k.mat", "--seed", "1") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("zssr_x2.onnx  ") and "iteration 2/2" in printed.err
    assert main(["upscale", "photo.png", "--engine", "zssr_x2.onnx"]) == 0
    assert "zssr by the model's kernel, scale 2" in capsys.readouterr().err
    assert read_image("kernelgan_large/photo_x2.png").pixels.shape == (80, 100, 3)

    # Without a kernel, the photo's own.
    asked = []

    def estimated(kernel: str, scale: int) -> KernelSource:
        asked.append((kernel, scale))
        found = ResolvedKernel(blur(scale), "its own kernel", notes=("a doubtful kernel",))
        return KernelSource("each photo's own", lambda photo, name: found, lambda photo, name: None)

    monkeypatch.setattr(exporting, "kernel_source", estimated)
    assert export(*command, "--scale", "4") == 0
    assert "note: a doubtful kernel" in capsys.readouterr().err
    assert export(*command, "--json", "--quiet") == 0
    printed = capsys.readouterr()
    assert printed.err == "" and json.loads(printed.out)["warnings"] == ["a doubtful kernel"]
    assert asked == [("estimate", 4), ("estimate", 2)]


def test_weights_of_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    write_srmd_weights(Path("srmd.pth"), 2)
    command = ("sr", "--method", "srmd", "--kernel", "bicubic")
    assert export(*command, "--weights", "srmd.pth", "--noise", "3") == 0
    assert capsys.readouterr().out.startswith("srmd_x2.onnx  ")
    assert export(*command, "--weights", "none.pth") == 2
    assert "none.pth: no such file; srmd needs weights" in capsys.readouterr().err
    assert export(*command, "--weights", "srmd.pth", "--scale", "4") == 2
    assert "these weights enlarge 2 times, the kernel is for 4" in capsys.readouterr().err


def test_an_engine_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("downscale", "--size", "13", "--engine", "tensorrt-rtx", "--engine-dir", "e")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    assert export(*command) == 2
    assert "pip install 'kernelgan-fast[tensorrt-rtx]'" in capsys.readouterr().err

    def build(model: Path, flavour: str, *, folder: str) -> BuiltEngine:
        return BuiltEngine(Path(folder) / f"{model.stem}.{flavour}", cached=False)

    monkeypatch.setattr(tensorrt, "build_engine", build)
    assert export(*command) == 0
    assert capsys.readouterr().out.splitlines()[1] == "e/downscale_x2.tensorrt-rtx"
    assert export(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out)["engine"] == "e/downscale_x2.tensorrt-rtx"


def test_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("downscale") == 2
    assert "--kernel --size is required" in capsys.readouterr().err
    zssr = ("sr", "--method", "zssr")
    for text, wrong in {
        "got neither; give --kernel, or --size": ("sr",),
        "zssr learns from a photo, got none": zssr,
        "none.png: no such file": (*zssr, "--photo", "none.png"),
        "cannot be an input, got a size": (*zssr, "--photo", "photo.png", "--size", "13"),
        "only zssr learns from a photo, got one for unfold": ("sr", "--photo", "photo.png"),
        "k4.npy: ": (*zssr, "--photo", "photo.png", "--kernel", "k4.npy"),
    }.items():
        assert export(*wrong) == 2
        assert text in capsys.readouterr().err
    write_photo(Path("small.png"), 12, 40)
    assert export(*zssr, "--photo", "small.png", "--kernel", "k.mat") == 2
    assert "at least 16x16 px, got 40x12" in capsys.readouterr().err
    with pytest.raises(InputError, match="what to export must be downscale or sr, got 'up'"):
        exporting.export_model("up")
    assert export("downscale", "--kernel", "estimate") == 2
    assert "one kernel for all photos is wanted, got estimate" in capsys.readouterr().err
    assert export("downscale", "--size", "13", "--out", "none/d.onnx") == 3
    assert "the folder does not exist" in capsys.readouterr().err
    assert main(["upscale", "photo.png", "--engine", "photo.png"]) == 2
    assert "not a model that ONNX Runtime can read" in capsys.readouterr().err
    assert main(["export", "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 80
