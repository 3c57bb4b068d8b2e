"""Profile pictures for the people of the sandbox: a drawn face on a coloured ground."""

import random
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFilter

SIDE_PX = 320
# Drawn larger and reduced, which makes soft edges.
_SCALE = 3

# Chosen by eye: with it the people who are there at the start look well beside each other.
_SALT = 15866

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

# Light and dark end of the ground.
_GROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((255, 214, 165), (247, 150, 112)),
    ((189, 224, 254), (98, 155, 224)),
    ((202, 239, 202), (94, 176, 140)),
    ((232, 213, 255), (150, 122, 214)),
    ((255, 205, 218), (224, 113, 148)),
    ((255, 236, 168), (232, 176, 74)),
    ((190, 236, 236), (70, 160, 170)),
)
_SKINS: tuple[Colour, ...] = (
    (255, 224, 196),
    (247, 205, 170),
    (231, 180, 140),
    (198, 140, 100),
    (150, 100, 70),
    (110, 72, 52),
)
_HAIRS: tuple[Colour, ...] = (
    (44, 34, 34),
    (80, 52, 38),
    (126, 78, 44),
    (186, 128, 66),
    (222, 184, 116),
    (168, 68, 44),
    (150, 150, 158),
)
_CLOTHES: tuple[Colour, ...] = (
    (62, 84, 134),
    (180, 70, 78),
    (56, 122, 104),
    (238, 238, 232),
    (92, 74, 128),
    (226, 142, 60),
)
_INK: Colour = (52, 40, 42)


@dataclass(frozen=True)
class _Look:
    """How somebody looks; the hair has a cut of 0 (short), 1 (bob), 2 (long) or 3 (bun)."""

    ground: tuple[Colour, Colour]
    skin: Colour
    hair: Colour
    clothes: Colour
    cut: int
    parting: float
    smile: float
    has_glasses: bool


@cache
def avatar(name: str, seed: int) -> bytes:
    """A JPEG of 320 x 320 px: a friendly face, always the same one for the same person.

    Args:
        name: of the person.
        seed: another number gives another face; the person's id will do.
    """
    look = _look(random.Random(f"{_SALT}/{name}/{seed}"))
    image = _ground(look.ground)
    pen = _Pen(image)
    _draw_behind(pen, look)
    _draw_body(pen, look)
    _draw_head(pen, look)
    _draw_face(pen, look)
    file = BytesIO()
    reduced = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    reduced.save(file, "JPEG", quality=90)
    return file.getvalue()


def _look(choice: random.Random) -> _Look:
    return _Look(
        ground=choice.choice(_GROUNDS),
        skin=choice.choice(_SKINS),
        hair=choice.choice(_HAIRS),
        clothes=choice.choice(_CLOTHES),
        cut=choice.randrange(4),
        parting=choice.choice((-1.0, 1.0)) * choice.uniform(14, 34),
        smile=choice.uniform(0.7, 1.1),
        has_glasses=choice.random() < 0.3,
    )


class _Pen:
    """Draws on an image in the coordinates of the finished picture, 0 to 320.

    Args:
        image: `_SCALE` times as large.
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)

    def ellipse(self, box: Box, colour: Colour) -> None:
        self.draw.ellipse(_scaled(box), fill=colour)

    def rounded(self, box: Box, radius: float, colour: Colour) -> None:
        self.draw.rounded_rectangle(_scaled(box), radius * _SCALE, fill=colour)

    def pie(self, box: Box, angles: tuple[float, float], colour: Colour) -> None:
        self.draw.pieslice(_scaled(box), *angles, fill=colour)

    def arc(self, box: Box, angles: tuple[float, float], colour: Colour, width: float) -> None:
        self.draw.arc(_scaled(box), *angles, fill=colour, width=round(width * _SCALE))

    def line(self, box: Box, colour: Colour, width: float) -> None:
        self.draw.line(_scaled(box), fill=colour, width=round(width * _SCALE))

    def glow(self, box: Box, colour: Colour, strength: int) -> None:
        """A soft spot, `strength` of 255 in its middle."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).ellipse(_scaled(box), fill=strength)
        soft = mask.filter(ImageFilter.GaussianBlur(6 * _SCALE))
        self.image.paste(Image.new("RGB", self.image.size, colour), mask=soft)

    def inside(self, shape: Box, box: Box, colour: Colour) -> None:
        """The part of an ellipse `box` that lies within the ellipse `shape`."""
        first, second = (Image.new("1", self.image.size) for _ in range(2))
        ImageDraw.Draw(first).ellipse(_scaled(shape), fill=1)
        ImageDraw.Draw(second).ellipse(_scaled(box), fill=1)
        overlap = Image.new("1", self.image.size)
        overlap.paste(first, mask=second)
        self.image.paste(Image.new("RGB", self.image.size, colour), mask=overlap)


