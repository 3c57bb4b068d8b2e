"""The values that go through the queues: orders, looks, results; frozen JSON, versioned.

Bot and workers may run different versions during an update. Each record carries its version
(`schema_version`): `read` converts the one before (`jobs/old_records.py`) and refuses newer ones.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import from_json

from jobs.engines import FORMER_NAMES, EngineName
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.model import Face, MediaWarning, Value
from jobs.old_records import (
    Plain,
    look_before,
    look_job_before,
    order_before,
    result_before,
)
from jobs.queues.keys import LOOK, JobRef, engine_queue, engine_queues
from jobs.service_errors import BrokenRecord, OutdatedOrder, UnknownSchema
from jobs.wish import Movement, Seconds, Video, Wish

# As BullMQ's keys allow; a colon above all is not.
JobId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$")]
DraftId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]
FileKey = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Record(Value):
    """Base of what is stored in Redis or handed from process to process.

    Attributes:
        schema_version: version of the record's form; a change that earlier readers would
            misunderstand raises it.
    """

    schema_version: int = 1

    _convert: ClassVar[Callable[[Plain], Plain] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_version(cls, plain: Any) -> Any:
        """Convert a record of the previous version; refuse a newer one."""
        if not isinstance(plain, dict):
            return plain
        current = cls.model_fields["schema_version"].default
        found = plain.get("schema_version", current)
        if cls._convert is not None and found == current - 1:
            try:
                return {**cls._convert(plain), "schema_version": current}
            except (LookupError, TypeError, AttributeError, ArithmeticError) as exc:
                raise ValueError(str(exc)) from exc
        if type(found) is not int or found != current:
            message = f"version {found} is not known, only {current}"
            raise ValueError(message)
        return plain

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Return the value that `to_json` wrote.

        Raises:
            UnknownSchema: it is of a version that this program does not know.
            BrokenRecord: it is no such value.
        """
        try:
            plain = from_json(text, allow_inf_nan=False)
        except ValueError as exc:
            raise BrokenRecord(kind=cls.__name__, reason="no JSON") from exc
        if not isinstance(plain, dict):
            raise BrokenRecord(kind=cls.__name__, reason="no JSON object")
        found, known = plain.get("schema_version"), cls.model_fields["schema_version"].default
        oldest = known if cls._convert is None else known - 1
        if type(found) is not int or not oldest <= found <= known:
            raise UnknownSchema(kind=cls.__name__, found=str(found), known=known)
        try:
            return cls.model_validate_json(text)
        except ValidationError as exc:
            where = ".".join(str(part) for part in exc.errors()[0]["loc"]) or "all of it"
            raise BrokenRecord(kind=cls.__name__, reason=f"wrong at {where}") from exc

    def to_json(self) -> str:
        """Return the value as JSON text; `read` gives it back exactly."""
        return self.model_dump_json()


class OrderState(StrEnum):
    """State of an order."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the order has ended."""
        return self in (OrderState.DONE, OrderState.FAILED, OrderState.CANCELLED)


class Lane(StrEnum):
    """How an order is scheduled: in fair shares, or ahead of all others."""

    FAIR = "fair"
    EXPRESS = "express"


class LookJob(Record):
    """A photo to look at, and perhaps a clip or a voice message.

    Attributes:
        look_id: its id in the queue.
        person: who sent it.
        draft: the draft it belongs to.
        photo_key: file key of the original photo.
        clip_key: file key of the original clip, or None.
        clip_start_s: where the part that is used begins, s.
        voice_key: file key of the original voice message, or None.
        clip_s: how much of the clip is used, s; None for as much as the worker's settings allow.
    """

    schema_version: int = 2
    _convert = look_job_before

    look_id: JobId
    person: int
    draft: DraftId
    photo_key: FileKey
    clip_key: FileKey | None = None
    # Not written if they are empty, since workers of the previous version do not know them.
    clip_start_s: Seconds = Field(default=0.0, exclude_if=lambda start_s: not start_s)
    voice_key: FileKey | None = Field(default=None, exclude_if=lambda key: key is None)
    clip_s: float | None = Field(default=None, gt=0, exclude_if=lambda clip_s: clip_s is None)

    @property
    def ref(self) -> JobRef:
        """Where it waits."""
        return JobRef(LOOK, self.look_id)


