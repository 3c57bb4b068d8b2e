"""Thumbnails of videos in the form that Telegram accepts."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL_SIDE_PX = 320
"""Telegram ignores thumbnails that are larger, and those of 200 kB and more."""

# At this size and quality even noise stays below 200 kB.
_QUALITY = 80


def write_thumbnail(frame: npt.NDArray[np.uint8], target: Path) -> None:
    """Write a frame, uint8 (H, W, 3) RGB, as a small JPEG.

    Raises:
        OSError: `target` cannot be written.
    """
    height, width = frame.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE_PX / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    Image.fromarray(np.asarray(small, np.uint8)).save(target, format="JPEG", quality=_QUALITY)