def _scaled(box: Box) -> Box:
    left, upper, right, lower = (value * _SCALE for value in box)
    return left, upper, right, lower


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in colour)
    return red, green, blue


def _ground(colours: tuple[Colour, Colour]) -> Image.Image:
    """A ground that is lighter in its upper left part."""
    side = SIDE_PX * _SCALE
    light, dark = (Image.new("RGB", (side, side), colour) for colour in colours)
    slope = Image.linear_gradient("L").rotate(25, Image.Resampling.BICUBIC, fillcolor=128)
    return Image.composite(dark, light, slope.crop((40, 40, 216, 216)).resize((side, side)))


_HEAD: Box = (102, 72, 218, 218)


def _draw_behind(pen: _Pen, look: _Look) -> None:
    """The hair that falls behind neck and shoulders."""
    back = _shade(look.hair, 0.8)
    if look.cut == 1:
        pen.rounded((86, 62, 234, 226), 70, back)
    elif look.cut == 2:
        pen.rounded((80, 58, 240, 296), 76, back)
    elif look.cut == 3:
        pen.ellipse((122, 18, 198, 92), back)


def _draw_body(pen: _Pen, look: _Look) -> None:
    pen.rounded((46, 244, 274, 420), 84, look.clothes)
    pen.rounded((134, 186, 186, 266), 24, _shade(look.skin, 0.88))
    pen.ellipse((126, 228, 194, 276), _shade(look.skin, 0.88))
    pen.arc((118, 214, 202, 284), (20, 160), _shade(look.clothes, 0.84), 6)


def _draw_head(pen: _Pen, look: _Look) -> None:
    for left in (92, 206):
        pen.ellipse((left, 138, left + 22, 172), _shade(look.skin, 0.92))
    pen.ellipse(_HEAD, look.skin)
    # The hair on top: two locks that part above the forehead, over a rim at the temples.
    for box in ((94, 84, 112, 140), (208, 84, 226, 140)):
        pen.inside((94, 56, 226, 214), box, look.hair)
    parting = 160 + look.parting
    pen.inside((94, 56, 226, 214), (62, 6, parting + 24, 120), look.hair)
    pen.inside((94, 56, 226, 214), (parting - 24, 6, 258, 120), look.hair)
    if look.cut in {1, 2}:
        for left, right in ((86, 108), (212, 234)):
            pen.rounded((left, 100, right, 214 if look.cut == 1 else 280), 11, look.hair)


def _draw_face(pen: _Pen, look: _Look) -> None:
    blush = _shade((236, 110, 100), 0.6 + 0.4 * look.skin[0] / 255)
    for centre in (122, 198):
        pen.glow((centre - 13, 168, centre + 13, 188), blush, 90)
    for centre in (136, 184):
        pen.ellipse((centre - 6, 142, centre + 6, 157), _INK)
        pen.ellipse((centre - 3, 144, centre + 2, 149), (255, 255, 255))
        pen.arc((centre - 15, 122, centre + 15, 146), (215, 325), _shade(look.hair, 0.8), 4)
    pen.arc((152, 158, 170, 176), (30, 140), _shade(look.skin, 0.74), 4)
    half, depth = 22 * look.smile, 17 * look.smile
    pen.pie((160 - half, 185 - depth, 160 + half, 185 + depth), (0, 180), (150, 48, 56))
    pen.pie((160 - half + 5, 186 - 7, 160 + half - 5, 186 + 7), (0, 180), (255, 255, 255))
    if look.has_glasses:
        for left in (115, 163):
            pen.arc((left, 129, left + 42, 171), (0, 360), _INK, 4)
        pen.line((157, 147, 163, 147), _INK, 4)
