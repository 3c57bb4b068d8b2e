"""A clip's track says how the face moves, and keeps still where the face is not seen."""

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from inference.faces.landmarker import Landmarker, Landmarks
from inference.mesh.measuring import TrackRecorder, _lids, measure_track
from inference.mesh.track import Track, read_track, write_track
from jobs.errors import NoFaceInClip
from jobs.model import Face
from tests.unit.inference.mesh.driving import her_face, moved, portrait, with_hand

Picture = npt.NDArray[np.uint8]
RATE = Fraction(25)
SCALE = 6.43  # px per cm of her face


@pytest.fixture(scope="module")
def picture(astronaut: Picture) -> Picture:
    return portrait(astronaut)


@pytest.fixture(scope="module")
def face(astronaut_landmarks: Landmarks) -> Face:
    return her_face(astronaut_landmarks)


def nodding(picture: Picture, count: int = 30) -> list[Picture]:
    """Her head swaying to both sides by 10 degrees."""
    return [moved(picture, angle_deg=10 * np.sin(i / 5)) for i in range(count)]


@pytest.fixture(scope="module")
def plain(landmarker: Landmarker, picture: Picture, face: Face) -> Track:
    return measure_track(nodding(picture), face, RATE, landmarker)


def size(track: Track) -> npt.NDArray[np.float64]:
    """How far each frame is from rest, (n,); 0 is rest."""
    parts = [track.turn * 10, track.log_zoom[:, None] * 10, track.shift, track.opening, track.gaps]
    longest = np.abs(track.expression.astype(np.float64)).max(axis=(1, 2))
    others = np.abs(np.concatenate(parts, axis=1)).max(axis=1)
    return np.asarray(np.maximum(longest, others), np.float64)


def test_the_track_has_a_frame_for_each_of_the_clips(plain: Track) -> None:
    assert plain.frame_count == 30
    assert plain.frame_rate == RATE
    assert plain.frame_size == (320, 300)
    assert list(plain.mouth_frames) == list(range(30))


def test_a_head_that_sways_is_measured(plain: Track) -> None:
    roll = np.degrees(plain.turn[:, 2])
    wanted = 10 * np.sin(np.arange(30) / 5)
    assert np.corrcoef(roll, wanted)[0, 1] > 0.99
    assert np.ptp(roll) == pytest.approx(np.ptp(wanted), rel=0.1)
    assert np.abs(np.degrees(plain.turn[:, :2])).max() < 4
    # She smiles all the time, and that is no rest.
    assert np.ptp(plain.expression, axis=0).max() < 0.4
    assert np.abs(plain.expression).max() > 0.4


