"""Synthetic drawings to train on: text, line art, screentone, checkerboards, charts, pixel art.

Photos alone teach a network to tint neutral colours and to melt fine regular patterns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_NEUTRAL = 0.5  # of all drawings
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?()[]+-=/&%"
_FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans-Bold.ttf")


def drawing(side: int, random: np.random.Generator) -> Pixels:
    """Draw one picture of a random kind, (side, side, 3)."""
    kind = _KINDS[int(random.integers(len(_KINDS)))]
    pixels = np.asarray(kind(side, random))
    if random.random() < _NEUTRAL:
        luma = pixels @ np.array([0.299, 0.587, 0.114])
        pixels = np.repeat(np.rint(luma)[..., None], 3, axis=2).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _paper(side: int, random: np.random.Generator) -> tuple[Image.Image, Colour]:
    """A sheet in a light or dark colour, and the colour to draw with."""
    light, dark = _colour(random, 190, 256), _colour(random, 0, 70)
    if random.random() < 0.3:
        light, dark = dark, light
    if random.random() < 0.3:
        light, dark = (255, 255, 255), (0, 0, 0)
    return Image.new("RGB", (side, side), light), dark


def _colour(random: np.random.Generator, first: int, end: int) -> Colour:
    red, green, blue = (int(value) for value in random.integers(first, end, 3))
    return red, green, blue


def _font(size: int, random: np.random.Generator) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A common font where the system has one, else the font of Pillow."""
    name = _FONTS[int(random.integers(len(_FONTS)))]
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return ImageFont.load_default(size)


def _text(side: int, random: np.random.Generator) -> Image.Image:
    sheet, ink = _paper(side, random)
    pen = ImageDraw.Draw(sheet)
    row = int(random.integers(-8, 8))
    while row < side:
        size = int(np.exp(random.uniform(np.log(8), np.log(48))))
        words = "".join(
            " " if random.random() < 0.17 else _LETTERS[int(random.integers(len(_LETTERS)))]
            for _ in range(3 * side // size)
        )
        pen.text((int(random.integers(-20, 12)), row), words, fill=ink, font=_font(size, random))
        row += int(size * random.uniform(1.0, 1.6)) + 1
    return sheet


def _lines(side: int, random: np.random.Generator) -> Image.Image:
    """Line art, drawn four times as large so that its edges are smooth."""
    sheet, ink = _paper(4 * side, random)
    pen = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(15, 50))):
        points = random.uniform(-0.1, 1.1, (int(random.integers(2, 5)), 2)) * 4 * side
        width = int(random.uniform(2, 14))
        corners = [(float(x), float(y)) for x, y in points]
        if len(corners) == 2 and random.random() < 0.5:
            left, right = sorted((corners[0][0], corners[1][0]))
            top, bottom = sorted((corners[0][1], corners[1][1]))
            pen.ellipse((left, top, right, bottom), outline=ink, width=width)
        elif random.random() < 0.2:
            pen.polygon(corners, fill=_colour(random, 0, 256))
        else:
            pen.line(corners, fill=ink, width=width, joint="curve")
    return sheet.resize((side, side), Image.Resampling.BOX)


def _screentone(side: int, random: np.random.Generator) -> Image.Image:
    """Dots on a turned lattice whose size follows a smooth shade, as in print."""
    rows, columns = np.indices((side, side)) + 0.0
    angle, pitch = random.uniform(0, np.pi), random.uniform(3.0, 12.0)
    along = (np.cos(angle) * columns + np.sin(angle) * rows) * (2 * np.pi / pitch)
    across = (np.cos(angle) * rows - np.sin(angle) * columns) * (2 * np.pi / pitch)
    waves = random.uniform(-0.02, 0.02, 2)
    shade = 0.5 + 0.45 * np.sin(waves[0] * rows + waves[1] * columns + random.uniform(0, 6))
    field = (np.cos(along) + np.cos(across)) / 4 + 0.5
    sharp = float(np.exp(random.uniform(np.log(2), np.log(30))))
    return _blend(np.clip((field - shade) * sharp + 0.5, 0, 1), random)


