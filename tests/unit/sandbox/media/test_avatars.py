"""Profile pictures of the people who are there at the start."""

from io import BytesIO

from PIL import Image

from sandbox.media.avatars import avatar


def test_avatar_is_a_square_jpeg() -> None:
    with Image.open(BytesIO(avatar("Alice", 7))) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 320))


def test_avatar_stays_the_same_for_the_same_person() -> None:
    assert avatar("Alice", 7) == avatar("Alice", 7)


def test_avatars_of_others_differ() -> None:
    made = {avatar(name, seed) for name in ("Alice", "Bob", "") for seed in (7, 8)}
    assert len(made) == 6


def test_avatar_shows_something_on_its_ground() -> None:
    with Image.open(BytesIO(avatar("Bob", 8))) as image:
        shown = image.convert("RGB")
    corner, cheek, shirt = (shown.getpixel(place) for place in ((4, 4), (160, 130), (160, 310)))
    assert len({corner, cheek, shirt}) == 3
