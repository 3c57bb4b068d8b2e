"""Limits of photos, clips and sounds: plain values, quick to import."""

from dataclasses import dataclass

from jobs.findings import VOICE_MAX_S, VOICE_MIN_S

MAX_CLIP_PIXELS = 4096 * 2304
"""Of one frame of an original clip."""


@dataclass(frozen=True)
class PhotoLimits:
    """Limits of a photo.

    Attributes:
        max_bytes: of the file; uncompressed scans of old photographs are large.
        max_pixels: of the picture, read from its header before anything is decoded.
        min_side_px: of both sides.
        max_side: the longer side of the result, px; larger photos are reduced. 0: only to the
            16,384 px that a video may have.
        drops_alpha: whether alpha is dropped, as in the program of 2021, instead of compositing
            transparent parts on white.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 64_000_000
    min_side_px: int = 64
    max_side: int = 1280
    drops_alpha: bool = False


@dataclass(frozen=True)
class ClipLimits:
    """Limits of a clip, and what is kept of it.

    Attributes:
        max_bytes: of the original file.
        max_duration_s: of the part that is used; None for no limit.
        max_pixels: of one original frame.
        max_frames: of the part that is used; None for no limit.
        max_side: the longer side of the normalised frames, px; None for no limit.
        audio: whether the sound is kept.
        compact: whether the normalised file is compressed well, to be kept. If not, it is as good
            and made in half the time, but five times as large.
        exact: whether the normalised frames are bit-exact, as ffmpeg decodes them by default: in
            their own size whatever `max_side` says, all frames of a constant rate however high it
            is, alpha dropped. The file is many times larger.
    """

    max_bytes: int = 50_000_000
    max_duration_s: float | None = 15.0
    max_pixels: int = MAX_CLIP_PIXELS
    max_frames: int | None = 36_000
    max_side: int | None = 1280
    audio: bool = True
    compact: bool = True
    exact: bool = False


@dataclass(frozen=True)
class SoundLimits:
    """Limits of a voice message or any other sound.

    Attributes:
        max_bytes: of the original file; uncompressed sound and videos are large.
        max_duration_s: of the part that is used.
        min_duration_s: likewise.
    """

    max_bytes: int = 200_000_000
    max_duration_s: float = VOICE_MAX_S
    min_duration_s: float = VOICE_MIN_S
