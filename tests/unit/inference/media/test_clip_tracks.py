"""Of several tracks the first ones that can be decoded count; what cannot be decoded is told."""

from pathlib import Path

import av
import numpy as np
import pytest

from inference.media.gate import ClipPart, look_at_clip
from inference.media.probe import probe
from inference.media.video import ClipReader
from jobs.errors import MediaError, NoVideoStream, UnsupportedCodec
from jobs.model import MediaWarning
from tests.unit.inference.clips import SINE, lavfi, make, normalised, nothing_hangs, pictures

__all__ = ["nothing_hangs"]  # the fixture is used by every test of this file

GREEN = "color=green:s=64x48:r=25:d=1"
LOW, HIGH = "sine=300:d=1:r=44100", "sine=3000:d=1:r=44100"
# The sample entry and the box inside it that describes the codec, and what takes their place.
SOUND = ((b"mp4a", b"ac-4"), (b"esds", b"dac4"))
PICTURES = ((b"avc1", b"brxq"), (b"avcC", b"bmdC"))


def without_decoder(
    path: Path, names: tuple[tuple[bytes, bytes], ...], *, first_only: bool
) -> Path:
    """Give a track's codec another name, behind which nobody finds a decoder."""
    data = bytearray(path.read_bytes())
    for old, new in names:
        # The tracks' descriptions follow the pictures and sound, in which these bytes may occur.
        start = data.rindex(b"moov")
        count = data.count(old, start)
        assert count > 0
        for _ in range(1 if first_only else count):
            at = data.index(old, start)
            data[at : at + 4] = new
    path.write_bytes(data)
    return path


def loudest_hz(path: Path) -> float:
    with av.open(str(path)) as mp4:
        rate = mp4.streams.audio[0].rate
        sound = np.concatenate([block.to_ndarray()[0] for block in mp4.decode(audio=0)])
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound))


def test_the_first_sound_that_can_be_decoded_is_taken(tmp_path: Path) -> None:
    tracks = ["-map", "0", "-map", "1", "-map", "2"]
    source = make(tmp_path / "a.mp4", *lavfi(pictures(), LOW, HIGH), *tracks)
    without_decoder(source, SOUND, first_only=True)
    clip = normalised(source)
    assert clip.has_audio
    assert not clip.lacks_sound_decoder
    assert not clip.damaged
    assert loudest_hz(clip.path) == pytest.approx(3000, abs=50)


def test_without_a_decoder_for_its_sound_a_clip_is_silent_and_the_person_is_warned(
    tmp_path: Path,
) -> None:
    source = make(tmp_path / "a.mp4", *lavfi(pictures(), SINE))
    without_decoder(source, SOUND, first_only=False)
    clip = normalised(source)
    assert not clip.has_audio
    assert clip.lacks_sound_decoder
    assert not clip.damaged
    folder = tmp_path / "folder"
    folder.mkdir()
    assert MediaWarning.NO_PLAYABLE_SOUND in look_at_clip(ClipPart(source), folder).warnings


def test_a_silent_clip_is_not_warned_of(tmp_path: Path) -> None:
    assert not normalised(make(tmp_path / "a.mp4", *lavfi(pictures()))).lacks_sound_decoder


def test_the_first_pictures_that_can_be_decoded_are_taken(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mov", *lavfi(GREEN, pictures()), "-map", "0", "-map", "1")
    without_decoder(source, PICTURES, first_only=True)
    clip = normalised(source)
    with ClipReader(clip.path) as frames:
        red, green, blue = next(frames)[:, :8].mean(axis=(0, 1))
    assert red > 150 > max(green, blue)


def test_pictures_without_a_decoder_are_refused_and_the_codec_is_named(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mov", *lavfi(pictures(), SINE))
    without_decoder(source, PICTURES, first_only=False)
    with pytest.raises(UnsupportedCodec, match="brxq"):
        probe(source)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UnsupportedCodec, match="brxq"):
        look_at_clip(ClipPart(source), folder)


def test_a_known_codec_without_a_decoder_is_named_too(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", *lavfi(pictures()))
    names = ((b"avc1", b"mhm1"), (b"avcC", b"mhaC"))
    without_decoder(source, names, first_only=False)
    with pytest.raises(MediaError) as caught:
        probe(source)
    assert isinstance(caught.value, UnsupportedCodec)


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mp3", "sound.ogg"])
def test_a_file_with_sound_alone_is_no_video(tmp_path: Path, name: str) -> None:
    source = make(tmp_path / name, *lavfi(SINE))
    with pytest.raises(MediaError) as caught:
        probe(source)
    assert not isinstance(caught.value, UnsupportedCodec)
    if name == "sound.m4a":
        assert isinstance(caught.value, NoVideoStream)


def test_a_track_of_time_codes_is_passed_over(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mov", *lavfi(pictures(), SINE), "-timecode", "01:00:00:00")
    with av.open(str(source)) as movie:
        assert "data" in {stream.type for stream in movie.streams}
    clip = normalised(source)
    assert clip.has_audio
    assert clip.frame_count == 25
    assert not clip.damaged
