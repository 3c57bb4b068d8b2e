import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.finder import resize, rotate
from inference.media.clip_check import check_clip
from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]

HEAD: Picture = np.ascontiguousarray(skimage.data.astronaut()[0:240, 100:340])
OTHER: Picture = resize(np.ascontiguousarray(skimage.data.coffee()[0:400, 0:400]), 0.6)


def moving(count: int, speed: float = 1.0) -> list[Picture]:
    """Her head, swaying and nodding."""
    frames = []
    for index in range(count):
        turned, _ = rotate(HEAD, 8 * np.sin(index * 0.2 * speed))
        upper, left = ((side - 200) // 2 for side in turned.shape[:2])
        left += round(15 * np.sin(index * 0.25 * speed))
        upper += round(6 * np.sin(index * 0.4 * speed))
        frames.append(np.ascontiguousarray(turned[upper : upper + 200, left : left + 200]))
    return frames


def other(count: int) -> list[Picture]:
    return [np.ascontiguousarray(OTHER[index : index + 200, :200]) for index in range(count)]


@pytest.mark.parametrize("speed", [0.0, 1.0, 3.0])
def test_head_that_moves_is_neither_a_cut_nor_lost(speed: float) -> None:
    found = check_clip(iter(moving(40, speed)), 40)
    assert found.faces
    assert not found.has_cuts
    assert not found.is_face_lost


@pytest.mark.parametrize("at", [1, 15, 37])
def test_other_scene_is_a_cut(at: int) -> None:
    frames = moving(40)[:at] + other(40 - at)
    assert check_clip(iter(frames), 40).has_cuts


def test_jump_to_a_close_up_is_a_cut() -> None:
    still = moving(40)
    near = [resize(np.ascontiguousarray(one[30:150, 40:160]), 200 / 120) for one in still[20:]]
    assert check_clip(iter(still[:20] + near), 40).has_cuts


@pytest.mark.parametrize("length", [1, 2, 4])
def test_flash_of_light_is_no_cut(length: int) -> None:
    frames = moving(40)
    for index in range(18, 18 + length):
        frames[index] = np.clip(frames[index].astype(np.int16) * 2 + 110, 0, 255).astype(np.uint8)
    assert not check_clip(iter(frames), 40).has_cuts


def test_light_that_fades_or_is_switched_is_no_cut() -> None:
    frames = [
        (frame * (0.4 if index > 20 else 1.0 - index * 0.01)).astype(np.uint8)
        for index, frame in enumerate(moving(40))
    ]
    assert not check_clip(iter(frames), 40).has_cuts


def test_dark_noise_is_no_cut() -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 6, (200, 200, 3)).astype(np.uint8) for _ in range(12)]
    found = check_clip(iter(frames), 12)
    assert found.faces == ()
    assert not found.has_cuts
    assert not found.is_face_lost


def test_face_that_leaves_is_lost() -> None:
    frames = moving(40)
    for index in range(15, 40):
        frames[index] = other(40)[index]
    assert check_clip(iter(frames), 40).is_face_lost


def test_face_hidden_for_a_moment_is_not_lost() -> None:
    frames = moving(40)
    frames[20] = other(1)[0]
    assert not check_clip(iter(frames), 40).is_face_lost


@pytest.mark.parametrize(("missing", "is_found"), [(1, True), (4, True), (5, False)])
def test_face_that_is_missed_at_first_is_looked_for_a_few_frames_later(
    missing: int, is_found: bool
) -> None:
    frames = [np.full_like(HEAD[:200, :200], 90)] * missing + moving(12)
    assert bool(check_clip(iter(frames), len(frames)).faces) == is_found


def test_one_frame_is_enough() -> None:
    found = check_clip(iter(moving(1)), 1)
    assert found.faces
    assert not found.has_cuts
    assert found.later_faces == ()


def drifting(count: int, step_px: int, angle_deg: float = 0.0) -> list[Picture]:
    """Her head on a plain ground, tilted and `step_px` farther to the right in each frame."""
    tilted, _ = rotate(HEAD, angle_deg)
    row, column = ((side - 200) // 2 for side in tilted.shape[:2])
    head = tilted[row : row + 200, column : column + 200]
    frames = []
    for index in range(count):
        ground = np.full((300, 480, 3), 120, np.uint8)
        left = 100 + index * step_px
        ground[60:260, left : left + 200] = head
        frames.append(ground)
    return frames


def centres(boxes: tuple[CropBox, ...]) -> npt.NDArray[np.float64]:
    return np.array([box.centre for box in boxes])


def test_later_faces_tell_where_the_head_has_gone() -> None:
    found = check_clip(iter(drifting(13, 5)), 13)
    first = found.faces[0].box
    assert len(found.later_faces) == 6
    gone = centres(found.later_faces) - first.centre
    # Searched are frames 2, 4, ..., 12.
    np.testing.assert_allclose(gone[:, 0], np.arange(10, 61, 10), atol=0.12 * first.width)
    np.testing.assert_allclose(gone[:, 1], 0, atol=0.12 * first.width)
    sides = [box.width for box in found.later_faces]
    assert all(box.width == box.height for box in found.later_faces)
    np.testing.assert_allclose(sides, first.width, rtol=0.2)


@pytest.mark.parametrize("angle_deg", [-20.0, 20.0])
def test_later_faces_of_a_tilted_head_are_turned_back(angle_deg: float) -> None:
    upright, tilted = drifting(1, 0), drifting(7, 5, angle_deg)
    found = check_clip(iter(upright + tilted[1:]), 7)
    gone = centres(found.later_faces) - found.faces[0].box.centre
    # The head is tilted about a point that lies near the face's own centre.
    np.testing.assert_allclose(gone[:, 0], np.arange(5, 31, 5), atol=10)
    np.testing.assert_allclose(gone[:, 1], 0, atol=12)


def test_two_windows_that_agree_are_not_yet_a_place() -> None:
    frames = moving(40)
    camera = resize(np.ascontiguousarray(np.dstack([skimage.data.camera()] * 3)), 0.6)
    for index in range(25, 40):
        frames[index] = np.ascontiguousarray(camera[80:280, 20:220])
    found = check_clip(iter(frames), 40)
    assert len(found.later_faces) == 3
    assert found.is_face_lost
