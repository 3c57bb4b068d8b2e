"""What is taken of photos and clips, and how much of them: plain values, quick to import."""

from dataclasses import dataclass

MAX_CLIP_PIXELS = 4096 * 2304
"""Of one frame of a clip as it came."""


@dataclass(frozen=True)
class PhotoLimits:
    """How much photo is taken.

    Attributes:
        max_bytes: of the file. Uncompressed scans of old photographs are large.
        max_pixels: of the picture, told from its header before anything is decoded.
        min_side_px: for both sides.
        max_side: the longer side of what comes out, px; larger photos are reduced. 0: only to the
            16,384 px that a video may have.
        drops_alpha: whether transparent parts show the colours that lie under them, as the program
            of 2021 saw them; else they are laid on white.
    """

    max_bytes: int = 64_000_000
    max_pixels: int = 64_000_000
    min_side_px: int = 64
    max_side: int = 1280
    drops_alpha: bool = False


@dataclass(frozen=True)
class ClipLimits:
    """What is taken of a clip, and how much of it.

    Attributes:
        max_bytes: of the file as it came.
        max_duration_s: of the part that is used; None for no limit.
        max_pixels: of one frame as it came.
        max_frames: of the part that is used; None for no limit.
        max_side: the longer side of the normalised frames, px; None for no limit.
        audio: whether the sound is kept.
        shorten: whether a clip that is too long is cut; else it is refused.
        exact: whether the normalised frames are the clip's own to the bit, as ffmpeg decodes them
            when it is told nothing: in their own size whatever `max_side` says, all frames of a
            constant rate however high it is, alpha dropped. The file is many times larger then.
    """

    max_bytes: int = 50_000_000
    max_duration_s: float | None = 15.0
    max_pixels: int = MAX_CLIP_PIXELS
    max_frames: int | None = 36_000
    max_side: int | None = 1280
    audio: bool = True
    shorten: bool = True
    exact: bool = False
