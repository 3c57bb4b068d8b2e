"""The contact sheet of `animato weights check`: what the owner looks at to judge the weights."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from inference.arrays import Picture
from inference.faces.finder import resize
from inference.fomm.plausibility import RenderedMovement
from inference.media.file import replacing, write_error
from inference.media.photo import write_png
from inference.motion import Keypoints

TILE_PX = 160
_TITLE_PX = 20
_PAPER, _INK, _MARK = (255, 255, 255), (0, 0, 0), (255, 220, 0)


def draw_check_sheet(
    square: Picture,
    source: Keypoints,
    first: Sequence[Picture],
    movements: Sequence[RenderedMovement],
) -> Picture:
    """Draw everything that was rendered, uint8 (H, W, 3) RGB.

    Args:
        square: the photo's square.
        source: its keypoints, B = 1.
        first: the first frame without and with `align_corners`.
        movements: each becomes a row of driving frames above a row of results.
    """
    top = [with_keypoints(square, source), square, *first]
    title = "the photo; the same; the first frame; the first frame with --align_corners"
    rows = [sheet_row(title, top, square.shape[0])]
    for movement in movements:
        clip = [with_keypoints(movement.driving[0], movement.keypoints[0]), *movement.driving[1:]]
        rows.append(sheet_row(f"{movement.name}: the clip", clip, TILE_PX))
        rows.append(sheet_row(f"{movement.name}: the result", movement.frames, TILE_PX))
    return stacked(rows)


def stacked(rows: Sequence[Picture]) -> Picture:
    """Put rows of any width below each other, uint8 (H, W, 3) RGB."""
    width = max(row.shape[1] for row in rows)
    padded = [
        cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=_PAPER)
        for row in rows
    ]
    return np.asarray(np.concatenate(padded), np.uint8)


def with_keypoints(square: Picture, keypoints: Keypoints) -> Picture:
    """Draw numbered dots at the keypoints, uint8 (side, side, 3) RGB.

    Args:
        square: uint8 (side, side, 3) RGB.
        keypoints: B = 1.
    """
    drawn = square.copy()
    side = square.shape[0]
    for number, point in enumerate(keypoints.value[0], start=1):
        if not np.isfinite(point).all():
            continue
        x, y = (round(float(way)) for way in (np.clip(point, -2, 2) + 1) / 2 * (side - 1))
        cv2.circle(drawn, (x, y), 5, _INK, -1, cv2.LINE_AA)
        cv2.circle(drawn, (x, y), 4, _MARK, -1, cv2.LINE_AA)
        _write(drawn, str(number), (x + 6, y + 4))
    return drawn


def write_sheet(sheet: Picture, output: Path) -> None:
    """Write the sheet as a PNG, completely or not at all.

    Raises:
        OutputNotWritable, DiskFull: it cannot be written.
    """
    try:
        with replacing(output) as part:
            write_png(sheet, part)
    except OSError as error:
        raise write_error(output, error) from error


def sheet_row(title: str, pictures: Sequence[Picture] | Picture, side_px: int) -> Picture:
    """Put pictures of one size beside each other, below a title; each is `side_px` high."""
    tiles = [resize(picture, side_px / picture.shape[0]) for picture in pictures]
    strip = np.concatenate(tiles, axis=1)
    head = np.full((_TITLE_PX, strip.shape[1], 3), _PAPER, np.uint8)
    _write(head, title, (4, _TITLE_PX - 6))
    return np.concatenate([head, strip])


def _write(picture: Picture, text: str, origin: tuple[int, int]) -> None:
    """Write black text with a white outline."""
    for colour, line in ((_PAPER, 3), (_INK, 1)):
        cv2.putText(
            picture, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, line, cv2.LINE_AA
        )
