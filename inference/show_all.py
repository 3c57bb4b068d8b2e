"""Show me all: the same face under several movements, side by side, with a number on each.

    photo -> its surroundings of the face, as small as they are shown -> one engine, prepared once
          -> a stream of frames per movement, all in step -> sheets -> a silent mp4

Each movement is shown as often as it fits in whole; then the face rests until the longest has
ended, so that a player that repeats the video shows no jump.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from math import ceil
from pathlib import Path

import numpy as np

from inference.engine import Engine, Picture
from inference.faces.finder import resize
from inference.flow.track import Track
from inference.media.numbered_sheet import draw_number
from inference.media.photo import read_normalised
from inference.media.writer import VideoWriter
from inference.overlap import ahead
from inference.paste import paste_back
from inference.pipeline import COMMENT, AnimationResult, Report
from jobs.errors import Cancelled, EngineUnavailable
from jobs.model import CropBox, Face, square_inside
from jobs.show_all import FRAME_RATE, frame_count, repeats, work
from jobs.templates import CurveMotion

TILE_PX = 236
COLUMNS = 3
_GAP_PX = 6
_GROUND = 24
_NUMBER_RADIUS_PX = 25
# At the lower left: at the upper one, apps write GIF over an animation.
_NUMBER_PLACE = (7, TILE_PX - 7 - 2 * _NUMBER_RADIUS_PX)
# In widths of the face's box: what a tile shows, and what is cut out for it to move in.
_SHOWN, _AROUND = 2.1, 4.2
_CRF = 20
_AHEAD = 3


@dataclass(frozen=True)
class Showing:
    """What is to be shown.

    Attributes:
        photo: the normalised photo.
        face: whose face moves, in px of the photo.
        movements: at least one; the first has the number 1.
    """

    photo: Path
    face: Face
    movements: tuple[CurveMotion | Track, ...]

    @property
    def lengths(self) -> list[int]:
        """Of the movements, in frames of the video."""
        return [_length(movement) for movement in self.movements]

    @property
    def work_frames(self) -> int:
        """Its work in frames of an ordinary video."""
        return work(self.lengths)


@dataclass(frozen=True)
class CloseUp:
    """A face and its surroundings, as large as a tile shows them.

    Attributes:
        picture: uint8 (h, w, 3) RGB.
        face: the same face, in px of `picture`.
        tile: the part that is shown, `TILE_PX` square.
    """

    picture: Picture
    face: Face
    tile: CropBox


def show_all(
    showing: Showing,
    engine: Engine,
    output: Path,
    *,
    report: Report = lambda _done, _total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> AnimationResult:
    """Makes the mp4 `output`; it appears there whole or not at all.

    Raises:
        EngineUnavailable: the engine needs a clip for each movement.
        Cancelled: `is_cancelled` said so between two frames.
        MediaError: the photo cannot be read.
        OutputNotWritable, DiskFull, EncoderFailed: the mp4 cannot be written.
    """
    if not engine.evaluates_motions:
        needs = "a clip, and so shows one movement at a time: let another engine show several"
        raise EngineUnavailable(name=engine.name, needs=needs)
    started = time.monotonic()
    close = close_up(read_normalised(showing.photo), showing.face)
    total = frame_count(showing.lengths)
    width, height = _sheet_size(len(showing.movements))
    rate = Fraction(FRAME_RATE)
    with (
        closing(sheets(close, showing.movements, engine)) as frames,
        VideoWriter(output, width, height, rate, comment=COMMENT, crf=_CRF) as writer,
    ):
        for frame in frames:
            writer.write(frame)
            report(writer.frame_count, total)
            if is_cancelled():
                raise Cancelled
    file_width, file_height = writer.file_size
    return AnimationResult(
        path=output,
        width=file_width,
        height=file_height,
        frame_count=writer.file_frame_count,
        frame_rate=writer.file_frame_rate,
        elapsed_s=time.monotonic() - started,
    )


def close_up(photo: Picture, face: Face) -> CloseUp:
    """The square about a face that a tile shows, and what lies around it, reduced or enlarged.

    Args:
        photo: uint8 (H, W, 3) RGB.
        face: in px of the photo.
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
    box = CropBox(
        left=face.box.left - left,
        upper=face.box.upper - upper,
        right=face.box.right - left,
        lower=face.box.lower - upper,
    )
    return CloseUp(picture, face.model_copy(update={"box": box.scaled(factor)}), tile)


def sheets(
    close: CloseUp, movements: Sequence[CurveMotion | Track], engine: Engine
) -> Generator[Picture]:
    """The frames with all movements side by side, uint8 (h, w, 3) RGB.

    Args:
        close: the face.
        movements: at least one.
        engine: one that evaluates motions; it animates all of them at the same time.
    """
    crop = engine.crop_for(close.face, close.picture)
    engine.prepare(close.picture, close.face)
    rows, columns = (slice(*ends) for ends in _sides(close.tile))
    count = frame_count([_length(movement) for movement in movements])

    def tiles_of(number: int, movement: CurveMotion | Track) -> Iterator[Picture]:
        for frame in islice(_in_step(movement, engine, count), count):
            tile = paste_back(close.picture, frame, crop)[rows, columns].copy()
            draw_number(tile, number, _NUMBER_PLACE, _NUMBER_RADIUS_PX)
            yield tile

    width, height = _sheet_size(len(movements))
    with ExitStack() as stack:
        streams = [
            stack.enter_context(closing(ahead(tiles_of(number, movement), size=_AHEAD)))
            for number, movement in enumerate(movements, start=1)
        ]
        for tiles in zip(*streams, strict=True):
            sheet = np.full((height, width, 3), _GROUND, np.uint8)
            for index, tile in enumerate(tiles):
                row, column = (place * (TILE_PX + _GAP_PX) for place in divmod(index, COLUMNS))
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


def _length(movement: CurveMotion | Track) -> int:
    return ceil(movement.frame_count * FRAME_RATE / movement.frame_rate)


def _sheet_size(count: int) -> tuple[int, int]:
    """Width and height of a sheet of so many tiles, px."""
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    return columns * (TILE_PX + _GAP_PX) - _GAP_PX, rows * (TILE_PX + _GAP_PX) - _GAP_PX


def _sides(box: CropBox) -> tuple[tuple[int, int], tuple[int, int]]:
    return (box.upper, box.lower), (box.left, box.right)
