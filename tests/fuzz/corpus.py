"""Small intact files of every kind that people send, made once."""

import functools
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from PIL import Image, ImageCms

from tests.unit.inference.clips import SINE, lavfi, make, pictures

pillow_heif.register_heif_opener()

Corpus = tuple[bytes, ...]


def _picture(mode: str = "RGB") -> Image.Image:
    rows, columns = np.mgrid[0:72, 0:80]
    noise = np.random.default_rng(7).integers(0, 40, (72, 80))
    planes = np.stack([2 * rows, 2 * columns, rows + columns], axis=2) + noise[..., None]
    return Image.fromarray(planes.astype(np.uint8)).convert(mode)


def _saved(kind: str, mode: str = "RGB", *, is_several: bool = False, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if is_several:
        options |= {"save_all": True, "append_images": [_picture(mode).rotate(90)]}
    _picture(mode).save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def photos() -> Corpus:
    """Photos of 80 x 72 px of each format, with the parts that are read: EXIF, profiles, alpha."""
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return (
        _saved("JPEG", exif=exif, icc_profile=profile),
        _saved("JPEG", progressive=True, quality=40),
        _saved("JPEG", "CMYK", dpi=(72, 72)),
        _saved("MPO", exif=exif, is_several=True),
        _saved("PNG", "RGBA", exif=exif, icc_profile=profile),
        _saved("PNG", "P", transparency=3),
        _saved("PNG", "I;16"),
        _saved("PNG", is_several=True),
        _saved("WEBP", "RGBA", exif=exif, icc_profile=profile),
        _saved("WEBP", lossless=True),
        _saved("WEBP", is_several=True),
        _saved("GIF", "P", is_several=True),
        _saved("BMP"),
        _saved("BMP", "P"),
        _saved("TIFF", compression="tiff_lzw", exif=exif),
        _saved("TIFF", "F"),
        _saved("TIFF", "CMYK", compression="tiff_adobe_deflate"),
        _saved("TIFF", compression="jpeg"),
        _saved("TIFF", is_several=True),
        _saved("HEIF", exif=exif, icc_profile=profile),
        _saved("HEIF", "RGBA", quality=30),
        _hdr_heif(),
    )


def _hdr_heif() -> bytes:
    codes = (np.asarray(_picture()).astype("<u2") * 257).tobytes()
    buffer = io.BytesIO()
    heif = pillow_heif.from_bytes(mode="RGB;16", size=(80, 72), data=codes)
    colours = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9}
    heif.save(buffer, quality=80, chroma=444, full_range_flag=1, **colours)
    return buffer.getvalue()


@functools.cache
def portraits() -> Corpus:
    """Small photos of a face."""
    portrait = Image.fromarray(skimage.data.astronaut()[0:220, 150:350])
    found = []
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        portrait.save(buffer, kind)
        found.append(buffer.getvalue())
    return tuple(found)


def _made(files: dict[str, list[str]]) -> Corpus:
    with tempfile.TemporaryDirectory() as folder:
        return tuple(
            make(Path(folder) / name, *arguments).read_bytes() for name, arguments in files.items()
        )


@functools.cache
def clips() -> Corpus:
    """Clips of 64 x 48 px and half a second, of each container."""
    moving = lavfi(pictures(length_s=0.4))
    both = lavfi(pictures(length_s=0.4), SINE)
    turned = ["-metadata:s:v", "rotate=90"]
    h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast", "-shortest"]
    return _made(
        {
            "plain.mp4": [*both, *h264],
            "pieces.mp4": [*both, *h264, "-movflags", "frag_keyframe+empty_moov"],
            "turned.mov": [*moving, *h264, *turned],
            "motion.mov": [*moving, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
            "clear.webm": [*moving, "-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"],
            "nine.webm": [*moving, "-c:v", "libvpx-vp9", "-cpu-used", "8"],
            "plain.mkv": [*both, *h264],
            "plain.avi": [*both, "-c:v", "mpeg4", "-c:a", "pcm_s16le", "-shortest"],
            "plain.gif": moving,
            "plain.ts": [*both, *h264],
            "plain.mpg": [*both, "-c:v", "mpeg1video", "-shortest"],
            "plain.flv": [*moving, "-c:v", "flv"],
            "plain.webp": [*moving, "-loop", "0"],
            "plain.wmv": [*moving, "-c:v", "wmv2"],
        }
    )


@functools.cache
def sounds() -> Corpus:
    """Sounds of a second, of each format."""
    tone = lavfi("sine=220:d=1")
    cover = lavfi("sine=220:d=1", pictures(length_s=0.04))
    return _made(
        {
            "voice.ogg": [*tone, "-c:a", "libopus", "-b:a", "16k"],
            "old.ogg": [*tone, "-c:a", "libvorbis"],
            "plain.mp3": [*tone, "-c:a", "libmp3lame", "-b:a", "32k"],
            "plain.m4a": [*tone, "-c:a", "aac"],
            "plain.wav": [*tone, "-ar", "8000"],
            "float.wav": [*tone, "-ar", "8000", "-c:a", "pcm_f32le"],
            "plain.flac": [*tone, "-ar", "8000"],
            "plain.aiff": [*tone, "-ar", "8000"],
            "plain.au": [*tone, "-ar", "8000"],
            "plain.caf": [*tone, "-ar", "8000"],
            "plain.aac": [*tone],
            "plain.webm": [*tone, "-c:a", "libopus"],
            "cover.m4a": [*cover, "-c:a", "aac", "-c:v", "png", "-disposition:v", "attached_pic"],
            "plain.wma": [*tone, "-c:a", "wmav2"],
        }
    )
