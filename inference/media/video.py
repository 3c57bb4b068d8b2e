"""Read normalised clips, and videos of templates, frame by frame."""

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from inference.media.ffmpeg import THREADS, Ffmpeg, input_arguments
from inference.media.probe import probe
from jobs.errors import FileMissing, MediaDamaged, NoFrameDecoded
from jobs.model import CropBox


class ClipReader:
    """Iterate over the frames of a normalised clip or a template's mp4, one at a time.

    Each frame is a new uint8 (H, W, 3) RGB array. `close`, or the end of the `with` block, ends the
    ffmpeg process.

    Args:
        path: the clip.
        width: of the frames, px; the clip's own, or that of the part, if None.
        height: likewise.
        part: of the clip's frames that is read, inside them; all if None. Its sides are even, or
            the clip is an exact one.

    Raises:
        FileMissing: there is no such file.
        NoFrameDecoded: no frame could be decoded.
        MediaDamaged: while reading: the file is truncated or damaged.
        ProcessKilled: while reading: ffmpeg was killed from outside.
        MediaError: as `probe`, if width or height are not given.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int | None = None,
        height: int | None = None,
        part: CropBox | None = None,
    ) -> None:
        if not path.is_file():
            raise FileMissing(name=path.name)
        if part is not None:
            width, height = width or part.width, height or part.height
        if width is None or height is None:
            shown = probe(path)
            width, height = width or shown.width, height or shown.height
        self.path = path
        self.width = width
        self.height = height
        self._part = part
        self._ffmpeg: Ffmpeg | None = None
        self._frames_read = 0
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> npt.NDArray[np.uint8]:
        if self._ended:
            raise StopIteration
        if self._ffmpeg is None:
            self._ffmpeg = self._start()
        frame = np.empty((self.height, self.width, 3), dtype=np.uint8)
        try:
            # A buffered pipe fills the whole buffer except at the end.
            read_bytes = self._ffmpeg.read_into(frame.data.cast("B"))
            if read_bytes < frame.nbytes:
                self._end(self._ffmpeg, is_whole=read_bytes == 0)
        except BaseException:
            self.close()
            raise
        self._frames_read += 1
        return frame

    def close(self) -> None:
        """End the process; no more frames can be read. May be called twice."""
        self._ended = True
        if self._ffmpeg is not None:
            self._ffmpeg.kill()
            self._ffmpeg = None

    def _start(self) -> Ffmpeg:
        scale = (
            f"scale={self.width}:{self.height}:out_range=pc"
            # Planar RGB first: the same values, and half the processor time of direct conversion.
            ":flags=bicubic+accurate_rnd+full_chroma_int,format=gbrp,format=rgb24"
        )
        part = self._part
        if part is not None:
            scale = f"crop={part.width}:{part.height}:{part.left}:{part.upper},{scale}"
        return Ffmpeg(
            [
                *input_arguments(self.path),
                *("-map", "0:V:0", "-vf", scale, "-fps_mode", "passthrough"),
                *("-filter_threads", str(THREADS), "-f", "rawvideo", "pipe:1"),
            ],
            fetch=True,
        )

    def _end(self, ffmpeg: Ffmpeg, *, is_whole: bool) -> None:
        status = ffmpeg.finish()
        if self._frames_read == 0:
            raise NoFrameDecoded(name=self.path.name)
        if status != 0 or not is_whole or ffmpeg.error_count > 0:
            raise MediaDamaged(name=self.path.name)
        raise StopIteration
