"""Records and kernels are found in whatever state they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_results import gaussian, photo, record, write, write_upscaled

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import save
from kernelgan_fast.report.folder import find_enlarged, find_entries, read_kernels, read_record


def test_records_and_kernels_alone(tmp_path: Path) -> None:
    kernel = gaussian()
    write(tmp_path, "b", record(Path("b.png")), kernel, gaussian(3.2, 2.4, 25, 4))
    save(kernel, tmp_path / "b_kernel_x2.json")  # a kernel, not a record
    save(kernel, tmp_path / "a_kernel_x2.npy")
    save(kernel, tmp_path / "a_kernel_x2.png")
    (tmp_path / "settings.json").write_text("{}")  # somebody else's
    (tmp_path / "upscale.json").write_text("{}")
    first, second = find_entries(tmp_path)
    assert (first.name, first.record, list(first.kernels)) == ("a", None, [2])
    assert (second.name, second.record) == ("b", tmp_path / "b.json")
    assert [file.suffix for file in second.kernels[2]] == [".npy", ".json"]
    kernels, wrong = read_kernels(second)
    assert list(kernels) == [2, 4] and kernels[2] == kernel and not wrong


def test_a_photo_called_like_a_kernel(tmp_path: Path) -> None:
    write(tmp_path, "a_kernel_x2", record(Path("a_kernel_x2.png")), gaussian())
    assert [entry.name for entry in find_entries(tmp_path)] == ["a_kernel_x2"]


def test_damaged_kernels(tmp_path: Path) -> None:
    write(tmp_path, "a", record(Path("a.png")))
    (tmp_path / "a_kernel_x2.npy").write_bytes(b"no kernel")
    (entry,) = find_entries(tmp_path)
    kernels, wrong = read_kernels(entry)
    assert not kernels and "a kernel cannot be read" in wrong[0]
    save(gaussian(), tmp_path / "a_kernel_x2.json")
    (entry,) = find_entries(tmp_path)
    assert list(read_kernels(entry)[0]) == [2]  # the other file serves


@pytest.mark.parametrize("text", ["", '{"format": "kernelgan-fast record 1", ', "[1]", "\0"])
def test_damaged_records(tmp_path: Path, text: str) -> None:
    write(tmp_path, "a", text, gaussian())
    (entry,) = find_entries(tmp_path)
    content, problem = read_record(entry.record)
    assert content == {} and problem is not None and "damaged" in problem


def test_records_of_another_version(tmp_path: Path) -> None:
    write(tmp_path, "a", {"format": "kernelgan-fast record 0", "spread": 0.5})
    content, problem = read_record(find_entries(tmp_path)[0].record)
    assert content["spread"] == 0.5 and problem is not None and "another version" in problem


def test_not_a_folder_of_results(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match=r"it is a file; name that folder"):
        find_entries(file)
    with pytest.raises(InputError, match="No such file"):
        find_entries(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no records and no kernels; name a folder"):
        find_entries(tmp_path)


def test_enlarged_photos(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    file = write_upscaled(tmp_path / "large", "b", source)
    sha256 = record(source)["source"]["sha256"]
    found = find_enlarged([tmp_path, tmp_path / "large"])
    (enlarged,) = found[sha256]
    assert (enlarged.file, enlarged.scale) == (file, 2)
    assert enlarged.method == "unfold, kernel: its own kernel"


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", 5])
def test_enlarged_photos_outside_the_folder(tmp_path: Path, name: object) -> None:
    write_upscaled(tmp_path, "a", photo(tmp_path / "a.png"))
    content = json.loads((tmp_path / "upscale.json").read_text())
    content["photos"]["a"]["x2"]["files"] = [name]
    (tmp_path / "upscale.json").write_text(json.dumps(content))
    assert find_enlarged([tmp_path]) == {}
