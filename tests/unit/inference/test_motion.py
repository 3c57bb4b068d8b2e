from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from inference.mesh.curves import values_at
from inference.motion import (
    Keypoints,
    adapt_scale,
    best_frame,
    frame_of_rank,
    hull_area,
    normalise,
    pose_distance,
    smooth,
)
from jobs.curves import CurveName
from jobs.templates import Catalogue, CurveMotion

FPS = 25.0
JITTER = 0.005
LINE = np.stack([np.linspace(-0.5, 0.5, 10), np.linspace(0.1, 0.3, 10)], axis=1)


def drawn(count: int, seed: int = 0) -> Keypoints:
    """Keypoints that no detector found, with maps near the identity."""
    random = np.random.default_rng(seed)
    value = random.uniform(-0.6, 0.6, (count, 10, 2))
    jacobian = np.eye(2) + random.normal(0, 0.2, (count, 10, 2, 2))
    return Keypoints(value.astype(np.float32), jacobian.astype(np.float32))


def jacobian_of(keypoints: Keypoints) -> npt.NDArray[np.float32]:
    assert keypoints.jacobian is not None
    return keypoints.jacobian


# --- the value ------------------------------------------------------------------------------------


def test_part_of_a_batch_is_a_batch() -> None:
    batch = drawn(4)
    assert len(batch) == 4
    assert len(batch[1:3]) == 2
    assert np.array_equal(batch[-1].value, batch.value[3:])
    assert np.array_equal(jacobian_of(batch[2]), jacobian_of(batch)[2:3])
    with pytest.raises(IndexError):
        batch[4]


@pytest.mark.parametrize("has_jacobian", [True, False])
def test_joined_parts_are_the_whole(has_jacobian: bool) -> None:
    batch = drawn(5) if has_jacobian else Keypoints(drawn(5).value)
    joined = Keypoints.joined([batch[:2], batch[2], batch[3:]])
    assert np.array_equal(joined.value, batch.value)
    if has_jacobian:
        assert np.array_equal(jacobian_of(joined), jacobian_of(batch))
    else:
        assert joined.jacobian is None


# --- carrying over --------------------------------------------------------------------------------


def test_initial_frame_shows_the_source_as_it_is() -> None:
    source, driving = drawn(1, seed=1), drawn(6)
    moved = normalise(source, driving, driving[0], relative=True, scale=1.3)
    assert np.array_equal(moved.value[0], source.value[0])
    assert np.allclose(jacobian_of(moved)[0], jacobian_of(source)[0], atol=1e-6)
    assert moved.value.dtype == jacobian_of(moved).dtype == np.float32


def test_relative_movement_is_scaled_and_maps_are_not() -> None:
    source, driving = drawn(1, seed=1), drawn(3)
    once = normalise(source, driving, driving[0], relative=True, scale=1.0)
    twice = normalise(source, driving, driving[0], relative=True, scale=2.0)
    assert np.allclose(twice.value - source.value, 2 * (once.value - source.value), atol=1e-6)
    assert np.array_equal(jacobian_of(twice), jacobian_of(once))


def test_absolute_movement_is_the_driving_one() -> None:
    source, driving = drawn(1, seed=1), drawn(3)
    assert normalise(source, driving, driving[0], relative=False, scale=5.0) is driving


def test_batches_give_what_single_frames_give() -> None:
    source, driving = drawn(1, seed=1), drawn(6)
    whole = normalise(source, driving, driving[2], relative=True, scale=1.2)
    one = normalise(source, driving[4], driving[2], relative=True, scale=1.2)
    assert np.array_equal(whole[4].value, one.value)
    assert np.array_equal(jacobian_of(whole[4]), jacobian_of(one))


def test_maps_are_left_out_where_one_detector_gives_none() -> None:
    source, driving = drawn(1, seed=1), drawn(3)
    moved = normalise(source, Keypoints(driving.value), driving[0], relative=True, scale=1.0)
    assert moved.jacobian is None


def test_singular_initial_map_does_not_stop_the_others() -> None:
    source, driving = drawn(1, seed=1), drawn(3)
    usual = jacobian_of(normalise(source, driving, driving[0], relative=True, scale=1.0))
    jacobian_of(driving)[0, 3] = [[1.0, 2.0], [2.0, 4.0]]
    jacobian_of(driving)[0, 4] = [[1.0, 1.0], [1.0, 1.0 + 1e-7]]
    jacobian_of(driving)[0, 5] = 0.0
    moved = jacobian_of(normalise(source, driving, driving[0], relative=True, scale=1.0))
    assert np.isfinite(moved).all()
    assert np.abs(moved).max() < 20
    assert np.array_equal(moved[1:, 6:], usual[1:, 6:])


