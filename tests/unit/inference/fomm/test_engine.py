"""The network engine as the pipeline sees it: squares, movement, the frame to begin with."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from inference.arrays import Picture
from inference.choose import TemplateSource
from inference.engine import Driving, EngineCrop
from inference.engine_options import EngineOptions
from inference.engines.fomm import FommEngine
from inference.faces.landmarker import Landmarker
from inference.media.photo import write_png
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.pipeline import animate_photo
from jobs.errors import (
    NoSuchFrame,
)
from jobs.model import CropBox, Face
from jobs.wish import Movement, Wish
from tests.see_through import at_rest, dots
from tests.unit.inference.fomm.engines import (
    FACE,
    PLACES,
    REST,
    STEP_PX,
    Finder,
    Make,
    animated,
    dots_moved,
    engine_with,
    going_right,
    head_turned,
    leaning,
    moved_px,
    red_dot,
    steps_of,
    threads,
)
from tests.wishes import make_clip, make_photo

# --- the part of the photo ------------------------------------------------------------------------


def test_a_square_round_the_face_is_covered_with_a_soft_seam() -> None:
    photo = np.zeros((400, 600, 3), np.uint8)
    crop = FommEngine().crop_for([FACE], photo)
    box = CropBox(left=-5, upper=-5, right=255, lower=255)
    assert crop == EngineCrop(box, pytest.approx(0.12 * 260), (256, 256))  # type: ignore[arg-type]
    chosen = EngineOptions(crop_margin=1.6, crop_image_padding=(10, 20, 30, 0))
    padded = FommEngine(chosen).crop_for([FACE], photo)
    assert padded.box == CropBox(left=11, upper=-9, right=259, lower=239)


def test_without_cropping_the_whole_photo_is_covered_and_has_no_seam() -> None:
    engine = FommEngine(EngineOptions(crop_image=False, crop_video=False))
    crop = engine.crop_for([FACE], np.zeros((400, 600, 3), np.uint8))
    box = CropBox(left=0, upper=0, right=600, lower=400)
    assert crop == EngineCrop(box, frame_size=(256, 256))
    assert not engine.needs_face
    assert not engine.needs_driving_face
    assert FommEngine().needs_face
    assert FommEngine().needs_driving_face


# --- movement -------------------------------------------------------------------------------------


def test_the_first_frame_shows_the_photo_as_it_is(make: Make) -> None:
    photo = dots(PLACES)
    first = animated(make(), going_right())[0]
    assert first.dtype == np.uint8
    assert first.shape == (256, 256, 3)
    assert np.abs(first.astype(int) - photo)[8:-8, 8:-8].mean() < 3
    np.testing.assert_allclose(red_dot(first), REST, atol=0.1)


def test_the_photo_goes_where_the_clip_goes(make: Make) -> None:
    steps = steps_of(animated(make(), going_right(12)))
    np.testing.assert_allclose(steps[:, 0], np.arange(12), atol=0.08)
    np.testing.assert_allclose(steps[:, 1], 0, atol=0.08)


def test_as_in_the_published_code_borders_are_pulled_in_a_little(make: Make) -> None:
    published = animated(make(align_corners=False), going_right(1))[0]
    rest = at_rest(PLACES[2], align_corners=False)
    assert np.abs(rest - REST).max() > 0.4
    np.testing.assert_allclose(red_dot(published), rest, atol=0.1)
    assert published[128, 0].max() < 100


def test_relative_movement_is_that_of_the_clip_wherever_its_face_is(make: Make) -> None:
    elsewhere = [dots_moved(STEP_PX * index - 10, 15) for index in range(3)]
    steps = steps_of(animated(make(), elsewhere))
    np.testing.assert_allclose(steps[:, 0], np.arange(3), atol=0.08)
    absolute = moved_px(animated(make(relative=False), elsewhere))
    np.testing.assert_allclose(absolute[:, 0], np.arange(3) * STEP_PX - 10, atol=0.3)
    np.testing.assert_allclose(absolute[:, 1], 15, atol=0.3)


@pytest.mark.parametrize(("adapt_scale", "factor"), [(True, 2.0), (False, 1.0)])
def test_a_smaller_face_s_movement_is_scaled_if_it_is_wanted(
    make: Make, adapt_scale: bool, factor: float
) -> None:
    small = [dots(PLACES / 2 + np.array([40 + STEP_PX * index, 40])) for index in range(3)]
    steps = steps_of(animated(make(adapt_scale=adapt_scale), small))
    np.testing.assert_allclose(steps[:, 0], factor * np.arange(3), atol=0.1)


def test_a_trembling_clip_is_calmed(make: Make) -> None:
    trembling = [dots_moved(0, 4 * (index % 2)) for index in range(20)]
    assert np.std(steps_of(animated(make(), trembling))[:, 1]) > 0.4
    assert np.std(steps_of(animated(make(smooth=0.1), trembling))[3:-3, 1]) < 0.02


def test_smoothing_is_measured_in_seconds_of_the_clip(make: Make) -> None:
    trembling = [dots_moved(0, 4 * (index % 2)) for index in range(20)]
    slow = animated(make(smooth=0.1), trembling, frame_rate=Fraction(2))
    assert np.std(steps_of(slow)[:, 1]) > 0.4


# --- the frame that movement is measured from -----------------------------------------------------


def test_the_best_frame_shows_the_photo_and_the_others_go_from_there(make: Make) -> None:
    steps = steps_of(animated(make(best_frame=3, find_best_frame=True), going_right(10)))
    np.testing.assert_allclose(steps[:, 0], np.arange(10) - 3, atol=0.08)


def test_a_best_frame_behind_the_end_is_refused_and_leaves_no_thread(make: Make) -> None:
    with pytest.raises(NoSuchFrame, match="no driving frame 4: the clip has 4"):
        animated(make(best_frame=4), going_right(4))
    assert threads() == []


LEANS_PX = (24, 16, 8, 0, -8)


def test_the_best_frame_is_found_by_keypoints(make: Make) -> None:
    clip = [dots(leaning(by)) for by in LEANS_PX]
    engine = make(find_best_frame=True, face_detector="lbp")
    engine.prepare(dots(leaning(7)), [FACE])
    batches = list(engine.animate(Driving(iter(clip), FACE), None))
    assert [len(batch) for batch in batches] == [0, 5]
    # Two of five keypoints move.
    expected_px = 0.4 * (np.array(LEANS_PX) - 8)
    np.testing.assert_allclose(moved_px(batches[1])[:, 0], expected_px, atol=0.3)


@pytest.mark.parametrize(("rank", "index"), [(1, 2), (2, 4), (3, 0), (4, 2)])
def test_another_best_frame_is_the_next_best_half_a_second_away(
    make: Make, rank: int, index: int
) -> None:
    clip = [dots(leaning(by)) for by in LEANS_PX]
    engine = make(find_best_frame=True, best_frame_rank=rank, face_detector="lbp")
    engine.prepare(dots(leaning(7)), [FACE])
    driving = Driving(iter(clip), FACE, frame_rate=Fraction(4))
    frames = [frame for batch in engine.animate(driving, None) for frame in batch]
    expected_px = 0.4 * (np.array(LEANS_PX) - LEANS_PX[index])
    np.testing.assert_allclose(moved_px(frames)[:, 0], expected_px, atol=0.3)


@pytest.mark.parametrize("sees", [True, False])
def test_the_best_frame_is_found_by_landmarks_where_they_are_seen(make: Make, sees: bool) -> None:
    finder = Finder(sees=sees)
    # By all keypoints the last frame is nearest, by the white dot the second.
    photo = dots(leaning(16))
    clip = [
        dots(leaning(24)),
        dots(leaning(16) * np.array([1, 0.8]) + np.array([0, 20])),
        dots(leaning(14)),
    ]
    engine = make(engine_with(finder), find_best_frame=True)
    frames = animated(engine, clip, photo)
    assert finder.count == (4 if sees else 1)
    offsets = np.abs(moved_px(frames)).max(axis=1)
    assert int(np.argmin(offsets)) == (1 if sees else 2)
    assert min(offsets) < 0.1


@pytest.mark.parametrize("is_cached", [False, True])
def test_without_face_alignment_all_frames_are_compared_by_landmarks(
    make: Make,
    landmarker: Landmarker,
    astronaut: Picture,
    caplog: pytest.LogCaptureFixture,
    is_cached: bool,
) -> None:
    assert landmarker is not None
    clip = [head_turned(astronaut, angle) for angle in (0, 3, -9, 8.5, 15)]
    photo = head_turned(astronaut, 8)
    identity = "clip" if is_cached else None
    if is_cached:
        animated(make(), clip, photo, identity=identity)
    with caplog.at_level("INFO"):
        frames = animated(make(find_best_frame=True), clip, photo, identity=identity)
    assert "measured from frame 3" in caplog.text
    assert len(frames) == 5


def test_landmarks_are_not_asked_where_no_best_frame_is_wanted(make: Make) -> None:
    finder = Finder()
    animated(make(engine_with(finder)), going_right(2))
    animated(make(engine_with(finder), find_best_frame=True, best_frame=1), going_right(2))
    animated(make(engine_with(finder), find_best_frame=True, relative=False), going_right(2))
    assert finder.count == 0


# --- squares of a larger clip ---------------------------------------------------------------------


@pytest.mark.parametrize(("goes_px", "side_px"), [(32, 192), (90, 227)])
def test_one_square_holds_for_the_whole_clip(make: Make, goes_px: int, side_px: int) -> None:
    """The head goes right; were the square to follow it, nothing would be seen to move."""
    head = PLACES * 0.5
    places = [head + np.array([100 + 4 * index, 80]) for index in range(9)]
    clip = [dots(of_frame, (300, 500)) for of_frame in places]
    face = Face(number=1, box=CropBox(left=130, upper=110, right=194, lower=174), votes=3)
    later = tuple(CropBox(left=130 + x, upper=110, right=194 + x, lower=174) for x in (16, goes_px))
    engine = make(crop_video=True, crop_margin=3.0, adapt_scale=False)
    engine.prepare(dots(PLACES), [FACE])
    batches = engine.animate(Driving(iter(clip), face, later), None)
    offsets = moved_px([frame for batch in batches for frame in batch])
    # The square, which holds the head wherever it goes, becomes one of 256 px.
    np.testing.assert_allclose(offsets[:, 0], np.arange(9) * 4 * 256 / side_px, atol=0.4)
    np.testing.assert_allclose(offsets[:, 1], 0, atol=0.3)


# --- back in the photo ----------------------------------------------------------------------------


def roundness(picture: Picture) -> float:
    """Width over height of the red dot."""
    levels = picture.astype(float)
    redness = np.clip(levels[..., 0] - levels[..., 1:].max(axis=-1) - 20, 0, None)
    across, down = redness.sum(axis=0), redness.sum(axis=1)
    widths = [np.sqrt(np.cov(np.arange(len(line)), aweights=line)) for line in (across, down)]
    return float(widths[0] / widths[1])


@pytest.mark.parametrize(
    ("is_cropped", "is_pasted_back", "size", "ratio"),
    [
        (True, True, (600, 400), 1.0),
        (True, False, (256, 256), 1.0),
        (False, True, (600, 400), 1.0),
        (False, False, (256, 256), 400 / 600),
    ],
)
def test_only_a_photo_that_is_not_cropped_is_squeezed(
    make: Make,
    tmp_path: Path,
    is_cropped: bool,
    is_pasted_back: bool,
    size: tuple[int, int],
    ratio: float,
) -> None:
    photo = dots(PLACES + np.array([170, 60]), (400, 600))
    write_png(photo, tmp_path / "photo.png")
    with VideoWriter(tmp_path / "clip.mkv", 256, 256, Fraction(25), comment="test") as writer:
        writer.write(dots(PLACES))
    face = Face(number=1, box=CropBox(left=210, upper=110, right=370, lower=270), votes=3)
    size_px = {"width": 256, "height": 256, "frame_count": 1}
    wish = Wish(
        photo=make_photo(str(tmp_path / "photo.png"), faces=(face,)),
        movement=Movement.of_clip(make_clip(str(tmp_path / "clip.mkv"), faces=(face,), **size_px)),
        paste_back=is_pasted_back,
    )
    source = TemplateSource(tmp_path, tmp_path)
    result = animate_photo(wish, make(crop_image=is_cropped), tmp_path / "me.mkv", source)
    assert (result.width, result.height) == size
    with ClipReader(tmp_path / "me.mkv") as frames:
        shown = next(frames)
    assert roundness(photo) == pytest.approx(1, abs=0.01)
    assert roundness(shown) == pytest.approx(ratio, abs=0.03)
    assert (shown.shape == photo.shape) == is_pasted_back
    if is_pasted_back and is_cropped:
        np.testing.assert_array_equal(shown[:, :120], photo[:, :120])
        np.testing.assert_allclose(red_dot(shown), red_dot(photo), atol=1)
