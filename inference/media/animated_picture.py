"""Silent GIF and WebP animations that loop forever, encoded by imageio's Pillow plugin.

Pillow encodes all frames at once. They are kept in memory until then, reduced in size and rate.
"""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image

from inference.arrays import Picture


@dataclass(frozen=True)
class _Format:
    """How a format is used.

    Attributes:
        max_side_px: of the longer side; larger frames are reduced.
        max_fps: frames are dropped at regular intervals to stay at or below it.
        tick_ms: the unit in which the format stores the duration of a frame.
        options: for Pillow's encoder.
    """

    max_side_px: int
    max_fps: int
    tick_ms: int
    options: dict[str, Any]


_FORMATS = {
    ".gif": _Format(480, 15, 10, {"optimize": True, "bits": 8}),
    ".webp": _Format(640, 30, 1, {"quality": 85, "method": 2}),
}
ANIMATION_SUFFIXES = tuple(_FORMATS)

# A GIF has 256; the encoder uses one of them for pixels that do not change.
_COLOURS = 255
# The 4x4 Bayer matrix in 8-bit levels. Unlike error diffusion it does not make still parts flicker.
_DITHER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])[..., None] - 8


class AnimatedPicture:
    """The frames of a GIF or WebP file.

    Args:
        suffix: `.gif` or `.webp`.
        width: of the frames that are added, px.
        height: likewise.
        frame_rate: of the frames that are added, frames per second.

    Attributes:
        size: width and height of the frames in the file, px.
        step: every `step`-th frame is kept.
    """

    def __init__(self, suffix: str, width: int, height: int, frame_rate: Fraction) -> None:
        self._suffix = suffix
        self._format = _FORMATS[suffix]
        scale = min(1.0, self._format.max_side_px / max(width, height))
        self.size = max(1, round(width * scale)), max(1, round(height * scale))
        self.step = ceil(frame_rate / self._format.max_fps)
        self._frame_rate = frame_rate
        self._added = 0
        self._frames: deque[Picture] = deque()

    def add(self, frame: Picture) -> None:
        """Append a frame, uint8 (H, W, 3) RGB."""
        if self._added % self.step == 0:
            small = cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
            self._frames.append(np.asarray(small, dtype=np.uint8))
        self._added += 1

    def save(self, path: Path, comment: str) -> None:
        """Encode the frames; they are released on the way.

        Args:
            path: the file to write; it has the right suffix.
            comment: stored in the file: a GIF's comment, a WebP's EXIF ImageDescription.

        Raises:
            OSError: the file cannot be written.
        """
        durations_ms = self._durations_ms()
        options: dict[str, Any] = {
            "loop": 0,
            "duration": durations_ms if len(durations_ms) > 1 else durations_ms[0],
            **self._format.options,
        }
        if self._suffix == ".gif":
            self._frames = _with_few_colours(self._frames)
            options["comment"] = comment.encode()
        else:
            exif = Image.Exif()
            exif[ExifTags.Base.ImageDescription] = comment
            options["exif"] = exif.tobytes()
        import imageio.v3 as iio  # noqa: PLC0415 - slow to import

        with iio.imopen(path, "w", plugin="pillow") as file:
            while self._frames:
                file.write(self._frames.popleft(), **options)

    def _durations_ms(self) -> list[int]:
        tick_ms = self._format.tick_ms
        shown = [*range(0, self._added, self.step), self._added]
        # Times are rounded, not durations: the animation as a whole keeps its length.
        times_ms = [round(index * 1000 / self._frame_rate / tick_ms) * tick_ms for index in shown]
        return [int(duration_ms) for duration_ms in np.diff(times_ms)]


def _with_few_colours(frames: deque[Picture]) -> deque[Picture]:
    """The frames, dithered in the colours of the first one; `frames` is emptied."""
    height, width = frames[0].shape[:2]
    pattern = np.tile(_DITHER, (ceil(height / 4), ceil(width / 4), 1))[:height, :width]
    palette = Image.fromarray(frames[0]).quantize(_COLOURS)
    dithered: deque[Picture] = deque()
    while frames:
        levels = np.clip(frames.popleft() + pattern, 0, 255).astype(np.uint8)
        few = Image.fromarray(levels).quantize(palette=palette, dither=Image.Dither.NONE)
        dithered.append(np.asarray(few.convert("RGB")))
    return dithered
