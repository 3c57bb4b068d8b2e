import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.finder import resize
from inference.faces.landmarker import Landmarker
from inference.media.clip_check import ClipCheck, check_clip
from inference.media.clip_frames import ClipFrame
from jobs.model import CropBox, MediaWarning
from tests.rotated import rotate
from tests.unit.inference.mesh.driving import portrait, stranger, with_hand

Picture = npt.NDArray[np.uint8]

HEAD: Picture = np.ascontiguousarray(skimage.data.astronaut()[0:240, 100:340])
OTHER: Picture = resize(np.ascontiguousarray(skimage.data.coffee()[0:400, 0:400]), 0.6)


@pytest.fixture(autouse=True)
def network(landmarker: Landmarker) -> Landmarker:
    """Faces are found with it; the test is skipped where it cannot run."""
    return landmarker


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


def seen(frames: list[Picture]) -> ClipCheck:
    height, width = frames[0].shape[:2]
    clip = (ClipFrame(av.VideoFrame.from_ndarray(frame), width, height) for frame in frames)
    return check_clip(clip, len(frames))


def has_cuts(frames: list[Picture]) -> bool:
    return MediaWarning.HARD_CUTS in seen(frames).warnings


@pytest.mark.parametrize("speed", [0.0, 1.0, 3.0])
def test_head_that_moves_needs_no_warning(speed: float) -> None:
    found = seen(moving(40, speed))
    assert len(found.faces) == 1
    assert len(found.later_faces) == 12
    assert found.warnings == ()


@pytest.mark.parametrize("at", [1, 15, 37])
def test_other_scene_is_a_cut(at: int) -> None:
    assert has_cuts(moving(40)[:at] + other(40 - at))


def test_jump_to_a_close_up_is_a_cut() -> None:
    still = moving(40)
    near = [resize(np.ascontiguousarray(one[30:150, 40:160]), 200 / 120) for one in still[20:]]
    assert has_cuts(still[:20] + near)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_flash_of_light_is_no_cut(length: int) -> None:
    frames = moving(40)
    for index in range(18, 18 + length):
        frames[index] = np.clip(frames[index].astype(np.int16) * 2 + 110, 0, 255).astype(np.uint8)
    assert not has_cuts(frames)


def test_light_that_fades_or_is_switched_is_no_cut() -> None:
    frames = [
        (frame * (0.4 if index > 20 else 1.0 - index * 0.01)).astype(np.uint8)
        for index, frame in enumerate(moving(40))
    ]
    assert not has_cuts(frames)


def test_dark_noise_is_no_cut_and_no_face() -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 6, (200, 200, 3)).astype(np.uint8) for _ in range(12)]
    found = seen(frames)
    assert found.faces == ()
    assert set(found.warnings) == {MediaWarning.NO_FACE_IN_CLIP, MediaWarning.CLIP_FADES}


def test_clip_without_a_face_says_so() -> None:
    found = seen(other(20))
    assert found.faces == ()
    assert found.warnings == (MediaWarning.NO_FACE_IN_CLIP,)


@pytest.mark.parametrize("step_px", [20, 40])
def test_hand_that_comes_and_stops_quickly_is_no_cut(step_px: int) -> None:
    ground = portrait(skimage.data.astronaut())
    frames = [with_hand(ground, min(155, -90 + step_px * max(0, i - 9))) for i in range(30)]
    assert not has_cuts(frames)


# --- the face ------------------------------------------------------------------------------------


def faded(frames: list[Picture], levels: npt.NDArray[np.floating]) -> list[Picture]:
    return [
        (frame * min(1.0, level)).astype(np.uint8)
        for frame, level in zip(frames, levels, strict=True)
    ]


def test_clip_that_fades_in_from_black_has_its_face_and_a_warning() -> None:
    found = seen(faded(moving(40), np.arange(40) / 12))
    assert len(found.faces) == 1
    assert found.warnings == (MediaWarning.CLIP_FADES,)


def test_clip_that_fades_out_to_white_has_a_warning() -> None:
    frames = moving(40)
    for index in range(28, 40):
        share = min(1.0, (index - 27) / 8)
        frames[index] = (frames[index] * (1 - share) + 255 * share).astype(np.uint8)
    assert seen(frames).warnings == (MediaWarning.CLIP_FADES,)


def test_scenes_with_a_black_frame_between_them_are_a_cut() -> None:
    assert has_cuts([*moving(20), np.zeros_like(HEAD[:200, :200]), *other(20)])


def test_black_pause_in_the_middle_is_told() -> None:
    frames = moving(40)
    for index in range(14, 22):
        frames[index] = np.zeros_like(frames[index])
    assert MediaWarning.CLIP_FADES in seen(frames).warnings


def test_single_dark_frame_is_not_worth_a_warning() -> None:
    frames = moving(40)
    frames[20] = np.zeros_like(frames[20])
    assert seen(frames).warnings == ()


@pytest.mark.parametrize("light", [0.18, 0.08])
def test_dark_clip_is_told(light: float) -> None:
    found = seen([(frame * light + 4).astype(np.uint8) for frame in moving(30)])
    assert found.warnings == (MediaWarning.CLIP_DARK,)
    assert found.faces


def test_face_that_appears_late_is_found_and_told() -> None:
    found = seen(other(14) + moving(26))
    assert len(found.faces) == 1
    assert MediaWarning.FACE_LATE in found.warnings


