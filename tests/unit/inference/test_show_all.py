"""Several movements side by side: each in its place with its number, in step, and no jumps."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from inference.arrays import Picture
from inference.choose import TemplateSource
from inference.engine import Driving, Motion
from inference.engines.mesh import MeshEngine
from inference.engines.still import StillEngine
from inference.media.photo import write_png
from inference.media.probe import probe
from inference.media.video import ClipReader
from inference.pipeline import Listener, animate_photo
from inference.show_all import TILE_PX, CloseUp, close_up, sheet_ground, sheets
from jobs.curves import CurveName
from jobs.errors import Cancelled, EngineUnavailable
from jobs.findings import PhotoFindings
from jobs.model import CropBox, Face
from jobs.templates import CurveMotion
from jobs.wish import Movement, Wish

ASTRONAUT: Picture = skimage.data.astronaut()
FACE = Face(number=1, box=CropBox(left=174, upper=68, right=272, lower=166), votes=9)


class CountingEngine(StillEngine):
    """Shows the frame's number as a shade of grey."""

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        assert driving is None
        assert motion is not None
        for index in range(motion.frame_count):
            yield [np.full_like(self._photo, 100 + index)]


class ClipEngine(StillEngine):
    evaluates_motions = False


def movement(duration_s: float, fps: int = 25, end: float = 0.0) -> CurveMotion:
    keys = ((0.0, 0.0), (duration_s / 2, 0.1), (duration_s, end))
    return CurveMotion(duration_s=duration_s, fps=fps, curves={CurveName.YAW: keys})


def shades(*movements: CurveMotion) -> list[tuple[int, ...]]:
    """What `CountingEngine` shows in each tile, frame by frame."""
    close = close_up(ASTRONAUT, FACE)
    return [
        tuple(int(tile[200, 118, 0]) - 100 for tile in tiles_of(sheet, len(movements)))
        for sheet in sheets(close, movements, CountingEngine())
    ]


def tiles_of(sheet: Picture, count: int) -> list[Picture]:
    step = TILE_PX + 6
    places = [divmod(index, 3) for index in range(count)]
    return [
        sheet[row * step : row * step + TILE_PX, column * step : column * step + TILE_PX]
        for row, column in places
    ]


# --- in step --------------------------------------------------------------------------------------


def test_shorter_movement_is_repeated_in_whole_and_then_rests_at_its_beginning() -> None:
    shown = shades(movement(1.4), movement(0.6), movement(0.8))
    assert [long for long, _, _ in shown] == list(range(35))
    assert [short for _, short, _ in shown] == [*range(15), *range(15), *[0] * 5]
    assert [once for _, _, once in shown] == [*range(20), *[0] * 15]


def test_movement_that_does_not_come_back_rests_at_its_end() -> None:
    shown = shades(movement(1.0), movement(0.6, end=0.1))
    assert [short for _, short in shown] == [*range(15), *[14] * 10]


