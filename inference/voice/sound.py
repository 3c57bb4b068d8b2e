"""Read the sound of a file."""

import signal
from pathlib import Path

import numpy as np

from inference.media.ffmpeg import SOUND_FORMATS, Ffmpeg, input_arguments
from inference.media.file import check_file
from inference.voice.features import SAMPLE_RATE, Samples, is_silent
from jobs.errors import (
    DecoderFailed,
    MediaDamaged,
    MediaError,
    NoSoundTrack,
    SilentSound,
    SoundTooLong,
    SoundTooShort,
    UnsupportedSound,
)
from jobs.findings import VOICE_MAX_S

MAX_SOUND_BYTES = 64_000_000
_SHORTEST_S = 0.3
_MARGIN_S = 0.1  # of what an encoder adds
_SAMPLE_BYTES = 2


def read_sound(path: Path, *, start_s: float = 0.0, duration_s: float | None = None) -> Samples:
    """Return the sound of a file, or a part of it: (m,) float32 in -1..1, mono, 16,000 per second.

    Args:
        path: any file with sound, a video too.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all of it.

    Raises:
        FileMissing, FileUnreadable, EmptyFile: it cannot be opened.
        MediaTooLarge: the file is larger than `MAX_SOUND_BYTES`.
        UnsupportedSound: it is not a sound, or its format may open other files.
        NoSoundTrack: it has none.
        MediaDamaged: its sound cannot be decoded.
        DecoderFailed: decoding took too long.
        SoundTooShort: it is shorter than 0.3 s.
        SoundTooLong: it is longer than `VOICE_MAX_S`.
        SilentSound: nobody would hear anything.
    """
    check_file(path, MAX_SOUND_BYTES)
    longest_s = VOICE_MAX_S + 2 * _MARGIN_S
    arguments = [
        *input_arguments(path, SOUND_FORMATS),
        # After the input: before it, even 0 would cut the first 23 ms of AAC.
        *("-map", "0:a:0", "-ss", f"{start_s:.3f}"),
        *("-t", f"{min(duration_s or longest_s, longest_s):.3f}", "-ac", "1"),
        *("-ar", str(SAMPLE_RATE), "-f", "s16le", "pipe:1"),
    ]
    content = bytearray(round(longest_s * SAMPLE_RATE) * _SAMPLE_BYTES)
    view = memoryview(content)
    size = 0
    with Ffmpeg(arguments, fetch=True) as ffmpeg:
        while size < len(content) and (count := ffmpeg.read_into(view[size:])):
            size += count
        status = ffmpeg.finish() if size < len(content) else 0
    if size == 0 and status != 0:
        raise _failure(path, ffmpeg, status)
    whole = np.frombuffer(content, "<i2", size // _SAMPLE_BYTES)
    samples = whole.astype(np.float32) / np.float32(32768)
    return _checked(samples, path)


def _checked(samples: Samples, path: Path) -> Samples:
    """The samples; raises if a face cannot speak them."""
    seconds = len(samples) / SAMPLE_RATE
    if seconds < _SHORTEST_S:
        raise SoundTooShort(name=path.name, duration_s=seconds, minimum_s=_SHORTEST_S)
    if seconds > VOICE_MAX_S + _MARGIN_S:
        raise SoundTooLong(name=path.name, limit_s=VOICE_MAX_S)
    if is_silent(samples - samples.mean()):
        raise SilentSound(name=path.name)
    return samples[: VOICE_MAX_S * SAMPLE_RATE]


def _failure(path: Path, ffmpeg: Ffmpeg, status: int) -> MediaError:
    """Why nothing was decoded."""
    if status == -signal.SIGXCPU:
        return DecoderFailed(name=path.name, reason="it took too long")
    if ffmpeg.said("matches no streams"):
        return NoSoundTrack(name=path.name)
    # Without its index, at the end of the file, an MP4 is recognised and no more.
    if ffmpeg.said("moov atom not found"):
        return MediaDamaged(name=path.name)
    if any(map(ffmpeg.said, ("Invalid data found", "whitelist", "misdetection possible"))):
        return UnsupportedSound(name=path.name)
    return MediaDamaged(name=path.name)
