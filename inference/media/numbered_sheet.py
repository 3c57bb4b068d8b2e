"""Sheets with numbers to choose from: the faces of a photo, or a grid if it has none."""

from collections.abc import Sequence

import cv2
import numpy as np

from inference.arrays import Picture
from jobs.model import GRID_SIDE, Face, grid_cell

Point = tuple[int, int]

_LIGHT, _DARK, _FRAME = (255, 255, 255), (24, 24, 28), (255, 220, 0)
_LEAST_PX = 480
# OpenCV draws with subpixel precision, 1/16 px here; otherwise small discs look like polygons.
_SHIFT = 4
_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_faces(picture: Picture, faces: Sequence[Face]) -> Picture:
    """Draw a numbered frame around each face; small pictures are enlarged.

    Args:
        picture: uint8 (H, W, 3) RGB.
        faces: with boxes in px of `picture`.

    Returns:
        uint8 (h, w, 3) RGB, at least 480 px on its longer side.
    """
    sheet, factor, line = _sheet_of(picture)
    for face in faces:
        left, upper, right, lower = (side * factor for side in face.box.sides)
        cv2.rectangle(sheet, (left, upper), (right - 1, lower - 1), (0, 0, 0), 2 * line)
        cv2.rectangle(sheet, (left, upper), (right - 1, lower - 1), _FRAME, line)
    for face in faces:
        draw_number(sheet, face.number, (face.box.left * factor, face.box.upper * factor), 9 * line)
    return sheet


def draw_grid(picture: Picture) -> Picture:
    """Draw a grid of three by three cells, numbered by rows (`grid_cell`).

    Arguments and result as for `draw_faces`.
    """
    sheet, _, line = _sheet_of(picture)
    height, width = sheet.shape[:2]
    cells = [grid_cell(width, height, number) for number in range(1, GRID_SIDE**2 + 1)]
    for colour, thickness in ((_DARK, 2 * line), (_LIGHT, line)):
        for cell in cells[:: GRID_SIDE + 1][1:]:
            cv2.line(sheet, (cell.left, 0), (cell.left, height - 1), colour, thickness)
            cv2.line(sheet, (0, cell.upper), (width - 1, cell.upper), colour, thickness)
    for number, cell in enumerate(cells, start=1):
        draw_number(sheet, number, (cell.left + 4 * line, cell.upper + 4 * line), 12 * line)
    return sheet


def draw_number(picture: Picture, number: int, corner: Point, radius_px: int) -> None:
    """Draw a number in white on a dark disc, in place.

    Args:
        picture: uint8 (H, W, 3) RGB.
        number: of one or two digits.
        corner: (x, y) of the upper left corner of the disc's bounding box, px; clipped to the
            picture.
        radius_px: of the disc with its light rim.
    """
    height, width = picture.shape[:2]
    x, y = (
        min(max(0, place), max(0, size - 2 * radius_px)) + radius_px
        for place, size in zip(corner, (width, height), strict=True)
    )
    for colour, radius in ((_LIGHT, radius_px), (_DARK, round(0.9 * radius_px))):
        scaled = [value << _SHIFT for value in (x, y, radius)]
        cv2.circle(picture, scaled[:2], scaled[2], colour, -1, cv2.LINE_AA, _SHIFT)
    text, thickness = str(number), max(1, radius_px // 9)
    digits_px = round((1.05 if number < 10 else 0.8) * radius_px)
    size = cv2.getFontScaleFromHeight(_FONT, digits_px, thickness)
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, size, thickness)
    origin = (x - text_width // 2, y + text_height // 2)
    cv2.putText(picture, text, origin, _FONT, size, _LIGHT, thickness, cv2.LINE_AA)


def _sheet_of(picture: Picture) -> tuple[Picture, int, int]:
    """A copy to draw on, its scale factor, and the width of its lines, px."""
    factor = max(1, -(-_LEAST_PX // max(picture.shape[:2])))
    sheet = np.ascontiguousarray(picture.repeat(factor, axis=0).repeat(factor, axis=1))
    return sheet, factor, max(2, round(max(sheet.shape[:2]) / 320))
