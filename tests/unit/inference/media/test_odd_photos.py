"""Odd and hostile photos: each gives a right picture or the right error; some go through the gate.

All are made here from the astronaut's head or by hand.
"""

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
import skimage.data
from PIL import Image

from inference.media.gate import look_at, look_at_photo
from inference.media.photo import read_photo
from jobs.errors import (
    CameraRaw,
    EmptyFile,
    MediaDamaged,
    MediaError,
    PhotoTooManyPixels,
    PhotoTooSmall,
    UnsupportedKind,
    UnsupportedMedia,
)

Picture = npt.NDArray[np.uint8]

HEAD: Picture = np.ascontiguousarray(skimage.data.astronaut()[:200, 130:310])
HEIGHT, WIDTH = HEAD.shape[:2]
GREY: Picture = np.asarray(Image.fromarray(HEAD).convert("L"))
GREY_RGB: Picture = np.dstack([GREY] * 3)
IMAGE = Image.fromarray(HEAD)
BILEVEL_RGB: Picture = np.asarray(IMAGE.convert("1").convert("RGB"))
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(path: Path, orientation: int) -> None:
    """Saves the head lying as the orientation says, so that it is upright once that is applied."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = IMAGE.transpose(TURNS[orientation]) if orientation in TURNS else IMAGE
    image.save(path, exif=exif)


def half_transparent(path: Path) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    Image.fromarray(np.concatenate([HEAD, alpha], axis=2)).save(path)


def white_left_half(picture: Picture) -> Picture:
    expected = picture.copy()
    expected[:, : WIDTH // 2] = 255
    return expected


def palette_with_transparency(path: Path) -> None:
    image = Image.fromarray((GREY // 2) + 1).convert("P")
    image.putpalette([value for level in range(256) for value in [min(255, level * 2)] * 3])
    image.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    image.save(path, transparency=0)


def animated(path: Path) -> None:
    others = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    IMAGE.save(path, save_all=True, append_images=others, duration=50)


def animated_losslessly(path: Path) -> None:
    others = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    IMAGE.save(path, save_all=True, append_images=others, duration=50, lossless=True)


def sixteen_bit_colour(path: Path) -> None:
    cv2.imwrite(str(path), HEAD[..., ::-1].astype(np.uint16) * 257)


def float_grey(path: Path) -> None:
    Image.fromarray(GREY.astype(np.float32) / 255).save(path)


def heic_turned(path: Path, orientation: int, *, has_property: bool = False) -> None:
    """A HEIC file that is upright once EXIF is applied; `irot` and `imir` may say the same."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = IMAGE.transpose(TURNS[orientation])
    if has_property:
        pillow_heif.from_pillow(lying).save(path, quality=95, exif=exif.tobytes())
    else:
        lying.save(path, quality=95, exif=exif)
    assert (b"irot" in path.read_bytes()) == has_property


def tiff_directory(rows: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """A directory of a TIFF file; each row is a tag, a type (3 or 4), a count and a value."""
    packed = [
        struct.pack("<HHI", tag, kind, count)
        + (struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value))
        for tag, kind, count, value in sorted(rows)
    ]
    return struct.pack("<H", len(rows)) + b"".join(packed) + struct.pack("<I", following)


def picture_rows(width: int, height: int, at: int, *, reduced: bool) -> list[tuple[int, ...]]:
    """The rows for an uncompressed RGB picture at an offset; 8 is where `8, 8, 8` is written."""
    return [
        (254, 4, 1, int(reduced)), (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8),
        (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, at), (277, 3, 1, 3), (278, 4, 1, height),
        (279, 4, 1, width * height * 3),
    ]  # fmt: skip


