"""Values shared by all packages: frozen, validated, JSON between processes."""

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

GRID_SIDE = 3
"""Cells in a row and in a column of the grid over a photo without a face."""

# People tap the cell that the face fills best; most faces are larger than a cell.
_FACE_PER_CELL = 1.3


class Value(BaseModel):
    """Base of all values: frozen, and strict about unknown fields."""

    # JSON has no infinity and no NaN.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _ratio(value: object) -> Fraction:
    """Read a fraction as it is written; `Fraction("1e999999999")` would compute for hours."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}(/[1-9][0-9]{0,18})?", str(value)):
        message = "a frame rate is a ratio of positive whole numbers"
        raise ValueError(message)
    return Fraction(str(value))


FrameRate = Annotated[Fraction, BeforeValidator(_ratio)]
"""Frames per second, exact, more than 0."""


class CropBox(Value):
    """A rectangle in picture px, right and lower exclusive; it may extend outside the picture."""

    left: int
    upper: int
    right: int
    lower: int

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if self.right <= self.left or self.lower <= self.upper:
            message = f"a crop box needs left < right and upper < lower, not {self}"
            raise ValueError(message)
        return self

    @property
    def width(self) -> int:
        """Width in px."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height in px."""
        return self.lower - self.upper

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Left, upper, right and lower, px."""
        return self.left, self.upper, self.right, self.lower

    def moved(self, right: int, down: int) -> "CropBox":
        """Return the box moved by so many px."""
        left, upper = self.left + right, self.upper + down
        return CropBox(left=left, upper=upper, right=left + self.width, lower=upper + self.height)

    def scaled(self, factor: float) -> "CropBox":
        """Return the same part of a picture enlarged by `factor`, whole px."""
        left, upper, right, lower = (round(side * factor) for side in self.sides)
        return CropBox(
            left=left, upper=upper, right=max(right, left + 1), lower=max(lower, upper + 1)
        )

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in px."""
        return (self.left + self.right) / 2, (self.upper + self.lower) / 2

    def overlap(self, other: "CropBox") -> float:
        """Return intersection over union: 1 for the same box, 0 for disjoint boxes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.lower, other.lower) - max(self.upper, other.upper)
        shared = max(0, width) * max(0, height)
        areas = self.width * self.height + other.width * other.height
        return shared / (areas - shared)

    def __str__(self) -> str:
        return f"{self.left},{self.upper},{self.right},{self.lower}"


def square_inside(centre: tuple[float, float], side: float, width: int, height: int) -> CropBox:
    """Return a square about a point, shrunk and moved to lie inside the picture.

    Args:
        centre: (x, y) in px.
        side: of the square, px; rounded.
        width: of the picture, px.
        height: of the picture, px.
    """
    fitting = max(1, min(round(side), width, height))
    left = min(max(0, round(centre[0] - fitting / 2)), width - fitting)
    upper = min(max(0, round(centre[1] - fitting / 2)), height - fitting)
    return CropBox(left=left, upper=upper, right=left + fitting, lower=upper + fitting)


def grid_cell(width: int, height: int, cell: int) -> CropBox:
    """Return a cell of the grid that is drawn over a photo without a face.

    Args:
        width: of the photo, px.
        height: of the picture, px.
        cell: 1 to 9, by rows from the upper left.

    Raises:
        ValueError: there is no such cell.
    """
    if not 1 <= cell <= GRID_SIDE**2:
        message = f"the grid has no cell {cell}"
        raise ValueError(message)
    row, column = divmod(cell - 1, GRID_SIDE)
    return CropBox(
        left=column * width // GRID_SIDE,
        upper=row * height // GRID_SIDE,
        right=(column + 1) * width // GRID_SIDE,
        lower=(row + 1) * height // GRID_SIDE,
    )


def grid_box(width: int, height: int, cell: int) -> CropBox:
    """Return the face box for a cell: a square inside the photo. Arguments as for `grid_cell`."""
    side = _FACE_PER_CELL * min(width, height) / GRID_SIDE
    return square_inside(grid_cell(width, height, cell).centre, side, width, height)


def whole_box(width: int, height: int) -> CropBox:
    """Return the face box for the whole picture: in its middle, half its short side."""
    return square_inside((width / 2, height / 2), min(width, height) // 2, width, height)


class Face(Value):
    """A face in a picture.

    Attributes:
        number: from 1, the largest.
        box: square, from the brows to the chin, px of the picture; it may reach outside.
        votes: number of the finder's tiles in which it was detected; 0: given by hand.
        roll_deg: how far it leans, clockwise; 0 in records of an earlier version.
    """

    number: int = Field(ge=1)
    box: CropBox
    votes: int = Field(ge=0)
    roll_deg: float = 0.0


class MediaWarning(StrEnum):
    """What the gate noticed; the value is a sentence for the person, a gettext msgid.

    Sentences of earlier versions are still read.
    """

    VERY_DARK = "The photo is very dark; a brighter one gives a better result."
    SMALL_FACE = "The face is small; a photo taken closer gives a better result."
    PHOTO_CUT = "The photo's file is cut off; its last rows may be missing."
    NO_FACE_IN_CLIP = "No face was found in the clip."
    FACE_LATE = "There is no face at the beginning of the clip; the movement starts with it."
    FACE_LEAVES = "The face leaves the picture in parts of the clip; it cannot be followed there."
    FACE_HIDDEN = (
        "The face is turned away or covered in parts of the clip; it cannot be followed there."
    )
    CLIP_FADES = "The clip fades or is black in parts; the face cannot be followed there."
    CLIP_DARK = "The face in the clip is very dark; a brighter clip gives a better result."
    HARD_CUTS = "The clip has hard cuts; the movement jumps there. One uncut take works best."
    CLIP_SHORTENED = "The clip is longer than the maximum; only its beginning is used."
    CLIP_DAMAGED = "The clip is cut off; only what could be decoded is used."
    NO_PLAYABLE_SOUND = "The clip's sound cannot be decoded; the video will be silent."
    SOUND_DAMAGED = "The sound is cut off or damaged; only what could be decoded is used."
    NO_VOICE = "No voice can be heard in the sound; the mouth stays shut."
    NO_PHONES = "The sounds of speech are not recognised here; the lips follow the loudness alone."

    @classmethod
    def _missing_(cls, value: object) -> "MediaWarning | None":
        earlier = {
            "No face was found at the beginning of the clip.": cls.NO_FACE_IN_CLIP,
            "The face is lost in parts of the clip; the movement may be wrong there.": (
                cls.FACE_HIDDEN
            ),
        }
        return earlier.get(str(value))
