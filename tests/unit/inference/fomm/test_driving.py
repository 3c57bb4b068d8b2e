"""From keypoints to normalised keypoints: the frame to begin with, and what is kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from inference.faces.landmarker import Landmarker
from inference.fomm.driving import (
    Candidates,
    Poses,
    Squares,
    batched,
    frame_distances,
    from_frame,
    read_cached,
    write_cached,
)
from inference.motion import Keypoints, adapt_scale, normalise
from jobs.errors import NoSuchFrame
from tests.unit.inference.fomm.engines import head_turned

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)


def keypoints(*faces: npt.ArrayLike) -> Keypoints:
    """Keypoints of some frames, with jacobians that tell the frames apart."""
    value = np.array(faces, np.float32)
    scale = np.arange(1, len(value) + 1, dtype=np.float32)[:, None, None, None]
    return Keypoints(value, np.tile(np.eye(2, dtype=np.float32), (*value.shape[:2], 1, 1)) * scale)


def leaning(by: float) -> npt.NDArray[np.float32]:
    """The square with its upper side pushed aside: another pose the more it leans."""
    return np.asarray(SQUARE + np.float32(by) * np.array([[1, 0], [1, 0], [0, 0], [0, 0]]))


def picture(level: int) -> Squares:
    return np.full((8, 8, 3), level, np.uint8)


def test_squares_come_in_batches_and_the_last_one_is_smaller() -> None:
    batches = list(batched(iter([picture(level) for level in range(7)]), 3))
    assert [batch.shape for batch in batches] == [(3, 8, 8, 3), (3, 8, 8, 3), (1, 8, 8, 3)]
    assert [int(batch[0, 0, 0, 0]) for batch in batches] == [0, 3, 6]


def test_squares_are_read_only_as_they_are_wanted() -> None:
    read = []

    def squares() -> Iterator[Squares]:
        for level in range(9):
            read.append(level)
            yield picture(level)

    next(batched(squares(), 2))
    assert read == [0, 1]


# --- the frame that movement is measured from -----------------------------------------------------


@pytest.mark.parametrize("index", [0, 2, 3])
def test_movement_is_measured_from_a_frame_and_all_frames_follow(index: int) -> None:
    frames = keypoints(*(SQUARE + step for step in range(4)))
    initial, following = from_frame(iter([frames[i] for i in range(4)]), index)
    np.testing.assert_array_equal(initial.value[0], SQUARE + index)
    assert [float(frame.value[0, 0, 0]) for frame in following] == [-0.5, 0.5, 1.5, 2.5]


def test_no_more_frames_are_read_than_are_needed_to_begin() -> None:
    rest = iter([keypoints(SQUARE) for _ in range(9)])
    from_frame(rest, 2)
    assert len(list(rest)) == 6


@pytest.mark.parametrize("count", [0, 2])
def test_a_frame_behind_the_clips_end_is_told_with_the_clips_length(count: int) -> None:
    with pytest.raises(NoSuchFrame, match=f"no driving frame 2: the clip has {count},"):
        from_frame([keypoints(SQUARE)] * count, 2)


def test_the_nearest_frame_has_the_photos_pose_wherever_it_is_and_however_large() -> None:
    frames = [keypoints(2 * leaning(by) + 0.3) for by in (0.4, 0.1, 0.2)]
    assert np.argmin(frame_distances(keypoints(leaning(0.12)), frames)) == 1
    assert np.argmin(frame_distances(keypoints(leaning(0.4)), frames)) == 0


# --- normalisation --------------------------------------------------------------------------------


def test_relative_movement_is_added_to_the_photo_and_scaled_by_the_faces() -> None:
    source, initial = keypoints(SQUARE), keypoints(SQUARE / 2)
    driving = keypoints(SQUARE / 2 + 0.1, SQUARE / 2)
    scale = adapt_scale(source, initial)
    scaled = normalise(source, driving, initial, relative=True, scale=scale)
    plain = normalise(source, driving, initial, relative=True, scale=1.0)
    np.testing.assert_allclose(scaled.value, [SQUARE + 0.2, SQUARE], atol=1e-6)
    np.testing.assert_allclose(plain.value, [SQUARE + 0.1, SQUARE], atol=1e-6)


def test_absolute_positions_are_neither_moved_nor_scaled() -> None:
    source, driving = keypoints(SQUARE), keypoints(SQUARE / 2 + 0.1)
    scale = adapt_scale(source, driving)
    found = normalise(source, driving, driving, relative=False, scale=scale)
    np.testing.assert_array_equal(found.value, driving.value)


# --- candidates -----------------------------------------------------------------------------------


class Landmarks:
    """A landmark network that knows each picture by its level, and notes which it has seen."""

    def __init__(self, points: dict[int, npt.NDArray[np.float32] | None]) -> None:
        self._points = points
        self.seen: list[int] = []

    def __call__(self, square: Squares) -> npt.NDArray[np.float32] | None:
        self.seen.append(int(square[0, 0, 0]))
        return self._points[self.seen[-1]]


def candidates(leans: list[float], count: int) -> Candidates:
    """What is kept of frames whose level is their index, given in batches of two."""
    found = Candidates(keypoints(leaning(0)), count)
    for start in range(0, len(leans), 2):
        part = leans[start : start + 2]
        squares = np.stack([picture(start + index) for index in range(len(part))])
        found.watch(squares, keypoints(*map(leaning, part)))
    return found


def test_only_the_frames_that_are_nearest_by_keypoints_are_looked_at() -> None:
    found = candidates([0.5, 0.1, 0.9, 0.2, 0.3], count=3)
    # By landmarks the fourth one is nearest.
    landmarks = Landmarks({99: leaning(0), 1: leaning(0.4), 3: leaning(0.05), 4: leaning(0.2)})
    assert found.best(landmarks, picture(99)) == 3
    assert landmarks.seen == [99, 1, 3, 4]


def test_a_candidate_does_not_keep_the_batch_that_it_came_in() -> None:
    found = Candidates(keypoints(leaning(0)), 1)
    batch = np.stack([picture(0), picture(1)])
    found.watch(batch, keypoints(leaning(0.1), leaning(0.2)))
    batch[:] = 77
    landmarks = Landmarks({99: leaning(0), 0: leaning(0.3)})
    assert found.best(landmarks, picture(99)) == 0


def test_of_frames_that_are_equally_near_the_first_is_kept_and_taken() -> None:
    found = candidates([0.1] * 5, count=2)
    landmarks = Landmarks({99: leaning(0), 0: leaning(0.2), 1: leaning(0.2)})
    assert found.best(landmarks, picture(99)) == 0
    assert landmarks.seen == [99, 0, 1]


def test_a_frame_without_a_face_is_no_candidate() -> None:
    landmarks = Landmarks({99: leaning(0), 0: None, 1: leaning(0.7)})
    assert candidates([0.0, 0.1], count=8).best(landmarks, picture(99)) == 1


def test_without_any_landmarks_there_is_no_best_frame() -> None:
    found = candidates([0.0, 0.1], count=8)
    assert found.best(Landmarks({99: None}), picture(99)) is None
    assert found.best(Landmarks({99: leaning(0), 0: None, 1: None}), picture(99)) is None


def test_squeezed_pictures_are_shown_to_the_landmark_network_as_levels() -> None:
    found = Candidates(keypoints(leaning(0)), 2)
    found.watch(np.full((1, 8, 8, 3), 7 / 255), keypoints(leaning(0.1)))
    landmarks = Landmarks({99: leaning(0), 7: leaning(0.1)})
    assert found.best(landmarks, np.full((8, 8, 3), 99 / 255)) == 0


# --- poses ----------------------------------------------------------------------------------------


def test_every_frame_is_compared_with_the_photo_by_its_landmarks(
    landmarker: Landmarker, astronaut: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    assert landmarker is not None
    poses = Poses(head_turned(astronaut, 8), tmp_path)
    nothing = np.full((256, 256, 3), 90, np.uint8)
    for square in (
        head_turned(astronaut, 0),
        head_turned(astronaut, 4),
        nothing,
        head_turned(astronaut, 9),
    ):
        poses.watch(square)
    distances = poses.distances()
    assert distances is not None
    assert distances[3] < distances[1] < distances[0]
    assert np.isinf(distances[2])


def test_squares_of_shares_are_looked_at_too(
    landmarker: Landmarker, astronaut: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    assert landmarker is not None
    poses = Poses(head_turned(astronaut, 0) / 255, tmp_path)
    poses.watch(head_turned(astronaut, 0) / 255)
    distances = poses.distances()
    assert distances is not None
    assert distances[0] < 0.01


def test_without_a_face_in_photo_or_clip_there_are_no_distances(
    landmarker: Landmarker, astronaut: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    assert landmarker is not None
    nothing = np.full((256, 256, 3), 90, np.uint8)
    for photo, square in (
        (nothing, head_turned(astronaut, 0)),
        (head_turned(astronaut, 0), nothing),
    ):
        poses = Poses(photo, tmp_path)
        poses.watch(square)
        assert poses.distances() is None


# --- keypoints that are kept ----------------------------------------------------------------------


@pytest.mark.parametrize("has_jacobians", [True, False])
def test_what_is_kept_is_read_again(tmp_path: Path, has_jacobians: bool) -> None:
    path = tmp_path / "new" / "clip.npz"
    kept = keypoints(SQUARE, SQUARE + 1)
    kept = kept if has_jacobians else Keypoints(kept.value)
    write_cached(path, kept)
    found = read_cached(path)
    assert found is not None
    np.testing.assert_array_equal(found.value, kept.value)
    assert (found.jacobian is not None) == has_jacobians
    np.testing.assert_array_equal(found.jacobian, kept.jacobian)
    assert list(path.parent.iterdir()) == [path]


def damaged(path: Path, damage: str) -> None:
    """Puts something at `path` that cannot be used."""
    value, eyes = np.zeros((2, 4, 2), np.float32), np.zeros((2, 4, 2, 2), np.float32)
    arrays = {
        "another name": {"values": value},
        "doubles": {"value": value.astype(np.float64)},
        "another shape": {"value": value[0]},
        "no frame": {"value": value[:0]},
        "other jacobians": {"value": value, "jacobian": eyes[:1]},
        "objects": {"value": np.array([{}], dtype=object)},
    }
    if damage == "no file":
        return
    np.savez(path, **arrays.get(damage, {"value": value}))  # type: ignore[arg-type]
    content = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(content[:-30])
    elif damage == "a bit has turned":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif damage in ("", "something else"):
        path.write_bytes(damage.encode())


@pytest.mark.parametrize(
    "damage",
    [
        *("no file", "", "something else", "cut short", "a bit has turned", "another name"),
        *("doubles", "another shape", "no frame", "other jacobians", "objects"),
    ],
)
def test_what_cannot_be_used_is_as_if_it_were_not_there(tmp_path: Path, damage: str) -> None:
    damaged(tmp_path / "clip.npz", damage)
    assert read_cached(tmp_path / "clip.npz") is None


def test_where_nothing_can_be_kept_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "keypoints").write_text("a file where the folder should be")
    write_cached(tmp_path / "keypoints" / "clip.npz", keypoints(SQUARE))
    assert [path.name for path in tmp_path.iterdir()] == ["keypoints"]
