"""Thumbnails of finished videos in the form that Telegram accepts."""

from pathlib import Path

from PIL import Image

from inference.media.probe import probe
from inference.media.video import ClipReader

THUMBNAIL_SIDE_PX = 320
"""Telegram ignores thumbnails that are larger, and those of 200 kB and more."""

# At this size and quality even noise stays below 200 kB.
_QUALITY = 80


def write_thumbnail(video: Path, target: Path) -> None:
    """Write the first frame of one of our own mp4 files as a small JPEG.

    Raises:
        MediaError: the video cannot be read.
        OSError: `target` cannot be written.
    """
    shown = probe(video)
    scale = min(1.0, THUMBNAIL_SIDE_PX / max(shown.width, shown.height))
    width, height = (max(1, round(side * scale)) for side in (shown.width, shown.height))
    with ClipReader(video, width=width, height=height) as frames:
        Image.fromarray(next(frames)).save(target, format="JPEG", quality=_QUALITY)
