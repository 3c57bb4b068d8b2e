"""Moving pictures: what a server finds in a clip, and makes of it. All of it in memory."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import islice
from typing import Any, TypeVar

import av
import av.filter
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from sandbox.errors import bad_request
from sandbox.media.pictures import THUMBNAIL_SIDE_PX, Picture, as_jpeg, on_white

log = logging.getLogger(__name__)

Track = TypeVar("Track", av.VideoStream, av.AudioStream)

ROUND_SIDE_PX = 384
ROUND_LIMIT_S = 60

_FORMATS = "mov,matroska,webm,avi,gif,mpegts,mpeg,flv,ogg,asf"
_MAX_PIXELS = 8192 * 4320
_MAX_GIF_FRAMES = 3000
_MAX_GIF_PIXELS = 600_000_000  # of all frames together: a few seconds of work
_LONGEST_SIDE_PX = 1280
_PHONE_LIMIT_S = 120
_PACKETS_SCANNED = 200_000
_MICROSECONDS = 1_000_000
_QUICKTIME = "qt"
# What PyAV raises on damaged files. A track of an unknown kind lacks attributes that others have.
_DAMAGE = (
    FFmpegError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)
# Without B-frames: with them and uneven times, an mp4's length comes out wrong.
_H264 = {"preset": "veryfast", "crf": "23", "profile": "high", "bf": "0"}


@dataclass(frozen=True)
class VideoFacts:
    """What a player is told of a clip.

    Attributes:
        width: as seen, px.
        height: as seen, px.
        duration_s: rounded to whole seconds.
        has_sound: whether it carries sound.
        is_mp4: whether its container is MPEG-4.
    """

    width: int
    height: int
    duration_s: int
    has_sound: bool
    is_mp4: bool


def video_facts(content: bytes) -> VideoFacts | None:
    """What there is to say of a clip; None if it is no video that can be read."""
    try:
        with _opened(content) as (container, stream):
            frame = _first_frame(container, stream)
            width, height = frame.width, frame.height
            if frame.rotation % 180:
                width, height = height, width
            names = container.format.name.split(",")
            brand = container.metadata.get("major_brand", "").strip()
            return VideoFacts(
                width=width,
                height=height,
                duration_s=int(_duration_s(container, stream) + Fraction(1, 2)),
                has_sound=bool(container.streams.audio),
                is_mp4="mp4" in names and brand != _QUICKTIME,
            )
    except _DAMAGE as exc:
        log.debug("not a video: %s", exc)
        return None


def video_thumbnail(content: bytes) -> Picture | None:
    """The first frame, upright, as a JPEG of at most 320 px; None if there is none."""
    try:
        with _opened(content) as (container, stream):
            frame = _first_frame(container, stream)
            upright = _picture(frame).rotate(frame.rotation, expand=True)
            return as_jpeg(upright, THUMBNAIL_SIDE_PX)
    except _DAMAGE as exc:
        log.debug("no thumbnail: %s", exc)
        return None


def gif_as_mp4(content: bytes) -> bytes:
    """A GIF as a silent H.264 mp4 with the same timing; what is transparent becomes white.

    Raises:
        ApiError: it cannot be read.
    """
    target = BytesIO()
    try:
        with _opened(content) as (container, stream), _mp4(target) as output:
            _check_work(container, stream)
            _encode_gif(islice(container.decode(stream), _MAX_GIF_FRAMES), stream, output)
    except _DAMAGE as exc:
        raise bad_request("IMAGE_PROCESS_FAILED") from exc
    return target.getvalue()


def _check_work(container: InputContainer, stream: VideoStream) -> None:
    packets = islice(container.demux(stream), _MAX_GIF_FRAMES)
    count = sum(packet.size > 0 for packet in packets)
    container.seek(0)
    if count * stream.width * stream.height > _MAX_GIF_PIXELS:
        raise bad_request("file is too big")


def _even_size(width: int, height: int) -> tuple[int, int]:
    """The size reduced to what Telegram shows, with even sides, as H.264 wants them."""
    scale = min(1.0, _LONGEST_SIDE_PX / max(width, height))
    even = (max(2, round(side * scale / 2 + 0.25) * 2) for side in (width, height))
    return next(even), next(even)


def phone_video(content: bytes) -> bytes:
    """A clip of any kind as a phone's app sends it: an upright mp4, at most 1280 px and 120 s.

    Raises:
        ApiError: it cannot be read.
    """
    facts = video_facts(content)
    if facts is None:
        raise bad_request("VIDEO_CONTENT_TYPE_INVALID")
    return _copied(content, _Shape(*_even_size(facts.width, facts.height), _PHONE_LIMIT_S))


def square_video(content: bytes) -> bytes:
    """The middle of a clip as a round video wants it: a square mp4 of 384 px, at most a minute.

    Raises:
        ApiError: it cannot be read.
    """
    return _copied(content, _Shape(ROUND_SIDE_PX, ROUND_SIDE_PX, ROUND_LIMIT_S))


def _copied(content: bytes, shape: "_Shape") -> bytes:
    target = BytesIO()
    try:
        with _opened(content) as (container, stream), _mp4(target) as output:
            _Copy(container, stream, output, shape).run()
    except _DAMAGE as exc:
        raise bad_request("VIDEO_CONTENT_TYPE_INVALID") from exc
    return target.getvalue()


# --- reading --------------------------------------------------------------------------------------


@contextmanager
def _opened(content: bytes) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The clip and its picture track; the cover of a piece of music is none.

    Raises:
        ValueError or FFmpegError: no clip, or one too large to be decoded here.
    """
    # Playlists and their like, which may open other files, are not among the formats.
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
    with av.open(BytesIO(content), "r", options=options, metadata_errors="replace") as container:
        tracks = (
            stream
            for stream in _readable(container.streams.video)
            if not stream.disposition & Disposition.attached_pic
        )
        stream = next(tracks, None)
        if stream is None or stream.width * stream.height > _MAX_PIXELS:
            message = "no track of pictures, or one that is too large"
            raise ValueError(message)
        yield container, stream


