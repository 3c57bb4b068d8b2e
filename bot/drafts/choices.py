"""What a person may choose beyond face and movement; the defaults suit most.

Choices -> engine options and `Wish` fields of an order (`bot/orders/ordering.py`)
"""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field

from jobs.model import CropBox, Value, square_inside
from jobs.wish import LEAST_STRENGTH, MOST_STRENGTH, Wish

STRENGTH, RELATIVE = "strength", "relative"
"""Options of engines: how strong a movement is; whether motion is transferred, not positions."""

# Sides of the view, in sides of the face's box (from the brows to the chin).
_SIDES_OF_FACE = {"portrait": 4.0, "face": 2.2}
# A head reaches further above its face's box than below.
_UPWARDS = 0.1
_LEAST_SIDE_PX = 256
# A view that leaves out less than this share of the photo is not offered.
_LEAST_CUT = 0.1


class View(StrEnum):
    """Which part of the photo the video shows."""

    WHOLE = "whole"
    PORTRAIT = "portrait"  # head and shoulders
    FACE = "face"


class Choices(Value):
    """The choices.

    Attributes:
        strength: of the movement; 1 is as it was drawn or filmed.
        is_absolute: whether the face takes the clip's positions, not only its motion.
        view: which part of the photo is shown.
        is_muted: whether the clip's sound is left out.
        clip_start_s: where the used part of the clip begins, s.
    """

    strength: float = Field(default=1.0, ge=LEAST_STRENGTH, le=MOST_STRENGTH)
    is_absolute: bool = False
    view: View = View.WHOLE
    is_muted: bool = False
    clip_start_s: float = Field(default=0.0, ge=0)

    @classmethod
    def of(cls, wish: Wish, clip_start_s: float = 0.0) -> "Choices":
        """Return the choices that a wish was made of; its clip began at `clip_start_s`."""
        return cls(
            strength=strength_of(wish),
            is_absolute=wish.options.get(RELATIVE) is False,
            view=_view_of(wish),
            is_muted=not wish.audio,
            clip_start_s=clip_start_s,
        )

    def options(self, *, has_clip: bool) -> dict[str, bool | float]:
        """Return the engine options that differ from the defaults."""
        options: dict[str, bool | float] = {}
        if self.strength != 1:
            options[STRENGTH] = self.strength
        if self.is_absolute and has_clip:
            options[RELATIVE] = False
        return options


def strength_of(wish: Wish) -> float:
    """Return the strength of a wish's movement, within its bounds."""
    value = wish.options.get(STRENGTH, 1.0)
    strength = float(value) if isinstance(value, int | float) else 1.0
    return min(max(strength, LEAST_STRENGTH), MOST_STRENGTH)


def view_box(view: View, faces: Sequence[CropBox], width: int, height: int) -> CropBox | None:
    """Return the part of a photo that a view shows, a square; None: all of it.

    Args:
        view: the view.
        faces: boxes of the faces that move, px.
        width: of the photo, px.
        height: of the photo, px.
    """
    if view is View.WHOLE or not faces:
        return None
    left, upper = min(face.left for face in faces), min(face.upper for face in faces)
    right, lower = max(face.right for face in faces), max(face.lower for face in faces)
    around = (_SIDES_OF_FACE[view] - 1) * max(face.width for face in faces)
    side = max(right - left, lower - upper) + around
    centre = ((left + right) / 2, (upper + lower) / 2 - _UPWARDS * around)
    box = square_inside(centre, max(side, _LEAST_SIDE_PX), width, height)
    return box if box.width * box.height < (1 - _LEAST_CUT) * width * height else None


def views_of(faces: Sequence[CropBox], width: int, height: int) -> tuple[View, ...]:
    """Return the views that differ, the widest first. Args: see `view_box`."""
    found: list[View] = []
    boxes: list[CropBox | None] = []
    for view in View:
        box = view_box(view, faces, width, height)
        if box not in boxes:
            found.append(view)
            boxes.append(box)
    return tuple(found)


def _view_of(wish: Wish) -> View:
    size = wish.photo.width, wish.photo.height
    found = (view for view in View if view_box(view, wish.face_boxes, *size) == wish.view)
    return next(found, View.WHOLE)