class LookResult(Record):
    """What the gate found; its files are keys of the file store.

    Attributes:
        photo: in the photo; its sheet has the numbered faces or, without any, the numbered grid of
            `jobs.model.grid_box`.
        clip: in the clip, or None.
        voice: in the voice message, or None.
    """

    schema_version: int = 2
    _convert = look_before

    photo: PhotoFindings
    clip: ClipFindings | None = None
    # Not written if None, since a bot of the previous version does not know it.
    voice: VoiceFindings | None = Field(default=None, exclude_if=lambda voice: voice is None)

    @property
    def faces(self) -> tuple[Face, ...]:
        """Faces of the photo, largest first."""
        return self.photo.faces

    @property
    def own_movement(self) -> Movement | None:
        """The movement of the clip or the voice message, or None."""
        if self.voice is not None:
            return Movement.of_voice(self.voice)
        return None if self.clip is None else Movement.of_clip(self.clip)

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """What the person should know about photo, clip and voice message."""
        found = (self.photo, self.clip, self.voice)
        return tuple(warning for one in found if one is not None for warning in one.warnings)


class Order(Record):
    """A wish, who placed it, and its estimated cost.

    Attributes:
        order_id: see `order_id()`.
        person: who ordered it.
        chat: where it is delivered.
        draft: the draft it was made from.
        number: which order of that draft it is.
        engine: which engine makes it.
        queue: where it waits, if that is the queue of the engine's former name; else None.
        wish: the video to make.
        estimated_cost_s: how long a worker will need, as far as is known; a person's share of the
            machine is counted in it.
        lane: how it takes its turn.
    """

    schema_version: int = 2
    _convert = order_before

    order_id: JobId
    person: int
    chat: int
    draft: DraftId
    number: int = Field(ge=1)
    engine: EngineName
    # Not written if None, since workers of the previous version do not know it.
    queue: str | None = Field(default=None, exclude_if=lambda queue: queue is None)
    wish: Wish
    estimated_cost_s: Seconds
    lane: Lane = Lane.FAIR

    @model_validator(mode="before")
    @classmethod
    def _keep_queue_of_former_name(cls, plain: Any) -> Any:
        engine = plain.get("engine") if isinstance(plain, dict) else None
        if isinstance(engine, str) and engine in FORMER_NAMES:
            return {**plain, "queue": engine_queue(engine)}
        return plain

    @model_validator(mode="after")
    def _is_named_after_its_draft(self) -> Self:
        if self.order_id != order_id(self.chat, self.draft, self.number):
            message = "the order id does not belong to chat, draft and number"
            raise ValueError(message)
        if self.queue is not None and self.queue not in engine_queues(self.engine):
            message = "the queue does not belong to the engine"
            raise ValueError(message)
        if not self.wish.cost_frames:
            message = "an order's movement has a number of frames"
            raise ValueError(message)
        return self

    @property
    def ref(self) -> JobRef:
        """Where it waits."""
        return JobRef(self.queue or engine_queue(self.engine), self.order_id)

    def check_complete(self) -> None:
        """Raise unless everything needed to make the video is known.

        Raises:
            OutdatedOrder: an earlier version placed it, which kept too little about its clip.
        """
        if not self.wish.movement.is_complete:
            raise OutdatedOrder


class Result(Record, Video):
    """A finished video in the file store.

    Attributes:
        key: its key in the file store.
        attempt: the number of the start that made it, from 1.
        thumbnail_key: key of its first frame, a JPEG of at most 320 px; None in records of earlier
            versions.
    """

    schema_version: int = 2
    _convert = result_before

    key: FileKey
    attempt: int = Field(ge=1)
    thumbnail_key: FileKey | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the video and its thumbnail."""
        return (self.key,) if self.thumbnail_key is None else (self.key, self.thumbnail_key)


class Stage(StrEnum):
    """What a worker does for an order."""

    PREPARING = "preparing"
    ANIMATING = "animating"
    STORING = "storing"


class Progress(Record):
    """Progress of an order.

    Attributes:
        stage: what the worker does.
        frames_done: finished frames of the video.
        frames_total: all its frames; 0 while unknown.
    """

    stage: Stage = Stage.PREPARING
    frames_done: int = Field(default=0, ge=0)
    frames_total: int = Field(default=0, ge=0)

    @property
    def share(self) -> float:
        """The finished part, 0 to 1."""
        if self.frames_total == 0:
            return 0.0
        return min(1.0, self.frames_done / self.frames_total)


def order_id(chat: int, draft: str, number: int) -> str:
    """Return the id of an order: letters, digits and `-`.

    A repeated tap gives the same id, a new wish another one. A letter stands for the sign of the
    chat id, which is negative for groups.
    """
    return f"{'g' if chat < 0 else 'c'}{abs(chat)}-{draft}-{number}"
