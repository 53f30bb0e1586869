"""A record is taken apart whatever is in it."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from small_results import gaussian, losses, record

from kernelgan_fast.report.rows import kernel_data, make_row, number

TILES = {
    "grid": [1, 2],
    "width_major": [[1.5, None]],
    "width_minor": [[1.0, None]],
    "angle": [[10.0, None]],
    "expected_error": [[0.2, None]],
}


def test_a_whole_record() -> None:
    told = record(Path("photos/a.png"), losses=losses(300), spread=0.1, warnings=["w"], tiles=TILES)
    row = make_row("a", told, {2: gaussian()}, 100)
    assert (row.title, row.source) == ("a.png", "photos/a.png")
    assert row.widths == pytest.approx((1.6, 1.1, 0), abs=0.01)
    assert (row.expected_error, row.spread, row.warnings) == (0.13, 0.1, ("w",))
    assert dict(row.facts) == {
        "Photo": "photos/a.png",
        "Expected error": "13%",
        "Spread": "10%",
        "Method": "spectral",
        "Shape": "gaussian, 98% likely",
        "Time": "0.26 s",
        "Device": "cpu",
        "Version": "0.1.0",
        "Finished": "2026-11-23 09:00:00 UTC",
    }
    assert row.trained and len(row.losses["iteration"]) == 100
    assert np.shape(row.losses["gan_g"]) == (2, 100) and None in row.losses["gan_d"][0]
    assert row.tiles is not None and row.tiles["major"] == [[1.5, None]]


def test_nothing_known_but_the_name() -> None:
    row = make_row("a", {}, {}, 100)
    assert (row.title, row.source, row.widths, row.facts) == ("a", "", None, ())
    assert not row.trained and row.tiles is None


def test_widths_of_a_record_whose_kernels_are_gone() -> None:
    assert make_row("a", record(Path("a.png")), {}, 100).widths == (1.6, 1.1, 0.0)


JUNK = [None, True, 5, -1e400, "text", [], [1], [[1]], {}, {"x2": 5}, {"iteration": [[]]}]


@pytest.mark.parametrize("junk", JUNK)
def test_fields_of_wrong_kinds(junk: object) -> None:
    whole = record(Path("a.png"), tiles=TILES)
    for field in whole:
        make_row("a", {**whole, field: junk}, {}, 100)
    for field in ("request", "source", "kernels", "spectrum", "losses", "timings", "tiles"):
        told = {**whole, field: {key: junk for key in (*whole[field], "iteration", "x4")}}
        make_row("a", told, {}, 100)


def test_numbers() -> None:
    assert number(3) == 3.0
    assert [number(value) for value in (True, "1", None, float("nan"), 10**400)] == [None] * 5


def test_a_kernel_for_the_page() -> None:
    kernel = gaussian()
    data = kernel_data(kernel)
    weights = np.frombuffer(base64.b64decode(str(data["weights"])), np.uint8).reshape(13, 13)
    assert np.allclose(weights / 255 * kernel.array.max(), kernel.array, atol=0.003)
    assert data["centre"] == [6.5, 6.5] and data["target"] == 6.5
