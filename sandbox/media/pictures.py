"""Photos and thumbnails, as Telegram stores them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from sandbox.errors import bad_request

MAX_PHOTO_BYTES = 10 << 20
MAX_THUMBNAIL_BYTES = 200_000
THUMBNAIL_SIDE_PX = 320
PHOTO_SIDES_PX = (THUMBNAIL_SIDE_PX, 1280)

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_MAX_SUM_OF_SIDES_PX = 10_000
_MAX_RATIO = 20
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """An encoded picture and its size in px."""

    content: bytes
    width: int
    height: int


def photo_sizes(content: bytes) -> list[Picture]:
    """Return a photo as upright JPEGs without metadata, the smaller one first.

    There are at most two, of 320 and 1280 px on the longer side, and none is larger than the photo.

    Raises:
        ApiError: not a picture, too many bytes, too large or too narrow.
    """
    if len(content) > MAX_PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(content)} bytes is too big for a photo; "
            f"the maximum size is {MAX_PHOTO_BYTES} bytes"
        )
    with _opened(content, "IMAGE_PROCESS_FAILED") as image:
        shorter, longer = sorted(image.size)
        if shorter + longer > _MAX_SUM_OF_SIDES_PX or longer > _MAX_RATIO * shorter:
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        upright = ImageOps.exif_transpose(image).convert("RGB")
    small, large = PHOTO_SIDES_PX
    return [as_jpeg(upright, side) for side in ((small, large) if longer > small else (large,))]


def thumbnail(content: bytes) -> Picture | None:
    """Return a bot's thumbnail unchanged; None for one that Telegram would silently ignore.

    Telegram takes JPEGs under 200 kB with sides of at most 320 px.
    """
    try:
        with Image.open(BytesIO(content), formats=("JPEG",)) as image:
            image.load()
            size = image.size
    except _UNREADABLE:
        return None
    is_small = len(content) < MAX_THUMBNAIL_BYTES and max(size) <= THUMBNAIL_SIDE_PX
    return Picture(content, *size) if is_small else None


def picture_type(content: bytes) -> tuple[int, int, str]:
    """Return width, height and content type of a sticker's picture.

    Raises:
        ApiError: not a picture.
    """
    with _opened(content, "STICKER_INVALID") as image:
        return (*image.size, Image.MIME[str(image.format)])


def as_jpeg(image: Image.Image, longest_side_px: int) -> Picture:
    """Encode an RGB picture as a JPEG without metadata, reduced to fit."""
    reduced = image.copy()
    reduced.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    reduced.info.clear()
    file = BytesIO()
    reduced.save(file, "JPEG", quality=87)
    return Picture(file.getvalue(), *reduced.size)


@contextmanager
def _opened(content: bytes, refusal: str) -> Iterator[Image.Image]:
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            yield image
    except _UNREADABLE as exc:
        raise bad_request(refusal) from exc
