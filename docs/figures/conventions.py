"""Draw the conventions: images/half_pixel.svg and images/orientation.svg.

python docs/figures/conventions.py docs/images
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate

from kernelgan_fast.kernels import target_centre

INK, FAINT, LIGHT, BLUE, RED = "#20242c", "#6e7480", "#eceff4", "#2c6fbb", "#d6452b"
CELL = 40


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "half_pixel.svg").write_text(half_pixel(), "utf-8")
    (folder / "orientation.svg").write_text(orientation(), "utf-8")


def half_pixel() -> str:
    """Where LR pixels lie on the HR grid at scales 2 and 4, and where kernels are centred."""
    shapes: list[str] = []
    for left, scale in ((40, 2), (420, 4)):
        top, count = 56, 8
        shapes += [_text(left, 28, f"scale {scale}", size=16, anchor="start")]
        shapes += _grid(left, top, count, count)
        for row in range(0, count, scale):
            for col in range(0, count, scale):
                x, y = left + col * CELL, top + row * CELL
                shapes.append(_box(x, y, scale * CELL, "none", BLUE, 2.5))
                middle = scale * CELL / 2
                shapes.append(_dot(x + middle, y + middle, 6, BLUE))
                shapes.append(_dot(x + CELL / 2, y + CELL / 2, 4, FAINT))
        # The kernel of LR pixel (0, 0): its centre tap lies on HR pixel (0, 0).
        offset = target_centre(13, scale) - 13 // 2
        start, end = CELL / 2, CELL / 2 + offset * CELL
        shapes.append(_arrow(left + start, top + start, left + end, top + end))
        words = f"centre of mass: centre tap + {offset:g} px"
        shapes.append(_text(left, top + count * CELL + 26, words, anchor="start"))
    y = 56 + 8 * CELL + 60
    shapes += [_dot(48, y, 4, FAINT), _text(62, y + 5, "HR pixel s·i, s·j", anchor="start")]
    shapes += [_dot(230, y, 6, BLUE), _text(244, y + 5, "LR pixel i, j", anchor="start")]
    shapes += [_arrow(380, y + 6, 392, y - 6)]
    shapes += [_text(404, y + 5, "from the centre tap to the centre of mass", anchor="start")]
    words = "LR pixels 0, 0 to the middle of the first s × s HR pixels, and of the kernel with them"
    return _document(780, y + 24, shapes, words)


def orientation() -> str:
    """A kernel that is no mirror image of itself, one bright HR pixel, and what comes of it."""
    kernel = np.zeros((5, 5))
    kernel[1, 1:4], kernel[2:4, 1] = (4, 3, 2), (2, 1)
    point = np.zeros((9, 9))
    point[4, 4] = 1
    panels: list[tuple[str, str, NDArray[np.float64]]] = [
        ("the kernel, as stored", "row 0 on top", kernel),
        ("HR: one bright pixel", "", point),
        ("correlate(HR, kernel)", "shows it turned by 180°", correlate(point, kernel)),
    ]
    shapes, left, top = [], 20.0, 56
    for head, foot, array in panels:
        side = 216 / len(array)
        shapes += _cells(left, top, side, array)
        shapes.append(_text(left + 108, 34, head))
        shapes.append(_text(left + 108, top + 216 + 24, foot, colour=FAINT))
        left += 216 + 36
    return _document(
        776,
        310,
        shapes,
        "A kernel of the shape Γ; one bright pixel correlated with it shows it turned",
    )


def _grid(left: float, top: float, rows: int, cols: int) -> list[str]:
    return [
        _box(left + col * CELL, top + row * CELL, CELL, LIGHT, "white", 1.5)
        for row in range(rows)
        for col in range(cols)
    ]


def _cells(left: float, top: float, side: float, array: NDArray[np.float64]) -> Iterable[str]:
    for (row, col), value in np.ndenumerate(array / array.max()):
        grey = (
            f"rgb({', '.join(str(round(236 + value * (part - 236))) for part in (44, 111, 187))})"
        )
        yield _box(left + col * side, top + row * side, side, grey, "white", 1)


def _box(x: float, y: float, side: float, fill: str, stroke: str, width: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{width:g}"/>'
    )


def _dot(x: float, y: float, radius: float, fill: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="{RED}" '
        'stroke-width="3" marker-end="url(#head)"/>'
    )


def _text(
    x: float, y: float, words: str, size: int = 14, anchor: str = "middle", colour: str = INK
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{colour}">{words}</text>'
    )


def _document(width: float, height: float, shapes: Iterable[str], title: str) -> str:
    head = (
        f'<marker id="head" markerWidth="5" markerHeight="5" refX="4" refY="2.5" orient="auto">'
        f'<path d="M0,0 L5,2.5 L0,5 z" fill="{RED}"/></marker>'
    )
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" role="img">\n'
        f"<title>{title}</title>\n<defs>{head}</defs>\n"
        f'<rect width="100%" height="100%" rx="8" fill="white"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
