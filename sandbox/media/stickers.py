"""Stickers of all three kinds: still pictures, drawings that move, clips."""

import json
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from sandbox.errors import bad_request
from sandbox.media.pictures import PictureDamaged, opened, upright
from sandbox.media.video import video_facts

STICKER_SIDE_PX = 512

_GZIP = b"\x1f\x8b"
_EBML = b"\x1a\x45\xdf\xa3"
_GZIP_WINDOW = 31
# Unpacked; Telegram takes 64 kB packed.
_MAX_DRAWING_BYTES = 8 << 20
_MAX_SUM_OF_SIDES_PX = 10_000


@dataclass(frozen=True)
class Sticker:
    """A sticker's file and what it is.

    Attributes:
        content: the file's bytes.
        width: px.
        height: px.
        is_animated: a drawing that moves (.tgs).
        is_video: a WebM clip.
        mime: its content type.
    """

    content: bytes
    width: int
    height: int
    is_animated: bool
    is_video: bool
    mime: str


def sticker(content: bytes) -> Sticker:
    """A sticker of any of the three kinds, told by its bytes; a picture becomes a WebP.

    Raises:
        ApiError: it is none.
    """
    if content.startswith(_GZIP):
        width, height = _drawing_size(content)
        mime = "application/x-tgsticker"
        return Sticker(content, width, height, is_animated=True, is_video=False, mime=mime)
    if content.startswith(_EBML):
        facts = video_facts(content)
        if facts is None:
            raise bad_request("STICKER_VIDEO_NOWEBM")
        size = (facts.width, facts.height)
        return Sticker(content, *size, is_animated=False, is_video=True, mime="video/webm")
    return _still_sticker(content)


def _drawing_size(content: bytes) -> tuple[int, int]:
    """Width and height of a .tgs: a Lottie drawing, packed by gzip."""
    try:
        unpacked = zlib.decompressobj(_GZIP_WINDOW).decompress(content, _MAX_DRAWING_BYTES)
        drawing: Any = json.loads(unpacked)
        return int(drawing["w"]), int(drawing["h"])
    except (zlib.error, ValueError, TypeError, LookupError, RecursionError, OverflowError) as exc:
        raise bad_request("STICKER_TGS_NOTGS") from exc


def _still_sticker(content: bytes) -> Sticker:
    try:
        with opened(content) as image:
            if sum(image.size) > _MAX_SUM_OF_SIDES_PX:
                raise bad_request("STICKER_INVALID")
            picture = upright(image)
    except (PictureDamaged, Image.DecompressionBombError) as exc:
        raise bad_request("STICKER_INVALID") from exc
    scale = STICKER_SIDE_PX / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    sized = picture.resize((width, height), Image.Resampling.LANCZOS)
    file = BytesIO()
    sized.save(file, "WEBP", quality=90)
    made = file.getvalue()
    return Sticker(made, width, height, is_animated=False, is_video=False, mime="image/webp")
