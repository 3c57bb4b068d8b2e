"""The engine as the pipeline sees it, with networks that show what they are given."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from inference.arrays import Floats, Picture
from inference.choose import TemplateSource
from inference.engine import Driving
from inference.engine_options import EngineOptions
from inference.engines.liveportrait import LivePortraitEngine
from inference.extras import missing_neural
from inference.faces.finder import find_faces
from inference.faces.landmarker import Landmarker
from inference.liveportrait.files import FILES
from inference.media.photo import write_png
from inference.media.sound import normalise_sound
from inference.pipeline import animate_photo
from inference.voice.speech import Speech, SpeechChannel, write_speech
from inference.weights.store import WeightsStore
from jobs.model import CropBox, Face
from jobs.templates import SHIPPED_TEMPLATES
from jobs.weights_errors import WeightsMissing, WeightsOffline
from jobs.wish import Movement, Video, Wish
from tests.conftest import Require
from tests.unit.inference.liveportrait.motions import NoNetworks, driving_of, template_frames
from tests.unit.inference.media.sounds import RATE, encode
from tests.wishes import make_photo, make_voice

REST_LEVEL = 100


class Showing(NoNetworks):
    """Networks that see how bright a picture is, and answer with one grey.

    A clip's picture that is brighter than its rest moves all key points to the right, and the
    square gets as much brighter.
    """

    batch_size = 2
    motion_sha256 = "5ee"

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.batches: list[int] = []
        self.last = np.zeros((1, 21, 3), np.float32)

    def motion(self, pictures: Any) -> Any:
        count = len(pictures)
        self.seen += count
        translation = np.zeros((count, 3), np.float32)
        translation[:, 0] = pictures.mean(dim=(1, 2, 3)).numpy()
        angles: dict[str, Floats] = {
            f"{name}_deg": np.zeros(count, np.float32) for name in ("pitch", "yaw", "roll")
        }
        return SimpleNamespace(
            **angles,
            translation=translation,
            expression=np.zeros((count, 21, 3), np.float32),
            scale=np.ones(count, np.float32),
            keypoints=np.zeros((count, 21, 3), np.float32),
        )

    def appearance(self, photo: Any) -> Any:
        return photo

    def prepare_source(self, feature: Any, source_keypoints: Floats) -> Floats:
        assert feature.shape == (1, 3, 256, 256)
        return source_keypoints

    def render(self, source: Floats, driving_keypoints: Floats) -> Picture:
        self.batches.append(len(driving_keypoints))
        self.last = driving_keypoints - source
        moved = 255 * (driving_keypoints - source)[:, :, 0].mean(axis=1)
        frames = np.empty((len(moved), 512, 512, 3), np.uint8)
        frames[:] = np.rint(REST_LEVEL + moved)[:, None, None, None].clip(0, 255)
        return frames


class Ready(LivePortraitEngine):
    """Has its networks."""

    def __init__(self, networks: Showing, store: WeightsStore | None, **chosen: Any) -> None:
        super().__init__(EngineOptions(**chosen), store)
        self._networks: Any = networks

    def load(self) -> None:
        """Nothing is to be loaded."""


@pytest.fixture(autouse=True)
def needs(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")


@pytest.fixture
def photo(astronaut: Picture) -> Picture:
    return np.ascontiguousarray(astronaut[:300, 60:400])


@pytest.fixture
def face(photo: Picture, landmarker: Landmarker) -> Face:
    return find_faces(photo, landmarker)[0]


@pytest.fixture
def clip() -> list[Picture]:
    """The head nods, and from the fourth frame on it is lighter; its first frames are calm."""
    frames = template_frames("nod", 0, 12, 2)
    return [
        np.clip(frame.astype(int) + 8 * (at > 2), 0, 255).astype(np.uint8)
        for at, frame in enumerate(frames)
    ]


def frames_of(
    engine: LivePortraitEngine, photo: Picture, driving: Driving, *faces: Face
) -> list[Picture]:
    engine.crop_for(faces, photo)
    engine.prepare(photo, faces)
    return [frame for batch in engine.animate(driving, None) for frame in batch]


def store_of(folder: Path) -> WeightsStore:
    return WeightsStore(folder, is_offline=True)


def levels(
    frames: list[Picture], photo: Picture, engine: LivePortraitEngine, face: Face
) -> npt.NDArray[Any]:
    """The grey in the middle of a face."""
    box = engine.crop_for((face,), photo).box
    x, y = (round(at) for at in face.box.centre)
    return np.array([frame[y - box.upper, x - box.left, 0] for frame in frames], int)


def test_frames_cover_the_box_and_only_the_square_changes(
    photo: Picture, face: Face, clip: list[Picture]
) -> None:
    engine = Ready(Showing(), None)
    frames = frames_of(engine, photo, driving_of(clip), face)
    crop = engine.crop_for((face,), photo)
    box = crop.box
    part = photo[box.upper : box.lower, box.left : box.right]
    assert len(frames) == len(clip)
    assert crop.feather_px == 0
    for frame in frames:
        assert frame.shape == part.shape == (crop.frame_height, crop.frame_width, 3)
    changed = (frames[0] != part).any(axis=-1)
    assert 0.7 < changed.mean() < 1, "a square that is turned a little"
    assert not changed[-1, 0]
    assert not changed[-1, -1]


def test_movement_is_measured_from_rest_and_scaled(
    photo: Picture, face: Face, clip: list[Picture]
) -> None:
    plain, strong = (Ready(Showing(), None, strength=strength) for strength in (1.0, 1.5))
    shown = levels(frames_of(plain, photo, driving_of(clip), face), photo, plain, face)
    stronger = levels(frames_of(strong, photo, driving_of(clip), face), photo, strong, face)
    assert np.abs(shown[:2] - REST_LEVEL).max() <= 5
    assert np.ptp(shown) > 3
    assert stronger - REST_LEVEL == pytest.approx(1.5 * (shown - REST_LEVEL), abs=2)


def test_single_frame_shows_its_expression(photo: Picture, face: Face, clip: list[Picture]) -> None:
    networks = Showing()
    engine = Ready(networks, None)
    assert len(frames_of(engine, photo, driving_of(clip[:1]), face)) == 1
    # These see no expression at all, which is shorter lips than those at rest.
    assert networks.last[0, 19, 1] == pytest.approx(0.015, abs=1e-3)


def test_nothing_of_the_photo_is_left_between_two_faces_that_move(
    astronaut: Picture, landmarker: Landmarker, clip: list[Picture]
) -> None:
    photo = np.ascontiguousarray(np.hstack([astronaut[:220, 165:290]] * 2))
    photo[:, 120:130] = 255
    faces = find_faces(photo, landmarker)
    assert len(faces) == 2
    engine = Ready(Showing(), None)
    for moving in (faces, faces[::-1]):
        frame = frames_of(engine, photo, driving_of(clip[:2]), *moving)[0].astype(int)
        box = engine.crop_for(moving, photo).box
        between = frame[60 - box.upper : 160 - box.upper, 100 - box.left : 150 - box.left]
        assert np.abs(between - REST_LEVEL).max() <= 10


def test_two_faces_move_and_a_third_stays(
    astronaut: Picture, landmarker: Landmarker, clip: list[Picture]
) -> None:
    head = astronaut[:220, 165:290]
    photo = np.ascontiguousarray(np.hstack([head] * 3))
    faces = sorted(find_faces(photo, landmarker), key=lambda one: one.box.left)
    assert len(faces) == 3
    engine = Ready(Showing(), None)
    engine.still_faces = (faces[1],)
    moving = faces[0], faces[2]
    frames = frames_of(engine, photo, driving_of(clip[:2]), *moving)
    box = engine.crop_for(moving, photo).box
    part = photo[box.upper : box.lower, box.left : box.right]
    changed = (frames[0] != part).any(axis=-1)
    places = [tuple(round(at) for at in one.box.centre) for one in faces]
    assert [bool(changed[y - box.upper, x - box.left]) for x, y in places] == [True, False, True]
    spared = faces[1].box
    assert not changed[
        spared.upper : spared.lower, spared.left - box.left + 10 : spared.right - box.left - 10
    ].any()


def test_template_is_measured_once(
    photo: Picture, face: Face, clip: list[Picture], tmp_path: Path
) -> None:
    first, again, other = Showing(), Showing(), Showing()

    made = frames_of(
        Ready(first, store_of(tmp_path)), photo, driving_of(clip, identity="nod"), face
    )
    driving = Driving(iter(()), driving_of(clip).face, identity="nod", frame_count=len(clip))
    same = frames_of(Ready(again, store_of(tmp_path)), photo, driving, face)
    assert all((one == two).all() for one, two in zip(made, same, strict=True))
    assert (first.seen, again.seen) == (len(clip) + 1, 1)
    (kept,) = (tmp_path / "motion_tracks").iterdir()
    assert kept.suffix == ".npz"
    # Other weights see something else.
    other.motion_sha256 = "07e"
    frames_of(Ready(other, store_of(tmp_path)), photo, driving_of(clip, identity="nod"), face)
    assert other.seen == len(clip) + 1
    assert len(list((tmp_path / "motion_tracks").iterdir())) == 2


def test_damaged_track_and_one_of_another_length_are_measured_again(
    photo: Picture, face: Face, clip: list[Picture], tmp_path: Path
) -> None:
    store = store_of(tmp_path)
    frames_of(Ready(Showing(), store), photo, driving_of(clip, identity="nod"), face)
    (kept,) = (tmp_path / "motion_tracks").iterdir()
    kept.write_bytes(b"damaged")
    networks = Showing()
    frames_of(Ready(networks, store), photo, driving_of(clip, identity="nod"), face)
    assert networks.seen == len(clip) + 1
    shorter = driving_of(clip[:4], identity="nod")
    assert len(frames_of(Ready(Showing(), store), photo, shorter, face)) == 4


def test_nothing_is_kept_of_a_person_s_clip(
    photo: Picture, face: Face, clip: list[Picture], tmp_path: Path
) -> None:
    frames_of(Ready(Showing(), store_of(tmp_path)), photo, driving_of(clip), face)
    assert list(tmp_path.iterdir()) == []


def made_of(movement: Movement, photo: Picture, face: Face, folder: Path) -> tuple[Video, Showing]:
    """The video of the pipeline, and what the networks were given."""
    write_png(photo, folder / "photo.png")
    size = {"width": photo.shape[1], "height": photo.shape[0]}
    found = make_photo(str(folder / "photo.png"), faces=(face,), **size)
    networks = Showing()
    engine = Ready(networks, store_of(folder / "store"))
    source = TemplateSource(SHIPPED_TEMPLATES, folder)
    wish = Wish(photo=found, movement=movement)
    return animate_photo(wish, engine, folder / "made.mp4", source), networks


def test_template_is_seen_in_its_video(photo: Picture, face: Face, tmp_path: Path) -> None:
    video, networks = made_of(Movement(template="blink"), photo, face, tmp_path)
    assert (video.engine, video.frame_count) == ("liveportrait", 75)
    assert (video.width, video.height) == (photo.shape[1], photo.shape[0])
    assert networks.seen == 76
    assert len(list((tmp_path / "store" / "motion_tracks").iterdir())) == 1


def test_voice_is_seen_in_a_portrait_that_speaks_and_nothing_is_kept(
    photo: Picture, face: Face, tmp_path: Path
) -> None:
    write_speech(Speech(np.zeros((10, len(SpeechChannel)), np.float32)), tmp_path / "voice.npz")
    voice = make_voice(str(tmp_path), frame_count=10)
    normalise_sound(encode(tmp_path / "a.wav", np.zeros(RATE, np.float32)), tmp_path / "voice.m4a")
    video, networks = made_of(Movement.of_voice(voice), photo, face, tmp_path)
    assert (video.frame_count, video.has_sound) == (10, True)
    assert networks.seen == 11
    assert not (tmp_path / "store").exists()


def test_batches_are_small_and_the_caller_can_stop_between_them(
    photo: Picture, face: Face, clip: list[Picture]
) -> None:
    networks = Showing()
    engine = Ready(networks, None)
    engine.crop_for((face,), photo)
    engine.prepare(photo, (face,))
    batches = engine.animate(driving_of(clip), None)
    assert next(batches) == (), "while it measures"
    while not next(batches):
        pass
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert max(networks.batches) <= 2
    assert "ahead" not in {thread.name for thread in threading.enumerate()}


def test_engine_needs_a_clip(photo: Picture, face: Face) -> None:
    engine = Ready(Showing(), None)
    engine.crop_for((face,), photo)
    engine.prepare(photo, (face,))
    with pytest.raises(ValueError, match="needs a clip"):
        next(iter(engine.animate(None, None)))


def test_box_without_a_face_moves_all_the_same(photo: Picture, clip: list[Picture]) -> None:
    drawn = Face(number=1, box=CropBox(left=250, upper=60, right=290, lower=100), votes=0)
    engine = Ready(Showing(), None)
    box = engine.crop_for((drawn,), photo).box
    assert box.width == pytest.approx(2.15 * 40, abs=2)
    frames = frames_of(engine, photo, driving_of(clip[:2]), drawn)
    assert levels(frames, photo, engine, drawn)[0] == pytest.approx(REST_LEVEL, abs=5)


def test_all_five_files_are_needed(tmp_path: Path) -> None:
    (lacking,) = LivePortraitEngine.missing_files(EngineOptions(), store_of(tmp_path))
    assert "animato weights fetch liveportrait" in lacking
    assert LivePortraitEngine.missing_files(EngineOptions(), None)
    with pytest.raises(WeightsMissing):
        LivePortraitEngine().load()


def test_files_that_are_not_there_are_told_by_name(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, is_offline=True)
    with pytest.raises(WeightsOffline, match=FILES[0]):
        LivePortraitEngine(weights=store).load()
