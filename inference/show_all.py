"""Show me all: the same face under several movements, side by side, with a number on each.

    photo -> its surroundings of the face, as small as they are shown -> one engine, prepared once
          -> a stream of frames per movement, all in step -> sheets -> a silent mp4

Each movement is shown as often as it fits in whole; then the face rests until the longest has
ended, so that a player that repeats the video shows no jump.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from math import ceil

import numpy as np

from inference.arrays import Picture
from inference.engine import Engine
from inference.faces.finder import resize
from inference.media.numbered_sheet import draw_number
from inference.media.visible_mark import Ground
from inference.mesh.track import Track
from inference.overlap import ahead
from inference.paste import paste_back
from jobs.model import CropBox, Face, square_inside
from jobs.show_all import FRAME_RATE, frame_count, repeats
from jobs.templates import CurveMotion

TILE_PX = 236
COLUMNS = 3
_GAP_PX = 6
_GROUND = 24
_NUMBER_RADIUS_PX = 25
# At the lower left: at the upper one, apps write GIF over an animation.
_NUMBER_PLACE = (7, TILE_PX - 7 - 2 * _NUMBER_RADIUS_PX)
_MARK_PX, _MARK_GAP_PX = 30, 9
# In widths of the face's box: what a tile shows, and what is cut out for it to move in.
_SHOWN, _AROUND = 2.1, 4.2
CRF = 20
"""For `VideoWriter`: small tiles need fewer bits."""

_AHEAD = 3


@dataclass(frozen=True)
class CloseUp:
    """A face and its surroundings, as large as a tile shows them.

    Attributes:
        picture: uint8 (h, w, 3) RGB.
        face: the same face, in px of `picture`.
        tile: the part that is shown, `TILE_PX` square.
        still: the photo's other faces, which stay as they are.
    """

    picture: Picture
    face: Face
    tile: CropBox
    still: tuple[Face, ...] = ()


def lengths_of(motions: Iterable[CurveMotion | Track]) -> list[int]:
    """Return the movements' lengths in frames of the video."""
    return [_length(motion) for motion in motions]


def sheet_size(count: int) -> tuple[int, int]:
    """Return width and height of the video with that many movements, px."""
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    return columns * (TILE_PX + _GAP_PX) - _GAP_PX, rows * (TILE_PX + _GAP_PX) - _GAP_PX


def sheet_ground(close: CloseUp, count: int) -> Ground:
    """Return where a mark may be on a sheet with that many movements."""
    width, height = sheet_size(count)
    shown = [one.box for one in (close.face, *close.still) if one.box.overlap(close.tile)]
    faces, numbers = [], []
    for row, column in map(_place_of, range(count)):
        right, down = column - close.tile.left, row - close.tile.upper
        faces += [box.moved(right, down) for box in shown]
        left, upper = column + _NUMBER_PLACE[0], row + _NUMBER_PLACE[1]
        right, lower = left + 2 * _NUMBER_RADIUS_PX, upper + 2 * _NUMBER_RADIUS_PX
        numbers.append(CropBox(left=left, upper=upper, right=right, lower=lower))
    ground = Ground(width, height, tuple(faces), drawn=tuple(numbers))
    return replace(ground, mark_px=_MARK_PX, gap_px=_MARK_GAP_PX)


def close_up(photo: Picture, face: Face, still: Sequence[Face] = ()) -> CloseUp:
    """The square about a face that a tile shows, and what lies around it, reduced or enlarged.

    Args:
        photo: uint8 (H, W, 3) RGB.
        face: in px of the photo.
        still: the photo's other faces.
    """
    height, width = photo.shape[:2]
    shown = square_inside(face.box.centre, _SHOWN * face.box.width, width, height)
    reach = max(0, round((_AROUND * face.box.width - shown.width) / 2))
    left, upper = max(0, shown.left - reach), max(0, shown.upper - reach)
    around = photo[upper : shown.lower + reach, left : shown.right + reach]
    factor = TILE_PX / shown.width
    picture = resize(around, factor)
    tile = square_inside(
        ((shown.centre[0] - left) * factor, (shown.centre[1] - upper) * factor),
        TILE_PX,
        picture.shape[1],
        picture.shape[0],
    )

    def moved(one: Face) -> Face:
        return one.model_copy(update={"box": one.box.moved(-left, -upper).scaled(factor)})

    return CloseUp(picture, moved(face), tile, tuple(map(moved, still)))


def sheets(
    close: CloseUp, movements: Sequence[CurveMotion | Track], engine: Engine
) -> Generator[Picture]:
    """The frames with all movements side by side, uint8 (h, w, 3) RGB.

    Args:
        close: the face.
        movements: at least one.
        engine: one that evaluates motions; it animates all of them at the same time.
    """
    engine.still_faces = close.still
    crop = engine.crop_for([close.face], close.picture)
    engine.prepare(close.picture, [close.face])
    left, upper, right, lower = close.tile.sides
    count = frame_count(lengths_of(movements))

    def tiles_of(number: int, movement: CurveMotion | Track) -> Iterator[Picture]:
        for frame in islice(_in_step(movement, engine, count), count):
            tile = paste_back(close.picture, frame, crop)[upper:lower, left:right].copy()
            draw_number(tile, number, _NUMBER_PLACE, _NUMBER_RADIUS_PX)
            yield tile

    width, height = sheet_size(len(movements))
    with ExitStack() as stack:
        streams = [
            stack.enter_context(closing(ahead(tiles_of(number, movement), size=_AHEAD)))
            for number, movement in enumerate(movements, start=1)
        ]
        for tiles in zip(*streams, strict=True):
            sheet = np.full((height, width, 3), _GROUND, np.uint8)
            for index, tile in enumerate(tiles):
                row, column = _place_of(index)
                sheet[row : row + TILE_PX, column : column + TILE_PX] = tile
            yield sheet


def _in_step(movement: CurveMotion | Track, engine: Engine, count: int) -> Iterator[Picture]:
    """The movement at the video's rate, as often as it fits into so many frames; then rest."""
    comes_back = isinstance(movement, CurveMotion) and movement.seamless
    for _ in range(repeats(_length(movement), count)):
        for index, frame in enumerate(_at_rate(engine.animate(None, movement), movement)):
            if index == 0 or not comes_back:
                rest = frame
            yield frame
    while True:
        yield rest


def _at_rate(
    batches: Iterator[Sequence[Picture]], movement: CurveMotion | Track
) -> Iterator[Picture]:
    """The movement's frames at the video's rate: some twice or never where its own is another."""
    shown = 0
    for index, frame in enumerate(chain.from_iterable(batches)):
        while shown * movement.frame_rate < (index + 1) * FRAME_RATE:
            yield frame
            shown += 1


def _place_of(index: int) -> tuple[int, int]:
    """The upper and the left side of a tile, px of the sheet."""
    row, column = divmod(index, COLUMNS)
    return row * (TILE_PX + _GAP_PX), column * (TILE_PX + _GAP_PX)


def _length(movement: CurveMotion | Track) -> int:
    return ceil(movement.frame_count * FRAME_RATE / movement.frame_rate)
