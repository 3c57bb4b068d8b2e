"""A voice leads the face, in each engine, and is heard in the video when it should be."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.arrays import Picture
from inference.choose import TemplateSource, one_movement
from inference.engine import Driving, Engine, Motion
from inference.engines.mesh import MeshEngine
from inference.engines.still import StillEngine
from inference.media.sound import normalise_sound
from inference.pipeline import animate_photo
from inference.speaking import ShownSpeech
from inference.template_build import driving_portrait
from inference.voice.speech import Speech, SpeechChannel, write_speech
from jobs.errors import BrokenSpeech, RecordedHead
from jobs.findings import VoiceFindings
from jobs.model import CropBox, Face
from jobs.templates import CurveMotion
from jobs.wish import Movement, Video, Wish
from tests.unit.inference.media.sounds import click_errors_ms, clicks, decode, encode
from tests.wishes import make_photo

FACE = Face(number=1, box=CropBox(left=55, upper=62, right=151, lower=158), votes=5)
TEMPLATES = """
- name: nod
  emoji: N
  title: {en: Nod}
  licence: ours
  motion: {duration_s: 0.5, fps: 24, curves: {pitch: [[0, 0], [0.25, 0.15], [0.5, 0]]}}
- name: track
  emoji: T
  title: {en: Track}
  licence: ours
  motion: {clip: track.mp4, track: track.npz}
