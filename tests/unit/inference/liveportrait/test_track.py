"""Motion tracks: how they are played, kept and read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.liveportrait.track import MotionTrack, read_track, write_track
from tests.unit.inference.liveportrait.motions import motion, some


def track_of(count: int = 40) -> MotionTrack:
    found = motion(count)
    return MotionTrack(
        angles=found.angles,
        translation=found.translation,
        expression=found.expression,
        scale=found.scale,
        openings=np.abs(some(5, count, 3)),
        shown=np.ones(count, np.bool_),
        calm=np.arange(count) < 3,
    )


def test_rest_is_the_mean_of_the_calm_frames() -> None:
    track = replace(track_of(), calm=np.arange(40) == 20)
    played = track.played(25.0)
    assert played.rest.expression[0] == pytest.approx(played.motion.expression[20])
    assert played.rest.angles[0] == pytest.approx(played.motion.angles[20])


def test_size_of_the_head_stays() -> None:
    played = track_of().played(25.0)
    assert np.ptp(played.motion.scale) == 0
    assert played.motion.scale[0] == played.rest.scale[0]


def test_head_is_smoothed_and_expressions_almost_keep_what_they_have() -> None:
    track = track_of()
    played = track.played(25.0).motion

    def roughness(values: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> float:
        return float(np.abs(np.diff(values, 2, axis=0)).mean())

    assert roughness(played.angles) < 0.6 * roughness(track.angles)
    assert roughness(played.translation) < 0.6 * roughness(track.translation)
    assert roughness(played.expression) > 0.85 * roughness(track.expression)
    smoother = track.played(25.0, smooth_s=0.2).motion
    assert roughness(smoother.expression) < 0.2 * roughness(track.expression)


def test_face_that_is_lost_comes_to_rest_and_returns() -> None:
    shown = np.ones(60, np.bool_)
    shown[20:45] = False
    track = replace(track_of(60), shown=shown)
    played = track.played(25.0)
    for moving, at_rest in (
        (played.motion.angles, played.rest.angles),
        (played.motion.expression, played.rest.expression),
        (played.openings, track.openings[:3].mean(axis=0)),
    ):
        away = np.abs(moving - at_rest).reshape(60, -1).max(axis=1)
        assert away[40] == pytest.approx(0, abs=1e-5)
        assert away[10] > 1e-3
        assert away[58] > 1e-3


def test_track_that_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "track.npz"
    track = track_of()
    write_track(path, track)
    found = read_track(path)
    assert found is not None
    for name in MotionTrack.FORMS:
        assert (getattr(found, name) == getattr(track, name)).all(), name
    assert [file.name for file in path.parent.iterdir()] == ["track.npz"]


def test_track_that_is_not_there_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_track(tmp_path / "track.npz") is None
    assert caplog.text == ""


@pytest.mark.parametrize("fault", ["noise", "cut", "pickle", "shape", "nan", "restless"])
def test_anything_else_is_told_and_not_used(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "track.npz"
    write_track(path, track_of())
    arrays = {name: getattr(track_of(), name) for name in MotionTrack.FORMS}
    if fault == "noise":
        path.write_bytes(b"no archive")
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif fault == "pickle":
        np.savez(path, allow_pickle=True, **(arrays | {"angles": np.array([{}], object)}))
    elif fault == "shape":
        np.savez(path, **(arrays | {"angles": np.zeros((40, 2), np.float32)}))
    elif fault == "nan":
        np.savez(path, **(arrays | {"angles": np.full((40, 3), np.nan, np.float32)}))
    else:
        np.savez(path, **(arrays | {"calm": np.zeros(40, np.bool_)}))
    assert read_track(path) is None
    assert "measuring the template again" in caplog.text


def test_folder_that_cannot_be_written_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    write_track(tmp_path / "file" / "track.npz", track_of())
    assert "could not keep the motion track" in caplog.text
