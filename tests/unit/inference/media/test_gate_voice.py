"""A voice, or any other sound, at the gate: sound and curves, or one sentence."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.faces.landmarker import Landmarker
from inference.media.ffmpeg import executable
from inference.media.gate import CHILD, LookLimits, VoicePart, look_at, start_lead_look
from inference.media.limits import SoundLimits
from inference.voice.features import SAMPLE_RATE
from inference.voice.speech import Speech, SpeechChannel, read_speech
from jobs.errors import (
    FileMissing,
    GateFailed,
    MediaDamaged,
    MediaError,
    MediaTooLarge,
    NoSound,
    SoundTooLong,
    SoundTooShort,
    StartBeyondSound,
    UnsupportedSound,
)
from jobs.findings import VoiceFindings
from jobs.model import MediaWarning
from tests.unit.inference.media.sounds import RATE, clicks, decode, encode
from tests.unit.inference.voice.sounds import music, noise, silence, vowels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    return place


@pytest.fixture
def photo(tmp_path: Path, landmarker: Landmarker) -> Path:  # noqa: ARG001 - its faces are found
    Image.fromarray(skimage.data.astronaut()[0:200, 120:320]).save(tmp_path / "me.png")
    return tmp_path / "me.png"


def look_at_voice(
    part: VoicePart,
    folder: Path,
    limits: LookLimits | None = None,
    child: Sequence[str] = CHILD,
) -> VoiceFindings:
    with start_lead_look(part, folder, limits or LookLimits(), command=child) as looking:
        return looking.answer(VoiceFindings)


def look(source: Path, folder: Path) -> tuple[VoiceFindings, Speech]:
    """What the gate found, after checks that hold for each sound."""
    found = look_at_voice(VoicePart(source), folder)
    assert found.path == folder / "voice.m4a"
    assert found.curves_path == folder / "voice.npz"
    assert {path.name for path in folder.iterdir()} == {"voice.m4a", "voice.npz"}
    assert found.name == source.name
    speech = read_speech(found.curves_path)
    assert speech.frame_count == found.frame_count
    assert np.isfinite(speech.values).all()
    # The pictures cover the sound, and end at most one picture after it.
    sound_s = len(decode(found.path)) / RATE
    assert -0.001 < found.duration_s - sound_s <= 0.04
    return found, speech


def is_spoken(speech: Speech) -> bool:
    """Whether the mouth opens with the "a" of `vowels`, and is shut before and after."""
    jaw = speech.curve(SpeechChannel.JAW)
    return bool(jaw[12:20].mean() > 0.4 and max(jaw[:7].max(), jaw[-5:].max()) < 0.15)


def test_mouth_opens_with_a_vowel_and_shuts_with_its_end(tmp_path: Path, folder: Path) -> None:
    found, speech = look(encode(tmp_path / "a.wav", vowels(), rate=SAMPLE_RATE), folder)
    assert {*found.warnings} <= {MediaWarning.NO_PHONES}
    assert found.frame_count == 65
    assert is_spoken(speech)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_mouth_opens_at_every_rate(tmp_path: Path, folder: Path, rate: int) -> None:
    played = encode(tmp_path / "a.wav", vowels(), "-ar", str(rate), rate=SAMPLE_RATE)
    assert is_spoken(look(played, folder)[1])


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_mouth_opens_with_any_number_of_channels(tmp_path: Path, folder: Path, layout: str) -> None:
    mixed = ("-af", f"aformat=channel_layouts={layout}")
    played = encode(tmp_path / "a.wav", vowels(), *mixed, rate=SAMPLE_RATE)
    assert is_spoken(look(played, folder)[1])


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", ()), ("a.m4a", ()), ("a.ogg", ("-c:a", "libopus", "-b:a", "12k"))],
)
def test_mouth_opens_in_every_format(
    tmp_path: Path, folder: Path, name: str, codec: tuple[str, ...]
) -> None:
    played = encode(tmp_path / name, vowels(), *codec, rate=SAMPLE_RATE)
    assert is_spoken(look(played, folder)[1])


def test_sound_of_a_video_is_taken(tmp_path: Path, folder: Path) -> None:
    played = encode(tmp_path / "a.wav", vowels(), rate=SAMPLE_RATE)
    pictures = ("-f", "lavfi", "-i", "testsrc=s=64x48:d=3", "-i", str(played))
    film = tmp_path / "a.mp4"
    subprocess.run([executable(), "-v", "error", *pictures, str(film)], check=True)
    assert is_spoken(look(film, folder)[1])


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_without_a_voice_the_mouth_stays_shut_the_head_moves_and_it_is_said(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    samples = noise(3) if kind == "noise" else silence(3)
    found, speech = look(encode(tmp_path / "a.wav", samples, rate=SAMPLE_RATE), folder)
    assert MediaWarning.NO_VOICE in found.warnings
    mouth = list(SpeechChannel)[: list(SpeechChannel).index(SpeechChannel.SPEAKING)]
    assert max(speech.curve(channel).max() for channel in mouth) < 0.15
    assert np.ptp(speech.curve(SpeechChannel.YAW)) > 0


def test_without_pocketsphinx_the_mouth_follows_the_loudness_and_it_is_said(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "pocketsphinx.py").write_text("raise ImportError('hidden')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    found, speech = look(encode(tmp_path / "a.wav", vowels(), rate=SAMPLE_RATE), folder)
    assert found.warnings == (MediaWarning.NO_PHONES,)
    assert speech.curve(SpeechChannel.JAW).max() > 0.3


def test_music_is_a_sound_too(tmp_path: Path, folder: Path) -> None:
    _, speech = look(encode(tmp_path / "a.mp3", music(6), rate=SAMPLE_RATE), folder)
    assert speech.curve(SpeechChannel.JAW).mean() < 0.15


def test_of_a_cut_file_the_rest_is_spoken_and_it_is_said(tmp_path: Path, folder: Path) -> None:
    whole = encode(tmp_path / "a.flac", np.tile(vowels(), 3), rate=SAMPLE_RATE).read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    found, _ = look(tmp_path / "cut.flac", folder)
    assert MediaWarning.SOUND_DAMAGED in found.warnings
    assert 1 < found.duration_s < 4


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("a tenth of a second", SoundTooShort),
        ("61 seconds", SoundTooLong),
        ("half an m4a", MediaDamaged),
        ("a silent video", NoSound),
        ("text", UnsupportedSound),
        ("a picture", NoSound),
    ],
)
def test_what_cannot_be_spoken_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, folder: Path, kind: str, error: type[MediaError]
) -> None:
    with pytest.raises(error) as caught:
        look_at_voice(VoicePart(odd_file(tmp_path, kind)), folder)
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)  # what is wrong: what to do next
    assert list(folder.iterdir()) == []


def odd_file(folder: Path, kind: str) -> Path:
    if kind == "a tenth of a second":
        return encode(folder / "a.ogg", noise(0.1), rate=SAMPLE_RATE)
    if kind == "61 seconds":
        return encode(folder / "a.mp3", noise(61), rate=SAMPLE_RATE)
    if kind == "half an m4a":
        whole = encode(folder / "a.m4a", noise(2), rate=SAMPLE_RATE).read_bytes()
        (folder / "b.m4a").write_bytes(whole[: len(whole) // 2])
        return folder / "b.m4a"
    if kind == "text":
        (folder / "a.ogg").write_text("It was a dark and stormy night.\n" * 99)
        return folder / "a.ogg"
    if kind == "a picture":
        Image.new("RGB", (64, 64)).save(folder / "a.gif")
        return folder / "a.gif"
    pictures = ("-f", "lavfi", "-i", "testsrc=s=64x48:d=1")
    command = [executable(), "-v", "error", *pictures, str(folder / "a.mp4")]
    subprocess.run(command, check=True)
    return folder / "a.mp4"


def test_a_part_is_cut_out(tmp_path: Path, folder: Path) -> None:
    source = encode(tmp_path / "a.mp3", clicks())
    found = look_at_voice(VoicePart(source, start_s=0.5, duration_s=1.0), folder)
    assert found.frame_count == 25
    heard = np.abs(decode(found.path))
    assert np.argmax(heard > 0.2) / RATE == pytest.approx(0.5, abs=0.001)
    with pytest.raises(StartBeyondSound):
        look_at_voice(VoicePart(source, start_s=9.0), folder)


def test_the_same_file_gives_the_same_curves(tmp_path: Path, folder: Path) -> None:
    source = encode(tmp_path / "a.ogg", vowels(), rate=SAMPLE_RATE)
    first, second = (look(source, folder)[1].values for _ in range(2))
    assert np.array_equal(first, second)


def test_photo_and_voice_are_looked_at_together(photo: Path, tmp_path: Path, folder: Path) -> None:
    source = encode(tmp_path / "a.ogg", vowels(), rate=SAMPLE_RATE)
    photo_found, voice_found = look_at(photo, VoicePart(source), folder)
    assert photo_found.faces
    assert isinstance(voice_found, VoiceFindings)
    assert voice_found.frame_count == 65


def test_bad_voice_takes_the_good_photo_with_it(photo: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "text.ogg").write_text("no sound")
    with pytest.raises(UnsupportedSound):
        look_at(photo, VoicePart(tmp_path / "text.ogg"), folder)
    assert list(folder.iterdir()) == []


def test_file_is_checked_before_a_child_is_started(tmp_path: Path, folder: Path) -> None:
    nothing = ("/no/such/program",)
    with pytest.raises(FileMissing):
        look_at_voice(VoicePart(tmp_path / "none.ogg"), folder, child=nothing)
    source = encode(tmp_path / "a.wav", noise(1), rate=SAMPLE_RATE)
    limits = LookLimits(voice=SoundLimits(max_bytes=10))
    with pytest.raises(MediaTooLarge):
        look_at_voice(VoicePart(source), folder, limits, child=nothing)


def test_curves_that_are_not_where_they_should_be_are_not_taken(
    tmp_path: Path, folder: Path
) -> None:
    source = encode(tmp_path / "a.wav", noise(1), rate=SAMPLE_RATE)
    program = tmp_path / "fake.py"
    program.write_text(
        "import json, os, sys\n"
        "request = json.load(sys.stdin)\n"
        "print('{\"ready\": true}', flush=True)\n"
        "names = [request['folder'] + name for name in ('/voice.m4a', '/voice.npz')]\n"
        "open(names[0], 'w').close()\n"
        "os.symlink(request['source'], names[1])\n"
        "print(json.dumps(dict(file=names[0], curves=names[1], frame_count=1)))\n"
    )
    with pytest.raises(GateFailed, match="its answer is invalid"):
        look_at_voice(VoicePart(source), folder, child=(sys.executable, str(program)))
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are Linux's")
def test_a_minute_needs_little_memory(tmp_path: Path, folder: Path) -> None:
    source = encode(tmp_path / "a.mp3", np.tile(vowels(), 23), rate=SAMPLE_RATE)
    found = look_at_voice(VoicePart(source), folder, LookLimits(memory_bytes=1000 << 20))
    assert found.frame_count == 1495