def raw_file(*, is_dng: bool, starts_reduced: bool = True) -> Callable[[Path], object]:
    """As cameras write it: first a thumbnail, and what the sensor saw in a directory below it."""

    def make(path: Path) -> None:
        small, large = IMAGE.resize((90, 100)).tobytes(), IMAGE.tobytes()
        first_at = 16 + len(small) + len(large)
        sub_at = first_at + 2 + 12 * (12 if is_dng else 11) + 4
        rows = [*picture_rows(90, 100, 16, reduced=starts_reduced), (330, 4, 1, sub_at)]
        if is_dng:
            rows.append((50706, 1, 4, 0x0401))
        below = picture_rows(WIDTH, HEIGHT, 16 + len(small), reduced=False)
        header = b"II*\0" + struct.pack("<IHHHH", first_at, 8, 8, 8, 0)
        directories = tiff_directory(rows) + tiff_directory(below)  # type: ignore[arg-type]
        path.write_bytes(header + small + large + directories)

    return make


def thumbnail_first(path: Path) -> None:
    """A TIFF file whose first page is a reduced copy of its second."""
    small, large = IMAGE.resize((90, 100)).tobytes(), IMAGE.tobytes()
    first_at = 16 + len(small) + len(large)
    second_at = first_at + 2 + 12 * 10 + 4
    first = picture_rows(90, 100, 16, reduced=True)
    second = picture_rows(WIDTH, HEIGHT, 16 + len(small), reduced=False)
    header = b"II*\0" + struct.pack("<IHHHH", first_at, 8, 8, 8, 0)
    directories = tiff_directory(first, second_at) + tiff_directory(second)  # type: ignore[arg-type]
    path.write_bytes(header + small + large + directories)


def named_otherwise(path: Path) -> None:
    IMAGE.save(path, format="PNG")


RIGHT: list[tuple[str, Callable[[Path], object], Picture, float]] = [
    *((f"orientation{n}.jpg", lambda path, n=n: oriented(path, n), HEAD, 5.0) for n in range(1, 9)),
    ("orientation6.png", lambda path: oriented(path, 6), HEAD, 0),
    ("orientation6.webp", lambda path: oriented(path, 6), HEAD, 6.0),
    ("orientation6.tif", lambda path: oriented(path, 6), HEAD, 0),
    ("orientation9.jpg", lambda path: oriented(path, 9), HEAD, 5.0),
    ("photo.heic", IMAGE.save, HEAD, 5.0),
    *((f"exif{n}.heic", lambda path, n=n: heic_turned(path, n), HEAD, 5.0)
      for n in TURNS),
    ("exif and irot.heic", lambda path: heic_turned(path, 6, has_property=True), HEAD, 5.0),
    ("thumbnail first.tif", thumbnail_first, HEAD, 0),
    ("photo.bmp", IMAGE.save, HEAD, 0),
    ("photo.tif", IMAGE.save, HEAD, 0),
    ("photo.gif", IMAGE.save, HEAD, 8.0),
    ("cmyk.jpg", IMAGE.convert("CMYK").save, HEAD, 5.0),
    ("cmyk.tif", IMAGE.convert("CMYK").save, HEAD, 1.0),
    ("grey.jpg", Image.fromarray(GREY).save, GREY_RGB, 5.0),
    ("grey16.png", Image.fromarray(GREY.astype(np.uint16) * 257).save, GREY_RGB, 0),
    ("grey16.tif", Image.fromarray(GREY.astype(np.uint16) * 257).save, GREY_RGB, 0),
    ("grey32.tif", Image.fromarray(GREY.astype(np.int32)).save, GREY_RGB, 0),
    ("float.tif", float_grey, GREY_RGB, 0),
    ("colour16.png", sixteen_bit_colour, HEAD, 0),
    ("colour16.tif", sixteen_bit_colour, HEAD, 0),
    ("bilevel.png", IMAGE.convert("1").save, BILEVEL_RGB, 0),
    ("palette.png", IMAGE.quantize(256).save, HEAD, 8.0),
    ("alpha.png", half_transparent, white_left_half(HEAD), 0),
    ("alpha.webp", half_transparent, white_left_half(HEAD), 5.0),
    ("alpha.tif", half_transparent, white_left_half(HEAD), 0),
    ("grey-alpha.png", IMAGE.convert("LA").save, GREY_RGB, 0),
    ("palette-alpha.png", palette_with_transparency, white_left_half(GREY_RGB), 3.0),
    ("animated.gif", animated, HEAD, 8.0),
    ("animated.webp", animated_losslessly, HEAD, 0),
    ("animated.png", animated, HEAD, 0),
    ("several.tif", animated, HEAD, 0),
    ("png-inside.jpg", named_otherwise, HEAD, 0),
    ("no ending: at all", named_otherwise, HEAD, 0),
    ("-dash.png", named_otherwise, HEAD, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "expected", "tolerance"), RIGHT, ids=[row[0] for row in RIGHT]
)
def test_odd_photo_is_read_rightly(
    tmp_path: Path, name: str, make: Callable[[Path], object], expected: Picture, tolerance: float
) -> None:
    make(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert photo.picture.dtype == np.uint8
    assert photo.picture.shape == expected.shape
    assert (photo.original_width, photo.original_height) == expected.shape[1::-1]
    assert np.abs(photo.picture.astype(np.int16) - expected).mean() <= tolerance


def cut(image_format: str, share: float) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        IMAGE.save(path, format=image_format)
        data = path.read_bytes()
        path.write_bytes(data[: max(20, int(len(data) * share))])

    return make


def png_claiming(width: int, height: int) -> Callable[[Path], object]:
    """A PNG file whose header claims that size, with nearly nothing behind it."""

    def make(path: Path) -> None:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return (
                struct.pack(">I", len(data))
                + kind
                + data
                + struct.pack(">I", zlib.crc32(kind + data))
            )

        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        parts = [
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(bytes(1000))),
            chunk(b"IEND", b""),
        ]
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))

    return make  # fmt: skip


