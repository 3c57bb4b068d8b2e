"""The engine `mesh`: drawn movements, clips and several faces."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.arrays import Picture
from inference.engine import Driving, EngineCrop
from inference.engine_options import EngineOptions
from inference.engines.mesh import MeshEngine
from inference.faces.head import Head, fit_head
from inference.faces.landmarker import Landmarker, Landmarks
from inference.mesh.measuring import measure_track
from inference.mesh.track import Track, read_track, write_track
from inference.voice.speech import Speech, SpeechChannel
from jobs.errors import NoFaceInClip
from jobs.model import CropBox, Face
from jobs.templates import CurveMotion

FACE = Face(number=1, box=CropBox(left=174, upper=66, right=274, lower=166), votes=5)

pytestmark = pytest.mark.usefixtures("landmarker")


def curves(**keys: tuple[tuple[float, float], ...]) -> CurveMotion:
    return CurveMotion.model_validate({"fps": 10, "duration_s": 1.0, "curves": keys})


def played(engine: MeshEngine, photo: Picture, motion: CurveMotion | Speech) -> list[Picture]:
    engine.prepare(photo, [FACE])
    return [frame for batch in engine.animate(None, motion) for frame in batch]


def pasted(photo: Picture, frame: Picture, crop: EngineCrop) -> Picture:
    whole, box = photo.copy(), crop.box
    whole[box.upper : box.lower, box.left : box.right] = frame
    return whole


def shifted(picture: Picture, right: float) -> Picture:
    matrix = np.array([[1, 0, right], [0, 1, 0]])
    moved = cv2.warpAffine(picture, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def driving(clip: list[Picture]) -> Driving:
    def reopen(part: CropBox) -> AbstractContextManager[Iterator[Picture]]:
        rows, columns = slice(part.upper, part.lower), slice(part.left, part.right)
        return nullcontext(frame[rows, columns] for frame in clip)

    return Driving(iter(clip), FACE, reopen=reopen)


@pytest.fixture
def going_right(astronaut: Picture) -> list[Picture]:
    return [shifted(astronaut, 1.5 * step) for step in (0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8)]


@pytest.fixture
def pair(astronaut: Picture) -> Picture:
    """The portrait three times, side by side."""
    return np.hstack([astronaut[:, 100:300], astronaut[:, 100:300], astronaut[:, 100:300]])


def test_a_movement_without_values_leaves_the_photo(astronaut: Picture) -> None:
    engine = MeshEngine()
    box = engine.crop_for([FACE], astronaut).box

    frames = played(engine, astronaut, curves(smile=((0.0, 0.0), (1.0, 0.0))))

    assert len(frames) == 10
    own = astronaut[box.upper : box.lower, box.left : box.right]
    assert all(np.array_equal(frame, own) for frame in frames)


def test_strength_scales_the_movement(astronaut: Picture) -> None:
    def change(strength: float) -> float:
        engine = MeshEngine(EngineOptions(strength=strength))
        first, *later = played(engine, astronaut, curves(yaw=((0.0, 0.0), (1.0, 0.2))))
        return float(np.abs(later[-1].astype(int) - first).mean())

    assert change(0.5) < change(1.0) < change(1.5)


def test_a_clip_moves_the_photo(
    landmarker: Landmarker, astronaut: Picture, going_right: list[Picture]
) -> None:
    engine = MeshEngine()
    engine.prepare(astronaut, [FACE])

    batches = list(engine.animate(driving(going_right), None))

    frames = [frame for batch in batches for frame in batch]
    assert batches[0] == ()
    assert len(frames) == len(going_right)
    crop = engine.crop_for([FACE], astronaut)
    x = [_nose_x(landmarker, pasted(astronaut, frames[index], crop)) for index in (0, -1)]
    assert x[1] - x[0] == pytest.approx(12, abs=3)


def test_a_clip_that_cannot_be_read_again_moves_the_photo_too(
    astronaut: Picture, going_right: list[Picture]
) -> None:
    engine = MeshEngine()
    engine.prepare(astronaut, [FACE])

    frames = [
        frame for batch in engine.animate(Driving(iter(going_right), FACE), None) for frame in batch
    ]

    assert len(frames) == len(going_right)
    assert not np.array_equal(frames[0], frames[-1])


def followed(photo: Picture, clip: list[Picture], track_file: Path) -> list[Picture]:
    """The frames of a clip whose track is kept in a file."""
    engine = MeshEngine()
    engine.prepare(photo, [FACE])
    kept = replace(driving(clip), track_file=track_file, frame_count=len(clip))
    return [frame for batch in engine.animate(kept, None) for frame in batch]


def test_the_track_of_a_clip_is_kept_and_used_again(
    astronaut: Picture, going_right: list[Picture], tmp_path: Path
) -> None:
    path = tmp_path / "clip.npz"
    first = followed(astronaut, going_right, path)
    written = path.stat()

    again = followed(astronaut, going_right, path)

    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.npz"]


def test_a_clip_with_a_track_is_not_measured(
    landmarker: Landmarker, astronaut: Picture, going_right: list[Picture], tmp_path: Path
) -> None:
    path = tmp_path / "clip.npz"
    followed(astronaut, [astronaut] * len(going_right), path)

    frames = followed(astronaut, going_right, path)

    # It stands still like the clip that was measured.
    crop = MeshEngine().crop_for([FACE], astronaut)
    x = [_nose_x(landmarker, pasted(astronaut, frames[index], crop)) for index in (0, -1)]
    assert x[1] - x[0] == pytest.approx(0, abs=1)


def shorter(track: Track) -> Track:
    fields = {name: getattr(track, name)[:-1] for name in Track.FORMS}
    return replace(track, **fields)


@pytest.mark.parametrize(
    "change",
    [
        lambda path, _track: path.write_bytes(b"PK no track"),
        lambda path, _track: path.write_bytes(b""),
        lambda path, track: write_track(shorter(track), path),
        lambda path, track: write_track(replace(track, frame_rate=Fraction(24)), path),
        lambda path, track: write_track(replace(track, frame_size=(640, 480)), path),
    ],
    ids=["broken", "empty", "another length", "another rate", "another size"],
)
def test_a_track_that_is_broken_or_of_another_clip_is_measured_anew(
    astronaut: Picture,
    going_right: list[Picture],
    tmp_path: Path,
    change: Callable[[Path, Track], object],
) -> None:
    path = tmp_path / "clip.npz"
    right = followed(astronaut, going_right, path)
    measured = path.read_bytes()
    change(path, read_track(path))
    assert path.read_bytes() != measured

    frames = followed(astronaut, going_right, path)

    assert len(frames) == len(going_right)
    assert all(np.array_equal(one, other) for one, other in zip(frames, right, strict=True))
    assert read_track(path).frame_count == len(going_right)
    assert read_track(path).frame_size == (512, 512)


def test_a_track_that_cannot_be_written_is_no_failure(
    astronaut: Picture, going_right: list[Picture], tmp_path: Path
) -> None:
    frames = followed(astronaut, going_right, tmp_path / "no folder" / "clip.npz")

    assert len(frames) == len(going_right)


def test_a_clip_without_a_face_is_refused(astronaut: Picture) -> None:
    engine = MeshEngine()
    engine.prepare(astronaut, [FACE])

    with pytest.raises(NoFaceInClip):
        list(engine.animate(driving([np.zeros_like(astronaut)] * 3), None))


def test_no_thread_is_left_behind_when_the_caller_stops(astronaut: Picture) -> None:
    def endless() -> Iterator[Picture]:
        while True:
            yield astronaut

    engine = MeshEngine()
    engine.prepare(astronaut, [FACE])
    before = threading.active_count()

    with closing(engine.animate(Driving(endless(), FACE), None)) as batches:  # type: ignore[type-var]
        next(batches)

    assert threading.active_count() == before


def test_absolute_takes_over_the_drivers_pose(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    matrix = cv2.getRotationMatrix2D((225, 120), -15, 1)
    rolled = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    track = measure_track([np.asarray(rolled, np.uint8)] * 3, FACE, Fraction(25), landmarker)

    def roll(*, relative: bool) -> float:
        engine = MeshEngine(EngineOptions(relative=relative))
        engine.prepare(astronaut, [FACE])
        (frames,) = engine.animate(None, track)
        seen = pasted(astronaut, frames[0], engine.crop_for([FACE], astronaut))
        return float(np.degrees(_head(landmarker, seen).angles[2]))

    own = float(np.degrees(fit_head(astronaut_landmarks, landmarker.mesh).angles[2]))
    assert roll(relative=True) == pytest.approx(own, abs=1.5)
    assert roll(relative=False) - own == pytest.approx(14, abs=3)


def test_all_faces_move_one_later_than_the_other(pair: Picture) -> None:
    faces = [
        FACE.model_copy(
            update={"box": FACE.box.model_copy(update={"left": x + 74, "right": x + 174})}
        )
        for x in (0, 400)
    ]
    engine = MeshEngine()
    engine.prepare(pair, faces)
    box = engine.crop_for(faces, pair).box
    own = pair[box.upper : box.lower, box.left : box.right]
    motion = curves(brow=((0.0, 0.0), (0.3, 1.0)))

    frames = [frame for batch in engine.animate(None, motion) for frame in batch]

    def changed(part: slice) -> list[int]:
        return [int((frame != own)[:, part].sum()) for frame in frames]

    first, second = changed(slice(0, 200)), changed(slice(400, 600))
    assert first[1] > 0
    assert second[1] == 0
    assert second[-1] > 0
    middle = np.stack(frames)[:, :, 250:350]
    assert np.array_equal(middle, np.broadcast_to(own[:, 250:350], middle.shape))


def spoken(count: int, **values: float) -> Speech:
    """A face at rest in its first frame, and with these values in all others."""
    frames = np.zeros((count, len(SpeechChannel)), np.float32)
    for name, value in values.items():
        frames[1:, list(SpeechChannel).index(SpeechChannel(name))] = value
    return Speech(frames)


def test_a_voice_moves_the_photo_from_rest(astronaut: Picture) -> None:
    engine = MeshEngine()
    box = engine.crop_for([FACE], astronaut).box

    frames = played(engine, astronaut, spoken(7, jaw=1.0, speaking=1.0))

    assert len(frames) == 7
    assert np.array_equal(frames[0], astronaut[box.upper : box.lower, box.left : box.right])
    assert not np.array_equal(frames[1], frames[0])


def test_all_mouths_are_in_step_with_the_voice_and_heads_may_be_late(pair: Picture) -> None:
    faces = [
        FACE.model_copy(
            update={"box": FACE.box.model_copy(update={"left": x + 74, "right": x + 174})}
        )
        for x in (0, 400)
    ]
    engine = MeshEngine()
    engine.prepare(pair, faces)
    box = engine.crop_for(faces, pair).box

    def first_change(speech: Speech, left: int, rows: slice) -> int:
        whole = [
            pasted(pair, frame, EngineCrop(box))[rows, left : left + 200]
            for batch in engine.animate(None, speech)
            for frame in batch
        ]
        return next(index for index, one in enumerate(whole) if not np.array_equal(one, whole[0]))

    mouth, brows = slice(135, 150), slice(85, 100)
    speech = spoken(8, jaw=1.0, brow=1.0, speaking=1.0)
    assert [first_change(speech, left, mouth) for left in (0, 400)] == [1, 1]
    assert [first_change(speech, left, brows) for left in (0, 400)] == [1, 5]


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_strength_changes_the_opening_of_a_voice_and_not_its_shut_lips(
    landmarker: Landmarker, astronaut: Picture, strength: float
) -> None:
    def gap(speech: Speech, of: float) -> float:
        engine = MeshEngine(EngineOptions(strength=of))
        frames = played(engine, astronaut, speech)
        crop = engine.crop_for([FACE], astronaut)
        return float(_head(landmarker, pasted(astronaut, frames[1], crop)).gaps.max())

    opened = spoken(2, jaw=1.0, speaking=1.0)
    sealed = spoken(2, seal=1.0, jaw=0.2, speaking=1.0)
    assert (gap(opened, strength) - gap(opened, 1.0)) * (strength - 1) > 0.02
    assert gap(sealed, strength) < 0.6 * gap(opened, 0.5)


def test_a_face_that_stays_is_not_pulled_along(astronaut: Picture) -> None:
    pair = np.hstack([astronaut[:, 154:294], astronaut[:, 154:294]])
    left, right = (
        Face(number=1, box=FACE.box.model_copy(update={"left": x, "right": x + 100}), votes=5)
        for x in (20, 160)
    )
    motion = curves(yaw=((0.0, 0.0), (0.5, 0.35), (1.0, 0.35)))

    def change_beside(*still: Face) -> float:
        engine = MeshEngine()
        engine.still_faces = still
        box = engine.crop_for([left], pair).box
        engine.prepare(pair, [left])
        frames = [frame for batch in engine.animate(None, motion) for frame in batch]
        after = pasted(pair, frames[-1], EngineCrop(box)).astype(int)
        part = slice(66, 166), slice(right.box.left + 20, right.box.right)
        return float(np.abs(after[part] - pair[part]).max())

    assert change_beside() > 10
    assert change_beside(right) < 4


def _head(landmarker: Landmarker, picture: Picture) -> Head:
    landmarks = landmarker.look(picture, landmarker.detect(picture)[0].square)
    return fit_head(landmarker.look(picture, landmarks.square), landmarker.mesh)


def _nose_x(landmarker: Landmarker, picture: Picture) -> float:
    head = _head(landmarker, picture)
    return float(head.projected(head.points)[1, 0])
