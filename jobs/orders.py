"""The values that travel through the queues: orders, looks, results; frozen JSON, versioned.

Bot and workers may be of different age while they are updated. So each value says which form it has
(`schema_version`), and `read` refuses one that this program does not know, in one sentence.
"""

from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from pydantic import model_validator as validator_of_all
from pydantic_core import from_json

from jobs.engines import EngineName
from jobs.model import CropBox, Face, MediaWarning, Value
from jobs.queues.keys import LOOK, JobRef, engine_queue
from jobs.service_errors import BrokenRecord, UnknownSchema
from jobs.show_all import MAX_TILES

# What BullMQ's keys bear: no colon above all.
JobId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$")]
DraftId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]
FileKey = Annotated[str, StringConstraints(min_length=1, max_length=512)]
SourceType = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Seconds = Annotated[float, Field(ge=0)]


class Record(Value):
    """Base of what is stored in Redis or handed from process to process.

    Attributes:
        schema_version: the form of this value; it rises when old readers would misunderstand it.
    """

    # A number that JSON cannot carry would come back as another value, or not at all.
    model_config = ConfigDict(allow_inf_nan=False)

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """The value that `to_json` wrote.

        Raises:
            UnknownSchema: it has a form that this program does not know.
            BrokenRecord: it is no such value at all.
        """
        try:
            plain = from_json(text)
        except ValueError as exc:
            raise BrokenRecord(kind=cls.__name__, reason="no JSON") from exc
        if not isinstance(plain, dict):
            raise BrokenRecord(kind=cls.__name__, reason="no JSON object")
        found, known = plain.get("schema_version"), cls.model_fields["schema_version"].default
        if type(found) is not int or found != known:
            raise UnknownSchema(kind=cls.__name__, found=str(found), known=known)
        try:
            return cls.model_validate_json(text)
        except ValidationError as exc:
            where = ".".join(str(part) for part in exc.errors()[0]["loc"]) or "all of it"
            raise BrokenRecord(kind=cls.__name__, reason=f"wrong at {where}") from exc

    def to_json(self) -> str:
        """The value as JSON text; `read` gives it back exactly."""
        return self.model_dump_json()


