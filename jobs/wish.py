"""What a person wants and what comes of it: the values that travel from a tap to the mp4.

    photo, clip, voice -> gate -> findings (`jobs/findings.py`) -> Wish -> animate_photo -> Video

The command line, an order and the engine process use the same `Wish`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from jobs.engines import AnyEngineName
from jobs.findings import ClipFindings, FileRef, PhotoFindings, VoiceFindings
from jobs.model import CropBox, FrameRate, Value
from jobs.old_records import movement_before

SourceType = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Seconds = Annotated[float, Field(ge=0)]

MAX_FACES = 8
"""The most faces of a photo that one video moves."""

LEAST_STRENGTH, MOST_STRENGTH = 0.5, 1.5
"""The range of the engine option `strength`."""


class Movement(Value):
    """What leads the face: exactly one of a template, a clip, a voice and several templates.

    With a voice, a template may lead everything but the mouth. A template of the bot's owner comes
    with its clip, so that a worker needs only the file store.

    Attributes:
        template: name of a template.
        clip: the person's own clip, or that of the template.
        voice: a voice message; the mouth speaks it.
        templates: names of several templates that one video shows side by side, numbered from 1
            in this order (`jobs/show_all.py`).
        frames: work per face, in frames of an ordinary video; 0 while it is not known.
    """

    template: str | None = None
    clip: ClipFindings | None = None
    # Not written if None, since workers of the previous version do not know it.
    voice: VoiceFindings | None = Field(default=None, exclude_if=lambda voice: voice is None)
    templates: tuple[str, ...] = ()
    frames: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_version(cls, plain: Any) -> Any:
        return movement_before(plain)

    @model_validator(mode="after")
    def _has_one_leader(self) -> Self:
        of_clip = self.clip is not None and self.voice is None
        of_one = (self.template is not None and not of_clip) or self.voice is not None
        if sum([of_one, self.clip is not None, bool(self.templates)]) != 1:
            message = "a movement is a template, a clip, a voice or several templates"
            raise ValueError(message)
        return self

    @classmethod
    def of_clip(cls, clip: ClipFindings) -> Self:
        """Return the movement of a person's own clip."""
        return cls(clip=clip, frames=clip.frame_count)

    @classmethod
    def of_voice(cls, voice: VoiceFindings, template: str | None = None) -> Self:
        """Return the movement of a voice; a template may lead everything but the mouth."""
        return cls(voice=voice, template=template, frames=voice.frame_count)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, as it may be in a record of an earlier version."""
        return self.clip is None or self.clip.is_complete

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The person's own files: of a clip or a voice. Those of a template are not theirs."""
        if self.voice is not None:
            return self.voice.file, self.voice.curves
        return () if self.clip is None or self.template else (self.clip.file,)


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
        view: the part of the photo that the video shows, px inside the normalised photo; None: all
            of it. It needs `paste_back`.
        mark: whether the pictures get the visible mark (`inference/media/visible_mark.py`).
        audio: whether the sound of a clip or a voice is kept.
        loop: how many times a template's movement is shown.
    """

    photo: PhotoFindings
    face_boxes: tuple[CropBox, ...] = Field(default=(), max_length=MAX_FACES)
    is_face_drawn: bool = False
    movement: Movement
    driving_face_box: CropBox | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    paste_back: bool = True
    # Not written if None, since workers of the previous version do not know it.
    view: CropBox | None = Field(default=None, exclude_if=lambda view: view is None)
    mark: bool = Field(default=False, exclude_if=lambda mark: not mark)  # likewise
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

    @property
    def voice(self) -> VoiceFindings | None:
        """The voice that the mouth speaks, if there is one."""
        return self.movement.voice

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The files that the video is made of, those of templates aside."""
        return (self.photo.file, *self.movement.files)

    def with_files(self, moved: Mapping[FileRef, FileRef]) -> Self:
        """Return the wish with other references to the same files.

        Args:
            moved: the new reference by the old one; files that it lacks stay where they are.
        """

        def of(found: Any, *names: str) -> Any:
            old = {name: getattr(found, name) for name in names} if found else {}
            update = {name: moved.get(file, file) for name, file in old.items()}
            return found.model_copy(update=update) if found else None

        leaders = {"clip": of(self.clip, "file"), "voice": of(self.voice, "file", "curves")}
        movement = self.movement.model_copy(update=leaders)
        return self.model_copy(update={"photo": of(self.photo, "file"), "movement": movement})


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
    frame_rate: FrameRate
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
