"""Two small videos, one of them with a tone, for testing what handles videos."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from inference.arrays import Picture
from inference.media.ffmpeg import Ffmpeg, file_url
from inference.media.writer import VideoWriter
from jobs.errors import EncoderFailed

_SIDE_PX, _FRAMES, _FPS = 160, 50, 25
_COMMENT = "A test picture of animato"


@dataclass(frozen=True)
class SampleVideo:
    """A sample video.

    Attributes:
        path: the mp4.
        side_px: its width and height.
        duration_s: its duration, s.
        has_sound: whether it has a tone.
    """

    path: Path
    side_px: int
    duration_s: float
    has_sound: bool


def write_samples(folder: Path) -> tuple[SampleVideo, SampleVideo]:
    """Write a silent video and one with a tone to a folder.

    Raises:
        FfmpegMissing: ffmpeg is not installed.
        OutputNotWritable, DiskFull, EncoderFailed: they cannot be written.
    """
    tone = folder / "tone.mp4"
    sine = f"sine=frequency=440:duration={_FRAMES / _FPS}"
    with Ffmpeg(["-f", "lavfi", "-i", sine, "-c:a", "aac", "-y", file_url(tone)]) as ffmpeg:
        if ffmpeg.finish() != 0:
            raise EncoderFailed(reason=ffmpeg.last_message)
    return _write(folder / "silent.mp4", None), _write(folder / "with-sound.mp4", tone)


def _write(target: Path, audio_from: Path | None) -> SampleVideo:
    writer = VideoWriter(
        target, _SIDE_PX, _SIDE_PX, Fraction(_FPS), audio_from=audio_from, comment=_COMMENT
    )
    with writer:
        for frame in _frames():
            writer.write(frame)
    return SampleVideo(target, _SIDE_PX, _FRAMES / _FPS, audio_from is not None)


def _frames() -> Iterator[Picture]:
    """A light square crossing a dark picture, uint8 (160, 160, 3) RGB."""
    for number in range(_FRAMES):
        frame = np.full((_SIDE_PX, _SIDE_PX, 3), (32, 48, 80), np.uint8)
        left = 2 * number
        frame[60:100, left : left + 40] = (255, 220, 120)
        yield frame
