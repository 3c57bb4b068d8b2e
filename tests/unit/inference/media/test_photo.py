import threading
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image, ImageCms

from inference.media.limits import PhotoLimits
from inference.media.photo import Photo, read_normalised, read_photo, write_png
from jobs.errors import (
    MediaDamaged,
    PhotoTooManyPixels,
    PhotoTooSmall,
)

ASTRONAUT: npt.NDArray[np.uint8] = skimage.data.astronaut()[:200, 100:400]


def difference(photo: Photo, expected: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(photo.picture.astype(np.int16) - expected).mean())


def test_large_photo_is_reduced_and_its_original_size_told(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).resize((3000, 2000)).save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg", PhotoLimits(max_side=300))
    assert photo.picture.shape == (200, 300, 3)
    assert (photo.original_width, photo.original_height) == (3000, 2000)
    assert difference(photo, ASTRONAUT) < 6


def test_max_side_0_lifts_the_limit(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).resize((1500, 100)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", PhotoLimits(max_side=0)).picture.shape[1] == 1500


def test_upright_size_is_told_of_a_photo_that_lies_on_its_side(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ASTRONAUT).resize((3000, 2000)).save(tmp_path / "a.jpg", exif=exif)
    photo = read_photo(tmp_path / "a.jpg", PhotoLimits(max_side=300))
    assert photo.picture.shape == (300, 200, 3)
    assert (photo.original_width, photo.original_height) == (2000, 3000)


def test_colours_go_through_the_profile(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(ASTRONAUT).save(tmp_path / "same.png", icc_profile=srgb)
    assert difference(read_photo(tmp_path / "same.png"), ASTRONAUT) < 1
    # A profile in which red and blue have changed places.
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    Image.fromarray(ASTRONAUT).save(tmp_path / "swapped.png", icc_profile=swapped)
    assert difference(read_photo(tmp_path / "swapped.png"), ASTRONAUT[..., ::-1]) < 2


def test_broken_profile_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png", icc_profile=b"no profile at all")
    assert difference(read_photo(tmp_path / "a.png"), ASTRONAUT) == 0


def test_pillows_own_limit_is_as_before_also_when_threads_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12_345_678)
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    readers = [threading.Thread(target=read_photo, args=(tmp_path / "a.png",)) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert Image.MAX_IMAGE_PIXELS == 12_345_678


def test_large_photo_within_the_limits_gives_no_warning(tmp_path: Path) -> None:
    # More pixels than Pillow's own limit takes without a warning.
    Image.new("1", (10_000, 9_000)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = read_photo(tmp_path / "a.png", PhotoLimits(max_pixels=100_000_000, max_side=64))
    assert photo.original_width == 10_000


def test_bomb_is_refused_from_its_header_with_its_size(tmp_path: Path) -> None:
    # 400 million pixels in a few kilobytes; more than twice Pillow's own limit.
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(PhotoTooManyPixels) as caught:
        read_photo(tmp_path / "a.png")
    assert caught.value.fields["width"] == 20_000
    assert "64 megapixels" in str(caught.value)


def test_too_small_photo_names_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (63, 200)).save(tmp_path / "a.png")
    with pytest.raises(PhotoTooSmall, match="63 x 200 px"):
        read_photo(tmp_path / "a.png")


def test_written_png_is_exact_and_carries_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.jpg", exif=exif, comment=b"a secret comment")
    photo = read_photo(tmp_path / "a.jpg")
    write_png(photo.picture, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        image.load()
        assert image.info == {}
        assert np.array_equal(np.asarray(image), photo.picture)
    assert b"secret" not in (tmp_path / "b.png").read_bytes()


def test_a_normalised_picture_is_read_whatever_its_size(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (40, 2000, 3)).astype(np.uint8)
    write_png(picture, tmp_path / "photo.png")
    assert np.array_equal(read_normalised(tmp_path / "photo.png"), picture)


def test_only_a_png_is_taken_for_a_normalised_picture(tmp_path: Path) -> None:
    Image.new("RGB", (80, 80)).save(tmp_path / "photo.png", format="TIFF")
    with pytest.raises(MediaDamaged):
        read_normalised(tmp_path / "photo.png")


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tiff"])
def test_transparent_parts_are_white_or_what_lies_under_them(tmp_path: Path, name: str) -> None:
    alpha = np.linspace(0, 255, ASTRONAUT.shape[1]).astype(np.uint8)
    pixels = np.dstack([ASTRONAUT, np.broadcast_to(alpha, ASTRONAUT.shape[:2])])
    # Only WebP is otherwise, and leaves out what is not seen.
    Image.fromarray(pixels).save(tmp_path / name, lossless=True, exact=True)
    assert (read_photo(tmp_path / name).picture[:, 0] == 255).all()
    dropped = read_photo(tmp_path / name, PhotoLimits(drops_alpha=True))
    np.testing.assert_array_equal(dropped.picture, ASTRONAUT)


@pytest.mark.parametrize("transparency", [7, bytes(range(256))])
def test_palette_with_transparency_gives_its_colours(
    tmp_path: Path, transparency: int | bytes
) -> None:
    image = Image.fromarray(ASTRONAUT).quantize(256)
    image.save(tmp_path / "a.png", transparency=transparency)
    colours = np.asarray(image.convert("RGB"))
    dropped = read_photo(tmp_path / "a.png", PhotoLimits(drops_alpha=True))
    np.testing.assert_array_equal(dropped.picture, colours)
    assert difference(read_photo(tmp_path / "a.png"), colours) > 0


def test_grey_with_alpha_and_colours_that_count_as_transparent_lose_nothing(
    tmp_path: Path,
) -> None:
    grey = Image.fromarray(ASTRONAUT).convert("L")
    veiled = grey.copy()
    veiled.putalpha(Image.new("L", grey.size, 40))
    veiled.save(tmp_path / "la.png")
    grey.save(tmp_path / "l.png", transparency=90)
    for name in ("la.png", "l.png"):
        dropped = read_photo(tmp_path / name, PhotoLimits(drops_alpha=True))
        np.testing.assert_array_equal(dropped.picture, np.asarray(grey.convert("RGB")))
        assert difference(read_photo(tmp_path / name), np.asarray(grey.convert("RGB"))) > 0


def test_without_a_limit_a_photo_keeps_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (1500, 100)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", PhotoLimits(max_side=0)).picture.shape[1] == 1500


def test_no_photo_stays_larger_than_a_video_can_be(tmp_path: Path) -> None:
    Image.new("L", (17_000, 100)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png", PhotoLimits(max_side=0)).picture.shape[1] == 16_384
