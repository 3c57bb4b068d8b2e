"""Any file with sound is read; anything else is refused in one sentence."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from inference.media.ffmpeg import executable
from inference.voice.features import SAMPLE_RATE
from inference.voice.sound import read_sound
from jobs.errors import (
    AnimatoError,
    EmptyFile,
    FileMissing,
    MediaDamaged,
    NoSoundTrack,
    SilentSound,
    SoundTooLong,
    SoundTooShort,
    UnsupportedSound,
)


def made(path: Path, *arguments: str) -> Path:
    """A file by ffmpeg from lavfi sources and options."""
    command = [executable(), "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path


def lavfi(source: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", source)


def clicks(path: Path, *options: str) -> Path:
    """A tone of 1 kHz between 1 and 1.1 s of 2 s."""
    source = "aevalsrc=0.5*sin(2*PI*1000*t)*between(t\\,1\\,1.1):d=2:s=48000"
    return made(path, *lavfi(source), *options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("voice.ogg", ("-c:a", "libopus")),
        ("voice.mp3", ()),
        ("voice.m4a", ()),
        ("voice.flac", ()),
        ("voice.webm", ()),
        ("low.wav", ("-ar", "8000")),
        ("high.wav", ("-ar", "96000", "-c:a", "pcm_s24le")),
        ("stereo.wav", ("-ac", "2")),
        ("surround.wav", ("-ac", "6")),
        ("voice.mp4", ("-f", "mp4")),
    ],
)
def test_sounds_of_all_kinds_are_read_in_time(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    sound = read_sound(clicks(tmp_path / name, *options))
    assert sound.dtype == np.float32
    assert abs(len(sound) / SAMPLE_RATE - 2) < 0.03
    loud = np.flatnonzero(np.abs(sound) > 0.3 * np.abs(sound).max()) / SAMPLE_RATE
    assert abs(loud[0] - 1) < 0.01
    assert abs(loud[-1] - 1.1) < 0.01


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    sources = (*lavfi("testsrc=d=1"), *lavfi("sine=d=1"))
    assert len(read_sound(made(tmp_path / "clip.mp4", *sources))) == SAMPLE_RATE


def test_a_part_of_a_sound_is_read(tmp_path: Path) -> None:
    path = clicks(tmp_path / "voice.m4a")
    part = read_sound(path, start_s=0.9, duration_s=0.5)
    assert len(part) == SAMPLE_RATE // 2
    loud = np.flatnonzero(np.abs(part) > 0.2) / SAMPLE_RATE
    assert abs(loud[0] - 0.1) < 0.01


def test_a_minute_is_read_and_a_second_more_is_refused_unless_a_part_is_chosen(
    tmp_path: Path,
) -> None:
    minute = made(tmp_path / "minute.m4a", *lavfi("sine=d=60"), "-ar", "44100")
    assert len(read_sound(minute)) == 60 * SAMPLE_RATE
    longer = made(tmp_path / "longer.ogg", *lavfi("sine=d=61"), "-c:a", "libopus")
    with pytest.raises(SoundTooLong, match="60 s"):
        read_sound(longer)
    assert len(read_sound(longer, duration_s=60)) == 60 * SAMPLE_RATE
    assert len(read_sound(longer, start_s=40)) == 21 * SAMPLE_RATE


def test_a_cut_sound_is_read_up_to_there(tmp_path: Path) -> None:
    path = made(tmp_path / "voice.ogg", *lavfi("sine=d=4"), "-c:a", "libopus")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0.3 < len(read_sound(path)) / SAMPLE_RATE < 3.5


def refusals(folder: Path) -> dict[Path, type[AnimatoError]]:
    text = folder / "text.ogg"
    text.write_text("Hello, this is no sound.\n")
    playlist = folder / "list.mp3"
    playlist.write_text("#EXTM3U\nhttp://127.0.0.1/secret.ts\n")
    script = folder / "script.wav"
    script.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    empty = folder / "empty.ogg"
    empty.touch()
    noise = folder / "noise.mp3"
    noise.write_bytes(np.random.default_rng(1).bytes(5000))
    cut = made(folder / "cut.m4a", *lavfi("sine=d=2"))
    cut.write_bytes(cut.read_bytes()[:3000])
    head = made(folder / "head.ogg", *lavfi("sine=d=2"), "-c:a", "libopus")
    head.write_bytes(head.read_bytes()[:60])
    return {
        text: UnsupportedSound,
        playlist: UnsupportedSound,
        script: UnsupportedSound,
        noise: UnsupportedSound,
        empty: EmptyFile,
        folder / "missing.ogg": FileMissing,
        cut: MediaDamaged,
        head: MediaDamaged,
        made(folder / "mute.mp4", *lavfi("testsrc=d=1")): NoSoundTrack,
        made(folder / "short.wav", *lavfi("sine=d=0.1")): SoundTooShort,
        made(folder / "silent.wav", *lavfi("anullsrc"), "-t", "2"): SilentSound,
    }


def test_what_no_face_can_speak_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for path, error in refusals(tmp_path).items():
        with pytest.raises(error) as raised:
            read_sound(path)
        assert path.name in str(raised.value)
        assert str(tmp_path) not in str(raised.value)


def test_a_start_beyond_the_end_leaves_nothing_to_say(tmp_path: Path) -> None:
    path = clicks(tmp_path / "voice.ogg", "-c:a", "libopus")
    with pytest.raises(SoundTooShort):
        read_sound(path, start_s=5)
