"""Finding photos on disk and in storage, and sharing them out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from quick import write_photo

from kernelgan_fast.jobs.shares import cut, find_everywhere
from kernelgan_fast.urls import Url


@pytest.mark.usefixtures("memory")
def test_photos_of_both_kinds_get_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path)
    given = ["in", "memory://photos", "memory://photos/b.png", f"file://{tmp_path}/in/a.png"]
    photos, failures, left = find_everywhere(given)
    assert photos == {
        tmp_path / "in" / "a.png": "in_a",
        Url("memory://photos/a.png"): "photos_a",
        Url("memory://photos/b.png"): "b",
    }
    assert (failures, left) == ([], 0)


@pytest.mark.usefixtures("memory")
def test_what_is_not_there_fails_alone_and_once(tmp_path: Path) -> None:
    missing = os.fspath(tmp_path / "missing.png")
    given = [missing, missing, "memory://none", "nowhere://x", "memory://photos"]
    photos, failures, _ = find_everywhere(given)
    assert len(photos) == 2
    assert [str(failure.source) for failure in failures] == [
        missing,
        "memory://none",
        "nowhere://x",
    ]
    for failure in failures:
        assert failure.error is not None and str(failure.source) in failure.error


def test_shares_hold_every_photo_once() -> None:
    photos = {Path(f"{number}.png"): str(number) for number in range(7)}
    shares = list(cut(photos, 3))
    assert [len(share.photos) for share in shares] == [3, 3, 1]
    assert {photo: name for share in shares for photo, name in share.photos.items()} == photos