"""
FORMATS = [
    ("a.wav", ()),
    ("a.ogg", ("-c:a", "libopus", "-b:a", "24k")),
    ("a.mp3", ()),
    ("a.m4a", ()),
]


class NeedsClip(StillEngine):
    """Shows the photo, and keeps the clip that leads it."""

    name = "needs_clip"
    evaluates_motions = False

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        assert driving is not None
        assert motion is None
        assert driving.identity is None
        self.face = driving.face
        self.seen = []
        for frame in driving.frames:
            self.seen.append(frame)
            yield [self._photo]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()[0:200, 120:320]).save(path)
    return path


@pytest.fixture
def source(tmp_path: Path) -> TemplateSource:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "templates.yaml").write_text(TEMPLATES, "utf-8")
    (folder / "track.mp4").write_bytes(b"not looked at")
    return TemplateSource(folder, folder)


def speech_of(frame_count: int) -> Speech:
    """The jaw falls, and comes back."""
    values = np.zeros((frame_count, len(SpeechChannel)), np.float32)
    values[:, list(SpeechChannel).index(SpeechChannel.JAW)] = np.hanning(frame_count)
    return Speech(values)


def voice_of(sound: Path, frame_count: int) -> VoiceFindings:
    """What the gate finds, with curves made by hand."""
    target = sound.parent / "voice.m4a"
    normalise_sound(sound, target)
    curves = sound.parent / "voice.npz"
    write_speech(speech_of(frame_count), curves)
    return VoiceFindings(
        file=str(target), curves=str(curves), name=sound.name, frame_count=frame_count
    )


def wish_of(
    photo: Path, voice: VoiceFindings, template: str | None = None, *, audio: bool = True
) -> Wish:
    found = make_photo(str(photo), width=200, height=200, faces=(FACE,))
    return Wish(photo=found, movement=Movement.of_voice(voice, template), audio=audio)


def hummed(folder: Path, frame_count: int = 20) -> VoiceFindings:
    """A voice that hums for so many frames."""
    times_s = np.arange(frame_count * 48_000 // 25) / 48_000
    return voice_of(encode(folder / "hum.wav", np.sin(700 * times_s)), frame_count)


# --- what leads -----------------------------------------------------------------------------------


def test_engine_that_evaluates_motions_gets_the_curves(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    found = one_movement(wish_of(photo, hummed(tmp_path)), StillEngine(), source)
    assert isinstance(found, Speech)
    assert found.head is None
    assert found.frame_count == 20
    assert found.curve(SpeechChannel.JAW).max() > 0.9


def test_template_leads_the_head(photo: Path, tmp_path: Path, source: TemplateSource) -> None:
    found = one_movement(wish_of(photo, hummed(tmp_path), "nod"), StillEngine(), source)
    assert isinstance(found, Speech)
    assert isinstance(found.head, CurveMotion)
    assert found.head.fps == 24
    assert found.curve(SpeechChannel.JAW).max() > 0.9


def test_recorded_template_is_refused_with_a_voice(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    (source.folder / "track.npz").write_bytes(b"not looked at")
    wish = wish_of(photo, hummed(tmp_path), "track")
    with pytest.raises(RecordedHead, match=r"track is a recorded movement.*choose another"):
        one_movement(wish, StillEngine(), source)


def test_curves_that_are_something_else_are_one_sentence(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    voice = hummed(tmp_path)
    voice.curves_path.write_bytes(b"something else")
    with pytest.raises(BrokenSpeech, match=r"voice\.npz"):
        one_movement(wish_of(photo, voice), StillEngine(), source)


@pytest.mark.usefixtures("landmarker")
def test_engine_that_needs_a_clip_sees_the_portrait_speak(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    engine = NeedsClip()
    wish = wish_of(photo, hummed(tmp_path))
    assert isinstance(one_movement(wish, engine, source), ShownSpeech)
    video = animate_photo(wish, engine, tmp_path / "a.mp4", source)
    assert video.has_sound
    assert video.frame_count == len(engine.seen) == 20
    assert np.array_equal(engine.seen[0], driving_portrait())
    box = engine.face.box
    mouth = np.s_[(box.upper + box.lower) // 2 : box.lower, box.left : box.right]
    changes = [float(np.abs(one[mouth].astype(int) - engine.seen[0][mouth]).mean())
               for one in engine.seen]  # fmt: skip
    assert 8 <= np.argmax(changes) <= 12
    assert max(changes) > 4 * max(changes[1], changes[-2])


@pytest.mark.usefixtures("landmarker")
def test_portrait_begins_at_rest_though_the_voice_begins_with_an_open_mouth() -> None:
    values = np.zeros((3, len(SpeechChannel)), np.float32)
    values[:, list(SpeechChannel).index(SpeechChannel.JAW)] = 1
    speech = Speech(values)
    with ShownSpeech.of(speech, Path("checkpoints")).opened() as driving:
        first, second, _ = driving.frames
    assert np.array_equal(first, driving_portrait())
    assert not np.array_equal(second, first)
    assert speech.values.any(axis=1).all()


# --- the video ------------------------------------------------------------------------------------


def streams_of(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        return sorted(stream.type for stream in film.streams)


def times_s_of(path: Path) -> tuple[float, float]:
    """When the first picture appears, and the last one ends."""
    with av.open(str(path)) as film:
        times_s = [frame.time for frame in film.decode(video=0)]
    assert times_s[0] is not None
    assert times_s[-1] is not None
    return times_s[0], times_s[-1] + 1 / 25


def spoken(wish: Wish, output: Path, source: TemplateSource, engine: Engine | None = None) -> Video:
    return animate_photo(wish, engine or StillEngine(), output, source)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_sound_starts_when_it_should_and_the_pictures_cover_it(
    photo: Path,
    tmp_path: Path,
    source: TemplateSource,
    name: str,
    codec: tuple[str, ...],
    ending: str,
) -> None:
    voice = voice_of(encode(tmp_path / name, clicks(3.51), *codec), 88)
    output = tmp_path / f"film{ending}"
    video = spoken(wish_of(photo, voice), output, source)
    assert video.has_sound
    assert streams_of(output) == ["audio", "video"]
    assert np.abs(click_errors_ms(output)).max() < 10
    begin_s, end_s = times_s_of(output)
    assert begin_s == 0
    sound_s = len(decode(output)) / 48_000
    assert -0.001 < end_s - sound_s <= 0.04


def test_sound_that_is_longer_than_the_pictures_ends_with_them(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    voice = voice_of(encode(tmp_path / "a.wav", clicks(4)), 90)
    spoken(wish_of(photo, voice), tmp_path / "a.mp4", source)
    assert np.abs(click_errors_ms(tmp_path / "a.mp4")).max() < 10
    assert len(decode(tmp_path / "a.mp4")) / 48_000 == pytest.approx(90 / 25, abs=0.03)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_voice_becomes_a_silent_animation_where_that_is_wanted(
    photo: Path, tmp_path: Path, source: TemplateSource, ending: str
) -> None:
    output = tmp_path / f"a{ending}"
    assert not spoken(wish_of(photo, hummed(tmp_path)), output, source).has_sound
    with Image.open(output) as animation:
        assert animation.size == (200, 200)


def test_sound_can_be_left_out(photo: Path, tmp_path: Path, source: TemplateSource) -> None:
    wish = wish_of(photo, hummed(tmp_path), audio=False)
    assert not spoken(wish, tmp_path / "a.mp4", source).has_sound
    assert streams_of(tmp_path / "a.mp4") == ["video"]


@pytest.mark.usefixtures("landmarker")
def test_mouth_of_the_photo_moves_with_the_curves(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "a.mp4"
    spoken(wish_of(photo, hummed(tmp_path)), output, source, MeshEngine())
    with av.open(str(output)) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    mouth = np.s_[110:158, 75:131]
    changes = [float(np.abs(frame[mouth] - frames[0][mouth]).mean()) for frame in frames]
    assert 7 <= int(np.argmax(changes)) <= 13
    assert max(changes) > 3 * changes[-1]
