"""The motion track of a clip."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from inference.arrays import Picture
from inference.engine import Driving
from inference.faces.landmarker import Landmarker
from inference.liveportrait.measuring import measured
from inference.liveportrait.motion import FaceMotion
from inference.liveportrait.track import MotionTrack
from jobs.errors import NoFaceInClip
from tests.unit.inference.liveportrait.motions import driving_of, template_frames

BLACK: Picture = np.zeros((512, 512, 3), np.uint8)


class Numbers:
    """A motion network that numbers the pictures, and keeps them; it errs about dark ones."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []

    def __call__(self, pictures: Picture) -> FaceMotion:
        first = len(self.pictures)
        self.pictures += list(pictures)
        numbers = np.arange(first, len(self.pictures), dtype=np.float32)
        numbers[pictures.mean(axis=(1, 2, 3)) < 20] = -90
        count = len(pictures)
        return FaceMotion(
            angles=np.tile(numbers[:, None], (1, 3)),
            translation=np.zeros((count, 3), np.float32),
            expression=np.zeros((count, 21, 3), np.float32),
            scale=np.ones(count, np.float32),
        )


def track_of(driving: Driving, network: Landmarker, extract: Numbers | None = None) -> MotionTrack:
    measuring = measured(driving, network, extract or Numbers())
    while True:
        try:
            assert next(measuring) == ()
        except StopIteration as ended:
            track: MotionTrack = ended.value
            return track


@pytest.fixture(scope="module")
def nod() -> list[Picture]:
    return template_frames("nod", 0, 24, 2)


def moved(frame: Picture, x: int, y: int) -> Picture:
    return np.roll(frame, (y, x), axis=(0, 1))


def test_every_frame_is_measured_once(landmarker: Landmarker, nod: list[Picture]) -> None:
    extract = Numbers()
    track = track_of(driving_of(nod), landmarker, extract)
    assert track.frame_count == len(nod) == len(extract.pictures)
    assert track.angles[:, 0].tolist() == list(range(len(nod)))
    assert track.shown.all()
    assert 1 <= track.calm.sum() <= len(nod)


def test_clip_that_is_read_once_is_cut_alike(landmarker: Landmarker, nod: list[Picture]) -> None:
    twice, once = Numbers(), Numbers()
    track_of(driving_of(nod[:1]), landmarker, twice)
    track = track_of(driving_of(nod[:1], reopen=None), landmarker, once)
    assert track.frame_count == 1
    difference = np.abs(np.array(twice.pictures).astype(int) - np.array(once.pictures))
    assert difference.max() <= 2


@pytest.mark.parametrize("is_read_once", [False, True])
def test_square_stays_where_it_is_while_the_face_moves(
    landmarker: Landmarker, nod: list[Picture], is_read_once: bool
) -> None:
    extract = Numbers()
    frames = [moved(nod[0], 4 * index, 0) for index in range(10)]
    once: dict[str, Any] = {"reopen": None} if is_read_once else {}
    track_of(driving_of(frames, **once), landmarker, extract)
    steps = np.diff([_middle_of_dark(picture) for picture in extract.pictures])
    assert steps.min() > 0.7
    assert steps == pytest.approx(np.full(9, steps.mean()), abs=0.5)


def _middle_of_dark(picture: Picture) -> float:
    """Where the pupils and brows are, across."""
    weights = np.clip(70 - picture[60:130].mean(axis=-1), 0, None)
    return float((weights * np.arange(256)).sum() / weights.sum())


def test_calm_frames_are_those_without_expression_wherever_they_are(
    landmarker: Landmarker,
) -> None:
    # It smiles from about the middle on; here, the clip begins with the smile.
    frames = template_frames("smile", 0, 40, 4)[::-1]
    calm = np.flatnonzero(track_of(driving_of(frames), landmarker).calm)
    assert len(calm) == 3
    assert calm.min() >= 6


def test_frames_without_the_face_are_bridged_and_told(
    landmarker: Landmarker, nod: list[Picture]
) -> None:
    frames = nod[:8] + [BLACK] * 12 + nod[4:12]
    extract = Numbers()
    track = track_of(driving_of(frames), landmarker, extract)
    assert track.frame_count == len(frames) == len(extract.pictures)
    assert not track.shown[10:18].any()
    assert track.shown[:6].all()
    assert not track.calm[8:20].any()
    steps = np.diff(track.angles[:, 0])
    assert steps == pytest.approx(np.ones(len(frames) - 1)), "interpolated, not as seen"


@pytest.mark.parametrize("reopen", ["twice", "once"])
def test_clip_without_a_face_is_refused(landmarker: Landmarker, reopen: str) -> None:
    once: dict[str, Any] = {"reopen": None} if reopen == "once" else {}
    with pytest.raises(NoFaceInClip):
        track_of(driving_of([BLACK] * 6, **once), landmarker)


def test_face_that_is_seen_only_later_is_measured(
    landmarker: Landmarker, nod: list[Picture]
) -> None:
    frames: Sequence[Picture] = [BLACK] * 12 + nod
    track = track_of(driving_of(frames, reopen=None), landmarker)
    assert track.shown[-8:].all()
    assert not track.shown[:8].any()
