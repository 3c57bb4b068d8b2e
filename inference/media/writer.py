"""A video out of frames, with the driving clip's sound, there in full or not at all.

An mp4 for people; an mkv where every pixel counts.
"""

import errno
import secrets
import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt

from inference.media.ffmpeg import THREADS, Ffmpeg, file_url, input_arguments
from jobs.errors import AnimatoError, DiskFull, EncoderFailed, OutputNotWritable

# The filter that writes down in which colours the pictures are; ffmpeg's encoder copies it.
BT709 = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"

_PRESET = "veryfast"
# A further key frame would code the still part of the photo anew, which is seen as a jump of all of
# it. The price is that players seek by decoding from the beginning.
_ONE_KEY_FRAME = ("-x264-params", "keyint=infinite:scenecut=0")
LOSSLESS_SUFFIX = ".mkv"
# A track that ends this much later than the pictures still counts as ending with them.
_SOUND_TOLERANCE_S = Fraction(1, 1000)


def check_output(target: Path) -> None:
    """Nothing, if a file can be written at `target`; to be asked before a long work begins.

    Raises:
        OutputNotWritable: the folder is missing or cannot be written, or `target` is a folder.
        DiskFull: no room even for a name.
    """
    folder = target.parent
    try:
        if not folder.is_dir():
            reason = f"there is no folder {folder}"
        elif target.is_dir():
            reason = "it is a folder"
        else:
            # A file without a name, where the system has such: nothing of it can be left.
            with tempfile.TemporaryFile(dir=folder):
                return
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise DiskFull(path=str(target)) from exc
        raise OutputNotWritable(path=str(target), reason=_reason(exc)) from exc
    raise OutputNotWritable(path=str(target), reason=reason)


