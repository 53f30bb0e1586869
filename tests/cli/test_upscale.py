"""`upscale`: lines on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from quick import write_photo

from kernelgan_fast.cli.main import main
from kernelgan_fast.images import read_image


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with two small photos and one that is none."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        write_photo(Path("in") / f"{name}.png", 60, 64, seed=seed)


def upscale(*arguments: str) -> int:
    return main(["upscale", *arguments])


def test_a_folder_of_photos(capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("in", "--kernel", "bicubic", "--method", "tv", "--iterations", "2") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert re.fullmatch(
        r"in/a\.png  64 x 60 to 128 x 120 px by bicubic \(noise \d+\.\d, "
        r"kernel \d\.\d\d x \d\.\d\d px\)  kernelgan_large/a_x2\.png",
        lines[0],
    )
    said = printed.err.splitlines()
    assert said[0] == "2 photos, tv by bicubic, scale 2, into kernelgan_large"
    assert sorted(os.listdir("kernelgan_large")) == ["a_x2.png", "b_x2.png", "upscale.json"]
    assert read_image("kernelgan_large/a_x2.png").pixels.shape == (120, 128, 3)


def test_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    code = upscale(
        "in/a.png", "--scale", "4", "--kernel", "estimate", "--method", "backprojection",
        "--noise", "2", "--iterations", "3", "--seed", "7", "--tile", "48", "--jobs", "1",
        "--precision", "float32", "--device", "cpu", "--format", "tif", "--out", "o", "--json",
    )  # fmt: skip
    assert code == 0
    document = json.loads(capsys.readouterr().out)
    (photo,) = document["photos"]
    assert photo["size"] == [256, 240] and photo["tile"] == 48
    assert read_image("o/a_x4.tif").pixels.shape == (240, 256, 3)
    request = json.loads(Path("o/upscale.json").read_text())["photos"]["a"]["x4"]["request"]
    assert request["noise"] == 2 and request["iterations"] == 3 and request["seed"] == 7


def test_a_folder_of_kernels_gives_each_photo_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As if each photo were enlarged by itself with the kernel file of its name."""
    assert main(["estimate", "in", "--out", "kernels"]) == 0
    quick = ("--method", "backprojection")
    for name in "ab":
        kernel = f"kernels/{name}_kernel_x2.json"
        assert upscale(f"in/{name}.png", "--kernel", kernel, "--out", "alone", *quick) == 0
    capsys.readouterr()
    assert upscale("in", "--kernel", "kernels", "--out", "o", *quick) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("2 photos, backprojection by each photo's kernel in kernels, ")
    by = [line.split(" px by ")[1].split()[0] for line in printed.out.splitlines()]
    assert by == ["a_kernel_x2.json", "b_kernel_x2.json"]
    photos = json.loads(Path("o/upscale.json").read_text())["photos"]
    for name in "ab":
        first, second = (read_image(f"{out}/{name}_x2.png").pixels for out in ("alone", "o"))
        assert np.array_equal(first, second)
        record = json.loads(Path(f"kernels/{name}.json").read_text())
        assert photos[name]["x2"]["expected_error"] == record["expected_error"]
    assert upscale("in", "--kernel", "kernels", "--out", "o", "--resume", *quick) == 0
    assert "2 done earlier" in capsys.readouterr().err


def test_a_photo_without_a_kernel_in_the_folder_fails_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["estimate", "in/a.png", "--out", "kernels"]) == 0
    capsys.readouterr()
    assert upscale("in", "--kernel", "kernels", "--method", "backprojection") == 1
    printed = capsys.readouterr()
    assert (
        "error: in/b.png: kernels has no kernel of this photo (looked for b_kernel" in printed.err
    )
    assert sorted(os.listdir("kernelgan_large")) == ["a_x2.png", "upscale.json"]


def test_a_photo_that_cannot_be_used_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    assert upscale("in", "--kernel", "bicubic", "--method", "bicubic") == 1
    printed = capsys.readouterr()
    assert "in/broken.png: the file is damaged" in printed.err
    assert len(printed.out.splitlines()) == 2


def test_wrong_use_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale("in", "--kernel", "none.mat") == 2
    assert "none.mat: no such file" in capsys.readouterr().err
    assert upscale("in", "--method", "unfld") == 2
    assert "did you mean unfold?" in capsys.readouterr().err
    assert not Path("kernelgan_large").exists()
