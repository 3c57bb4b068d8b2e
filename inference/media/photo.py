"""Read photos of many formats as upright RGB pictures; write PNG files without metadata."""

import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from inference.arrays import Picture
from inference.media.cut_jpeg import complete_jpeg
from inference.media.file import check_file
from inference.media.limits import PhotoLimits
from inference.media.nclx import is_hdr, is_plain, to_srgb
from jobs.errors import (
    CameraRaw,
    MediaDamaged,
    MediaError,
    PhotoTooManyPixels,
    PhotoTooSmall,
    UnsupportedKind,
    UnsupportedMedia,
)

# The only decoders that a stranger's bytes may reach. (JPEG's also reads phones' MPO files.)
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF")
# Exceptions of Pillow and its plug-ins for damaged files, besides its own classes.
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
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Messages of Pillow and its plug-ins for intact files that they cannot decode.
_UNSUPPORTED = re.compile(
    r"unknown pixel mode|cannot handle|unsupported|not been built in|KeyError\(\d{5}\)",
    re.IGNORECASE,
)
_DNG_VERSION, _SUBFILE_TYPE, _IS_REDUCED = 50706, 254, 1

# libheif's own limits on sizes, items and memory stay on.
pillow_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False, decode_threads=2
)


# The longest side that H.264 encoders accept.
_VIDEO_SIDE_PX = 16_384


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    Attributes:
        picture: uint8 (H, W, 3) RGB, upright, at most `max_side` px on its longer side.
        original_width: of the upright photo before it was reduced, px.
        original_height: likewise.
        is_cut: whether the file is truncated; its last rows may be made up.
    """

    picture: Picture
    original_width: int
    original_height: int
    is_cut: bool = False


def read_photo(path: Path, limits: PhotoLimits | None = None) -> Photo:
    """Read a photo, or the first frame of several, as upright sRGB without alpha.

    Args:
        path: a JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC file; its suffix does not matter.
        limits: the defaults if None.

    Raises:
        FileMissing, FileUnreadable, EmptyFile, MediaTooLarge: it cannot be opened.
        UnsupportedMedia: it is not a picture, or of another format.
        UnsupportedKind, CameraRaw: a variant of a supported format that cannot be decoded.
        PhotoTooSmall, PhotoTooManyPixels: judged by the header.
        MediaDamaged: it is damaged, or more than a little is missing at the end.
    """
    limits = limits or PhotoLimits()
    check_file(path, limits.max_bytes)
    try:
        with warnings.catch_warnings():
            # Pillow warns about metadata, which is dropped, and about large pictures, for which
            # there are `limits`.
            warnings.simplefilter("ignore")
            with _open(path) as image:
                _skip_previews(path, image)
                _check_size(path, image, limits)
                return _decode(path, image, limits)
    except UnidentifiedImageError as exc:
        error = _opening_error(path)
        if error is None:
            raise UnsupportedMedia(name=path.name) from exc
        raise _damage(path, error) from exc
    except _DAMAGE as exc:
        raise _damage(path, exc) from exc


def read_normalised(path: Path) -> Picture:
    """Read a PNG that `write_png` wrote, uint8 (H, W, 3) RGB, of any size.

    Raises:
        MediaDamaged: the file is missing, truncated, or not a PNG.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, *_DAMAGE) as exc:
        raise MediaDamaged(name=path.name) from exc


def write_png(picture: Picture, path: Path) -> None:
    """Write `picture`, uint8 (H, W, 3) RGB, as a PNG without metadata, compressed for speed.

    Raises:
        OSError: the file cannot be written.
    """
    Image.fromarray(picture).save(path, format="PNG", compress_level=1)


# --- before decoding -----------------------------------------------------------------------------

_OPENING = threading.Lock()


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """Open a photo; only its header is read."""
    # Pillow's own limit would refuse large pictures before we know their size. It is a module
    # variable: it is lifted only while the header is read, by one thread at a time.
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _skip_previews(path: Path, image: Image.Image) -> None:
    """Seek to the first page of a TIFF file that is not a thumbnail.

    Raises:
        CameraRaw: there is none, or the file is a DNG.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    try:
        while image.tag_v2.get(_SUBFILE_TYPE, 0) & _IS_REDUCED:
            image.seek(image.tell() + 1)
    except EOFError as exc:
        raise CameraRaw(name=path.name) from exc
    if _DNG_VERSION in image.tag_v2:
        raise CameraRaw(name=path.name)


def _check_size(path: Path, image: Image.Image, limits: PhotoLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PhotoTooManyPixels(
            name=path.name, width=width, height=height, limit_mp=f"{limits.max_pixels / 1e6:g}"
        )
    if min(width, height) < limits.min_side_px:
        raise PhotoTooSmall(name=path.name, width=width, height=height, minimum=limits.min_side_px)


def _opening_error(path: Path) -> BaseException | None:
    """Return the exception of the format's decoder, which `Image.open` hides.

    None if the first bytes are of none of our formats.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for name in FORMATS:
        opens, accepts = Image.OPEN[name]
        if accepts is not None and accepts(head) is True:
            try:
                with path.open("rb") as file:
                    opens(file, str(path))
            except _DAMAGE as exc:
                return exc
    return None