@pytest.mark.parametrize("missing", [1, 4])
def test_face_that_is_missed_at_first_is_looked_for_a_few_frames_later(missing: int) -> None:
    found = seen([np.full_like(HEAD[:200, :200], 90)] * missing + moving(12))
    assert found.faces
    assert MediaWarning.FACE_LATE not in found.warnings


def drifting(count: int, step_px: int, angle_deg: float = 0.0) -> list[Picture]:
    """Her head on a plain ground, tilted and `step_px` farther to the right in each frame."""
    tilted, _ = rotate(HEAD, angle_deg)
    row, column = ((side - 200) // 2 for side in tilted.shape[:2])
    head = tilted[row : row + 200, column : column + 200]
    frames = []
    for index in range(count):
        ground = np.full((300, 480, 3), 120, np.uint8)
        ground[:40] = 60
        left = 100 + index * step_px
        shown = head[:, : max(0, 480 - left)]
        ground[60:260, left : left + shown.shape[1]] = shown
        frames.append(ground)
    return frames


def test_face_that_walks_out_of_the_picture_leaves() -> None:
    found = seen(drifting(40, 11))
    assert len(found.faces) == 1
    assert MediaWarning.FACE_LEAVES in found.warnings
    assert MediaWarning.FACE_HIDDEN not in found.warnings


@pytest.mark.parametrize("level", [90, 225])
def test_plain_wall_behind_whom_has_left_is_no_fade(level: int) -> None:
    """The wall has no more contrast than a blank frame."""
    frames = []
    for index in range(40):
        wall = np.full((200, 200, 3), level, np.uint8)
        shown = moving(1)[0][:, : max(0, 200 - 11 * index)]
        wall[:, 200 - shown.shape[1] :] = shown
        frames.append(wall)
    assert seen(frames).warnings == (MediaWarning.FACE_LEAVES,)


def test_small_face_before_a_plain_wall_is_found() -> None:
    wall = np.full((720, 1280, 3), (120, 125, 130), np.uint8)
    wall[300:380, 600:680] = resize(np.ascontiguousarray(HEAD[30:170, 50:190]), 80 / 140)
    found = seen([wall] * 8)
    assert len(found.faces) == 1
    assert found.warnings == ()


def test_somebody_else_in_front_of_the_face_is_told_and_not_followed() -> None:
    other_head = stranger(HEAD)[:200, 30:230]
    frames = moving(40)
    for index in range(14, 30):
        frames[index] = other_head
    found = seen(frames)
    assert MediaWarning.FACE_HIDDEN in found.warnings
    assert 5 <= len(found.later_faces) <= 9


def covered(frame: Picture) -> Picture:
    """The frame with something like a hand before the whole face."""
    hand = frame.copy()
    cv2.ellipse(hand, (100, 105), (62, 80), 20, 0, 360, (196, 150, 128), -1)
    for finger in range(4):
        start = 62 + 24 * finger
        cv2.line(hand, (start, 30), (start + 10, 150), (150, 105, 88), 3)
    return hand


def test_hand_before_the_face_is_told() -> None:
    frames = moving(40)
    for index in range(14, 30):
        frames[index] = covered(frames[index])
    found = seen(frames)
    assert MediaWarning.FACE_HIDDEN in found.warnings
    assert 5 <= len(found.later_faces) <= 9


def test_face_hidden_for_a_moment_is_not_worth_a_warning() -> None:
    frames = moving(40)
    frames[20] = covered(frames[20])
    assert seen(frames).warnings == ()


def test_one_frame_is_enough() -> None:
    found = seen(moving(1))
    assert found.faces
    assert found.warnings == ()
    assert found.later_faces == ()


def centres(boxes: tuple[CropBox, ...]) -> npt.NDArray[np.float64]:
    return np.array([box.centre for box in boxes])


def test_later_faces_tell_where_the_head_has_gone() -> None:
    found = seen(drifting(13, 5))
    first = found.faces[0].box
    assert len(found.later_faces) == 12
    gone = centres(found.later_faces) - first.centre
    np.testing.assert_allclose(gone[:, 0], np.arange(5, 61, 5), atol=0.06 * first.width)
    np.testing.assert_allclose(gone[:, 1], 0, atol=0.06 * first.width)
    sides = [box.width for box in found.later_faces]
    assert all(box.width == box.height for box in found.later_faces)
    np.testing.assert_allclose(sides, first.width, rtol=0.1)


@pytest.mark.parametrize("angle_deg", [-20.0, 20.0])
def test_face_that_leans_suddenly_is_still_followed(angle_deg: float) -> None:
    found = seen(drifting(1, 0) + drifting(7, 5, angle_deg)[1:])
    gone = centres(found.later_faces) - found.faces[0].box.centre
    # The head leans about a point that lies near the face's own centre.
    np.testing.assert_allclose(gone[:, 0], np.arange(5, 31, 5), atol=12)
    np.testing.assert_allclose(gone[:, 1], 0, atol=12)


def test_other_scene_with_another_kind_of_head_is_not_followed() -> None:
    frames = moving(40)
    camera = resize(np.ascontiguousarray(np.dstack([skimage.data.camera()] * 3)), 0.6)
    for index in range(25, 40):
        frames[index] = np.ascontiguousarray(camera[120:280, 120:280])
        frames[index] = resize(frames[index], 200 / 160)
    assert len(seen(frames).later_faces) == 7