def _readable(tracks: Iterable[Track]) -> list[Track]:
    """Those that there is a decoder for."""
    found: Any = [(track, track.codec_context) for track in tracks]  # it may be None
    return [track for track, context in found if context is not None]


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    frame = next(container.decode(stream), None)
    if frame is None:
        message = "no frame"
        raise ValueError(message)
    return frame


def _picture(frame: VideoFrame) -> Image.Image:
    """The frame on white."""
    plane = frame.reformat(format="rgba").planes[0]
    size = (frame.width, frame.height)
    return on_white(Image.frombuffer("RGBA", size, bytes(plane), "raw", "RGBA", plane.line_size, 1))


def _duration_s(container: InputContainer, stream: VideoStream) -> Fraction:
    """The clip's length by its header or, where that is silent, by its packets."""
    if container.duration is not None:
        return Fraction(container.duration, _MICROSECONDS)
    base = stream.time_base
    if base is None:
        return Fraction(0)
    end = Fraction(0)
    with suppress(*_DAMAGE):
        container.seek(0)
        for packet in islice(container.demux(stream), _PACKETS_SCANNED):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * base)
    return end


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def _mp4(target: BytesIO) -> Iterator[OutputContainer]:
    with av.open(target, "w", format="mp4") as output:
        yield output


def _encode_gif(frames: Iterator[VideoFrame], source: VideoStream, output: OutputContainer) -> None:
    encoder: VideoStream | None = None
    for frame in frames:
        picture = _picture(frame)
        if encoder is None:
            # An odd row or column has no colours of its own in yuv420p.
            encoder = _add_h264(output, source, *_even_size(*picture.size))
        fitted = picture.resize((encoder.width, encoder.height))
        made = VideoFrame.from_image(fitted)  # type: ignore[no-untyped-call]
        made.pts, made.time_base, made.duration = frame.pts, frame.time_base, frame.duration
        output.mux(encoder.encode(made))
    if encoder is None:
        message = "no frame"
        raise ValueError(message)
    output.mux(encoder.encode(None))