def test_a_head_that_moves_and_nears_is_measured(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    clip = [moved(picture, x=2 * i, y=-i, scale=1 + i / 100) for i in range(15)]
    track = measure_track(clip, face, RATE, landmarker)
    assert np.ptp(track.log_zoom) == pytest.approx(np.log(1.14), abs=0.02)
    gone = np.ptp(track.shift[:, 0]) * SCALE
    assert gone == pytest.approx(28, abs=6)


def test_a_still_driver_does_not_tremble(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    random = np.random.default_rng(5)
    clip = [
        np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(24)
    ]
    track = measure_track(clip, face, RATE, landmarker)
    second = np.diff(track.expression.astype(np.float64), 2, axis=0)
    eye_distance_cm = 8.9
    assert np.sqrt((second[..., :2] ** 2).sum(axis=2).mean()) < 0.002 * eye_distance_cm
    assert np.diff(np.degrees(track.turn), 2, axis=0).std() < 0.1


def test_a_clip_of_one_frame_is_at_rest(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    track = measure_track([picture], face, RATE, landmarker)
    assert track.frame_count == 1
    np.testing.assert_allclose(track.turn, 0, atol=1e-6)
    np.testing.assert_allclose(track.shift, 0, atol=1e-6)


@pytest.mark.parametrize("colour", [0, 255])
def test_a_clip_that_fades_in_is_measured_from_its_lit_frames(
    landmarker: Landmarker, picture: Picture, face: Face, plain: Track, colour: int
) -> None:
    still = [nodding(picture, 1)[0]] * 10
    clip = [*still, *nodding(picture)]
    for index in range(10):
        share = max(0, index - 3) / 8
        clip[index] = np.asarray(clip[index] * share + colour * (1 - share), np.uint8)
    track = measure_track(clip, face, RATE, landmarker)
    assert (size(track)[:4] == 0).all()
    np.testing.assert_allclose(track.turn[22:], plain.turn[12:], atol=np.radians(1))
    np.testing.assert_allclose(track.skin[20:], plain.skin[10:], atol=4)
    assert np.abs(np.degrees(np.diff(track.turn, axis=0))).max() < 4


@pytest.mark.parametrize("light", [0.0, 40.0])
def test_a_single_bad_frame_is_bridged(
    landmarker: Landmarker, picture: Picture, face: Face, plain: Track, light: float
) -> None:
    clip = nodding(picture)
    clip[14] = np.clip(clip[14] * light, 0, 255).astype(np.uint8)
    track = measure_track(clip, face, RATE, landmarker)
    np.testing.assert_allclose(track.turn, plain.turn, atol=np.radians(1))
    assert list(track.mouth_frames[13:16]) == [13, 13 if light == 0 else 14, 15] or (
        list(track.mouth_frames[13:16]) == [13, 14, 15]
    )


def test_a_face_that_leaves_holds_and_eases_to_rest(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    clip = [moved(picture, x=12 * max(0, i - 6)) for i in range(50)]
    track = measure_track(clip, face, RATE, landmarker)
    found = size(track)
    assert found[12] > 1
    assert (found[-14:] == 0).all()
    assert np.abs(track.shift).max() < 30
    assert track.mouth_frames[-1] == -1


def test_a_hand_before_the_face_does_not_bend_it(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    clip = [with_hand(picture, x) for x in np.linspace(-90, 410, 50)]
    track = measure_track(clip, face, RATE, landmarker)
    assert np.abs(np.degrees(track.turn)).max() < 6
    assert np.abs(track.expression).max() < 1.2
    assert (np.abs(np.diff(size(track))) < 0.6).all()


def test_a_cut_to_another_view_does_not_throw_the_head(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    far = [moved(picture, angle_deg=3 * np.sin(i / 4)) for i in range(24)]
    near = [moved(picture, x=45, y=20, scale=1.25, angle_deg=3 * np.sin(i / 4)) for i in range(24)]
    track = measure_track([*far, *near], face, RATE, landmarker)
    assert np.abs(track.log_zoom).max() < 0.05
    assert np.abs(track.shift).max() < 1.5
    assert list(track.mouth_frames) == list(range(48))


def test_a_clip_that_hardly_shows_the_face_is_refused(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    """It would become a still picture."""
    clip = [picture, *[np.zeros_like(picture)] * 40]
    with pytest.raises(NoFaceInClip):
        measure_track(clip, face, RATE, landmarker)


def test_a_clip_without_the_face_is_refused(landmarker: Landmarker, face: Face) -> None:
    dark = [np.zeros((300, 320, 3), np.uint8)] * 3
    with pytest.raises(NoFaceInClip):
        measure_track(dark, face, RATE, landmarker)
    with pytest.raises(NoFaceInClip):
        measure_track([], face, RATE, landmarker)


def test_what_is_measured_can_be_written_and_read(plain: Track, tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    write_track(plain, path)
    read = read_track(path)
    for name in Track.FORMS:
        np.testing.assert_array_equal(getattr(read, name), getattr(plain, name))
    assert path.stat().st_size / plain.frame_count < 4000


def test_smoothing_all_frames_takes_little_memory(
    landmarker: Landmarker, picture: Picture, face: Face
) -> None:
    recorder = TrackRecorder(face, RATE, landmarker)
    for frame in nodding(picture, 10) * 12:
        recorder.see(frame)
    tracemalloc.start()
    try:
        track = recorder.track()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 7 KB of each frame are the track itself.
    assert peak_bytes / track.frame_count < 28_000


def test_lids_that_nearly_meet_are_shut_and_half_shut_or_wide_ones_open_less() -> None:
    measured = np.array([0.1, 0.32, 0.66, 1.0, 1.5, 3.0])
    np.testing.assert_allclose(_lids(measured), [0, 0, 0.425, 1, 1.4, 1.48])