class VideoWriter:
    """Frames written one by one become an mp4 that plays everywhere, or a lossless mkv.

    The mp4: H.264 High, yuv420p, BT.709, the index in front. Odd sizes are padded to even ones by
    repeating the last column or row. The mkv: FFV1 in RGB, each frame to the bit as it was written,
    in its own size; Matroska keeps its times in whole milliseconds. The file is made under a
    temporary name in the target's folder and renamed when the `with` block ends well; after an
    exception, Ctrl-C too, nothing is left of it.

    Args:
        target: the mp4, or the mkv if its name ends so; an existing one is replaced.
        width: of the frames, px.
        height: likewise.
        frame_rate: frames per second, exact.
        audio_from: a normalised clip whose sound is laid under the pictures, from its beginning
            to their end; without sound in it there is none.
        comment: the file's `comment`, readable by any player.
        loop: how often the pictures are shown, one after the other; only without `audio_from`.
        crf: x264's quality in an mp4, 0 (best) to 51; 18 is hard to tell from the original.

    Raises:
        OutputNotWritable: the folder is missing or cannot be written, or `target` is a folder.
        DiskFull: no room.
        EncoderFailed: ffmpeg failed, with its last message; or no frame was written.
        ProcessKilled: ffmpeg was killed from outside.
    """

    def __init__(  # noqa: PLR0913 - what a file is made of; a dataclass would only rename it
        self,
        target: Path,
        width: int,
        height: int,
        frame_rate: Fraction,
        *,
        audio_from: Path | None = None,
        comment: str,
        loop: int = 1,
        crf: int = 18,
    ) -> None:
        if loop < 1 or (loop > 1 and audio_from is not None):
            message = "loop must be at least 1, and 1 with sound"
            raise ValueError(message)
        self.target = target
        self.width = width
        self.height = height
        self.frame_rate = frame_rate
        self.frame_count = 0
        self._audio_from = audio_from
        self._comment = comment
        self._loop = loop
        self._crf = crf
        self._is_lossless = target.suffix.lower() == LOSSLESS_SUFFIX
        suffix = LOSSLESS_SUFFIX if self._is_lossless else ".mp4"
        self._pictures = target.parent / _temporary_name(suffix)
        self._whole = target.parent / _temporary_name(suffix)
        self._ffmpeg: Ffmpeg | None = None

    def __enter__(self) -> Self:
        check_output(self.target)
        try:
            self._ffmpeg = Ffmpeg(self._encoding(), feed=True)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._remove()

    @property
    def file_size(self) -> tuple[int, int]:
        """Width and height of the pictures in the file, px."""
        if self._is_lossless:
            return self.width, self.height
        return self.width + self.width % 2, self.height + self.height % 2

    def write(self, frame: npt.NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            frame: uint8 (H, W, 3) RGB of the size that was announced.

        Raises:
            ValueError: another size or type.
            DiskFull, EncoderFailed: as the class says.
        """
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            message = (
                f"expected uint8 ({self.height}, {self.width}, 3), got {frame.dtype} {frame.shape}"
            )
            raise ValueError(message)
        if self._ffmpeg is None:
            message = "frames are written inside the with block"
            raise ValueError(message)
        width, height = self.file_size
        if (width, height) != (self.width, self.height):
            # np.pad copies twice as slowly as this needs; odd sizes are rare.
            missing = ((0, height - self.height), (0, width - self.width), (0, 0))
            frame = np.pad(frame, missing, "edge")
        try:
            self._ffmpeg.stdin.write(np.ascontiguousarray(frame).data.cast("B"))
        except OSError as exc:
            self._ffmpeg.finish()
            raise self._failure(self._ffmpeg) from exc
        self.frame_count += 1

    def _encoding(self) -> list[str]:
        width, height = self.file_size
        return [
            *("-protocol_whitelist", "pipe", "-f", "rawvideo", "-pix_fmt", "rgb24"),
            *("-s", f"{width}x{height}", "-framerate", str(self.frame_rate), "-i", "pipe:0"),
            *self._picture_codec(),
            *("-fps_mode", "passthrough", "-threads", str(THREADS)),
            *self._container(),
            file_url(self._pictures if self._needs_second_pass else self._whole),
        ]

    def _picture_codec(self) -> list[str]:
        if self._is_lossless:
            return ["-vf", "setsar=1", "-c:v", "ffv1", "-level", "3", "-pix_fmt", "bgr0"]
        colours = (
            "scale=in_range=pc:out_range=tv:out_color_matrix=bt709"
            ":flags=bicubic+accurate_rnd+full_chroma_inp,format=yuv420p,setsar=1"
        )
        return [
            *("-vf", f"{colours},{BT709}"),
            *("-c:v", "libx264", "-preset", _PRESET, "-crf", str(self._crf), "-profile:v", "high"),
            *_ONE_KEY_FRAME,
        ]

    def _container(self) -> list[str]:
        tags = ["-map_metadata", "-1", "-map_chapters", "-1", "-metadata"]
        tags.append(f"comment={self._comment}")
        if self._is_lossless:
            return [*tags, "-f", "matroska", "-y"]
        return [*tags, "-movflags", "+faststart", "-f", "mp4", "-y"]

    @property
    def _needs_second_pass(self) -> bool:
        # Where the sound has to end, and what is to be repeated, is known after the last frame.
        return self._audio_from is not None or self._loop > 1

    def _finish(self) -> None:
        assert self._ffmpeg is not None  # noqa: S101 - set by __enter__
        status = self._ffmpeg.finish()
        if self.frame_count == 0:
            raise EncoderFailed(reason="there was no frame to write.")
        if status != 0:
            raise self._failure(self._ffmpeg)
        if self._needs_second_pass:
            with Ffmpeg(self._second_pass()) as ffmpeg:
                if ffmpeg.finish() != 0:
                    raise self._failure(ffmpeg)
        try:
            self._whole.replace(self.target)
        except OSError as exc:
            raise OutputNotWritable(path=str(self.target), reason=_reason(exc)) from exc

    def _second_pass(self) -> list[str]:
        """Ffmpeg's arguments that repeat the pictures, or lay the sound under them."""
        inputs = ["-stream_loop", str(self._loop - 1), *input_arguments(self._pictures)]
        sound = ["-an"]
        if self._audio_from is not None:
            inputs += input_arguments(self._audio_from)
            sound = ["-map", "1:a:0?", *self._sound_codec(self._audio_from)]
        return [
            *inputs,
            *("-map", "0:v:0", "-c:v", "copy", *sound),
            *self._container(),
            file_url(self._whole),
        ]

    def _sound_codec(self, audio_from: Path) -> list[str]:
        """Copied where it ends with the pictures or before; else cut to the sample, and encoded."""
        end_s = self.frame_count / self.frame_rate
        with av.open(file_url(audio_from), options={"protocol_whitelist": "file"}) as clip:
            tracks = clip.streams.audio
            if tracks and tracks[0].duration is not None and tracks[0].time_base is not None:
                sound_s = tracks[0].duration * tracks[0].time_base
                if sound_s <= end_s + _SOUND_TOLERANCE_S:
                    return ["-c:a", "copy"]
        return ["-af", f"atrim=end={float(end_s):.6f}", "-c:a", "aac", "-b:a", "160k"]

    def _failure(self, ffmpeg: Ffmpeg) -> AnimatoError:
        if ffmpeg.said("No space left on device"):
            return DiskFull(path=str(self.target))
        return EncoderFailed(reason=ffmpeg.last_words)

    def _remove(self) -> None:
        if self._ffmpeg is not None:
            self._ffmpeg.kill()
            self._ffmpeg = None
        self._pictures.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)


def _temporary_name(suffix: str) -> str:
    # Short and its own: the target's name may be as long as the file system allows.
    return f".animato-{secrets.token_hex(6)}{suffix}"


def _reason(exc: OSError) -> str:
    return (exc.strerror or "it was refused").lower()
