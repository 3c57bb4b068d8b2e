"""Read a normalised clip in this process; of its frames, only what is asked for is converted.

`inference.media.video.ClipReader` converts every frame exactly, in a process of its own. To check a
clip, small copies are enough of nearly all frames, and colours may be a few levels too dark.
"""

from collections.abc import Generator
from pathlib import Path

import av
import numpy as np

from inference.arrays import Picture
from inference.media.ffmpeg import THREADS
from inference.media.probe import open_container
from jobs.errors import MediaDamaged


class ClipFrame:
    """One frame of a clip; its pictures are uint8 (h, w, 3) RGB.

    Args:
        frame: the frame, decoded.
        width: of `picture`, px.
        height: likewise.
    """

    def __init__(self, frame: av.VideoFrame, width: int, height: int) -> None:
        self._frame = frame
        self._size = width, height

    def picture(self) -> Picture:
        """Return the frame."""
        return self._scaled(*self._size, "BICUBIC")

    def small(self, side_px: int) -> Picture:
        """Return a square of that side, each pixel the mean of what it covers."""
        return self._scaled(side_px, side_px, "AREA")

    def _scaled(self, width: int, height: int, method: str) -> Picture:
        found = self._frame.to_ndarray(
            format="rgb24", width=width, height=height, interpolation=method
        )
        return np.asarray(found, np.uint8)


def clip_frames(path: Path, width: int, height: int) -> Generator[ClipFrame]:
    """Yield the frames of a normalised clip.

    Args:
        path: the clip, one that `normalise_clip` wrote.
        width: of `ClipFrame.picture`, px.
        height: likewise.

    Raises:
        MediaDamaged: it cannot be decoded.
    """
    try:
        with open_container(path, "mov") as clip:
            track = clip.streams.video[0]
            track.thread_type = "AUTO"
            track.codec_context.thread_count = THREADS
            for frame in clip.decode(track):
                yield ClipFrame(frame, width, height)
    except (av.error.FFmpegError, IndexError) as exc:
        raise MediaDamaged(name=path.name) from exc
