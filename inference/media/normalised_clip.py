"""Normalise clips: an original clip is decoded once, by `normalise_clip` in the gate's child.

Everything else reads the normalised clip with `ClipReader` (`inference/media/video.py`). Videos are
written by `inference/media/writer.py`.
"""

import math
import signal
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from inference.media.ffmpeg import THREADS, Ffmpeg, file_url, input_arguments
from inference.media.file import check_file
from inference.media.frame_rate import MAX_RATE
from inference.media.limits import ClipLimits
from inference.media.probe import ClipFacts, VideoProbe, examine
from inference.media.writer import BT709
from jobs.errors import ClipTooLong, DecoderFailed, DiskFull, NoFrameDecoded, StartBeyondEnd

# Visually lossless; the normalised clip is deleted with the order.
_NEARLY_LOSSLESS = ("-c:v", "libx264", "-crf", "14", "-profile:v", "high", "-preset")
_LOSSLESS = ("-c:v", "libx264rgb", "-preset", "ultrafast", "-crf", "0")
# In MPEG streams ffmpeg may seek into the middle of a group of pictures, whose first frames are
# broken then. So it seeks to this much earlier, or not at all if the start is earlier than that.
_PREROLL_S = 10
# From this height on, YUV with an unspecified matrix is assumed to be BT.709, as players do.
_HD_HEIGHT_PX = 720
# Composite transparent frames on white.
_ON_WHITE = (
    "format=rgba,split[front][back];[back]drawbox=c=white:t=fill:replace=1[white];"
    "[white][front]overlay=format=rgb"
)


@dataclass(frozen=True)
class NormalisedClip:
    """A clip with upright frames, square pixels and a constant frame rate.

    Attributes:
        path: an mp4: 8-bit H.264, yuv420p BT.709 (lossless RGB if `exact`), sound as AAC.
        width: px; even unless `exact`.
        height: likewise.
        original_width: of the source as it is displayed, px.
        original_height: likewise.
        frame_rate: frames per second, exact; at most 60 unless `exact`.
        frame_count: at least 1.
        has_audio: whether it has sound.
        damaged: whether the source is truncated or has broken parts.
        shortened: whether the source is longer than the limits allow.
        lacks_sound_decoder: whether the source has sound, but none that can be decoded.
    """

    path: Path
    width: int
    height: int
    original_width: int
    original_height: int
    frame_rate: Fraction
    frame_count: int
    has_audio: bool
    damaged: bool
    shortened: bool
    lacks_sound_decoder: bool = False


