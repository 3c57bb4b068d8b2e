"""Probe clips: displayed size, exact frame rate, duration, sound.

imageio-ffmpeg comes without ffprobe, so PyAV reads the headers, the packets' timestamps and the
first frame. It gets the same format whitelist as ffmpeg.
"""

import logging
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from inference.media.ffmpeg import READABLE_FORMATS, Ffmpeg, file_url, input_arguments
from inference.media.file import check_file
from inference.media.frame_rate import MAX_RATE, choose_frame_rate
from inference.media.limits import MAX_CLIP_PIXELS
from inference.media.webp import WebpAnimation, read_webp_animation
from jobs.errors import (
    ClipTooManyPixels,
    MediaDamaged,
    NoFrameDecoded,
    NoVideoStream,
    UnsupportedClip,
    UnsupportedCodec,
)

log = logging.getLogger(__name__)

# Larger than any camera's frames; beyond it, the libraries do not report the size.
_MAX_PROBED_PIXELS = 8192 * 8192
_PACKETS_SCANNED = 100_000
_TIMES_KEPT = 2000
# Frames may be reordered by this many packets.
_REORDERED = 16
_UNSPECIFIED_MATRIX = 2
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True)
class VideoProbe:
    """A clip as it is displayed.

    Attributes:
        width: upright, in square pixels, px.
        height: likewise.
        frame_rate: constant frame rate for playback, frames per second, exact.
        duration_s: of its pictures, s; None if unknown.
        has_audio: whether it has sound.
    """

    width: int
    height: int
    frame_rate: Fraction
    duration_s: float | None
    has_audio: bool


@dataclass(frozen=True)
class ClipFacts:
    """A clip as it is displayed, and what is needed to decode it.

    Attributes:
        shown: the clip as it is displayed.
        is_square: whether its pixels are square.
        is_turned: whether it has to be rotated or mirrored.
        has_alpha: whether its frames have alpha.
        decoder: the decoder that ffmpeg must use; None for its default.
        matrix_unknown: whether it is YUV with an unspecified matrix.
        is_thinned: whether frames are dropped to reach `shown.frame_rate`.
        picture_track: index of the first video track that has a decoder.
        sound_track: index of the first audio track that has one, or None.
        lacks_sound_decoder: whether it has sound, but none that can be decoded.
    """

    shown: VideoProbe
    is_square: bool = True
    is_turned: bool = False
    has_alpha: bool = False
    decoder: str | None = None
    matrix_unknown: bool = False
    is_thinned: bool = False
    picture_track: int = 0
    sound_track: int | None = None
    lacks_sound_decoder: bool = False


def probe(path: Path) -> VideoProbe:
    """Return the clip's displayed size, frame rate (at most 60), duration and sound.

    Raises:
        FileMissing, FileUnreadable, EmptyFile: it cannot be opened.
        UnsupportedClip: it is not a video, or its format may open other files.
        MediaDamaged: its header is truncated or broken.
        NoVideoStream: it has no video track; cover art does not count.
        UnsupportedCodec: no video track has a decoder.
        NoFrameDecoded: no frame could be decoded.
        ClipTooManyPixels: its frames have more than `MAX_CLIP_PIXELS`.
    """
    return examine(path).shown


def examine(
    path: Path, max_pixels: int = MAX_CLIP_PIXELS, *, max_rate: Fraction | None = MAX_RATE
) -> ClipFacts:
    """Probe a clip in more detail; raises as `probe`.

    Args:
        path: the original clip.
        max_pixels: of one frame.
        max_rate: limit of a constant frame rate, frames per second; None for no limit.
    """
    head = read_head(path)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _facts_of_webp(path, max_pixels, max_rate)
    if head.startswith(b"GIF8"):
        # Its decoder refuses a size above the limit without reporting it.
        width, height = struct.unpack_from("<HH", head.ljust(10, b"\0"), 6)
        _check_pixels(path, width, height, max_pixels)
    try:
        container = open_container(path)
    except (FFmpegError, UnicodeError) as exc:
        log.info("the clip cannot be opened: %s", exc)
        raised = MediaDamaged if is_known_format(head) else UnsupportedClip
        raise raised(name=path.name) from exc
    with container:
        return _facts_of_streams(container, path, max_pixels, max_rate)


