"""Any sound becomes an m4a that starts where the sound does, or one sentence."""

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from inference.media.ffmpeg import executable
from inference.media.limits import SoundLimits
from inference.media.sound import NormalisedSound, normalise_sound
from inference.voice.features import SAMPLE_RATE
from inference.voice.sound import read_sound
from jobs.errors import (
    DiskFull,
    EmptyFile,
    MediaDamaged,
    MediaError,
    MediaTooLarge,
    NoSound,
    SoundEndsSoon,
    SoundTooLong,
    SoundTooShort,
    StartBeyondSound,
    UnsupportedSound,
    UnsupportedSoundCodec,
)
from tests.unit.inference.media.sounds import (
    RATE,
    Samples,
    click_errors_ms,
    clicks,
    decode,
    encode,
)


def tone(length_s: float, rate: int = RATE) -> Samples:
    return np.asarray(0.3 * np.sin(np.arange(round(length_s * rate)) * 2000 / rate), np.float32)


def normalised(
    source: Path, start_s: float = 0.0, duration_s: float | None = None
) -> NormalisedSound:
    """The sound, after checks that hold for each: what it is, and that nothing lies about."""
    target = source.parent / "result" / "voice.m4a"
    target.parent.mkdir(exist_ok=True)
    try:
        found = normalise_sound(source, target, start_s=start_s, duration_s=duration_s)
    except MediaError:
        assert list(target.parent.iterdir()) == []
        raise
    with av.open(str(found.path)) as m4a:
        (stream,) = m4a.streams
        codec = m4a.streams.audio[0].codec_context
        assert (codec.name, codec.sample_rate, stream.start_time) == ("aac", 48_000, 0)
        assert codec.channels in (1, 2)
    return found


def video(path: Path, *sound: str) -> Path:
    pictures = ("-f", "lavfi", "-i", "testsrc=s=64x48:d=2")
    subprocess.run([executable(), "-v", "error", "-y", *pictures, *sound, str(path)], check=True)
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.ogg", ("-c:a", "libopus", "-b:a", "24k")),
        ("b.ogg", ("-c:a", "libvorbis")),
        ("a.mp3", ()),
        ("a.m4a", ()),
        ("a.flac", ()),
        ("a.webm", ("-c:a", "libopus")),
        ("a.aiff", ()),
        ("a.caf", ()),
        ("a.wma", ()),
    ],
)
def test_every_format_starts_where_the_original_does(
    tmp_path: Path, name: str, codec: tuple[str, ...]
) -> None:
    source = encode(tmp_path / name, clicks(), *codec)
    # What ffmpeg itself hears there: WMA starts later after encoding.
    already_ms = click_errors_ms(source)
    found = normalised(source)
    assert found.duration_s == pytest.approx(3.5, abs=0.1)
    assert not found.damaged
    assert np.abs(np.subtract(click_errors_ms(found.path), already_ms)).max() < 1
    assert np.abs(already_ms).max() < (50 if name.endswith("wma") else 1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000])
def test_every_rate_of_a_wav_starts_where_the_original_does(tmp_path: Path, rate: int) -> None:
    found = normalised(encode(tmp_path / "a.wav", clicks(rate=rate), rate=rate))
    assert found.duration_s == pytest.approx(3.5, abs=0.001)
    assert np.abs(click_errors_ms(found.path)).max() < 1


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_f32le", "pcm_mulaw"])
def test_every_coding_of_a_wav_is_heard(tmp_path: Path, codec: str) -> None:
    found = normalised(encode(tmp_path / "a.wav", tone(1), "-c:a", codec))
    assert np.abs(decode(found.path)).mean() == pytest.approx(0.3 * 2 / np.pi, rel=0.1)


@pytest.mark.parametrize(("channels", "kept"), [(1, 1), (2, 2), (6, 2)])
def test_mono_and_stereo_are_kept_and_more_channels_become_two(
    tmp_path: Path, channels: int, kept: int
) -> None:
    samples = np.repeat(tone(1)[:, None], channels, axis=1)
    found = normalised(encode(tmp_path / "a.wav", samples))
    with av.open(str(found.path)) as m4a:
        assert m4a.streams.audio[0].codec_context.channels == kept
    assert np.abs(decode(found.path)).max() > 0.1


def test_silence_is_a_sound(tmp_path: Path) -> None:
    found = normalised(encode(tmp_path / "a.ogg", 0 * tone(2)))
    assert found.duration_s == pytest.approx(2)
    assert np.abs(decode(found.path)).max() < 1e-3


def test_sound_of_a_video_that_begins_late_begins_with_silence(tmp_path: Path) -> None:
    late = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=300:d=1", "-c:a", "aac")
    heard = np.abs(decode(normalised(video(tmp_path / "a.mkv", *late)).path))
    assert heard[: round(0.45 * RATE)].max() < 0.01
    assert heard[round(0.55 * RATE) : RATE].max() > 0.1


def test_gap_in_a_sound_is_silence(tmp_path: Path) -> None:
    gap = ("-af", "aselect='not(between(t,1,1.999))'", "-c:a", "libopus")
    found = normalised(encode(tmp_path / "a.webm", tone(3), *gap))
    assert found.duration_s == pytest.approx(3, abs=0.03)
    heard = np.abs(read_sound(found.path))  # without regard to times
    assert len(heard) / SAMPLE_RATE == pytest.approx(3, abs=0.03)
    assert heard[round(1.1 * SAMPLE_RATE) : round(1.9 * SAMPLE_RATE)].max() < 0.01
    assert heard[round(2.1 * SAMPLE_RATE) : round(2.9 * SAMPLE_RATE)].max() > 0.1