def gif_claiming(width: int, height: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        IMAGE.save(path, format="GIF")
        data = bytearray(path.read_bytes())
        data[6:10] = struct.pack("<HH", width, height)
        path.write_bytes(data)

    return make


def patched(
    image_format: str, offset_after: bytes, offset: int, value: int
) -> Callable[[Path], object]:
    """A file in which one byte after a mark is another one."""

    def make(path: Path) -> None:
        IMAGE.save(path, format=image_format)
        data = bytearray(path.read_bytes())
        data[data.index(offset_after) + offset] = value
        path.write_bytes(data)

    return make


def float_colour(path: Path) -> None:
    cv2.imwrite(str(path), (HEAD / 255).astype(np.float32))


def packed_as(compression: int) -> Callable[[Path], object]:
    """A TIFF file that says so of its compression, which was LZW."""

    def make(path: Path) -> None:
        IMAGE.save(path, compression="tiff_lzw")
        old, new = (struct.pack("<HHIHH", 259, 3, 1, kind, 0) for kind in (5, compression))
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new))

    return make


def av1_inside(path: Path) -> None:
    """An AVIF picture whose main brand is that of HEIF in general."""
    IMAGE.save(path, format="AVIF")
    data = bytearray(path.read_bytes())
    data[8:12] = b"mif1"
    path.write_bytes(data)


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def text_bomb(path: Path) -> None:
    """A PNG file whose comment unpacks to 100 MB."""
    IMAGE.save(path)
    data = path.read_bytes()
    body = b"Comment\0\0" + zlib.compress(bytes(100_000_000))
    kind = b"zTXt"
    packed = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data[:33] + packed + data[33:])