def open_container(path: Path, formats: str = READABLE_FORMATS) -> av.container.InputContainer:
    """Open a file in one of these formats, and no other file.

    Raises:
        FFmpegError, UnicodeError: it cannot be opened.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": formats}
    try:
        # In effect while the streams are probed, before we know their size.
        limit: list[Any] = [{"max_pixels": str(_MAX_PROBED_PIXELS)}] * 8  # PyAV's stub says str
        return av.open(
            file_url(path), options=options, stream_options=limit, metadata_errors="replace"
        )
    except ValueError as exc:
        if isinstance(exc, FFmpegError):
            raise
        # FLV and MPEG find their streams too late for stream options.
        return av.open(file_url(path), options=options, metadata_errors="replace")


def _facts_of_streams(
    container: av.container.InputContainer,
    path: Path,
    max_pixels: int,
    max_rate: Fraction | None,
) -> ClipFacts:
    stream = _picture_track(container, path)
    sound = next(filter(is_playable, container.streams.audio), None)
    codec = stream.codec_context
    _check_pixels(path, codec.width, codec.height, max_pixels)
    codec.options = {"max_pixels": str(max_pixels)}
    scan = _Scan(stream)
    frame = scan.run(container)
    if frame is None:
        raise NoFrameDecoded(name=path.name)
    _check_pixels(path, frame.width, frame.height, max_pixels)

    aspect = stream.sample_aspect_ratio or codec.sample_aspect_ratio or Fraction(1)
    width, height = _square_pixels(frame.width, frame.height, aspect)
    if round(frame.rotation / 90) % 2:
        width, height = height, width
    has_alpha = any(component.is_alpha for component in frame.format.components)
    decoder = None
    if stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1":
        # ffmpeg's own VP8 and VP9 decoders drop the alpha plane.
        decoder = _DECODERS_WITH_ALPHA.get(codec.name)
        has_alpha = has_alpha or decoder is not None
    rate = scan.frame_rate(max_rate)
    return ClipFacts(
        shown=VideoProbe(
            width=width,
            height=height,
            frame_rate=rate,
            duration_s=scan.duration_s(container),
            has_audio=sound is not None,
        ),
        is_square=(width * height == frame.width * frame.height),
        is_turned="DISPLAYMATRIX" in frame.side_data,
        has_alpha=has_alpha,
        decoder=decoder,
        matrix_unknown=not frame.format.is_rgb and frame.colorspace == _UNSPECIFIED_MATRIX,
        is_thinned=scan.frame_rate(None) > rate,
        picture_track=stream.index,
        sound_track=None if sound is None else sound.index,
        lacks_sound_decoder=sound is None and not all(map(has_decoder, container.streams.audio)),
    )


class _Scan:
    """The timestamps of a track's packets; only the first frame is decoded."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._stream = stream
        self._times: list[int] = []
        self._end = 0
        self._complete = False

    def run(self, container: av.container.InputContainer) -> av.VideoFrame | None:
        first: av.VideoFrame | None = None
        for number, packet in enumerate(_packets(container, self._stream)):
            if first is None:
                first = _decoded(packet)
            if number >= _PACKETS_SCANNED:
                return first
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or packet.size == 0:
                continue
            self._end = max(self._end, time + (packet.duration or 0))
            if len(self._times) < _TIMES_KEPT + _REORDERED:
                self._times.append(time)
        self._complete = True
        return first

    def frame_rate(self, max_rate: Fraction | None) -> Fraction:
        tick_s = self._stream.time_base or Fraction(1, 1000)
        times_s = [time * tick_s for time in sorted(self._times)[:_TIMES_KEPT]]
        stream = self._stream
        claims = [stream.average_rate, stream.base_rate]
        return choose_frame_rate(times_s, tick_s, claims, max_rate=max_rate)

    def duration_s(self, container: av.container.InputContainer) -> float | None:
        start_s = Fraction(container.start_time or 0, av.time_base)
        if self._complete and self._times and self._stream.time_base is not None:
            duration_s = float(self._end * self._stream.time_base - start_s)
            return duration_s if duration_s > 0 else None
        return None if container.duration is None else container.duration / av.time_base


