"""A picture of a kernel: its cells on HR pixel axes, where it is centred and how wide it is."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.escaping import printable
from kernelgan_fast.files import atomic_write
from kernelgan_fast.kernels.blur_kernel import BlurKernel
from kernelgan_fast.kernels.geometry import target_centre

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

# Everything is drawn three times as large and reduced, which smooths lines and text.
_FINE = 3
_WIDTH, _HEIGHT = 800, 840
_LEFT, _TOP, _SIDE = 84, 74, 588
_BAR_LEFT, _BAR_WIDTH = 698, 20
_LEGEND_TOP = 742

_INK, _FAINT, _PAPER = (32, 36, 44), (110, 116, 128), (255, 255, 255)
_TARGET, _CENTRE, _ELLIPSE = (255, 255, 255), (255, 88, 56), (255, 255, 255)

# Nine points of viridis (CC0), from dark to bright; equal steps look equal.
VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=np.float64,
)


def save_picture(
    kernel: BlurKernel, path: str | os.PathLike[str], title: str | None = None
) -> None:
    """Draw a kernel to a PNG file of 800 x 840 pixels; the same kernel gives the same bytes.

    Axes count HR pixels from the centre tap. A ring marks where the centre of mass belongs, a
    cross where it is, a dashed ellipse the standard deviations.

    Args:
        kernel: the kernel.
        path: the PNG file; its folder must exist.
        title: the heading; photo, scale and size of the kernel where it is left out.

    Raises:
        OutputError: the file could not be written; an old one is untouched.
    """
    picture = draw(kernel, title)

    def write(stream: BinaryIO) -> None:
        picture.save(stream, format="PNG", optimize=True)

    atomic_write(path, write)


def draw(kernel: BlurKernel, title: str | None = None) -> Image:
    """Draw a kernel; see `save_picture`.

    Returns:
        An RGB image of 800 x 840 pixels.
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (_WIDTH * _FINE, _HEIGHT * _FINE), _PAPER)
    pen = ImageDraw.Draw(canvas)
    low, high = min(0.0, float(kernel.array.min())), float(kernel.array.max())
    _cells(canvas, kernel, low, high)
    _axes(pen, kernel)
    _colour_bar(canvas, pen, low, high)
    _marks(pen, kernel)
    _legend(pen, kernel)
    source = kernel.provenance.get("source", "Downscaling kernel")
    heading = title or f"{source}: x{kernel.scale}, {kernel.size} x {kernel.size}"
    _text(pen, _LEFT + _SIDE / 2, _TOP / 2, heading, size=24, anchor="mm", width=_WIDTH - 140)
    return canvas.resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)