def test_file_that_goes_on_at_another_rate_is_heard_to_its_end(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / "1.mp3", tone(2), "-ar", "44100"),
        encode(tmp_path / "2.mp3", tone(2), "-ar", "22050", "-ac", "2"),
    ]
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = normalised(joined)
    heard = np.abs(decode(found.path))
    assert len(heard) / RATE == pytest.approx(4, abs=0.15)
    for second in (0, 1, 2, 3):
        assert heard[round((second + 0.3) * RATE) : round((second + 0.7) * RATE)].max() > 0.1


def test_cover_art_does_not_cut_the_sound(tmp_path: Path) -> None:
    music = encode(tmp_path / "music.mp3", tone(2))
    picture = tmp_path / "cover.png"
    one = ("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1")
    subprocess.run([executable(), "-v", "error", *one, str(picture)], check=True)
    both = ("-i", str(music), "-i", str(picture), "-map", "0", "-map", "1", "-c", "copy")
    covered = tmp_path / "covered.mp3"
    subprocess.run([executable(), "-v", "error", *both, str(covered)], check=True)
    assert normalised(covered).duration_s == pytest.approx(2, abs=0.1)


def test_part_of_a_sound_is_cut_to_the_sample(tmp_path: Path) -> None:
    for name in ("a.wav", "a.mp3", "a.ogg"):
        found = normalised(encode(tmp_path / name, clicks()), start_s=0.5, duration_s=2.8)
        assert found.duration_s == pytest.approx(2.8, abs=0.001)
        heard = np.abs(decode(found.path))
        assert np.argmax(heard > 0.2) / RATE == pytest.approx(0.5, abs=0.001)


def test_sixty_seconds_are_taken_and_more_is_refused_unless_it_is_cut(tmp_path: Path) -> None:
    assert normalised(encode(tmp_path / "60.mp3", tone(60))).duration_s == pytest.approx(60)
    long = encode(tmp_path / "61.mp3", tone(61))
    with pytest.raises(SoundTooLong, match=r"longer than 60 s: .* cut it with --duration"):
        normalised(long)
    assert normalised(long, duration_s=2).duration_s == pytest.approx(2)
    assert normalised(long, start_s=30).duration_s == pytest.approx(31, abs=0.1)
    # Only what is there counts.
    short = encode(tmp_path / "1.mp3", tone(1))
    assert normalised(short, duration_s=70).duration_s == pytest.approx(1)


def test_a_blink_of_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SoundTooShort, match=r"shorter than 0\.3 s"):
        normalised(encode(tmp_path / "a.ogg", tone(0.1)))


def test_a_start_just_before_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SoundEndsSoon, match=r"b\.wav ends less than 0\.3 s after 0\.9 s"):
        normalised(encode(tmp_path / "b.wav", tone(1)), start_s=0.9)


def test_start_after_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartBeyondSound, match="no sound at 5 s"):
        normalised(encode(tmp_path / "a.mp3", tone(1)), start_s=5)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.ogg", "a.flac"])
def test_of_a_cut_file_the_rest_is_used(tmp_path: Path, name: str) -> None:
    whole = encode(tmp_path / name, tone(6))
    cut = tmp_path / f"cut_{name}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    found = normalised(cut)
    assert 2 < found.duration_s < 5
    if name == "a.flac":
        assert found.damaged  # the others do not say how long they were


def test_cut_file_of_which_nothing_is_left_is_one_sentence(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.m4a", tone(2)).read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaDamaged, match=r"cut\.m4a is cut off or damaged"):
        normalised(tmp_path / "cut.m4a")


@pytest.mark.parametrize(
    "text",
    [
        "this is no sound\n" * 100,
        "ffconcat version 1.0\nfile 'other.wav'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nother.wav\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
    ids=["text", "concat script", "playlist", "session"],
)
def test_file_that_is_no_sound_or_opens_others_is_refused(tmp_path: Path, text: str) -> None:
    encode(tmp_path / "other.wav", tone(2))
    (tmp_path / "a.ogg").write_text(text)
    with pytest.raises(UnsupportedSound, match="not a sound that can be read: send an OGG"):
        normalised(tmp_path / "a.ogg")


def test_noise_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed).bytes(50_000)
        (tmp_path / "a.mp3").write_bytes(noise)
        with pytest.raises((UnsupportedSound, MediaDamaged)):
            normalised(tmp_path / "a.mp3")


def test_video_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSound, match=r"a\.mp4 has no sound: send a voice message"):
        normalised(video(tmp_path / "a.mp4"))


def test_empty_and_too_large_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").touch()
    with pytest.raises(EmptyFile):
        normalised(tmp_path / "a.ogg")
    source = encode(tmp_path / "a.wav", tone(1))
    with pytest.raises(MediaTooLarge):
        normalise_sound(source, tmp_path / "b.m4a", SoundLimits(max_bytes=1000))


def test_sound_in_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    wav = bytearray(encode(tmp_path / "a.wav", tone(1), "-bitexact").read_bytes())
    wav[20:22] = (0x7FFE).to_bytes(2, "little")  # the format tag
    (tmp_path / "b.wav").write_bytes(wav)
    with pytest.raises(UnsupportedSoundCodec, match="cannot be decoded: save it as MP3"):
        normalised(tmp_path / "b.wav")


def test_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = encode(tmp_path / "a.wav", tone(1))
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho '[error] No space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(DiskFull):
        normalised(source)