def test_map_that_is_not_finite_stays_so_and_spoils_no_other() -> None:
    source, driving = drawn(1, seed=1), drawn(3)
    jacobian_of(driving)[0, 3, 0, 0] = np.nan
    moved = jacobian_of(normalise(source, driving, driving[0], relative=True, scale=1.0))
    assert np.isnan(moved[:, 3]).all()
    assert np.isfinite(moved[:, 4:]).all()


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_larger_source_scales_movement_by_its_size(factor: float) -> None:
    driving = drawn(1)
    larger = Keypoints(np.asarray(factor * driving.value + 0.1, np.float32))
    assert adapt_scale(larger, driving) == pytest.approx(factor, rel=1e-5)


def test_face_that_lies_in_a_line_scales_nothing() -> None:
    flat = Keypoints(LINE[None].astype(np.float32))
    assert adapt_scale(flat, drawn(1)) == 1.0
    assert adapt_scale(drawn(1), flat) == 1.0


@pytest.mark.parametrize(
    "points",
    [
        LINE,
        LINE + np.random.default_rng(0).normal(0, 1e-6, LINE.shape),
        np.full((10, 2), 0.3),
        LINE[:2],
        np.where(LINE > 0.2, np.nan, LINE),
    ],
    ids=["line", "line with rounding", "one point", "two points", "not a number"],
)
def test_hull_without_an_area_has_none(points: npt.NDArray[np.float64]) -> None:
    assert hull_area(points) == 0.0
    assert hull_area(points.astype(np.float32)) == 0.0


def test_hull_has_the_area_of_its_corners_whatever_lies_inside() -> None:
    corners = np.array([[0, 0], [3, 0], [3, 2], [0, 2], [1, 1], [2, 1.5]], np.float64)
    assert hull_area(corners) == pytest.approx(6.0)
    assert hull_area(corners * 100 + 5000) == pytest.approx(60_000.0)


# --- the best frame -------------------------------------------------------------------------------


def turned(points: npt.NDArray[np.float64], angle: float) -> npt.NDArray[np.float64]:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ turn.T, np.float64)


def test_place_and_size_are_no_part_of_a_pose() -> None:
    source = drawn(1).value[0].astype(np.float64)
    driving = np.stack([3 * source + 40, turned(source, 0.2), turned(source, 0.4)])
    distances = pose_distance(source, driving)
    assert distances[0] == pytest.approx(0.0, abs=1e-9)
    assert 0.01 < distances[1] < distances[2]


def test_pose_distance_is_the_sum_of_squares_of_all_coordinates() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    shifted = square + 7.0
    tall = square * [0.5, 2.0]
    # Corners at (0.5, 0.5) against (0.25, 1): 4 * (0.25^2 + 0.5^2).
    assert pose_distance(square, np.stack([shifted, tall])) == pytest.approx([0.0, 1.25])


def test_face_that_lies_in_a_line_is_never_the_best() -> None:
    source = drawn(1).value[0].astype(np.float64)
    distances = pose_distance(source, np.stack([LINE, turned(source, 1.0)]))
    assert distances[0] == np.inf
    assert best_frame(distances) == 1
    assert np.isinf(pose_distance(LINE, source[None])).all()


def test_first_of_equally_good_frames_is_the_best() -> None:
    assert best_frame([3.0, 1.0, 2.0, 1.0]) == 1
    assert best_frame([np.inf, np.nan, 5.0]) == 2
    assert best_frame([np.inf, np.inf]) == 0


def test_frames_of_further_ranks_keep_apart_and_begin_again_after_the_last() -> None:
    distances = [3.0, 2.0, 1.0, 1.5, 9.0, np.nan, 4.0]
    ranked = [frame_of_rank(distances, 2, rank, 2) for rank in range(1, 7)]
    assert ranked == [2, 0, 6, 4, 2, 0]
    assert frame_of_rank(distances, 3, 2, 3) == 0
    assert [frame_of_rank(distances, 5, rank, 100) for rank in (1, 2, 50)] == [5, 5, 5]
    assert distances[2] == 1.0


def test_two_halves_laid_end_to_end_are_one_run_from_the_best_frame() -> None:
    source, driving, best = drawn(1, seed=1), drawn(7), 3
    forward, backward = driving[best:], driving[: best + 1]
    backward = Keypoints.joined([backward[index] for index in reversed(range(len(backward)))])
    halves = [
        normalise(source, half, half[0], relative=True, scale=adapt_scale(source, half[0]))
        for half in (backward, forward)
    ]
    stitched = Keypoints.joined([*(halves[0][index] for index in (3, 2, 1, 0)), halves[1][1:]])
    scale = adapt_scale(source, driving[best])
    whole = normalise(source, driving, driving[best], relative=True, scale=scale)
    assert np.array_equal(whole.value, stitched.value)
    assert np.array_equal(jacobian_of(whole), jacobian_of(stitched))


# --- making steady --------------------------------------------------------------------------------