def colours(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Map values in [0, 1] to the colours of pictures of kernels, (..., 3) in 0 to 255."""
    points = np.linspace(0.0, 1.0, len(VIRIDIS))
    channels = [np.interp(values, points, VIRIDIS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _cells(canvas: Image, kernel: BlurKernel, low: float, high: float) -> None:
    from PIL import Image as PilImage

    cells = PilImage.fromarray(colours((kernel.array - low) / (high - low)))
    side = (_SIDE * _FINE, _SIDE * _FINE)
    enlarged = cells.resize(side, PilImage.Resampling.NEAREST)
    canvas.paste(enlarged, (_LEFT * _FINE, _TOP * _FINE))


def _place(kernel: BlurKernel, row: float, col: float) -> tuple[float, float]:
    """Give the canvas position (x, y) of index coordinates; the middle of cell 0 is 0."""
    cell = _SIDE / kernel.size
    return _LEFT + (col + 0.5) * cell, _TOP + (row + 0.5) * cell


def _axes(pen: ImageDraw, kernel: BlurKernel) -> None:
    half = kernel.size // 2
    step = next(step for step in (1, 2, 5, 10, 20, 50, 10**9) if half / step <= 6)
    bottom = _TOP + _SIDE
    for offset in range(-(half // step) * step, half + 1, step):
        x, y = _place(kernel, half + offset, half + offset)
        label = f"{offset}"
        _line(pen, [(x, bottom), (x, bottom + 6)])
        _text(pen, x, bottom + 10, label, anchor="mt")
        _line(pen, [(_LEFT - 6, y), (_LEFT, y)])
        _text(pen, _LEFT - 11, y, label, anchor="rm")
    _frame(pen, _LEFT, _TOP, _SIDE, _SIDE)
    _text(
        pen,
        _LEFT + _SIDE / 2,
        bottom + 34,
        "HR pixels from the centre tap (right, down)",
        colour=_FAINT,
        anchor="mt",
    )


def _colour_bar(canvas: Image, pen: ImageDraw, low: float, high: float) -> None:
    from PIL import Image as PilImage

    ramp = colours(np.linspace(1.0, 0.0, _SIDE * _FINE))[:, None, :]
    strip = PilImage.fromarray(np.repeat(ramp, _BAR_WIDTH * _FINE, axis=1))
    canvas.paste(strip, (_BAR_LEFT * _FINE, _TOP * _FINE))
    _frame(pen, _BAR_LEFT, _TOP, _BAR_WIDTH, _SIDE)
    right = _BAR_LEFT + _BAR_WIDTH
    span = high - low
    step = _round_step(span / 5)
    decimals = max(0, -math.floor(math.log10(step)))
    _text(pen, _BAR_LEFT, _TOP - 16, "weight", colour=_FAINT)
    for multiple in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        value = multiple * step
        y = _TOP + _SIDE * (high - value) / span
        _line(pen, [(right, y), (right + 6, y)])
        _text(pen, right + 10, y, f"{value:.{decimals}f}", anchor="lm")


def _round_step(step: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return float(next(n * power for n in (1, 2, 5, 10) if n * power >= step * (1 - 1e-9)))


def _marks(pen: ImageDraw, kernel: BlurKernel) -> None:
    target = target_centre(kernel.size, kernel.scale)
    _ellipse(pen, kernel)
    _ring(pen, *_place(kernel, target, target))
    _cross(pen, *_place(kernel, *kernel.centre_of_mass))


def _ellipse(pen: ImageDraw, kernel: BlurKernel) -> None:
    values, vectors = np.linalg.eigh(kernel.covariance)
    if values[0] <= 0:
        return
    turns = np.linspace(0.0, 2.0 * np.pi, 97)
    circle = np.stack([np.cos(turns), np.sin(turns)])
    outline = vectors @ (np.sqrt(values)[:, None] * circle)
    row, col = kernel.centre_of_mass
    points = [_place(kernel, row + down, col + right) for down, right in outline.T]
    for first in range(0, 96, 4):
        _line(pen, points[first : first + 3], colour=_ELLIPSE, width=1.6)


def _ring(pen: ImageDraw, x: float, y: float) -> None:
    for colour, width in ((_INK, 4.6), (_TARGET, 2.6)):
        reach = 11 + width / 2
        box = [(x - reach) * _FINE, (y - reach) * _FINE, (x + reach) * _FINE, (y + reach) * _FINE]
        pen.ellipse(box, outline=colour, width=round(width * _FINE))


def _cross(pen: ImageDraw, x: float, y: float) -> None:
    for colour, width, reach in ((_INK, 5.0, 9.0), (_CENTRE, 3.0, 8.0)):
        _line(pen, [(x - reach, y), (x + reach, y)], colour=colour, width=width)
        _line(pen, [(x, y - reach), (x, y + reach)], colour=colour, width=width)


def _legend(pen: ImageDraw, kernel: BlurKernel) -> None:
    row, col = kernel.centre_of_mass
    half = kernel.size // 2
    target = target_centre(kernel.size, kernel.scale) - half
    widths = kernel.widths
    first, second = _LEGEND_TOP + 18, _LEGEND_TOP + 56
    middle = _LEFT + _SIDE / 2
    _cross(pen, _LEFT + 14, first)
    _text(
        pen,
        _LEFT + 34,
        first,
        f"centre of mass  {_signed(row - half)} down  {_signed(col - half)} right",
    )
    _ring(pen, middle + 64, first)
    _text(pen, middle + 84, first, f"target  {_signed(target)}  {_signed(target)}")
    _text(
        pen,
        _LEFT,
        second,
        f"standard deviations (ellipse)  {widths.major:.2f} x {widths.minor:.2f} px,  "
        f"wider axis at {round(widths.angle)}°",
    )


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # never -0.00


def _frame(pen: ImageDraw, left: float, top: float, width: float, height: float) -> None:
    right, bottom = left + width, top + height
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    _line(pen, corners)


def _line(
    pen: ImageDraw,
    points: list[tuple[float, float]],
    colour: tuple[int, int, int] = _INK,
    width: float = 1.0,
) -> None:
    fine = [(x * _FINE, y * _FINE) for x, y in points]
    pen.line(fine, fill=colour, width=round(width * _FINE), joint="curve")


def _text(
    pen: ImageDraw,
    x: float,
    y: float,
    text: str,
    size: float = 16,
    colour: tuple[int, int, int] = _INK,
    anchor: str = "lm",
    width: float = _WIDTH,
) -> None:
    from PIL import ImageFont

    text = printable(text)  # a name may hold line breaks, which cannot be measured
    font = ImageFont.load_default(size * _FINE)
    length = pen.textlength(text, font=font)
    if length > width * _FINE:  # a long title shrinks until it fits
        font = ImageFont.load_default(size * width * _FINE * _FINE / length)
    pen.text((x * _FINE, y * _FINE), text, fill=colour, font=font, anchor=anchor)