class OrderState(StrEnum):
    """Where an order stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)


class Lane(StrEnum):
    """How an order takes its turn: fairly among persons, or ahead of all."""

    FAIR = "fair"
    EXPRESS = "express"


class Motion(Value):
    """A movement, one of three.

    Attributes:
        template: a template's name; or
        clip_key: the file key of a normalised clip; or
        templates: the names of several templates, which one video shows side by side on the same
            face, numbered from 1 in this order (`jobs/show_all.py`).
    """

    template: str | None = None
    clip_key: FileKey | None = None
    templates: tuple[str, ...] = Field(default=(), max_length=MAX_TILES)

    @validator_of_all(mode="after")
    def _is_one_of_three(self) -> Self:
        given = [self.template is not None, self.clip_key is not None, bool(self.templates)]
        if sum(given) != 1:
            message = "a motion is a template, a clip or several templates, and only one of these"
            raise ValueError(message)
        return self


class LookOrder(Record):
    """A photo and perhaps a clip that wait to be looked at.

    Attributes:
        look_id: its id in the queue.
        person: who sent it.
        chat: where to.
        draft: the draft it belongs to.
        photo_key: the photo as it came, in the file store.
        clip_key: the clip as it came, or None.
        clip_start_s: where the wanted part of the clip begins, s.
        clip_duration_s: how long that part is, s; None for all that is allowed.
    """

    look_id: JobId
    person: int
    chat: int
    draft: DraftId
    photo_key: FileKey
    clip_key: FileKey | None = None
    clip_start_s: Seconds = 0.0
    clip_duration_s: Annotated[float, Field(gt=0)] | None = None

    @property
    def ref(self) -> JobRef:
        """Where it waits."""
        return JobRef(LOOK, self.look_id)


class LookResult(Record):
    """What the gate found; all keys are of the file store.

    Attributes:
        photo_key: the normalised photo.
        sheet_key: the same with its faces numbered; without any, with the numbered grid of
            `jobs.model.grid_box`.
        width: of the normalised photo, px.
        height: likewise.
        faces: of the photo, largest first; empty if none was found.
        clip_key: the normalised clip, or None.
        clip_frames: its number of frames; 0 without a clip.
        clip_frame_rate: frames per second, exact; None without a clip.
        clip_has_sound: whether it carries sound.
        clip_faces: those of the clip's beginning.
        warnings: what the person should know before going on.
    """

    photo_key: FileKey
    sheet_key: FileKey
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    faces: tuple[Face, ...] = ()
    clip_key: FileKey | None = None
    clip_frames: int = Field(default=0, ge=0)
    clip_frame_rate: Fraction | None = Field(default=None, gt=0)
    clip_has_sound: bool = False
    clip_faces: tuple[Face, ...] = ()
    warnings: tuple[MediaWarning, ...] = ()

    @property
    def clip_duration_s(self) -> float:
        """How long the clip plays, s; 0 without one."""
        return float(self.clip_frames / self.clip_frame_rate) if self.clip_frame_rate else 0.0


class Order(Record):
    """One video to make.

    Attributes:
        order_id: see `order_id()`.
        person: who ordered it.
        chat: where it is delivered.
        draft: the draft it was made from.
        number: which order of that draft it is.
        engine: which engine makes it.
        photo_key: the normalised photo in the file store.
        face_box: the chosen face, px of that photo; None: the largest one.
        motion: the movement.
        options: of the engine, by name.
        frames: how many frames the video will have; of several templates what `work_frames` of
            `jobs/show_all.py` says.
        estimated_cost_s: how long a worker will need, as far as is known; a person's share of the
            machine is counted in it.
        lane: how it takes its turn.
    """

    order_id: JobId
    person: int
    chat: int
    draft: DraftId
    number: int = Field(ge=1)
    engine: EngineName
    photo_key: FileKey
    face_box: CropBox | None = None
    motion: Motion
    options: dict[str, JsonValue] = Field(default_factory=dict)
    frames: int = Field(gt=0)
    estimated_cost_s: Seconds
    lane: Lane = Lane.FAIR

    @validator_of_all(mode="after")
    def _is_named_after_its_draft(self) -> Self:
        if self.order_id != order_id(self.chat, self.draft, self.number):
            message = "the order id does not belong to chat, draft and number"
            raise ValueError(message)
        return self

    @property
    def ref(self) -> JobRef:
        """Where it waits."""
        return JobRef(engine_queue(self.engine), self.order_id)


class Result(Record):
    """A finished video.

    Attributes:
        key: where it lies in the file store.
        size_bytes: its size.
        width: of its frames, px.
        height: likewise.
        frame_count: its number of frames.
        duration_s: how long it plays, s.
        has_sound: whether it carries sound.
        engine: the engine that made it.
        label: how it is called truthfully, in words that stand under it; the engine's own.
        digital_source_type: the same as IPTC's term, an address; for what is signed.
        attempt: which start of the order made it, from 1.
        thumbnail_key: where its first frame lies as a JPEG of at most 320 px, until the video is
            delivered; None in records of earlier versions.
    """

    key: FileKey
    size_bytes: int = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_count: int = Field(gt=0)
    duration_s: Seconds
    has_sound: bool
    engine: EngineName
    label: str = Field(min_length=1)
    digital_source_type: SourceType
    attempt: int = Field(ge=1)
    thumbnail_key: FileKey | None = None


class Stage(StrEnum):
    """What a worker does for an order right now."""

    PREPARING = "preparing"
    ANIMATING = "animating"
    STORING = "storing"


class Progress(Record):
    """How far a worker has come.

    Attributes:
        stage: what it does.
        frames_done: of the video.
        frames_total: likewise; 0 while it is not known.
    """

    stage: Stage = Stage.PREPARING
    frames_done: int = Field(default=0, ge=0)
    frames_total: int = Field(default=0, ge=0)

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        if self.frames_total == 0:
            return 0.0
        return min(1.0, self.frames_done / self.frames_total)


def order_id(chat: int, draft: str, number: int) -> str:
    """The id of an order, of letters, digits and `-`.

    The same tap gives the same id however often it arrives, a new wish never does. Groups have
    negative chat numbers; a letter takes the sign's place.
    """
    return f"{'g' if chat < 0 else 'c'}{abs(chat)}-{draft}-{number}"
