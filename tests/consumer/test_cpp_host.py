"""examples/cpp_host, an outside project built against the installed package, equals Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import blur, write_weights
from numpy.typing import NDArray
from patience import PATIENCE
from PIL import Image

from kernelgan_fast import sdk
from kernelgan_fast.errors import NativeUnavailable
from kernelgan_fast.export.onnx import export_downscale, export_sr
from kernelgan_fast.runtime.session import Session

ROOT = Path(__file__).resolve().parents[2]
PHOTO = next((ROOT / "tests" / "data").glob("*_160x112.png"))

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, configured and built from a copy that knows nothing of the checkout."""
    try:
        package = sdk.get_cmake_dir()
    except NativeUnavailable as error:
        pytest.skip(str(error))
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs cmake")
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(ROOT / "examples" / "cpp_host", folder / "source")
    build = folder / "build"
    for command in (
        [cmake, "-S", str(folder / "source"), "-B", str(build), f"-DCMAKE_PREFIX_PATH={package}"],
        [cmake, "--build", str(build)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "cpp_host"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: a model with a kernel, one that takes kernels, a downscaler, a kernel's text."""
    folder = tmp_path_factory.mktemp("models")
    weights = write_weights(folder / "tiny.safetensors")
    export_sr(folder / "baked.onnx", kernel=blur(2), noise=3.0, weights_file=weights)
    export_sr(folder / "takes.onnx", size=blur(2).size + 4, weights_file=weights)
    export_downscale(folder / "down.onnx", size=blur(2).size)
    np.savetxt(folder / "kernel.txt", blur(2).array)
    return folder


def run(host: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Call the program with the runtime of the Python package."""
    environment = {**os.environ, "KERNELGAN_FAST_ONNXRUNTIME": sdk.get_onnxruntime()}
    return subprocess.run(
        [str(host), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
    )


def by_python(model: Path, pixels: NDArray[Any], **told: float) -> NDArray[Any]:
    """The model's 8-bit result in Python's ONNX Runtime, the photo whole."""
    session = Session(model, threads=1)
    inputs = {"image": pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255}
    if "kernel" in session.inputs:
        taps = blur(2).array.astype(np.float32)
        inputs["kernel"] = np.pad(taps, (session.inputs["kernel"][0] - len(taps)) // 2)
    for name in session.inputs:
        if name not in inputs:
            inputs[name] = np.array([told[name]], np.float32)
    high = session.run(**inputs)[0].transpose(1, 2, 0)
    return (high.clip(0, 1) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("name", ["baked", "takes", "down"])
def test_it_makes_what_python_makes(host: Path, models: Path, tmp_path: Path, name: str) -> None:
    model, out = models / f"{name}.onnx", tmp_path / "out.png"
    told = ["--noise", 4, "--kernel-error", 0.1, "--compression", 0.25]
    words = {
        "baked": [],
        "takes": ["--kernel", models / "kernel.txt", *told],
        "down": ["--kernel", models / "kernel.txt"],
    }[name]
    done = run(host, model, PHOTO, out, "--threads", 1, *words)
    assert done.returncode == 0, done.stderr
    low = np.asarray(Image.open(PHOTO).convert("RGB"))
    expected = by_python(model, low, noise=4, kernel_error=0.1, compression=0.25)
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_tiles_show_no_seams(host: Path, models: Path, tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    rows = np.random.default_rng(0).normal(size=(91, 203, 3)).cumsum(axis=1)
    pixels = (128 + 20 * rows / rows.std()).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(photo)
    done = run(host, models / "baked.onnx", photo, out, "--tile", 48)
    assert done.returncode == 0 and "tile 10 of 10" in done.stdout, done.stdout + done.stderr
    difference = np.asarray(Image.open(out)) - by_python(models / "baked.onnx", pixels).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_pngs_of_other_kinds(host: Path, models: Path, tmp_path: Path, mode: str) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    picture = Image.open(PHOTO).convert("RGB").crop((0, 0, 61, 47)).convert(mode)
    picture.save(photo)
    done = run(host, models / "baked.onnx", photo, out, "--threads", 1)
    assert done.returncode == 0, done.stderr
    expected = by_python(models / "baked.onnx", np.asarray(picture.convert("RGB")))
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_what_goes_wrong_is_told(host: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((models / "baked.onnx").read_bytes()[:5000])
    for text, model, photo in (
        ("none.onnx cannot be read", tmp_path / "none.onnx", PHOTO),
        ("ONNX Runtime: ", cut, PHOTO),
        ("call kgf_set_kernel first", models / "takes.onnx", PHOTO),
        ("no PNG", models / "baked.onnx", cut),
        ("none.engine cannot be read", tmp_path / "none.engine", PHOTO),
    ):
        done = run(host, model, photo, out)
        assert done.returncode == 1 and text in done.stderr, done.stderr
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        done = run(host, models / "baked.onnx", PHOTO, out, "--device", "cuda:0")
        assert done.returncode == 1 and "ONNX Runtime: " in done.stderr, done.stderr
    engine = tmp_path / "x.engine"
    engine.write_bytes(b"engine")
    facts = {"format": "kernelgan-fast engine 1", "flavour": "none", "metadata": {"a": "b"}}
    engine.with_suffix(".json").write_text(json.dumps(facts), "utf-8")
    done = run(host, engine, PHOTO, out)
    assert done.returncode == 1 and "TensorRT" in done.stderr, done.stderr
    for words, text in ((["--device"], "needs a value"), (["--nose", 1], "no such option")):
        done = run(host, models / "baked.onnx", PHOTO, out, *words)
        assert done.returncode == 2 and text in done.stderr, done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("language", "compiler", "standard"), [("cpp", "c++", "c++17"), ("c", "cc", "c99")]
)
def test_the_programs_of_the_page_compile(
    host: Path, tmp_path: Path, language: str, compiler: str, standard: str
) -> None:
    page = (ROOT / "docs" / "cpp_hosts.md").read_text("utf-8")
    programs = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(programs) == {"cpp": 3, "c": 1}[language]
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    files = [tmp_path / f"{index}.{language}" for index in range(len(programs))]
    for file, program in zip(files, programs, strict=True):
        file.write_text(program, "utf-8")
    options = [f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    command = [compiler, *options, f"-I{sdk.get_include()}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_only_the_c_functions_are_exported(host: Path) -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("needs nm")
    command = [nm, "-D", "--defined-only", sdk.get_library()]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = {line.split()[-1].partition("@")[0] for line in lines}
    header = (Path(sdk.get_include()) / "kernelgan_fast" / "engine.h").read_text("utf-8")
    assert "kgf_run" in names and all(name.startswith("kgf_") for name in names)
    assert all(f"{name}(" in header for name in names)