def _add_h264(output: OutputContainer, source: VideoStream, width: int, height: int) -> VideoStream:
    """A picture track that keeps the source's times."""
    encoder = output.add_stream("libx264", rate=source.average_rate or 25, options=_H264)
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.codec_context.time_base = source.time_base or Fraction(1, 1000)
    # Or the last frame would be as long as an average one.
    encoder.codec_context.flags |= Flags.frame_duration
    return encoder


@dataclass(frozen=True)
class _Shape:
    """What a copy is to be: its size in px, to which the middle is cut, and its longest length."""

    width: int
    height: int
    limit_s: int


class _Copy:
    """The copying of a clip into an mp4: pictures cut and reduced, sound as AAC."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        output: OutputContainer,
        shape: _Shape,
    ) -> None:
        self.shape = shape
        self.container = container
        self.output = output
        self.pictures = stream
        self.sound = next(iter(_readable(container.streams.audio)), None)
        self.picture_encoder = _add_h264(output, stream, shape.width, shape.height)
        self.sound_encoder = None
        if self.sound is not None:
            self.sound_encoder = output.add_stream("aac", rate=48_000, layout="stereo")
        self.start_s = Fraction(container.start_time or 0, _MICROSECONDS)
        self.graph: av.filter.Graph | None = None
        self.frame_count = 0
        # The kinds of frames of which the last wanted one has been taken.
        self.finished: set[type] = set()

    def run(self) -> None:
        tracks = [track for track in (self.pictures, self.sound) if track is not None]
        # What was decoded before a broken place is kept.
        with suppress(*_DAMAGE):
            for packet in self.container.demux(*tracks):
                for frame in packet.decode():
                    if isinstance(frame, av.AudioFrame | VideoFrame):
                        self._take(frame)
                if len(self.finished) == len(tracks):
                    break
        if self.frame_count == 0:
            message = "no frame"
            raise ValueError(message)
        self.output.mux(self.picture_encoder.encode(None))
        if self.sound_encoder is not None:
            self.output.mux(self.sound_encoder.encode(None))

    def _take(self, frame: av.AudioFrame | VideoFrame) -> None:
        """Encodes the frame, moved to the clip's beginning, if it is not too late."""
        if frame.pts is None or frame.time_base is None:
            return
        start = int(self.start_s / frame.time_base)
        frame.pts = max(0, frame.pts - start)
        if frame.pts * frame.time_base >= self.shape.limit_s:
            self.finished.add(type(frame))
        elif isinstance(frame, VideoFrame):
            self._encode_picture(frame)
        elif self.sound_encoder is not None:
            self.output.mux(self.sound_encoder.encode(frame))

    def _encode_picture(self, frame: VideoFrame) -> None:
        if self.graph is None:
            self.graph = _graph(frame, self.shape)
        self.graph.vpush(frame)
        shaped = self.graph.vpull()
        # Or the encoder would repeat the source's own choice of key frames.
        shaped.pict_type = PictureType.NONE
        self.output.mux(self.picture_encoder.encode(shaped))
        self.frame_count += 1


def _graph(frame: VideoFrame, shape: _Shape) -> av.filter.Graph:
    """Filters that turn a frame upright and cut and reduce its middle."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base,
    )
    turns = {90: ["cclock"], 180: ["cclock", "cclock"], 270: ["clock"]}
    filters = [graph.add("transpose", turn) for turn in turns.get(frame.rotation % 360, [])]
    width, height = frame.width, frame.height
    if frame.rotation % 180:
        width, height = height, width
    scale = min(width / shape.width, height / shape.height)
    cut = (min(width, round(shape.width * scale)), min(height, round(shape.height * scale)))
    filters += [
        graph.add("crop", f"{cut[0]}:{cut[1]}"),
        graph.add("scale", f"{shape.width}:{shape.height}"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(source, *filters).configure()
    return graph
