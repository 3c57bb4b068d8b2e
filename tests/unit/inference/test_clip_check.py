import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.clip_check import check_clip
from inference.face import resize, rotate

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


def test_one_frame_is_enough() -> None:
    found = check_clip(iter(moving(1)), 1)
    assert found.faces
    assert not found.has_cuts
