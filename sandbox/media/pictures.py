"""Still pictures: what a server makes of a photo's bytes. Nothing here needs an event loop."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageCms, ImageOps

from sandbox.errors import bad_request

MAX_PHOTO_BYTES = 10 << 20
MAX_THUMBNAIL_BYTES = 200_000
_PHONE_SIDE_PX = 2560
THUMBNAIL_SIDE_PX = 320

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_PHOTO_SIDES_PX = (90, 320, 1280)
_MAX_SUM_OF_SIDES_PX = 10_000
_MAX_RATIO = 20
_QUALITY = 87
# What Pillow raises on damaged files, besides its own classes.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_WARNING_FILTERS = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        content: the file's bytes.
        width: px.
        height: px.
    """

    content: bytes
    width: int
    height: int


class PictureDamaged(Exception):
    """The bytes are no picture, or a broken one."""


def photo_sizes(content: bytes) -> list[Picture]:
    """A photo as Telegram keeps it: upright JPEGs without metadata, the smallest first.

    There are one to three, at most 90, 320 and 1280 px on the longer side; none is larger than the
    photo itself. What is transparent becomes white.

    Raises:
        ApiError: no picture, too many bytes, too large or too narrow.
    """
    if len(content) > MAX_PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(content)} bytes is too big for a photo; "
            f"the maximum size is {MAX_PHOTO_BYTES} bytes"
        )
    try:
        with opened(content) as image:
            _check_dimensions(*image.size)
            whole = on_white(upright(image))
    except Image.DecompressionBombError as exc:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from exc
    except PictureDamaged as exc:
        raise bad_request("IMAGE_PROCESS_FAILED") from exc
    longer = max(whole.size)
    needed = [side for side in _PHOTO_SIDES_PX if side < longer][:2]
    return [as_jpeg(whole, side) for side in (*needed, _PHOTO_SIDES_PX[-1])]


def phone_photo(content: bytes) -> bytes:
    """A photo as a phone's app sends it: one that is too large becomes a JPEG of at most 2560 px.

    What cannot be read is given back as it is.
    """
    try:
        with opened(content) as image:
            is_small = len(content) <= MAX_PHOTO_BYTES and sum(image.size) <= _MAX_SUM_OF_SIDES_PX
            if is_small:
                return content
            image.draft("RGB", (_PHONE_SIDE_PX, _PHONE_SIDE_PX))
            return as_jpeg(on_white(upright(image)), _PHONE_SIDE_PX).content
    except (PictureDamaged, Image.DecompressionBombError):
        return content


def thumbnail(content: bytes) -> Picture | None:
    """A thumbnail that a bot gives, as it is; None for one that Telegram would ignore in silence.

    That is all but a JPEG under 200 kB with sides of at most 320 px.
    """
    if len(content) >= MAX_THUMBNAIL_BYTES:
        return None
    try:
        with opened(content) as image:
            if image.format != "JPEG" or max(image.size) > THUMBNAIL_SIDE_PX:
                return None
            image.load()
            return Picture(content, *image.size)
    except (PictureDamaged, Image.DecompressionBombError):
        return None


def as_jpeg(image: Image.Image, longest_side_px: int) -> Picture:
    """An RGB picture as a JPEG, reduced to fit if it is larger, with no metadata."""
    reduced = image.copy()
    reduced.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    # Pillow would write a comment that the source had.
    reduced.info.clear()
    file = BytesIO()
    reduced.save(file, "JPEG", quality=_QUALITY)
    return Picture(file.getvalue(), *reduced.size)


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """The picture with only its header read; damage that shows later is told here, too.

    Raises:
        PictureDamaged: no picture, or a broken one.
        PIL.Image.DecompressionBombError: absurdly large.
    """
    # Pillow warns of odd metadata and of large pictures. Warning filters belong to the whole
    # process, so that only one thread may change them at a time.
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(BytesIO(content), formats=_FORMATS) as image:
                yield image
        except _DAMAGE as exc:
            raise PictureDamaged from exc


def upright(image: Image.Image) -> Image.Image:
    """The picture as people see it: turned as its EXIF data say, sRGB, RGBA or RGB."""
    profile = image.info.get("icc_profile")
    image.load()
    try:
        turned = ImageOps.exif_transpose(image)
    except _DAMAGE:
        # Broken metadata does not make the picture itself unusable.
        turned = image.copy()
    if turned.mode.startswith("I;16"):
        # Pillow itself would clip 16 bits, not scale them.
        turned = turned.convert("F").point(lambda grey: grey / 257).convert("L")
    if turned.has_transparency_data:
        return turned.convert("RGBA")
    return _in_srgb(turned, profile)


def on_white(image: Image.Image) -> Image.Image:
    """The picture as RGB, white where it is transparent."""
    if image.mode == "RGB":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture through its colour profile, which does not go along, if it has a usable one."""
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, *_DAMAGE):
            # A broken profile: the numbers as they are come close.
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _check_dimensions(width: int, height: int) -> None:
    shorter, longer = sorted((width, height))
    if width + height > _MAX_SUM_OF_SIDES_PX or longer > _MAX_RATIO * shorter:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
