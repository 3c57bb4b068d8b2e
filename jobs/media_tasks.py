"""Tasks of the queue `media`: what a worker makes of stored files, or of numbers alone.

A task is one of the classes of `MediaTask`. To add one: a class here, its function in
`inference/media/media_tasks.py`, and a receiver of its results (`bot/orders/media_delivery.py`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints

from jobs.findings import FileRef
from jobs.model import CropBox, Value

MOST_TEMPLATE_S = 60.0
"""How much of a clip becomes a movement of the owner's, s."""

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}\.[a-z0-9]{2,5}$")]


class Form(StrEnum):
    """A form that a result can be sent in."""

    LOOP = "loop"  # the result itself
    VIDEO = "video"  # a seamless movement, repeated: other messengers do not loop
    ROUND = "round"  # a video note
    GIF = "gif"
    STICKER = "sticker"  # a video sticker
    FILE = "file"  # the result as an untouched file


class Task(Value):
    """Base of all tasks.

    Attributes:
        kind: which one it is.
    """

    kind: str

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The files that it needs."""
        return ()

    def with_files(self, moved: Mapping[FileRef, FileRef]) -> Self:
        """Return the task with other references to the same files, by the old ones."""
        _ = moved
        return self


class MakeForm(Task):
    """Another form of a result.

    Attributes:
        form: which one, other than `LOOP` and `FILE`.
        video: the result.
        face_box: the face, px of the video; None: in its centre.
        other_faces: boxes of the other faces in it.
        is_seamless: whether the video can be repeated.
    """

    kind: Literal["form"] = "form"
    form: Form
    video: FileRef
    face_box: CropBox | None = None
    # Not written if empty, since workers of the previous version do not know it.
    other_faces: tuple[CropBox, ...] = Field(default=(), exclude_if=lambda boxes: not boxes)
    is_seamless: bool = False

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The result."""
        return (self.video,)

    def with_files(self, moved: Mapping[FileRef, FileRef]) -> Self:
        """Return the task with another reference to the result."""
        return self.model_copy(update={"video": moved[self.video]})


class DrawSheet(Task):
    """A sheet of small, numbered pictures.

    Attributes:
        pictures: in the order of their numbers; None: the picture is not stored any more.
        first_number: the number of the first one.
    """

    kind: Literal["sheet"] = "sheet"
    pictures: tuple[FileRef | None, ...] = Field(min_length=1, max_length=12)
    first_number: int = Field(default=1, ge=1)

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The pictures that are stored."""
        return tuple(filter(None, self.pictures))

    def with_files(self, moved: Mapping[FileRef, FileRef]) -> Self:
        """Return the task with other references to the pictures; those missing are None."""
        found = tuple(moved.get(one) if one else None for one in self.pictures)
        return self.model_copy(update={"pictures": found})


class ChartDay(Value):
    """A day of a chart.

    Attributes:
        label: its date, in digits.
        parts: how many orders were done, not made, and failed.
        people: how many people ordered.
    """

    label: str = Field(max_length=20)
    parts: tuple[int, int, int]
    people: int = Field(ge=0)


class DrawChart(Task):
    """A chart of the last days.

    Attributes:
        days: the oldest first.
    """

    kind: Literal["chart"] = "chart"
    days: tuple[ChartDay, ...] = Field(min_length=1, max_length=31)


class CheckTemplate(Task):
    """The files of a movement of the owner's, made from a clip.

    Attributes:
        clip: the clip as it was sent.
        clip_s: how much of it is used, s.
    """

    kind: Literal["template"] = "template"
    clip: FileRef
    clip_s: float = Field(gt=0, le=MOST_TEMPLATE_S)

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The clip."""
        return (self.clip,)

    def with_files(self, moved: Mapping[FileRef, FileRef]) -> Self:
        """Return the task with another reference to the clip."""
        return self.model_copy(update={"clip": moved[self.clip]})


MediaTask = Annotated[MakeForm | DrawSheet | DrawChart | CheckTemplate, Field(discriminator="kind")]


class Made(Value):
    """What a worker has made.

    Attributes:
        names: the names of the files, the main one first; others, such as a thumbnail, follow.
        size_bytes: size of the main file.
        width: of its picture, px; 0 if it has none.
        height: same for the height.
        duration_s: how long it plays, s; 0 for a picture.
        has_sound: whether it has sound.
        facts: what else the receiver needs to know.
    """

    names: tuple[FileName, ...] = Field(min_length=1)
    size_bytes: int = Field(gt=0)
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)
    duration_s: float = Field(default=0.0, ge=0)
    has_sound: bool = False
    facts: dict[str, JsonValue] = Field(default_factory=dict)
