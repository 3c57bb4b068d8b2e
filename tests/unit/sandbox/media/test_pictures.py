"""Photos and thumbnails: bytes in, what a server keeps of them out."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, ImageCms

from sandbox.errors import ApiError
from sandbox.media.pictures import Picture, phone_photo, photo_sizes, thumbnail

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
Pixel = tuple[int, ...]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_halves(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def decoded(picture: Picture) -> Image.Image:
    image = Image.open(BytesIO(picture.content))
    assert image.size == (picture.width, picture.height)
    image.load()
    return image


def near(pixel: float | Pixel | None, colour: Pixel) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 24 for one, other in zip(pixel, colour, strict=True))


def refusal(content: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        photo_sizes(content)
    assert caught.value.code == 400
    return caught.value.description.removeprefix("Bad Request: ")


# --- photos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ((2000, 1000), [(90, 45), (320, 160), (1280, 640)]),
        ((600, 1000), [(54, 90), (192, 320), (600, 1000)]),
        ((320, 320), [(90, 90), (320, 320)]),
        ((91, 50), [(90, 49), (91, 50)]),
        ((90, 50), [(90, 50)]),
        ((1, 1), [(1, 1)]),
    ],
)
def test_photo_is_kept_in_several_sizes_none_larger_than_itself(
    size: tuple[int, int], sizes: list[tuple[int, int]]
) -> None:
    pictures = photo_sizes(encoded(Image.new("RGB", size, RED)))
    assert [(picture.width, picture.height) for picture in pictures] == sizes
    for picture in pictures:
        assert decoded(picture).format == "JPEG"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_photo_may_be_of_any_usual_kind(kind: str) -> None:
    (picture,) = photo_sizes(encoded(two_halves(), kind))
    shown = decoded(picture)
    assert near(shown.getpixel((8, 24)), RED)
    assert near(shown.getpixel((56, 24)), BLUE)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_photo_may_be_in_any_mode(mode: str) -> None:
    kind = "TIFF" if mode in {"CMYK", "YCbCr"} else "PNG"
    (picture,) = photo_sizes(encoded(two_halves(mode=mode), kind))
    assert near(decoded(picture).getpixel((8, 24)), RED)


def test_grey_of_16_bits_keeps_its_shades() -> None:
    image = Image.new("I;16", (64, 64), 128 * 257)
    (picture,) = photo_sizes(encoded(image))
    assert near(decoded(picture).getpixel((32, 32)), (128, 128, 128))


def test_photo_is_turned_as_its_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    (picture,) = photo_sizes(encoded(two_halves(), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (48, 64)
    assert near(decoded(picture).getpixel((24, 8)), RED)
    assert near(decoded(picture).getpixel((24, 56)), BLUE)


def test_transparent_parts_become_white() -> None:
    image = two_halves(mode="RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    (picture,) = photo_sizes(encoded(image))
    assert near(decoded(picture).getpixel((8, 24)), WHITE)
    assert near(decoded(picture).getpixel((56, 24)), BLUE)


def test_no_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for options in ({"exif": exif, "comment": b"taken by me"}, {"icc_profile": profile}):
        (picture,) = photo_sizes(encoded(two_halves(), "JPEG", **options))
        for trace in (b"taken", b"Exif", b"ICC_PROFILE"):
            assert trace not in picture.content


def test_broken_colour_profile_does_not_spoil_a_photo() -> None:
    (picture,) = photo_sizes(encoded(two_halves(), "PNG", icc_profile=b"no profile"))
    assert near(decoded(picture).getpixel((8, 24)), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_photo_that_breaks_off_is_refused(kind: str) -> None:
    whole = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    assert refusal(whole[: len(whole) // 2]) == "IMAGE_PROCESS_FAILED"


@pytest.mark.parametrize("content", [b"", b"no picture", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    assert refusal(content) == "IMAGE_PROCESS_FAILED"


@pytest.mark.parametrize("size", [(9000, 1001), (21, 1), (1, 21), (1000, 49)])
def test_photo_of_unfit_shape_is_refused(size: tuple[int, int]) -> None:
    assert refusal(encoded(Image.new("1", size))) == "PHOTO_INVALID_DIMENSIONS"


@pytest.mark.parametrize("size", [(9500, 500), (20, 1)])
def test_photo_at_the_limit_of_shapes_is_taken(size: tuple[int, int]) -> None:
    assert photo_sizes(encoded(Image.new("1", size)))


@pytest.mark.parametrize("side", [5001, 12_000, 30_000])
def test_shape_is_told_from_the_header_alone(side: int) -> None:
    fields = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + fields
    content = (
        header + struct.pack(">I", zlib.crc32(fields)) + struct.pack(">I", 8) + b"IDATbroken.."
    )
    assert refusal(content) == "PHOTO_INVALID_DIMENSIONS"


def test_photo_over_ten_megabytes_is_refused() -> None:
    size = 10_485_761
    assert refusal(bytes(size)) == (
        f"file of size {size} bytes is too big for a photo; the maximum size is 10485760 bytes"
    )


# --- what a phone's app sends ---------------------------------------------------------------------


def test_phone_leaves_a_photo_as_it_is_that_can_be_sent() -> None:
    for content in (encoded(two_halves()), b"no picture"):
        assert phone_photo(content) == content


@pytest.mark.parametrize("filling", [0, 10_485_760])
def test_phone_makes_a_photo_smaller_and_upright(filling: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    size = (64, 48) if filling else (9000, 1125)
    content = encoded(two_halves(size), "JPEG", exif=exif) + bytes(filling)
    made = phone_photo(content)
    image = Image.open(BytesIO(made))
    assert image.size == ((48, 64) if filling else (320, 2560))
    assert near(image.getpixel((24, 8)), RED)
    assert photo_sizes(made)


# --- thumbnails -----------------------------------------------------------------------------------


def test_good_thumbnail_is_taken_as_it_is() -> None:
    content = encoded(two_halves((320, 200)), "JPEG")
    assert thumbnail(content) == Picture(content, 320, 200)


@pytest.mark.parametrize(
    "content",
    [
        encoded(two_halves((321, 200)), "JPEG"),
        encoded(two_halves((100, 100)), "PNG"),
        encoded(two_halves((100, 100)), "JPEG") + bytes(200_000),
        encoded(two_halves((100, 100)), "JPEG")[:-300],
        b"",
    ],
    ids=["too wide", "no JPEG", "too many bytes", "broken", "empty"],
)
def test_other_thumbnails_are_ignored_in_silence(content: bytes) -> None:
    assert thumbnail(content) is None
