"""Photos are measured before they are enlarged: what `upscale` does with it, and records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import COLOSSEUM, decoded, drawing, jpeg, photo, with_noise
from PIL import Image

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.cli.main import main
from kernelgan_fast.errors import InputError
from kernelgan_fast.images import as_photo, read_image
from kernelgan_fast.jobs.kernel_source import bicubic
from kernelgan_fast.jobs.upscale import upscale, upscale_settings

QUICK = {"kernel": "bicubic", "method": "backprojection"}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with a noisy photo and a compressed one."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(with_noise(photo(), 8.0)).save("noisy.png")
    Path("small.jpg").write_bytes(jpeg(photo(COLOSSEUM), 40))


def recorded(name: str) -> Any:
    return json.loads(Path("kernelgan_large/upscale.json").read_text())["photos"][name]["x2"]


def test_noise_is_measured_by_default() -> None:
    noisy = with_noise(photo(), 8.0)
    found = upscale(noisy, kernel="bicubic", method="tv")
    assert found.analysis is not None
    assert found.analysis.noise.level == pytest.approx(8.0, rel=0.2)
    automatic = upscale(noisy, kernel="bicubic", method="tv", noise="auto")
    assert np.array_equal(found.pixels, automatic.pixels)
    level = found.analysis.noise.level
    given = upscale(noisy, kernel="bicubic", method="tv", noise=level)
    assert np.array_equal(found.pixels, given.pixels)
    without = upscale(noisy, kernel="bicubic", method="tv", noise=0)
    assert found.pixels.std() < without.pixels.std()


def test_compression_counts_as_noise() -> None:
    small = upscale("small.jpg", kernel="bicubic", method="tv")
    assert small.analysis is not None and small.analysis.compression is not None
    same = upscale(read_image("small.jpg").pixels, kernel="bicubic", method="tv")
    assert np.abs(small.pixels.astype(float) - same.pixels).mean() < 0.5  # from the pixels alone


@pytest.mark.parametrize(
    ("given", "kept"),
    [([], "auto"), (["--noise=auto"], "auto"), (["--noise=0"], 0), (["--noise=3.5"], 3.5)],
)
def test_the_command_records_noise_and_what_was_measured(given: list[str], kept: object) -> None:
    quick = [f"--{name}={value}" for name, value in QUICK.items()]
    assert main(["upscale", "noisy.png", *quick, *given]) == 0
    entry = recorded("noisy")
    assert entry["request"]["noise"] == kept
    assert entry["analysis"]["noise"]["channels"] == pytest.approx([8.0] * 3, rel=0.2)
    assert entry["analysis"]["compression"] is None


def test_the_command_records_compression(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upscale", "small.jpg", "--kernel=bicubic", "--method=bicubic"]) == 0
    assert recorded("small")["analysis"]["compression"]["quality"] == 40
    assert "JPEG 40" in capsys.readouterr().out


@pytest.mark.parametrize("noise", ["much", "", "-1", "nan", "256"])
def test_the_command_refuses_other_noise(noise: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["upscale", "noisy.png", f"--noise={noise}"])
    except SystemExit as stop:  # of argparse
        code = int(str(stop.code))
    assert code == 2 and "noise" in capsys.readouterr().err
    assert not Path("kernelgan_large").exists()


def test_python_refuses_other_noise() -> None:
    for noise in ("much", float("nan"), -1, 256):
        with pytest.raises(InputError, match="noise must be"):
            upscale_settings(noise=noise)
    assert upscale_settings().noise == "auto" and upscale_settings(noise=0).noise == 0


@pytest.mark.parametrize("kind", ["small", "flat", "frame"])
def test_a_photo_without_an_estimate_gets_the_bicubic_kernel(kind: str) -> None:
    pixels = {
        "small": photo()[:40, :40],
        "flat": np.full((64, 64, 3), 90, np.uint8),
        "frame": np.pad(photo()[:30, :30], ((40, 40), (40, 40), (0, 0))),
    }[kind]
    found = upscale(pixels, method="backprojection")
    assert found.pixels.shape == (2 * pixels.shape[0], 2 * pixels.shape[1], 3)
    assert found.kernel == bicubic(2).kernel
    assert any("bicubic" in note for note in found.notes)


def test_a_drawing_gets_the_bicubic_kernel_and_a_note() -> None:
    pixels = decoded(jpeg(drawing(), 80))  # so many colours that it is enlarged by the method
    assert analyse_photo(as_photo(pixels)).drawn
    found = upscale(pixels, method="backprojection")
    assert found.kernel.array.min() < 0
    assert any("drawn" in note for note in found.notes)


def test_a_record_without_analysis_is_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["upscale", "noisy.png", "--kernel=bicubic", "--method=bicubic"]
    assert main(arguments) == 0
    path = Path("kernelgan_large/upscale.json")
    record = json.loads(path.read_text())
    del record["photos"]["noisy"]["x2"]["analysis"]
    path.write_text(json.dumps(record))
    assert main([*arguments, "--resume", "--json"]) == 0
    assert recorded("noisy")["analysis"]["white"] == 1
