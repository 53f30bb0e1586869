"""Words that name paths, and words that name URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernelgan_fast.urls import Url, place_of


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("photos/a.png", Path("photos/a.png")),
        ("odd:name/a.png", Path("odd:name/a.png")),
        ("file:///data/a.png", Path("/data/a.png")),
        ("local:///data", Path("/data")),
        ("s3://bucket/photos/", Url("s3://bucket/photos")),
        ("gs://bucket/a b.png", Url("gs://bucket/a b.png")),
    ],
)
def test_what_a_word_names(text: str, place: Path | Url) -> None:
    assert place_of(text) == place


def test_parts_of_a_url() -> None:
    url = Url("s3://bucket/photos") / "a.png"
    assert str(url) == "s3://bucket/photos/a.png"
    assert url.name == "a.png"
    assert url.path == Path("/bucket/photos/a.png")