REFUSED: list[tuple[str, Callable[[Path], object], type[MediaError]]] = [
    ("empty.jpg", content(b""), EmptyFile),
    ("text.jpg", content(b"Dear Sir or Madam, " * 100), UnsupportedMedia),
    ("noise.png", content(random.Random(1).randbytes(5000)), UnsupportedMedia),
    ("zeros.jpg", content(bytes(5000)), UnsupportedMedia),
    ("page.html.jpg", content(b"<html><body>not found</body></html>"), UnsupportedMedia),
    ("drawing.svg", content(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), UnsupportedMedia),
    ("paper.pdf", lambda path: IMAGE.save(path, format="PDF"), UnsupportedMedia),
    ("print.eps", lambda path: IMAGE.save(path, format="EPS"), UnsupportedMedia),
    ("icon.ico", lambda path: IMAGE.save(path, format="ICO"), UnsupportedMedia),
    *((f"cut half.{kind}", cut(kind, 0.5), MediaDamaged)
      for kind in ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "HEIF")),
    *((f"cut early.{kind}", cut(kind, 0.0), MediaDamaged) for kind in ("JPEG", "PNG", "GIF")),
    ("cut at the end.JPEG", cut("JPEG", 0.95), MediaDamaged),
    ("camera.dng", raw_file(is_dng=True), CameraRaw),
    ("camera-full-preview.dng", raw_file(is_dng=True, starts_reduced=False), CameraRaw),
    ("camera.nef", raw_file(is_dng=False), CameraRaw),
    ("float.tif", float_colour, UnsupportedKind),
    ("jpeg-xl.tif", packed_as(50002), UnsupportedKind),
    ("sensor.tif", packed_as(65535), UnsupportedKind),
    ("12 bit.jpg", patched("JPEG", b"\xff\xc0", 4, 12), UnsupportedKind),
    ("jpeg.bmp", patched("BMP", b"BM", 30, 4), UnsupportedKind),
    ("av1.heif", av1_inside, UnsupportedKind),
    ("one pixel.png", lambda path: Image.new("RGB", (1, 1)).save(path), PhotoTooSmall),
    ("thin.png", lambda path: Image.new("RGB", (2000, 3)).save(path), PhotoTooSmall),
    ("huge.png", png_claiming(100_000, 100_000), PhotoTooManyPixels),
    ("huge.gif", gif_claiming(65_535, 65_535), PhotoTooManyPixels),
    ("a lie.png", png_claiming(2000, 2000), MediaDamaged),
    ("text bomb.png", text_bomb, MediaDamaged),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "error"), REFUSED, ids=[row[0] for row in REFUSED])
def test_hostile_photo_is_refused_with_the_right_error(
    tmp_path: Path, name: str, make: Callable[[Path], object], error: type[MediaError]
) -> None:
    make(tmp_path / name)
    with pytest.raises(error) as caught:
        read_photo(tmp_path / name)
    assert caught.value.fields["name"] == name
    assert type(caught.value) is error


@pytest.mark.parametrize("name", ["orientation6.jpg", "cmyk.jpg", "alpha.png", "animated.gif"])
def test_odd_photo_goes_through_the_gate(tmp_path: Path, name: str) -> None:
    _, make, expected, tolerance = next(row for row in RIGHT if row[0] == name)
    make(tmp_path / name)
    folder = tmp_path / "folder"
    folder.mkdir()
    look, _ = look_at(tmp_path / name, None, folder, find_faces=False)
    written = np.asarray(Image.open(look.path))
    assert np.abs(written.astype(np.int16) - expected).mean() <= tolerance
    assert sorted(path.name for path in folder.iterdir()) == ["photo.png", "sheet.png"]


@pytest.mark.parametrize(
    "name", ["empty.jpg", "text.jpg", "cut half.HEIF", "one pixel.png", "huge.png", "text bomb.png"]
)
def test_hostile_photo_is_refused_by_the_gate_and_leaves_no_file(tmp_path: Path, name: str) -> None:
    _, make, error = next(row for row in REFUSED if row[0] == name)
    make(tmp_path / name)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(error) as caught:
        look_at_photo(tmp_path / name, folder)
    assert caught.value.fields["name"] == name
    assert list(folder.iterdir()) == []


def test_damaged_bytes_in_the_middle_never_surprise(tmp_path: Path) -> None:
    dice = random.Random(7)
    for kind in ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "HEIF"):
        IMAGE.save(tmp_path / "whole", format=kind)
        whole = (tmp_path / "whole").read_bytes()
        for _ in range(12):
            data = bytearray(whole)
            for _ in range(8):
                data[dice.randrange(12, len(data))] = dice.randrange(256)
            (tmp_path / "broken").write_bytes(data)
            try:
                picture = read_photo(tmp_path / "broken").picture
            except MediaError:
                continue
            assert picture.ndim == 3
