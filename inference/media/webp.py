"""The frame times of an animated WebP, read from its chunks (RFC 9649, section 2.7).

PyAV's libraries decode only still WebP; imageio-ffmpeg's newer binary decodes both.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_MAX_FRAMES = 100_000
_ANIMATED = 0x02
# How long players show a frame whose duration is 0.
_DEFAULT_MS = 100


@dataclass(frozen=True)
class WebpAnimation:
    """Size and timing of an animated WebP.

    Attributes:
        width: of the canvas, px.
        height: likewise.
        times_s: start times of the frames, s.
        duration_s: end of the last one, s.
    """

    width: int
    height: int
    times_s: list[Fraction]
    duration_s: Fraction


def read_webp_animation(path: Path) -> WebpAnimation | None:
    """Read size and timing of the animation; None if the file is not an animated WebP."""
    with path.open("rb") as file:
        header = file.read(30)
        if len(header) < 30 or header[12:16] != b"VP8X" or not header[20] & _ANIMATED:
            return None
        width = int.from_bytes(header[24:27], "little") + 1
        height = int.from_bytes(header[27:30], "little") + 1
        durations_ms = _frame_durations(file)
    times_s = [Fraction(0)]
    for duration_ms in durations_ms:
        times_s.append(times_s[-1] + Fraction(duration_ms, 1000))
    return WebpAnimation(width, height, times_s[:-1], times_s[-1])


def _frame_durations(file: BinaryIO) -> list[int]:
    durations_ms: list[int] = []
    while len(durations_ms) < _MAX_FRAMES:
        chunk = file.read(24)
        if len(chunk) < 8:
            break
        if chunk[:4] == b"ANMF" and len(chunk) == 24:
            durations_ms.append(int.from_bytes(chunk[20:23], "little") or _DEFAULT_MS)
        size_bytes = int.from_bytes(chunk[4:8], "little")
        # Chunks are padded to even sizes.
        file.seek(size_bytes + size_bytes % 2 - (len(chunk) - 8), 1)
    return durations_ms