def _checkerboard(side: int, random: np.random.Generator) -> Image.Image:
    """Checks and bars of 1 to 12 px, in patches."""
    cover = np.zeros((side, side))
    rows, columns = np.indices((side, side))
    patch = int(random.integers(24, 72))
    for top in range(0, side, patch):
        for left in range(0, side, patch):
            high, wide = (int(value) for value in random.integers(1, 13, 2))
            inside = (slice(top, top + patch), slice(left, left + patch))
            checks = (rows[inside] // high) + random.choice([0, 1]) * (columns[inside] // wide)
            cover[inside] = checks % 2
    return _blend(cover, random)


def _hatching(side: int, random: np.random.Generator) -> Image.Image:
    """Gratings and rings of slowly varying period."""
    rows, columns = np.indices((side, side)) - random.uniform(0, side, 2)[:, None, None]
    angle = random.uniform(0, np.pi)
    distance = (
        np.hypot(rows, columns)
        if random.random() < 0.4
        else np.cos(angle) * columns + np.sin(angle) * rows
    )
    period = float(np.exp(random.uniform(np.log(2.5), np.log(16))))
    wave = np.sin(2 * np.pi * distance / period * (1 + random.uniform(0, 0.002) * distance))
    return _blend(np.clip(wave * random.uniform(0.5, 6) / 2 + 0.5, 0, 1), random)


def _chart(side: int, random: np.random.Generator) -> Image.Image:
    sheet, ink = _paper(side, random)
    pen = ImageDraw.Draw(sheet)
    step = int(random.integers(12, 40))
    faint = _colour(random, 120, 210)
    for place in range(0, side, step):
        pen.line((0, place, side, place), fill=faint)
        pen.line((place, 0, place, side), fill=faint)
    for left in range(0, side, 2 * step):
        top = int(random.integers(0, side))
        pen.rectangle((left, top, left + step, side), fill=_colour(random, 0, 256), outline=ink)
        pen.text((left, max(top - 12, 0)), str(int(random.integers(1000))), fill=ink)
    heights = np.cumsum(random.normal(0, side / 16, side // 4 + 1)) + side / 2
    points = [(4.0 * index, float(height)) for index, height in enumerate(heights)]
    pen.line(points, fill=_colour(random, 0, 256), width=int(random.integers(1, 4)))
    return sheet


def _pixel_art(side: int, random: np.random.Generator) -> Image.Image:
    """Few colours, mirrored figures, blocks of 1 to 8 px."""
    block = int(random.integers(1, 9))
    cells = -(-side // block)
    palette = random.integers(0, 256, (int(random.integers(2, 9)), 3))
    coarse = random.integers(0, len(palette), (-(-cells // 3), -(-cells // 3)))
    indices = np.kron(coarse, np.ones((3, 3), int))[:cells, :cells]
    speckled = random.random((cells, cells)) < 0.15
    indices = np.where(speckled, random.integers(0, len(palette), (cells, cells)), indices)
    half = cells // 2
    indices[:, cells - half :] = indices[:, :half][:, ::-1]
    pixels = palette[indices].astype(np.uint8).repeat(block, 0).repeat(block, 1)
    return Image.fromarray(np.ascontiguousarray(pixels[:side, :side]))


def _blend(cover: NDArray[np.float64], random: np.random.Generator) -> Image.Image:
    """Paper where `cover` is 0, ink where it is 1."""
    sheet, ink = _paper(2, random)
    paper = np.asarray(sheet, np.float64)[0, 0]
    pixels = paper + cover[..., None] * (np.array(ink) - paper)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


_KINDS: tuple[Callable[[int, np.random.Generator], Image.Image], ...] = (
    _text,
    _text,
    _lines,
    _screentone,
    _checkerboard,
    _hatching,
    _chart,
    _pixel_art,
)
