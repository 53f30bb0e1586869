from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel


def gaussian(major: float, minor: float, angle: float, size: int = 31) -> NDArray[np.float64]:
    """A Gaussian whose wider axis rises `angle` degrees to the right, centred at size // 2."""
    rows, cols = np.indices((size, size)) - size // 2
    turn = math.radians(angle)
    along = cols * math.cos(turn) - rows * math.sin(turn)
    across = cols * math.sin(turn) + rows * math.cos(turn)
    array: NDArray[np.float64] = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    array /= array.sum()
    return array


def test_the_array_is_a_read_only_float64_copy() -> None:
    source: Any = np.full((3, 3), 1 / 9, dtype=np.float32)
    kernel = BlurKernel(source)
    source[0, 0] = 5
    assert kernel.array.dtype == np.float64
    assert kernel.array[0, 0] == np.float32(1 / 9)
    with pytest.raises(ValueError, match="read-only"):
        kernel.array[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernel.scale = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ("kernel", "array of numbers"),
        (np.ones((3, 5)) / 15, r"square array, got shape \(3, 5\)"),
        (np.ones(9) / 9, "square array"),
        (np.ones((4, 4)) / 16, "odd side"),
        (np.full((3, 3), np.nan), "finite"),
        (np.zeros((103, 103)), "may have 101 x 101 px, got 103 x 103"),
        (np.zeros((10**6, 0)), "may have 101 x 101 px, got 1000000 x 0"),
        ([[10**400]], "array of numbers"),
        (np.array([[0, 0, 0], [1e308, 1e308, 1e308], [0, 0, 0]]), "sum to 1, got inf"),
        (np.array([[0, 0, 0], [700, -699, 0], [0, 0, 0]]), "may sum to 1000, got 1399"),
        (np.ones((3, 3)), "sum to 1, got 9"),
        (np.ones((3, 3)) / 9 + 1e-6, "sum to 1, got 1.000009"),
    ],
)
def test_refuses_what_is_not_a_kernel(array: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        BlurKernel(array)


@pytest.mark.parametrize("scale", [0, -2, 13, 10**90, 2.0, "2", True, None])
def test_refuses_a_scale_that_is_not_a_whole_number(scale: Any) -> None:
    with pytest.raises(InputError, match="scale must be an integer of 1 to 12, got"):
        BlurKernel(np.ones((1, 1)), scale)


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ([1], "must be a mapping"),
        ({"seed": np.int64(1)}, "JSON"),
        ({"loss": float("nan")}, "JSON"),
    ],
)
def test_refuses_provenance_that_cannot_be_written_down(provenance: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        BlurKernel(np.ones((1, 1)), provenance=provenance)


def test_provenance_is_a_copy_that_cannot_be_changed() -> None:
    source: dict[str, Any] = {"seed": 1, "sizes": [7, 5]}
    kernel = BlurKernel(np.ones((1, 1)), provenance=source)
    source["sizes"].append(3)
    assert kernel.provenance == {"seed": 1, "sizes": [7, 5]}
    with pytest.raises(TypeError):
        kernel.provenance["seed"] = 2  # type: ignore[index]


def test_equal_means_equal_array_and_scale() -> None:
    array = gaussian(1.5, 1.0, 30, 13)
    assert BlurKernel(array) == BlurKernel(array.copy(), provenance={"seed": 1})
    assert hash(BlurKernel(array)) == hash(BlurKernel(array.copy()))
    assert BlurKernel(array) != BlurKernel(array, 4)
    assert BlurKernel(array) != BlurKernel(array.T)
    assert BlurKernel(array) != array.tolist()


def test_equal_kernels_hash_equal_across_signed_zeros() -> None:
    plus, minus = np.zeros((3, 3)), np.zeros((3, 3))
    plus[1, 1] = minus[1, 1] = 1
    minus[0, 0] = -0.0
    assert BlurKernel(plus) == BlurKernel(minus)
    assert len({BlurKernel(plus), BlurKernel(minus)}) == 1


def test_copies_and_crosses_processes() -> None:
    kernel = BlurKernel(gaussian(1.5, 1.0, 30, 13), 4, provenance={"seed": 1})
    for twin in (pickle.loads(pickle.dumps(kernel)), copy.deepcopy(kernel)):
        assert twin == kernel
        assert twin.provenance == {"seed": 1}
        assert not twin.array.flags.writeable
    assert dataclasses.replace(kernel, scale=2).scale == 2


@pytest.mark.parametrize("angle", [0.0, 30.0, 75.0, -30.0, -90.0])
def test_widths_are_those_of_a_gaussian(angle: float) -> None:
    widths = BlurKernel(gaussian(2.5, 1.2, angle)).widths
    assert widths.major == pytest.approx(2.5, rel=1e-4)
    assert widths.minor == pytest.approx(1.2, rel=1e-4)
    assert abs((widths.angle - angle + 90) % 180 - 90) < 1e-6
    assert -90 <= widths.angle < 90


def test_a_line_that_rises_to_the_right_has_a_positive_angle() -> None:
    assert BlurKernel(np.fliplr(np.eye(5)) / 5).widths.angle == pytest.approx(45)


def test_a_round_kernel_has_angle_0_and_a_point_no_width() -> None:
    assert BlurKernel(np.ones((3, 3)) / 9).widths.angle == 0
    assert BlurKernel(np.ones((1, 1))).widths == (0, 0, 0)


def test_moments_are_in_row_col_order() -> None:
    array = np.zeros((5, 5))
    array[0, 3] = array[2, 3] = 0.5
    kernel = BlurKernel(array)
    assert kernel.size == 5
    assert kernel.centre_of_mass == (1.0, 3.0)
    assert kernel.covariance.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_widths_of_a_kernel_with_negative_lobes_are_those_of_its_main_lobe() -> None:
    # A Gaussian of 1 px and the same with a ring around it that makes the second moments vanish.
    offsets = np.arange(13) - 6.0
    square = offsets[:, None] ** 2 + offsets[None] ** 2
    lobe = np.exp(-square / 2)
    ring = np.exp(-((np.sqrt(square) - 4) ** 2))
    lobed = lobe - 0.05 * ring
    widths = BlurKernel(lobed / lobed.sum()).widths
    # The region is counted on a grid of 1/8 px: its radius of 1.18 px is right within 1/16.
    assert widths.major == pytest.approx(1, abs=1 / 16 / 1.18)
    assert widths.minor == pytest.approx(1, abs=1 / 16 / 1.18)


def test_an_expected_error_is_kept_and_checked() -> None:
    kernel = BlurKernel(np.eye(3) / 3, expected_error=0.25)
    assert kernel.expected_error == 0.25
    assert pickle.loads(pickle.dumps(kernel)).expected_error == 0.25
    for wrong in (-0.1, math.nan, math.inf, "0.1", True):
        with pytest.raises(InputError, match="expected error must be"):
            BlurKernel(np.eye(3) / 3, expected_error=wrong)  # type: ignore[arg-type]


def test_repr_tells_shape_and_widths_but_no_values() -> None:
    text = repr(BlurKernel(gaussian(2.5, 1.2, 30)))
    assert text == "BlurKernel(31x31, scale=2, sigma 2.50 x 1.20 px at 30 degrees)"