def _packets(
    container: av.container.InputContainer, stream: av.VideoStream
) -> "Iterator[av.Packet[av.VideoStream]]":
    """The track's packets, up to where the file ends or is damaged."""
    try:
        yield from container.demux(stream)
    except FFmpegError as exc:
        log.info("the clip is truncated or damaged: %s", exc)


def _decoded(packet: "av.Packet[av.VideoStream]") -> av.VideoFrame | None:
    try:
        frames = packet.decode()
    except FFmpegError:
        return None  # a later packet may be intact
    return next(iter(frames), None)


def _picture_track(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """Return the first video track that has a decoder."""
    tracks = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not tracks:
        raise NoVideoStream(name=path.name)
    playable = next(filter(has_decoder, tracks), None)
    if playable is None:
        raise UnsupportedCodec(name=path.name, codec=_codec_name(path, tracks[0].index))
    return playable


def has_decoder(stream: av.VideoStream | av.AudioStream) -> bool:
    """Return whether there is a decoder for the track."""
    # PyAV's value is None without a decoder, contrary to its stubs.
    context: object = stream.codec_context
    return context is not None


def is_playable(audio: av.AudioStream) -> bool:
    """Return whether the track can be decoded."""
    # ffmpeg fails on a track that is declared but never described (zero channels).
    codec = audio.codec_context
    return has_decoder(audio) and codec.sample_rate > 0 and codec.channels > 0


def _codec_name(path: Path, track: int) -> str:
    """Return ffmpeg's name for the codec of a track that it cannot decode."""
    with Ffmpeg([*input_arguments(path), "-map", f"0:{track}", "-f", "null", "pipe:1"]) as ffmpeg:
        ffmpeg.finish()
    unknown = ffmpeg.find(r"Video: none \((\w+)")
    return unknown or ffmpeg.find(r"no decoder found for: (\w+)") or "unknown"


def _square_pixels(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The size in square pixels; one side is enlarged, so that no detail is lost."""
    if not Fraction(1, 16) < aspect < 16 or aspect == 1:
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def _facts_of_webp(path: Path, max_pixels: int, max_rate: Fraction | None) -> ClipFacts:
    animation: WebpAnimation | None = read_webp_animation(path)
    if animation is None:
        raise UnsupportedClip(name=path.name)
    _check_pixels(path, animation.width, animation.height, max_pixels)
    if not animation.times_s:
        raise NoFrameDecoded(name=path.name)
    millisecond = Fraction(1, 1000)
    shown = VideoProbe(
        width=animation.width,
        height=animation.height,
        frame_rate=choose_frame_rate(animation.times_s, millisecond, [], max_rate=max_rate),
        duration_s=float(animation.duration_s),
        has_audio=False,
    )
    return ClipFacts(shown, has_alpha=True)


def _check_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ClipTooManyPixels(
            name=path.name, width=width, height=height, limit_mp=round(max_pixels / 1e6, 1)
        )


def read_head(path: Path) -> bytes:
    """Return the first bytes of the file, by which its format is recognised."""
    check_file(path, sys.maxsize)
    with path.open("rb") as file:
        return file.read(192 * 2)


def is_known_format(head: bytes) -> bool:
    """Return whether the first bytes are those of a supported format."""
    starts = (b"\x1aE\xdf\xa3", b"GIF8", b"FLV", b"OggS", b"\x30\x26\xb2\x75", b"\0\0\x01\xba")
    if head.startswith(starts) or head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free"}:
        return True
    is_avi = head[:4] == b"RIFF" and head[8:11] == b"AVI"
    return is_avi or (len(head) > 188 and head[0] == head[188] == 0x47)