def test_movements_of_other_rates_keep_their_speed() -> None:
    shown = shades(movement(1.0), movement(1.0, fps=50), movement(1.0, fps=10))
    assert [fast for _, fast, _ in shown] == list(range(0, 50, 2))
    assert [slow for _, _, slow in shown] == [index * 10 // 25 for index in range(25)]


def test_nothing_is_longer_than_six_seconds() -> None:
    shown = shades(movement(8.0), movement(1.0))
    assert len(shown) == 150
    assert shown[-1] == (149, 24)


def test_who_stops_early_leaves_no_thread() -> None:
    frames = sheets(close_up(ASTRONAUT, FACE), [movement(2.0)] * 4, CountingEngine())
    next(frames)
    frames.close()
    assert [one.name for one in threading.enumerate() if one.name == "ahead"] == []


# --- what is seen ---------------------------------------------------------------------------------


def test_tiles_stand_in_rows_of_three_with_their_numbers() -> None:
    (sheet, *_) = sheets(close_up(ASTRONAUT, FACE), [movement(0.6)] * 4, StillEngine())
    assert sheet.shape == (2 * TILE_PX + 6, 720, 3)
    tiles = tiles_of(sheet, 4)
    numbers = {tile[-60:, :60].tobytes() for tile in tiles}
    assert len(numbers) == 4
    assert len({tile[:-60].tobytes() for tile in tiles}) == 1
    assert (sheet[TILE_PX + 6 :, TILE_PX:] == 24).all()
    narrow, *_ = sheets(close_up(ASTRONAUT, FACE), [movement(0.6)] * 2, StillEngine())
    assert narrow.shape == (TILE_PX, 2 * TILE_PX + 6, 3)


@pytest.mark.usefixtures("landmarker")
def test_drawn_movements_begin_with_the_photo_and_move_only_the_head() -> None:
    close = close_up(ASTRONAUT, FACE)
    still, *_ = sheets(close, [movement(0.6)], StillEngine())
    frames = list(sheets(close, [movement(0.6)], MeshEngine()))
    assert np.array_equal(frames[0], still)
    change = np.abs(frames[7].astype(int) - still).max(axis=2)
    assert change[90:150, 90:150].max() > 40
    assert change[60:, :12].mean() < 0.2 * change[90:150, 90:150].mean()


@pytest.mark.parametrize(
    "box",
    [
        FACE.box,
        CropBox(left=0, upper=0, right=60, lower=60),
        CropBox(left=480, upper=470, right=512, lower=502),
        CropBox(left=10, upper=5, right=500, lower=495),
        CropBox(left=-20, upper=440, right=100, lower=560),
    ],
)
@pytest.mark.parametrize("height", [512, 300])
def test_tile_is_a_square_in_the_picture_with_the_face_in_it(box: CropBox, height: int) -> None:
    close = close_up(ASTRONAUT[512 - height :], Face(number=1, box=box, votes=3))
    tile, picture = close.tile, close.picture
    assert (tile.width, tile.height) == (TILE_PX, TILE_PX)
    assert min(tile.left, tile.upper) >= 0
    assert tile.right <= picture.shape[1]
    assert tile.lower <= picture.shape[0]
    assert max(picture.shape[:2]) <= 2.3 * TILE_PX


def test_face_is_found_again_where_it_was() -> None:
    close = close_up(ASTRONAUT, FACE)
    factor = TILE_PX / (2.1 * FACE.box.width)
    assert close.face.box.width == pytest.approx(factor * FACE.box.width, abs=2)
    assert close.face.box.centre == pytest.approx(close.tile.centre, abs=3)
    assert grey_at(close, close.face.box) == pytest.approx(
        float(ASTRONAUT[68:166, 174:272].mean()), abs=2
    )


def test_other_faces_stay_as_they_are() -> None:
    pair = np.hstack([ASTRONAUT, ASTRONAUT])
    other = FACE.model_copy(update={"box": FACE.box.model_copy(update={"left": 686, "right": 784})})
    engine = StillEngine()
    engine.still_faces = (FACE, FACE)  # of the video before

    with closing(sheets(close_up(pair, FACE, [other]), [movement(1)], engine)) as frames:
        next(frames)

    (still,) = list(engine.still_faces)
    factor = TILE_PX / (2.1 * FACE.box.width)
    moved = close_up(pair, FACE).face.box
    assert still.box.left - moved.left == pytest.approx(512 * factor, abs=2)
    assert (still.box.upper, still.box.lower) == (moved.upper, moved.lower)


def grey_at(close: CloseUp, box: CropBox) -> float:
    return float(close.picture[box.upper : box.lower, box.left : box.right].mean())


# --- the video ------------------------------------------------------------------------------------


NAMES = ("long", "short")
TEMPLATES = """
- name: long
  emoji: L
  title: {en: Long}
  licence: ours
  motion: {duration_s: 1, curves: {yaw: [[0, 0], [0.5, 0.1], [1, 0]]}}
- name: short
  emoji: S
  title: {en: Short}
  licence: ours
  motion: {duration_s: 0.6, fps: 30, curves: {yaw: [[0, 0], [0.3, 0.1], [0.6, 0]]}}
"""


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> TemplateSource:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "templates.yaml").write_text(TEMPLATES, "utf-8")
    return TemplateSource(folder, folder)


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    path = tmp_path / "photo.png"
    write_png(ASTRONAUT, path)
    photo = PhotoFindings(
        file=str(path),
        sheet=str(path),
        width=512,
        height=512,
        original_width=512,
        original_height=512,
        faces=(FACE,),
    )
    return Wish(photo=photo, movement=Movement(templates=NAMES))


def test_faces_that_do_not_move_are_told_to_the_engine(
    wish: Wish, source: TemplateSource, tmp_path: Path
) -> None:
    other = Face(number=2, box=CropBox(left=10, upper=10, right=60, lower=60), votes=3)
    photo = wish.photo.model_copy(update={"faces": (FACE, other)})
    engine = StillEngine()

    wish = wish.model_copy(update={"photo": photo, "face_boxes": (FACE.box,)})
    animate_photo(wish, engine, tmp_path / "all.mp4", source)

    assert [face.number for face in engine.still_faces] == [2]


@pytest.mark.usefixtures("landmarker")
def test_video_is_silent_small_and_told_as_it_is(
    wish: Wish, source: TemplateSource, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / "all.mp4"
    listener = Listener(lambda done, total: told.append((done, total)))
    made = animate_photo(wish, MeshEngine(), path, source, listener)
    assert told == [(done, 25) for done in range(1, 26)]
    assert made.work_frames == round(0.6 * (25 + 15))
    assert (made.width, made.height, made.frame_count, made.has_sound) == (478, 236, 25, False)
    seen = probe(path)
    assert (seen.width, seen.height, seen.frame_rate) == (478, 236, Fraction(25))
    assert not seen.has_audio
    with ClipReader(path) as frames:
        assert sum(1 for _ in frames) == 25
    assert path.stat().st_size < 200_000


def test_who_cancels_gets_no_file(wish: Wish, source: TemplateSource, tmp_path: Path) -> None:
    listener = Listener(is_cancelled=lambda: True)
    with pytest.raises(Cancelled):
        animate_photo(wish, StillEngine(), tmp_path / "all.mp4", source, listener)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_engine_that_needs_clips_says_so(
    wish: Wish, source: TemplateSource, tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailable, match="let another engine show several"):
        animate_photo(wish, ClipEngine(), tmp_path / "all.mp4", source)


# --- the visible mark -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 18])
def test_mark_on_a_sheet_covers_no_face_and_no_number(count: int) -> None:
    close = close_up(ASTRONAUT, FACE)
    ground = sheet_ground(close, count)
    place = ground.place()
    assert place is not None
    assert len(ground.faces) == len(ground.drawn) == count
    assert all(place.overlap(one) == 0 for one in (*ground.faces, *ground.drawn))
    first = ground.faces[0]
    assert first.centre == pytest.approx((TILE_PX / 2, TILE_PX / 2), abs=TILE_PX / 8)
    assert place.lower > ground.height - TILE_PX
    assert place.right > ground.width - TILE_PX
