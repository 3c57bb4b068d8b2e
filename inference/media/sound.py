"""Normalise sound: a voice message, any other sound, or the sound of a video.

An original is decoded once, by `normalise_sound` in the gate's child. Everything else reads the
normalised sound.
"""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from inference.media.ffmpeg import SOUND_FORMATS, Ffmpeg, file_url, input_arguments
from inference.media.file import check_file
from inference.media.limits import MAX_CLIP_PIXELS, SoundLimits
from inference.media.probe import (
    has_decoder,
    is_known_format,
    is_playable,
    open_container,
    read_head,
)
from jobs.errors import (
    DecoderFailed,
    DiskFull,
    MediaDamaged,
    NoSound,
    SoundEndsSoon,
    SoundTooLong,
    SoundTooShort,
    StartBeyondSound,
    UnsupportedSound,
    UnsupportedSoundCodec,
)

# Recorders round lengths up, and encoders add a little at the end.
_TOLERANCE_S = 0.1
_FORM = "aformat=sample_rates=48000:channel_layouts=mono|stereo"
# Gaps are filled with silence. A late beginning only if there is one: where a file goes on at
# another rate, ffmpeg would fill it a second time.
_FILTERS = (f"aresample=async=1,{_FORM}", f"aresample=async=1:first_pts=0,{_FORM}")


@dataclass(frozen=True)
class NormalisedSound:
    """A sound that begins at zero.

    Attributes:
        path: an m4a file: AAC, 48 kHz, mono or stereo.
        duration_s: its length, s.
        damaged: whether the source is truncated or has broken parts.
    """

    path: Path
    duration_s: float
    damaged: bool


def normalise_sound(
    source: Path,
    target: Path,
    limits: SoundLimits | None = None,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> NormalisedSound:
    """Convert a sound, or a part of it, to the form that the rest of the program reads.

    Args:
        source: any file with sound; of several tracks the first that can be decoded is used.
        target: the m4a to write; overwritten, and deleted if this fails.
        limits: the defaults if None.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all.

    Raises:
        FileMissing, FileUnreadable, EmptyFile, MediaTooLarge: it cannot be opened, or is too large.
        UnsupportedSound: it is neither a sound nor a video, or its format may open other files.
        NoSound: it has no sound.
        UnsupportedSoundCodec: its sound cannot be decoded.
        MediaDamaged: it is truncated or broken, and nothing could be decoded.
        StartBeyondSound: it has no sound at `start_s`.
        SoundTooShort, SoundEndsSoon, SoundTooLong: the part is shorter or longer than the limits.
        DecoderFailed: ffmpeg took too long.
        ProcessKilled: ffmpeg was killed from outside.
        DiskFull: there is no space for `target`.
    """
    limits = limits or SoundLimits()
    check_file(source, limits.max_bytes)
    track = _sound_track(source)
    # A little more, to find out whether there is more.
    most_s = limits.max_duration_s + 2 * _TOLERANCE_S
    part_s = most_s if duration_s is None else min(duration_s, most_s)
    part = ["-ss", f"{start_s:.6f}", "-t", f"{part_s:.6f}"]
    try:
        for filters in _FILTERS:
            with Ffmpeg(_normalising(source, track, [*part, "-af", filters], target)) as ffmpeg:
                status = ffmpeg.finish()
            begin_s, length_s = _times_s(target)
            if begin_s == 0:
                break
        if status == -signal.SIGXCPU:
            raise DecoderFailed(name=source.name, reason="it took too long")
        if ffmpeg.is_disk_full:
            raise DiskFull(path=tempfile.gettempdir())
        if length_s == 0 and start_s > 0:
            raise StartBeyondSound(name=source.name, start_s=start_s)
        if length_s == 0 and status != 0:
            raise MediaDamaged(name=source.name)
        _check_length(source, limits, start_s, length_s)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return NormalisedSound(target, length_s, damaged=status != 0 or ffmpeg.error_count > 0)


def _check_length(source: Path, limits: SoundLimits, start_s: float, length_s: float) -> None:
    """Raise unless the part that begins at `start_s` has a length within the limits."""
    if length_s < limits.min_duration_s and start_s > 0:
        raise SoundEndsSoon(name=source.name, limit_s=limits.min_duration_s, start_s=start_s)
    if length_s < limits.min_duration_s:
        raise SoundTooShort(name=source.name, limit_s=limits.min_duration_s)
    if length_s > limits.max_duration_s + _TOLERANCE_S:
        raise SoundTooLong(name=source.name, limit_s=limits.max_duration_s)


def _normalising(source: Path, track: int, options: list[str], target: Path) -> list[str]:
    """The ffmpeg arguments."""
    return [
        *("-max_pixels", str(MAX_CLIP_PIXELS)),  # of cover art
        *input_arguments(source, SOUND_FORMATS),
        *("-map", f"0:{track}", *options, "-c:a", "aac", "-b:a", "128k"),
        *("-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4", "-y", file_url(target)),
    ]


def _sound_track(path: Path) -> int:
    """The index of the first audio track that can be decoded."""
    try:
        container = open_container(path, SOUND_FORMATS)
    except (FFmpegError, UnicodeError) as exc:
        raised = MediaDamaged if is_known_format(read_head(path)) else UnsupportedSound
        raise raised(name=path.name) from exc
    with container:
        tracks = container.streams.audio
        playable = next(filter(is_playable, tracks), None)
        if playable is not None:
            return playable.index
        if all(map(has_decoder, tracks)):
            raise NoSound(name=path.name)
        raise UnsupportedSoundCodec(name=path.name)


def _times_s(target: Path) -> tuple[float, float]:
    """Beginning and length of our own m4a, s; (0, 0) if there is nothing in it."""
    try:
        with av.open(file_url(target), format="mp4", options={"protocol_whitelist": "file"}) as m4a:
            track = next(iter(m4a.streams.audio), None)
            if track is None or track.duration is None or track.time_base is None:
                return 0.0, 0.0
            begin, length = track.start_time or 0, track.duration
            return float(begin * track.time_base), float(length * track.time_base)
    except (FFmpegError, OSError):
        return 0.0, 0.0
