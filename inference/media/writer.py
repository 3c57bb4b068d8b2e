"""Write frames, with the driving clip's sound, to an mp4, a lossless mkv, a GIF or a WebP."""

import secrets
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Self

import av
import numpy as np
import numpy.typing as npt

from inference.media.animated_picture import ANIMATION_SUFFIXES, AnimatedPicture
from inference.media.ffmpeg import THREADS, Ffmpeg, file_url, input_arguments
from inference.media.file import check_output, write_error
from jobs.errors import AnimatoError, DiskFull, EncoderFailed

# The filter that tags the pictures' colour space; ffmpeg's encoder copies the tags.
BT709 = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"

_PRESET = "veryfast"
# Every key frame encodes the still part of the photo again, which is visible as a jump. The price:
# players seek by decoding from the beginning.
_ONE_KEY_FRAME = ("-x264-params", "keyint=infinite:scenecut=0")
LOSSLESS_SUFFIX = ".mkv"
# A sound track may end this much later than the pictures and still be copied.
_SOUND_TOLERANCE_S = Fraction(1, 1000)


class VideoWriter:
    """Write frames one by one to a file whose suffix chooses the format.

    mp4: H.264 High, yuv420p, BT.709, the index in front. Odd sizes are padded to even ones by
    repeating the last column or row. mkv: FFV1 in RGB, lossless, in the frames' own size; Matroska
    rounds times to milliseconds. gif, webp: silent, reduced in size and rate, looped forever.

    The file is made under a temporary name in the target's folder and renamed when the `with` block
    ends without an exception; otherwise nothing is left of it.

    Args:
        target: the file; an existing one is replaced. Any other suffix gives an mp4.
        width: of the frames, px.
        height: likewise.
        frame_rate: frames per second, exact.
        audio_from: a normalised clip whose sound is added and cut to the length of the pictures;
            ignored by gif and webp.
        comment: stored in the file's metadata.
        description: likewise; ignored by gif and webp.
        loop: how often the pictures are repeated; only without `audio_from`. Ignored by gif and
            webp.
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
        description: str = "",
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
        self._description = description
        self._loop = loop
        self._crf = crf
        suffix = target.suffix.lower()
        self._is_lossless = suffix == LOSSLESS_SUFFIX
        self._animation: AnimatedPicture | None = None
        if suffix in ANIMATION_SUFFIXES:
            self._animation = AnimatedPicture(suffix, width, height, frame_rate)
        elif not self._is_lossless:
            suffix = ".mp4"
        # Short and unique: the target's name may be as long as the file system allows.
        self._pictures, self._whole = (
            target.parent / f".animato-{secrets.token_hex(6)}{suffix}" for _ in range(2)
        )
        self._ffmpeg: Ffmpeg | None = None

    def __enter__(self) -> Self:
        check_output(self.target)
        if self._animation is None:
            self._ffmpeg = Ffmpeg(self._encoding(), feed=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._remove()

    @property
    def file_size(self) -> tuple[int, int]:
        """Width and height of the pictures in the file, px."""
        if self._animation is not None:
            return self._animation.size
        if self._is_lossless:
            return self.width, self.height
        return self.width + self.width % 2, self.height + self.height % 2

    @property
    def file_frame_rate(self) -> Fraction:
        """Frames per second of the file."""
        return self.frame_rate / self._animation.step if self._animation else self.frame_rate

    @property
    def file_frame_count(self) -> int:
        """Number of frames in the file, repetitions included."""
        if self._animation is not None:
            return ceil(self.frame_count / self._animation.step)
        return self.frame_count * self._loop

    @property
    def has_sound(self) -> bool:
        """Whether the file gets the sound of `audio_from`; gif and webp have none."""
        return self._audio_from is not None and self._animation is None

    def write(self, frame: npt.NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            frame: uint8 (H, W, 3) RGB, H = `height` and W = `width`.

        Raises:
            ValueError: the frame has another shape or type.
            DiskFull, EncoderFailed: as for the class.
        """
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            message = (
                f"expected uint8 ({self.height}, {self.width}, 3), got {frame.dtype} {frame.shape}"
            )
            raise ValueError(message)
        self.frame_count += 1
        if self._animation is not None:
            self._animation.add(frame)
            return
        assert self._ffmpeg is not None, "frames are written inside the with block"  # noqa: S101
        width, height = self.file_size
        if (width, height) != (self.width, self.height):
            missing = ((0, height - self.height), (0, width - self.width), (0, 0))
            frame = np.pad(frame, missing, "edge")
        try:
            self._ffmpeg.stdin.write(np.ascontiguousarray(frame).data.cast("B"))
        except OSError as exc:
            self._ffmpeg.finish()
            raise self._failure(self._ffmpeg) from exc

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
        if self._description:
            tags += ["-metadata", f"description={self._description}"]
        if self._is_lossless:
            return [*tags, "-f", "matroska", "-y"]
        return [*tags, "-movflags", "+faststart", "-f", "mp4", "-y"]

    @property
    def _needs_second_pass(self) -> bool:
        # The sound's end and the frames to repeat are known only after the last frame.
        return self._animation is None and (self._audio_from is not None or self._loop > 1)

    def _finish(self) -> None:
        status = self._ffmpeg.finish() if self._ffmpeg is not None else 0
        if self.frame_count == 0:
            raise EncoderFailed(reason="there was no frame to write.")
        if self._ffmpeg is not None and status != 0:
            raise self._failure(self._ffmpeg)
        if self._needs_second_pass:
            with Ffmpeg(self._second_pass()) as ffmpeg:
                if ffmpeg.finish() != 0:
                    raise self._failure(ffmpeg)
        try:
            if self._animation is not None:
                self._animation.save(self._whole, self._comment)
            self._whole.replace(self.target)
        except OSError as exc:
            raise write_error(self.target, exc) from exc

    def _second_pass(self) -> list[str]:
        """Return the ffmpeg arguments that repeat the pictures or add the sound."""
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
        """Copy sound that ends no later than the pictures; otherwise trim and re-encode it."""
        end_s = self.frame_count / self.frame_rate
        with av.open(file_url(audio_from), options={"protocol_whitelist": "file"}) as clip:
            tracks = clip.streams.audio
            if tracks and tracks[0].duration is not None and tracks[0].time_base is not None:
                sound_s = tracks[0].duration * tracks[0].time_base
                if sound_s <= end_s + _SOUND_TOLERANCE_S:
                    return ["-c:a", "copy"]
        return ["-af", f"atrim=end={float(end_s):.6f}", "-c:a", "aac", "-b:a", "160k"]

    def _failure(self, ffmpeg: Ffmpeg) -> AnimatoError:
        if ffmpeg.is_disk_full:
            return DiskFull(path=str(self.target))
        return EncoderFailed(reason=ffmpeg.last_message)

    def _remove(self) -> None:
        if self._ffmpeg is not None:
            self._ffmpeg.kill()
            self._ffmpeg = None
        self._pictures.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)
