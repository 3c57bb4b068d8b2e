"""Reads size, length and first frame of videos, and the length of recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import av
from av.container import InputContainer
from av.error import FFmpegError

from sandbox.media.pictures import THUMBNAIL_SIDE_PX, Picture, as_jpeg

# Playlists and other formats that may open further files are not among them.
_FORMATS = "mov,matroska,webm,avi,gif,mpegts,mpeg,flv,ogg,mp3,wav,asf,flac,aac,aiff"
_MAX_PIXELS = 8192 * 4320
# What PyAV raises for damaged files.
_UNREADABLE = (FFmpegError, OSError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True)
class Clip:
    """What is known of a video.

    Attributes:
        width: as shown, px.
        height: as shown, px.
        duration_s: in whole seconds.
        exact_s: exactly, s.
        rate_fps: frames per second, 0 if unknown.
        codec: of the pictures.
        has_sound: whether it has an audio track.
        is_mp4: whether its container is MPEG-4.
        thumbnail: the first frame, at most 320 px.
    """

    width: int
    height: int
    duration_s: int
    exact_s: float
    rate_fps: float
    codec: str
    has_sound: bool
    is_mp4: bool
    thumbnail: Picture


def read_clip(content: bytes) -> Clip | None:
    """Return what is known of a video; None if it cannot be read."""
    try:
        with _opened(content) as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > _MAX_PIXELS:
                return None
            frame = next(container.decode(stream))
            image = frame.to_image().rotate(frame.rotation, expand=True)  # type: ignore[no-untyped-call]
            brand = container.metadata.get("major_brand", "").strip()
            return Clip(
                width=image.width,
                height=image.height,
                duration_s=_duration_s(container),
                exact_s=(container.duration or 0) / av.time_base,
                rate_fps=float(stream.average_rate or 0),
                codec=stream.codec_context.name,
                has_sound=bool(container.streams.audio),
                is_mp4="mp4" in container.format.name.split(",") and brand != "qt",
                thumbnail=as_jpeg(image, THUMBNAIL_SIDE_PX),
            )
    except (*_UNREADABLE, StopIteration):
        return None


def sound_duration_s(content: bytes) -> int | None:
    """Return the length of a recording; None if it has no sound."""
    try:
        with _opened(content) as container:
            return _duration_s(container) if container.streams.audio else None
    except _UNREADABLE:
        return None


def as_ogg(content: bytes) -> bytes:
    """Return Opus sound in an OGG container, as voice messages are; any other one as it is."""
    file = BytesIO()
    try:
        with _opened(content) as source:
            sound = source.streams.audio[0]
            if sound.codec_context.name != "opus" or source.format.name == "ogg":
                return content
            with av.open(file, "w", format="ogg") as target:
                stream = target.add_stream_from_template(sound)
                for packet in source.demux(sound):
                    if packet.dts is not None:
                        packet.stream = stream
                        target.mux(packet)
    except _UNREADABLE:
        return content
    return file.getvalue()


@contextmanager
def _opened(content: bytes) -> Iterator[InputContainer]:
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
    with av.open(BytesIO(content), "r", options=options, metadata_errors="replace") as container:
        yield container


def _duration_s(container: InputContainer) -> int:
    return int((container.duration or 0) / av.time_base + 0.5)
