"""The visible mark: the letters AI in a corner of the pictures, never over a face.

    Ground.place -> where the mark goes, or None -> VisibleMark.drawn -> a marked frame

The first corner that is free is taken: free of all heads and of the part that moves, then free of
heads, also for a smaller mark, then free of faces (brows to chin, and how far they move), also for
a smaller mark. If there is none, the pictures get no mark, and the log says so.
"""

import logging
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from inference.arrays import Floats, Picture
from jobs.model import CropBox

log = logging.getLogger(__name__)


TEXT = "AI"

# The mark's height, of the pictures' width; in portrait format, of this share of their height.
_HEIGHT, _OF_HEIGHT = 0.05, 0.7
_LEAST_PX, _MOST = 12, 0.25  # `_MOST`: of the shorter side
_SMALLER = (1.0, 0.8, 0.65)
_WIDTH, _GAP = 1.55, 0.4  # in heights of the mark
# In sides of a face's box, which reaches from the brows to the chin: how far beyond it a face
# moves, and how far a head reaches to the sides and down, and up.
_MOVES, _HEAD, _HAIR = 0.15, 0.35, 0.7
# Opacity of the ground, of its light rim and of the letters; their height, in heights of the mark.
_DARK, _RIM, _LIGHT = 0.6, 0.3, 0.95
_LETTERS = 0.52
# The outlines of the letters, in heights of a letter, from their upper left corner; and the width
# of both. Fonts differ from one installation to the next.
_A = ((0, 1), (0.34, 0), (0.58, 0), (0.92, 1), (0.7, 1), (0.63, 0.78), (0.29, 0.78), (0.22, 1))
_HOLE_OF_A = ((0.46, 0.2), (0.58, 0.6), (0.34, 0.6))
_I = ((1.09, 0), (1.3, 0), (1.3, 1), (1.09, 1))
_BOTH = 1.3
_FINER = 8  # drawn this many times as large, then reduced

_NOTE = f"Visible mark: {TEXT}, at "
_NOTED = re.compile(re.escape(_NOTE) + r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})$")


@dataclass(frozen=True)
class Ground:
    """The pictures that get a mark, and what it must not cover.

    Attributes:
        width: of the pictures, px.
        height: likewise.
        faces: boxes of all faces, from the brows to the chin, px of the pictures; they may reach
            outside.
        moving: the part that moves; left free where that is possible.
        drawn: what else is drawn on the pictures; always left free.
        mark_px: the mark's height; None: in proportion to the pictures.
        gap_px: between the mark and the pictures' edge; None: in proportion to the mark.
        is_round: whether only a circle is seen.
    """

    width: int
    height: int
    faces: tuple[CropBox, ...] = ()
    moving: CropBox | None = None
    drawn: tuple[CropBox, ...] = ()
    mark_px: float | None = None
    gap_px: int | None = None
    is_round: bool = False

    @classmethod
    def of_part(
        cls,
        part: CropBox,
        width: int,
        faces: Iterable[CropBox],
        moving: CropBox | None = None,
        **others: Any,
    ) -> "Ground":
        """Return the ground of frames that show a part of a photo.

        Args:
            part: what they show, px of the photo.
            width: of the frames, px.
            faces: all of the photo's, px of the photo.
            moving: the part that moves, px of the photo.
            others: further attributes.
        """
        scale = width / part.width
        return cls(
            width,
            max(1, round(part.height * scale)),
            tuple(_seen(face, part, scale) for face in faces),
            _seen(moving, part, scale) if moving is not None else None,
            **others,
        )

    def place(self) -> CropBox | None:
        """Return where the mark goes, px of the pictures; None if it would cover a face."""
        faces = [_grown(face, _MOVES, _MOVES) for face in self.faces]
        heads = [_grown(face, _HEAD, _HAIR) for face in self.faces]
        moving = [self.moving] if self.moving is not None else []
        for factors, avoided in (
            (_SMALLER[:1], [*heads, *moving]),
            (_SMALLER, heads),
            (_SMALLER, faces),
        ):
            for factor in factors:
                for box in self._places(factor):
                    if not any(box.overlap(one) > 0 for one in (*avoided, *self.drawn)):
                        return box
        log.warning("the pictures get no visible mark: it would cover a face")
        return None

    def _places(self, factor: float) -> Iterator[CropBox]:
        """Yield where a mark of a relative size may go, the best first."""
        side = min(self.width, self.height)
        wanted = self.mark_px or _HEIGHT * max(self.width, _OF_HEIGHT * self.height)
        height = round(min(max(factor * wanted, _LEAST_PX), _MOST * side))
        width = round(_WIDTH * height)
        gap = max(1, round(_GAP * height)) if self.gap_px is None else self.gap_px
        if height < 1 or width + 2 * gap > self.width or height + 2 * gap > self.height:
            return
        if self.is_round:
            yield from _places_in_circle(side, width, height, gap)
            return
        right, lower = self.width - gap - width, self.height - gap - height
        # Apps write GIF and the length at the upper left.
        for left, upper in ((right, lower), (gap, lower), (right, gap), (gap, gap)):
            yield CropBox(left=left, upper=upper, right=left + width, lower=upper + height)