def normalise_clip(
    source: Path,
    target: Path,
    limits: ClipLimits | None = None,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> NormalisedClip:
    """Convert a clip, or a part of it, to the form that the rest of the program reads.

    Transparent parts become white; with `exact` their alpha is dropped. An odd last row or column
    is dropped if the frames keep their size, unless `exact`. Sound stays in sync: if the pictures
    begin later than the sound, the first one is shown until then.

    Args:
        source: the original clip.
        target: the mp4 to write; overwritten, and deleted if this fails.
        limits: the defaults if None.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all that the limits allow.

    Raises:
        MediaTooLarge: the file is larger than the limit.
        ClipTooLong: `duration_s` is above the limit, and the clip is that long.
        StartBeyondEnd: there is no frame at `start_s`.
        DecoderFailed: ffmpeg failed before the first frame, or took too long.
        ProcessKilled: ffmpeg was killed from outside.
        DiskFull: there is no space for `target`.
        MediaError: as `probe`.
    """
    limits = limits or ClipLimits()
    check_file(source, limits.max_bytes)
    facts = examine(source, limits.max_pixels, max_rate=None if limits.exact else MAX_RATE)
    shown = facts.shown
    if shown.duration_s is not None and start_s > 0 and start_s >= shown.duration_s:
        raise StartBeyondEnd(name=source.name, start_s=start_s)
    if not limits.audio:
        facts = replace(facts, shown=replace(shown, has_audio=False))
    cut = _plan_cut(source, shown, limits, start_s, duration_s)
    width, height = shown.width, shown.height
    if limits.exact:
        coding = [*_LOSSLESS, "-vf", _exact_filter(shown)]
    else:
        width, height = _even_size(width, height, limits.max_side)
        preset = "veryfast" if limits.compact else "ultrafast"
        coding = [*_NEARLY_LOSSLESS, preset, "-vf", _picture_filter(facts, (width, height))]
    arguments = _normalising(source, facts, coding, cut)
    try:
        size_limit = ["-max_pixels", str(limits.max_pixels)]
        with Ffmpeg([*size_limit, *arguments, file_url(target)]) as ffmpeg:
            status = ffmpeg.finish()
        frame_count, has_audio = _count_frames(target)
        if frame_count == 0 or status == -signal.SIGXCPU:
            raise _failure(ffmpeg, status, source, cut)
        error_count = ffmpeg.track_error_count if cut.seek_s > 0 else ffmpeg.error_count
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return NormalisedClip(
        path=target,
        width=width,
        height=height,
        original_width=shown.width,
        original_height=shown.height,
        frame_rate=shown.frame_rate,
        frame_count=frame_count,
        has_audio=has_audio,
        damaged=status != 0 or error_count > 0,
        shortened=cut.shortens and frame_count == cut.frame_limit,
        lacks_sound_decoder=limits.audio and facts.lacks_sound_decoder,
    )


@dataclass(frozen=True)
class _Cut:
    """The part that is used: at most `frame_limit` frames from `start_frame` on.

    It begins at the frame nearest to the wanted start; between two frames, sound and pictures would
    be out of sync. ffmpeg seeks to `seek_s` and decodes from there.
    """

    start_s: float
    start_frame: int
    seek_s: Fraction
    frame_limit: int | None
    shortens: bool


def _plan_cut(
    source: Path,
    shown: VideoProbe,
    limits: ClipLimits,
    start_s: float,
    duration_s: float | None,
) -> _Cut:
    rate = shown.frame_rate
    wanted = math.inf if duration_s is None else max(1, round(duration_s * rate))
    available = math.inf
    if shown.duration_s is not None:
        available = max(1, round((shown.duration_s - start_s) * rate))
    allowed = math.inf if limits.max_frames is None else limits.max_frames
    if limits.max_duration_s is not None:
        # The 1/1000 keeps rounding from dropping the last frame of 15 s at 30 frames per second.
        allowed = min(allowed, max(1, math.floor(limits.max_duration_s * rate + Fraction(1, 1000))))
    needed = min(wanted, available)
    is_too_long = needed > allowed
    if is_too_long and duration_s is not None:
        raise ClipTooLong(
            name=source.name, duration_s=float(duration_s), limit_s=float(allowed / rate)
        )
    limit = min(wanted, allowed)
    start_frame = max(0, round(start_s * rate))
    return _Cut(
        start_s=start_s,
        start_frame=start_frame,
        seek_s=max(Fraction(0), (start_frame - round(_PREROLL_S * rate)) / rate),
        frame_limit=None if limit == math.inf else int(limit),
        shortens=is_too_long,
    )


def _normalising(source: Path, facts: ClipFacts, coding: list[str], cut: _Cut) -> list[str]:
    """The ffmpeg arguments except for the target."""
    rate = facts.shown.frame_rate
    decoder = [] if facts.decoder is None else ["-c:v", facts.decoder]
    part = ["-ss", f"{float(cut.start_frame / rate - cut.seek_s):.6f}"]
    if cut.frame_limit is not None:
        end_s = math.ceil(cut.frame_limit / rate * 1_000_000) / 1_000_000
        part += ["-frames:v", str(cut.frame_limit), "-t", f"{end_s:.6f}"]
    # A millisecond early: containers that count in milliseconds might lose the first frame.
    seek = ["-ss", f"{float(cut.seek_s) - 0.001:.6f}"] if cut.seek_s > 0 else []
    sound = ["-an"]
    if facts.shown.has_audio:
        # Sound that begins late is padded with silence, so that both tracks begin at zero.
        sound = [
            *("-map", f"0:{facts.sound_track}", "-c:a", "aac", "-b:a", "160k"),
            *("-af", "aresample=async=1:first_pts=0,aformat=sample_rates=44100|48000"
              ":channel_layouts=mono|stereo"),
        ]  # fmt: skip
    # When the frame size changes, a new filter graph would begin at time zero again. The filters
    # that rotate frames, however, cannot handle a change.
    chain = [] if facts.is_turned else ["-reinit_filter", "0"]
    return [
        *(*chain, *seek, *decoder, *input_arguments(source)),
        *("-map", f"0:{facts.picture_track}", *coding, "-fps_mode", "passthrough"),
        *(*sound, *part, "-threads", str(THREADS), "-filter_threads", str(THREADS)),
        *("-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn", "-f", "mp4", "-y"),
    ]


def _picture_filter(facts: ClipFacts, size: tuple[int, int]) -> str:
    """The filter graph; ffmpeg has already rotated the frames."""
    width, height = size
    shown = facts.shown
    rate = _at_constant_rate(shown)
    # Frames that are dropped need not be scaled; frames that are repeated are scaled once.
    steps = [rate] if facts.is_thinned else []
    if facts.matrix_unknown and not facts.has_alpha and shown.height >= _HD_HEIGHT_PX:
        steps.append("setparams=colorspace=bt709")
    # `scale` comes first: some clips change their frame size, and only this filter can follow.
    is_odd = (shown.width - width, shown.height - height) in {(0, 1), (1, 0), (1, 1)}
    if facts.is_square and is_odd:
        steps += [_scale(shown.width, shown.height), f"crop={width}:{height}:0:0"]
    else:
        steps.append(_scale(width, height, is_much_smaller=2 * width <= shown.width))
    if facts.has_alpha:
        steps += [_ON_WHITE, _scale(width, height)]
    if not facts.is_thinned:
        steps.append(rate)
    return ",".join([*steps, "format=yuv420p", "setsar=1", BT709])


def _exact_filter(shown: VideoProbe) -> str:
    """The filter graph of an exact clip: RGB as the program of 2021 read it.

    It used `ffmpeg -pix_fmt rgb24` with default conversion, which drops alpha. The conversion of
    `ClipReader` is more accurate, but at saturated edges it differs by 100 levels and more.
    """
    size = f"scale={shown.width}:{shown.height}"
    return ",".join([size, "format=rgb24", _at_constant_rate(shown), "setsar=1"])


def _at_constant_rate(shown: VideoProbe) -> str:
    # If the pictures begin later than the sound, the first one is repeated from zero on.
    return f"fps={shown.frame_rate}:start_time=0"


def _scale(width: int, height: int, *, is_much_smaller: bool = False) -> str:
    # At half the size and less, area averaging is as good and takes half the time.
    flags = "area" if is_much_smaller else "bicubic"
    colours = "out_color_matrix=bt709:out_range=tv"
    return f"scale={width}:{height}:flags={flags}+accurate_rnd:{colours}"


def _even_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    if scale == 1.0:
        return max(2, width - width % 2), max(2, height - height % 2)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _count_frames(target: Path) -> tuple[int, bool]:
    """Frame count of our own mp4 and whether it has sound; (0, False) if it is unusable."""
    try:
        with av.open(file_url(target), format="mp4", options={"protocol_whitelist": "file"}) as mp4:
            if not mp4.streams.video:
                return 0, False
            return mp4.streams.video[0].frames, bool(mp4.streams.audio)
    except (av.error.FFmpegError, OSError):
        return 0, False


def _failure(ffmpeg: Ffmpeg, status: int, source: Path, cut: _Cut) -> Exception:
    if ffmpeg.is_disk_full:
        return DiskFull(path=tempfile.gettempdir())
    if status == -signal.SIGXCPU:
        return DecoderFailed(name=source.name, reason="it took too long")
    if cut.start_s > 0:
        return StartBeyondEnd(name=source.name, start_s=cut.start_s)
    if status == -signal.SIGXFSZ:
        return DecoderFailed(name=source.name, reason="it becomes too large a file")
    if status != 0 and ffmpeg.error_count == 0:
        return DecoderFailed(name=source.name, reason=f"ffmpeg ended with {status}")
    return NoFrameDecoded(name=source.name)