def _damage(path: Path, error: BaseException) -> MediaError:
    """Return the error for a file that could not be decoded: unsupported or damaged."""
    return (UnsupportedKind if _UNSUPPORTED.search(repr(error)) else MediaDamaged)(name=path.name)


# --- decoding ------------------------------------------------------------------------------------


def _decode(path: Path, image: Image.Image, limits: PhotoLimits) -> Photo:
    original = image.size
    max_side = limits.max_side or _VIDEO_SIDE_PX
    if limits.max_side:
        # JPEG files can be decoded at 1/2, 1/4 or 1/8 of their size. From twice the wanted size on,
        # the better filter below does the rest.
        image.draft(None, (2 * limits.max_side, 2 * limits.max_side))
    loaded, is_cut = _load(path, image)
    orientation = _orientation(path, image)
    profile = image.info.get("icc_profile")
    nclx = None if profile else image.info.get("nclx_profile")
    if nclx is not None and is_hdr(nclx) and image.mode == "RGB":
        loaded, nclx = _hdr_as_srgb(path, nclx, max_side), None
    opaque = _without_alpha(_eight_bit(loaded), on_white=not limits.drops_alpha)
    plain = _to_srgb(_reduce(opaque, max_side), profile)
    if nclx is not None and not is_plain(nclx):
        plain = Image.fromarray(to_srgb(np.asarray(plain), 8, nclx))
    upright = _turn(plain, orientation)
    width, height = original
    # Orientations 5 to 8 swap width and height.
    if orientation >= 5:
        width, height = height, width
    return Photo(np.array(upright, dtype=np.uint8), width, height, is_cut)


def _load(path: Path, image: Image.Image) -> tuple[Image.Image, bool]:
    """Decode; return the picture and whether the file is truncated."""
    try:
        image.load()
    except OSError:
        completed = complete_jpeg(path) if image.format in {"JPEG", "MPO"} else None
        if completed is None:
            raise
        return completed, True
    return image, False


def _orientation(path: Path, image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if there is none or it has been applied already."""
    value: Any
    try:
        if image.format == "HEIF":
            # The decoder has applied `irot` and `imir`, which EXIF only repeats.
            heif = pillow_heif.open_heif(path)
            turns = heif[heif.primary_index]._c_image.transformations  # noqa: SLF001 - no other way
            is_upright = any(kind != "clap" for kind, *_ in turns)
            value = 1 if is_upright else image.info.get("original_orientation")
        else:
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DAMAGE:
        # The picture is usable although its metadata is broken.
        return 1
    return int(value) if value in range(1, 9) else 1


def _hdr_as_srgb(path: Path, nclx: dict[str, Any], max_side: int) -> Image.Image:
    """Decode a PQ or HLG picture at its full bit depth and convert it to sRGB."""
    heif = pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    frame = heif[heif.primary_index]
    codes = np.asarray(frame)[:, : frame.size[0]]
    scale = max_side / max(frame.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in frame.size)
        codes = np.asarray(cv2.resize(codes, (width, height), interpolation=cv2.INTER_AREA))
    bit_depth: Any = frame.info["bit_depth"]
    return Image.fromarray(to_srgb(codes, bit_depth, nclx))


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Convert to 8 bits per channel; Pillow clips 16-bit grey instead of scaling it."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image
    grey = np.asarray(image)
    if grey.dtype.kind == "u" and grey.dtype.itemsize == 2:
        top: float = 65535
    else:
        # 32-bit and floating-point grey do not define white: 1, 255 and 65535 are in use.
        grey = np.nan_to_num(grey.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        peak = float(grey.max())
        steps = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        top = next((step for step in steps if peak <= step), peak)
    scaled = np.clip(grey * np.float32(255 / top) + np.float32(0.5), 0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


def _without_alpha(image: Image.Image, *, on_white: bool) -> Image.Image:
    """Convert to L, RGB or CMYK: composite on white, or drop alpha."""
    if image.mode in {"1", "L"} and "transparency" not in image.info:
        return image.convert("L")
    if image.mode in {"RGB", "CMYK"} and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    is_grey = image.mode in {"1", "L", "LA", "La"}
    coloured = image.convert("RGBA")
    if on_white:
        white = Image.new("RGBA", coloured.size, "white")
        coloured = Image.alpha_composite(white, coloured)
    return coloured.convert("L" if is_grey else "RGB")


def _reduce(image: Image.Image, max_side: int) -> Image.Image:
    """Reduce to at most `max_side` px on the longer side."""
    longer = max(image.size)
    if longer <= max_side:
        return image
    size = tuple(max(1, round(side * max_side / longer)) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB, using the colour profile if it is usable."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, *_DAMAGE):
            # Broken, or for other channels: the unconverted values are close enough.
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
