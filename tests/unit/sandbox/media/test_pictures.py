"""Photos and thumbnails: bytes in, what the server keeps of them out."""

from io import BytesIO

import pytest
from PIL import Image

from sandbox.errors import ApiError
from sandbox.media.pictures import Picture, photo_sizes, picture_type, thumbnail


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(width: int, height: int, kind: str = "PNG", **options: object) -> bytes:
    return encoded(Image.new("RGB", (width, height), "red"), kind, **options)


def refusal(content: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        photo_sizes(content)
    assert caught.value.code == 400
    return caught.value.description.removeprefix("Bad Request: ")


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ((2000, 1000), [(320, 160), (1280, 640)]),
        ((600, 1000), [(192, 320), (600, 1000)]),
        ((320, 320), [(320, 320)]),
        ((1, 1), [(1, 1)]),
    ],
)
def test_photo_is_kept_in_sizes_not_larger_than_itself(
    size: tuple[int, int], sizes: list[tuple[int, int]]
) -> None:
    pictures = photo_sizes(plain(*size))
    assert [(picture.width, picture.height) for picture in pictures] == sizes
    for picture in pictures:
        with Image.open(BytesIO(picture.content)) as image:
            assert (image.format, image.size) == ("JPEG", (picture.width, picture.height))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_photo_may_be_of_any_usual_format(kind: str) -> None:
    assert len(photo_sizes(plain(64, 48, kind))) == 1


def test_photo_is_rotated_as_its_exif_says_and_loses_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise
    exif[0x010E] = "taken at home"
    (picture,) = photo_sizes(plain(64, 48, "JPEG", exif=exif, comment=b"taken by me"))
    assert (picture.width, picture.height) == (48, 64)
    assert b"taken" not in picture.content
    assert b"Exif" not in picture.content


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_truncated_photo_is_refused(kind: str) -> None:
    whole = encoded(Image.effect_noise((200, 200), 90).convert("RGB"), kind)
    assert refusal(whole[: len(whole) // 2]) == "IMAGE_PROCESS_FAILED"


@pytest.mark.parametrize("content", [b"", b"no picture", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_what_is_not_a_picture_is_refused(content: bytes) -> None:
    assert refusal(content) == "IMAGE_PROCESS_FAILED"


@pytest.mark.parametrize("size", [(9000, 1001), (21, 1), (1, 21), (1000, 49)])
def test_photo_of_unfit_shape_is_refused(size: tuple[int, int]) -> None:
    assert refusal(encoded(Image.new("1", size))) == "PHOTO_INVALID_DIMENSIONS"


@pytest.mark.parametrize("size", [(9500, 500), (20, 1)])
def test_photo_at_the_limit_of_shapes_is_taken(size: tuple[int, int]) -> None:
    assert photo_sizes(encoded(Image.new("1", size)))


def test_photo_over_ten_megabytes_is_refused() -> None:
    size = 10_485_761
    assert refusal(bytes(size)) == (
        f"file of size {size} bytes is too big for a photo; the maximum size is 10485760 bytes"
    )


def test_good_thumbnail_is_kept_unchanged() -> None:
    content = plain(320, 200, "JPEG")
    assert thumbnail(content) == Picture(content, 320, 200)


@pytest.mark.parametrize(
    "content",
    [
        plain(321, 200, "JPEG"),
        plain(100, 100, "PNG"),
        plain(100, 100, "JPEG") + bytes(200_000),
        plain(100, 100, "JPEG")[:-300],
        b"",
    ],
    ids=["too wide", "not a JPEG", "too many bytes", "truncated", "empty"],
)
def test_other_thumbnails_are_ignored(content: bytes) -> None:
    assert thumbnail(content) is None


def test_sticker_tells_its_size_and_type() -> None:
    assert picture_type(plain(512, 256, "WEBP")) == (512, 256, "image/webp")
    with pytest.raises(ApiError, match="STICKER_INVALID"):
        picture_type(b"no picture")