class VisibleMark:
    """The mark at its place; what can be computed once is.

    Args:
        box: where it is, px of the pictures; as `Ground.place` returns it.
    """

    def __init__(self, box: CropBox) -> None:
        self.box = box

    @classmethod
    def on(cls, ground: Ground) -> "VisibleMark | None":
        """Return the mark of pictures; None if it would cover a face."""
        box = ground.place()
        return None if box is None else cls(box)

    @property
    def note(self) -> str:
        """What the metadata of a file says about it; see `noted`."""
        return f"{_NOTE}{self.box}"

    def drawn(self, frame: Picture) -> Picture:
        """Return a copy of a frame with the mark, uint8 (H, W, 3) RGB."""
        marked, place = frame.copy(), self._place
        kept, added = self._shares
        marked[place] = (marked[place] * kept + added) >> 8
        return marked

    def on_nothing(self, width: int, height: int) -> Picture:
        """Return the mark alone, uint8 (height, width, 4) RGBA, to be laid over pictures."""
        light, opacity = _patch(self.box.width, self.box.height)
        own = np.divide(light, opacity, out=np.zeros_like(light), where=opacity > 0)
        alone = np.zeros((height, width, 4), np.uint8)
        alone[self._place] = np.rint(255 * np.dstack([own, own, own, opacity]))
        return alone

    @property
    def _place(self) -> tuple[slice, slice]:
        box = self.box
        return np.s_[box.upper : box.lower, box.left : box.right]

    @cached_property
    def _shares(self) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
        """What is kept of a frame, in 1/256, and what is added to it, in 1/256 levels."""
        light, opacity = _patch(self.box.width, self.box.height)
        kept = np.rint(256 * (1 - opacity)).astype(np.uint16)[..., None]
        # Half a level, for rounding; never more than what is not kept has room for.
        added = np.rint(255 * 256 * light + 128).astype(np.uint16)[..., None]
        return kept, np.minimum(added, 255 * (256 - kept) + 128)


def noted(description: str) -> CropBox | None:
    """Return where a file's pictures have the mark, from its metadata; None: nowhere."""
    found = _NOTED.match(description)
    if found is None:
        return None
    left, upper, right, lower = map(int, found.groups())
    if not (left < right and upper < lower):
        return None
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def _patch(width: int, height: int) -> tuple[Floats, Floats]:
    """Draw the mark. Return its light, multiplied by its opacity, and its opacity, in [0, 1]."""
    size = width * _FINER, height * _FINER
    rim = max(_FINER // 2, round(0.05 * size[1]))
    ground, inner, letters = (Image.new("L", size) for _ in range(3))
    for shape, inset in ((ground, 0), (inner, rim)):
        sides = inset, inset, size[0] - 1 - inset, size[1] - 1 - inset
        ImageDraw.Draw(shape).rounded_rectangle(sides, size[1] / 2 - inset, fill=255)
    letter = _LETTERS * size[1]
    begin = (size[0] - _BOTH * letter) / 2, (size[1] - letter) / 2
    for outline, fill in ((_A, 255), (_HOLE_OF_A, 0), (_I, 255)):
        points = [(begin[0] + x * letter, begin[1] + y * letter) for x, y in outline]
        ImageDraw.Draw(letters).polygon(points, fill=fill)
    whole, inside, white = (
        np.asarray(shape.reduce(_FINER), np.float32) / 255 for shape in (ground, inner, letters)
    )
    edge, white = _RIM * (whole - inside), _LIGHT * white
    dark = _DARK * whole * (1 - edge)
    light, opacity = edge * (1 - white) + white, 1 - (1 - dark - edge) * (1 - white)
    return np.asarray(light, np.float32), np.asarray(opacity, np.float32)


def _places_in_circle(side: int, width: int, height: int, gap: int) -> Iterator[CropBox]:
    """Yield places inside the circle in a square, whose corners are not seen."""
    radius = side / 2 - gap
    for angle_deg in (45, 135, 90, -45, -135):
        across, down = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
        # The mark's farthest corner lies on the circle.
        half = (width * abs(across) + height * abs(down)) / 2
        room = half**2 - (width**2 + height**2) / 4 + radius**2
        distance = math.sqrt(max(0.0, room)) - half
        left = round(side / 2 + distance * across - width / 2)
        upper = round(side / 2 + distance * down - height / 2)
        yield CropBox(left=left, upper=upper, right=left + width, lower=upper + height)


def _seen(box: CropBox, part: CropBox, scale: float) -> CropBox:
    """Return a box in px of the frames that show a part of the photo."""
    left, upper, right, lower = (
        (side - begin) * scale
        for side, begin in zip(box.sides, (part.left, part.upper) * 2, strict=True)
    )
    return _around(left, upper, right, lower)


def _grown(face: CropBox, margin: float, above: float) -> CropBox:
    """Return a box with a margin, in sides of the box."""
    left, upper, right, lower = face.sides
    side = max(face.width, face.height)
    beside = margin * side
    return _around(left - beside, upper - above * side, right + beside, lower + beside)


def _around(left: float, upper: float, right: float, lower: float) -> CropBox:
    """Return the smallest box of whole px around these sides."""
    first = math.floor(left), math.floor(upper)
    last = max(math.ceil(right), first[0] + 1), max(math.ceil(lower), first[1] + 1)
    return CropBox(left=first[0], upper=first[1], right=last[0], lower=last[1])
