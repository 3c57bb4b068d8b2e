"""The sheet of the history: small pictures of results, with numbers to choose from."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from inference.arrays import Picture
from inference.media.numbered_sheet import draw_number
from jobs.media_tasks import DrawSheet, Made

_TILE_PX = 240
_GAP_PX = 6
_BACKGROUND = (32, 34, 40)
_EMPTY = (70, 74, 84)
_MOST_COLUMNS = 3
_NUMBER_PX = 26  # radius
_QUALITY = 88
# More than a thumbnail has; a larger file is not one.
_MOST_PIXELS = 1_000_000


def draw_sheet(task: DrawSheet, folder: Path) -> Made:
    """Draw the sheet as `sheet.jpg`; a picture that cannot be read is an empty tile."""
    count = len(task.pictures)
    rows = -(-count // _MOST_COLUMNS)
    columns = -(-count // rows)
    step = _TILE_PX + _GAP_PX
    size = (rows * step + _GAP_PX, columns * step + _GAP_PX, 3)
    sheet = np.full(size, _BACKGROUND, np.uint8)
    for index, path in enumerate(task.pictures):
        x, y = _GAP_PX + index % columns * step, _GAP_PX + index // columns * step
        tile = sheet[y : y + _TILE_PX, x : x + _TILE_PX]
        tile[:] = _tile(path)
        draw_number(sheet, task.first_number + index, (x + 8, y + 8), _NUMBER_PX)
    target = folder / "sheet.jpg"
    Image.fromarray(sheet).save(target, format="JPEG", quality=_QUALITY)
    return Made(
        names=(target.name,),
        size_bytes=target.stat().st_size,
        width=sheet.shape[1],
        height=sheet.shape[0],
    )


def _tile(path: str | None) -> Picture:
    """Return the square middle of a picture, or an empty tile."""
    empty = np.full((_TILE_PX, _TILE_PX, 3), _EMPTY, np.uint8)
    if path is None:
        return empty
    try:
        with Image.open(path, formats=("JPEG",)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return empty
            picture = np.asarray(opened.convert("RGB"))
    except (OSError, UnidentifiedImageError):
        return empty
    height, width = picture.shape[:2]
    side = min(height, width)
    # The face of a portrait is nearer to its upper edge.
    x, y = (width - side) // 2, (height - side) // 4
    square = picture[y : y + side, x : x + side]
    tile = cv2.resize(square, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(tile, np.uint8)
