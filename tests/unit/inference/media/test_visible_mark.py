"""The visible mark is small, can be read, never lies over a face, and changes nothing else."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.media.visible_mark import Ground, VisibleMark, noted
from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]


def box(left: int, upper: int, width: int, height: int) -> CropBox:
    return CropBox(left=left, upper=upper, right=left + width, lower=upper + height)


def is_apart(one: CropBox, other: CropBox) -> bool:
    across = one.right <= other.left or other.right <= one.left
    return across or one.lower <= other.upper or other.lower <= one.upper


def plain(width: int, height: int, level: int) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


SIDES = st.integers(1, 2000)
BOXES = st.builds(
    box,
    st.integers(-300, 2000),
    st.integers(-300, 2000),
    st.integers(1, 900),
    st.integers(1, 900),
)


@settings(deadline=None, database=None)
@given(SIDES, SIDES, st.lists(BOXES, max_size=8), BOXES, st.booleans())
def test_mark_is_inside_the_pictures_and_over_no_face(
    width: int, height: int, faces: list[CropBox], other: CropBox, is_round: bool
) -> None:
    side = min(width, height)
    size = (side, side) if is_round else (width, height)
    ground = Ground(*size, tuple(faces), moving=other, drawn=(other,), is_round=is_round)
    place = ground.place()
    if place is None:
        return
    assert min(place.sides) >= 0
    assert place.right <= size[0]
    assert place.lower <= size[1]
    assert all(is_apart(place, one) for one in (*faces, other))
    if is_round:
        corners = [(x, y) for x in (place.left, place.right) for y in (place.upper, place.lower)]
        apart = [np.hypot(x - side / 2, y - side / 2) for x, y in corners]
        assert max(apart) <= side / 2 + 1, "the circle shows all of it"
    frame = plain(*size, 90)
    marked = VisibleMark(place).drawn(frame)
    outside = np.ones(frame.shape[:2], bool)
    outside[place.upper : place.lower, place.left : place.right] = False
    assert np.array_equal(marked[outside], frame[outside])


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (351, 301), (720, 1280), (1280, 720)])
def test_mark_is_at_the_lower_right_of_a_picture_without_faces(size: tuple[int, int]) -> None:
    place = Ground(*size).place()
    assert place is not None
    assert place.left > size[0] / 2
    assert place.upper > size[1] / 2
    assert place.width * place.height < 0.06 * size[0] * size[1]


def test_mark_can_be_read_on_a_telephone() -> None:
    for size in ((360, 270), (1280, 720), (720, 1280), (512, 512)):
        place = Ground(*size).place()
        assert place is not None
        assert place.height * 360 / size[0] >= 17, f"{size}, shown 360 px wide"


def test_mark_goes_to_the_corner_without_a_head() -> None:
    lower_right = Ground(400, 400, (box(280, 280, 90, 90),)).place()
    assert lower_right is not None
    assert lower_right.right < 200
    # The hair is above the face's box.
    hair = Ground(400, 400, (box(250, 330, 150, 150), box(0, 300, 60, 60))).place()
    assert hair is not None
    assert hair.lower < 200


def test_moving_part_is_left_free_where_that_is_possible() -> None:
    moving = box(100, 100, 300, 300)
    free = Ground(400, 400, (box(200, 200, 50, 50),), moving).place()
    assert free is not None
    assert is_apart(free, moving)
    everywhere = Ground(400, 400, (box(200, 200, 50, 50),), box(0, 0, 400, 400)).place()
    assert everywhere is not None


def test_mark_is_smaller_where_only_that_is_free() -> None:
    alone = Ground(1000, 1000).place()
    crowded = Ground(1000, 1000, (box(210, 210, 580, 580),)).place()
    assert alone is not None
    assert crowded is not None
    assert crowded.height == alone.height, "the corners beside the face are free"
    tight = Ground(1000, 1000, (box(155, 155, 690, 690),)).place()
    assert tight is not None
    assert tight.height < alone.height


def test_there_is_no_mark_where_it_would_cover_a_face(caplog: pytest.LogCaptureFixture) -> None:
    assert VisibleMark.on(Ground(104, 110, (box(3, 10, 98, 98),))) is None
    assert "it would cover a face" in caplog.text


def test_faces_are_where_the_part_of_the_photo_shows_them() -> None:
    part, face = box(100, 50, 200, 100), box(280, 130, 20, 20)
    ground = Ground.of_part(part, 400, [face], moving=part)
    assert (ground.width, ground.height) == (400, 200)
    assert ground.faces == (box(360, 160, 40, 40),)
    assert ground.moving == box(0, 0, 400, 200)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_letters_stand_out_on_any_ground(level: int) -> None:
    mark = VisibleMark.on(Ground(360, 270))
    assert mark is not None
    place = np.s_[mark.box.upper : mark.box.lower, mark.box.left : mark.box.right]
    inside = mark.drawn(plain(360, 270, level))[place][4:-4, 8:-8, 0].astype(int)
    assert inside.max() - np.percentile(inside, 20) > 100
    assert len(np.unique(inside)) > 8, "the letters' edges are smooth"


def test_frame_stays_as_it_is_and_all_frames_get_the_same_mark() -> None:
    mark = VisibleMark.on(Ground(200, 100))
    assert mark is not None
    frame = plain(200, 100, 200)
    first, second = mark.drawn(frame), mark.drawn(frame)
    assert frame.min() == frame.max() == 200
    assert np.array_equal(first, second)
    assert not np.array_equal(first, frame)


def test_mark_alone_gives_the_same_picture_when_it_is_laid_over_it() -> None:
    mark = VisibleMark.on(Ground(300, 300))
    assert mark is not None
    alone = mark.on_nothing(300, 300).astype(float)
    opacity = alone[..., 3:] / 255
    laid_over = 180 * (1 - opacity) + alone[..., :3] * opacity
    assert np.abs(laid_over - mark.drawn(plain(300, 300, 180))).max() < 2


def test_note_in_the_metadata_tells_where_the_mark_is() -> None:
    mark = VisibleMark(box(10, 20, 30, 15))
    assert noted(mark.note) == mark.box
    for other in ("", "Visible mark", f"{mark.note}0,", "Visible mark: AI, at 5,5,5,9"):
        assert noted(other) is None


def test_size_and_distance_can_be_given() -> None:
    place = replace(Ground(500, 400), mark_px=30, gap_px=9).place()
    assert place is not None
    assert (place.height, place.right, place.lower) == (30, 491, 391)
