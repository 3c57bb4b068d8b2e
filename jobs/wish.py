"""What a person wants and what comes of it: the values that travel from a tap to the mp4.

    photo + clip -> gate -> PhotoFindings, ClipFindings -> Wish -> animate_photo -> Video

The command line, an order and the engine process use the same `Wish`. What the gate found travels
in it, so that nothing is measured twice.
"""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from jobs.engines import AnyEngineName
from jobs.model import CropBox, Face, MediaWarning, Value
from jobs.old_records import movement_before

FileRef = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A key of the file store while a value is queued, a path where it is made or rendered."""

SourceType = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Seconds = Annotated[float, Field(ge=0)]

MAX_FACES = 8
"""The most faces of a photo that one video moves."""

LEAST_STRENGTH, MOST_STRENGTH = 0.5, 1.5
"""The range of the engine option `strength`."""


class Findings(Value):
    """What the gate found in a photo or a clip, and the normalised file it wrote.

    Attributes:
        file: the normalised file.
        name: the file's name as it came, for error messages.
        width: of the normalised picture, px; 0 in a record of an earlier version that lacks it.
        height: same for the height.
        original_width: of the upright picture as it came, px; boxes drawn by people refer to it.
        original_height: same for the height.
        faces: largest first; of a clip those in its first frames.
        warnings: what the person should know before going on.
    """

    file: FileRef
    name: str = ""
    width: int = Field(ge=0)
    height: int = Field(ge=0)
    original_width: int = Field(ge=0)
    original_height: int = Field(ge=0)
    faces: tuple[Face, ...] = ()
    warnings: tuple[MediaWarning, ...] = ()

    @property
    def path(self) -> Path:
        """The normalised file where it is a path."""
        return Path(self.file)

    @property
    def scale(self) -> float:
        """Size of the normalised picture / size as it came, by the longer side."""
        longer = max(self.original_width, self.original_height)
        return max(self.width, self.height) / longer

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, as it may be in a record of an earlier version."""
        return self.width > 0


class PhotoFindings(Findings):
    """What the gate found in a photo; `file` is an upright RGB PNG without metadata.

    Attributes:
        sheet: the photo with its faces numbered, a PNG; with a numbered grid if it has none.
    """

    sheet: FileRef


class ClipFindings(Findings):
    """What the gate found in a clip; `file` is an mp4 (8-bit H.264, constant rate, AAC).

    Attributes:
        frame_rate: frames per second, exact.
        frame_count: number of frames.
        has_sound: whether it has sound.
        later_faces: boxes of the largest face in a few later frames, in order; a frame in which it
            was not found has none.
    """

    frame_rate: Fraction = Field(gt=0)
    frame_count: int = Field(gt=0)
    has_sound: bool
    later_faces: tuple[CropBox, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long the clip plays, s."""
        return float(self.frame_count / self.frame_rate)


class Movement(Value):
    """What leads the face: exactly one of a template, a clip and several templates.

    Attributes:
        template: name of a template.
        clip: the person's own clip.
        templates: names of several templates that one video shows side by side, numbered from 1
            in this order (`jobs/show_all.py`).
        frames: work per face, in frames of an ordinary video; 0 while it is not known.
    """

    template: str | None = None
    clip: ClipFindings | None = None
    templates: tuple[str, ...] = ()
    frames: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_version(cls, plain: Any) -> Any:
        return movement_before(plain)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = [self.template is not None, self.clip is not None, bool(self.templates)]
        if sum(given) != 1:
            message = "a movement is a template, a clip or several templates, and only one of these"
            raise ValueError(message)
        return self

    @classmethod
    def of_clip(cls, clip: ClipFindings) -> Self:
        """Return the movement of a person's own clip."""
        return cls(clip=clip, frames=clip.frame_count)


class Wish(Value):
    """One video to make: which faces, which movement, in which form.

    Attributes:
        photo: the photo.
        face_boxes: the faces that move, px of the normalised photo; empty: the largest one.
        is_face_drawn: whether these boxes are used as they are; else they are faces that the gate
            found, and an engine with a face finder of its own takes its own boxes of them.
        movement: what leads the face.
        driving_face_box: the face to follow in the clip, px of the normalised clip; None: the
            largest one.
        options: engine options by name, see `inference/engine_options.py`.
        paste_back: whether the video shows the whole photo; else only the part that moves.
        audio: whether a clip's sound is kept.
        loop: how many times a template's movement is shown.
    """

    photo: PhotoFindings
    face_boxes: tuple[CropBox, ...] = Field(default=(), max_length=MAX_FACES)
    is_face_drawn: bool = False
    movement: Movement
    driving_face_box: CropBox | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    paste_back: bool = True
    audio: bool = True
    loop: int = Field(default=1, ge=1)

    @property
    def face_count(self) -> int:
        """How many faces move; several templates side by side show the first one."""
        return 1 if self.movement.templates else max(1, len(self.face_boxes))

    @property
    def cost_frames(self) -> int:
        """Work in frames of an ordinary video: frames x faces."""
        return self.movement.frames * self.face_count

    @property
    def clip(self) -> ClipFindings | None:
        """The person's own clip, if that leads."""
        return self.movement.clip

    def with_files(self, photo: str, clip: str | None) -> Self:
        """Return the wish with other references to the same files."""
        changes: dict[str, object] = {"photo": self.photo.model_copy(update={"file": photo})}
        if self.clip is not None and clip is not None:
            moved = self.clip.model_copy(update={"file": clip})
            changes["movement"] = self.movement.model_copy(update={"clip": moved})
        return self.model_copy(update=changes)


class Video(Value):
    """A finished video.

    Attributes:
        size_bytes: size of the file.
        width: of its frames, px.
        height: same for the height.
        frame_count: number of frames.
        frame_rate: frames per second, exact.
        has_sound: whether it has sound.
        engine: name of the engine that made it; never `auto`.
        label: the engine's truthful wording under it.
        digital_source_type: the IPTC term for how it was made, a URL.
        work_frames: how many frames were made, as in `Movement.frames`.
        render_s: how long that took, s.
    """

    size_bytes: int = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_count: int = Field(gt=0)
    frame_rate: Fraction = Field(gt=0)
    has_sound: bool
    engine: AnyEngineName
    label: str = Field(min_length=1)
    digital_source_type: SourceType
    work_frames: int = Field(gt=0)
    render_s: Seconds

    @property
    def duration_s(self) -> float:
        """How long it plays, s."""
        return float(self.frame_count / self.frame_rate)

    @property
    def frames_per_second(self) -> float:
        """Frames made per second."""
        return self.work_frames / max(self.render_s, 1e-6)