def nod(fps: float = FPS, seconds: float = 4.0) -> Keypoints:
    """The shipped nod, as ten keypoints and their maps would follow it."""
    motion = Catalogue.load().get("nod").motion
    assert isinstance(motion, CurveMotion)
    times = np.arange(round(seconds * fps)) / fps
    moments = [values_at(motion, time) for time in times]
    pitch = np.array([moment[CurveName.PITCH] for moment in moments])
    roll = np.array([moment[CurveName.ROLL] for moment in moments])
    base = np.random.default_rng(3).uniform(-0.6, 0.6, (10, 2))
    value = np.repeat(base[None], len(times), axis=0)
    value[..., 1] += pitch[:, None] * (1 - 0.5 * base[:, 1])
    jacobian = np.repeat(np.eye(2)[None, None], 10, axis=1).repeat(len(times), axis=0)
    jacobian[..., 1, 1] -= pitch[:, None]
    jacobian[..., 0, 1] -= roll[:, None]
    jacobian[..., 1, 0] += roll[:, None]
    return Keypoints(value.astype(np.float32), jacobian.astype(np.float32))


def jittered(clean: Keypoints) -> Keypoints:
    random = np.random.default_rng(0)
    value = clean.value + random.normal(0, JITTER, clean.value.shape)
    jacobian = jacobian_of(clean) + random.normal(0, JITTER, jacobian_of(clean).shape)
    return Keypoints(value.astype(np.float32), jacobian.astype(np.float32))


def smoothed(keypoints: Keypoints, strength_s: float, fps: float = FPS) -> Keypoints:
    return Keypoints.joined(list(smooth([keypoints], strength_s, fps)))


def rms(array: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt((array.astype(np.float64) ** 2).mean()))


def jitter(array: npt.NDArray[np.floating]) -> float:
    return rms(np.diff(array, 2, axis=0))


def test_smoothing_takes_the_jitter_and_leaves_the_nod() -> None:
    clean = nod()
    shaken = jittered(clean)
    steady = smoothed(shaken, 0.1)
    for before, after, true in (
        (shaken.value, steady.value, clean.value),
        (jacobian_of(shaken), jacobian_of(steady), jacobian_of(clean)),
    ):
        assert jitter(after - true) < jitter(before - true) / 10
        assert rms(after - true) < rms(before - true) / 1.8


@pytest.mark.parametrize("fps", [12.0, 25.0, 60.0])
def test_smoothing_lags_behind_no_nod_at_any_frame_rate(fps: float) -> None:
    clean = nod(fps)
    steady = smoothed(clean, 0.1, fps)
    height = np.ptp(clean.value[..., 1], axis=0).max()
    assert np.abs(steady.value - clean.value).max() < 0.03 * height
    turning = np.argmax(clean.value[..., 1], axis=0)
    found = np.argmax(steady.value[..., 1], axis=0)
    assert np.abs(found - turning).max() / fps <= 0.02


def test_smoothing_leaves_a_steady_movement_as_it_is_to_the_ends() -> None:
    times = np.linspace(0, 1, 30)[:, None, None]
    straight = Keypoints((times * [[0.3, -0.2]] + times**2 * 0.1).astype(np.float32))
    steady = smoothed(straight, 0.2)
    assert np.abs(steady.value - straight.value).max() < 1e-5


def test_ends_of_a_clip_are_not_shakier_than_before() -> None:
    random = np.random.default_rng(1)
    still = random.normal(0, JITTER, (20, 5000, 2)).astype(np.float32)
    steady = smoothed(Keypoints(still), 0.1).value
    assert rms(steady[0]) < 0.9 * rms(still[0])
    assert rms(steady[-1]) < 0.9 * rms(still[-1])
    assert rms(steady[10]) < 0.5 * rms(still[10])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 40])
def test_every_frame_comes_out_once_in_order_whatever_the_batches(count: int) -> None:
    keypoints = nod(seconds=4.0)[:count]
    whole = list(smooth([keypoints], 0.1, FPS))
    assert [len(frame) for frame in whole] == [1] * count
    batches = [keypoints[start : start + 3] for start in range(0, count, 3)]
    again = Keypoints.joined(list(smooth(batches, 0.1, FPS)))
    assert np.array_equal(again.value, Keypoints.joined(whole).value)
    assert np.abs(again.value - keypoints.value).max() < 0.02
    assert again.value.dtype == jacobian_of(again).dtype == np.float32


def test_no_strength_changes_nothing() -> None:
    keypoints = jittered(nod())
    assert np.array_equal(smoothed(keypoints, 0.0).value, keypoints.value)


def test_only_the_frames_within_reach_are_read_ahead() -> None:
    read = 0

    def endless() -> Iterator[Keypoints]:
        nonlocal read
        frame = drawn(1)
        while True:
            read += 1
            yield frame

    frames = smooth(endless(), 0.1, FPS)
    for given in range(1, 200):
        next(frames)
        assert read - given <= 8
