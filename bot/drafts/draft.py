"""What a person is putting together in a chat: a photo, perhaps a clip, a face, a movement.

An order's id contains a number. A keyboard carries the draft's number at that time in its buttons,
so that a repeated tap is the same order. The number rises when a keyboard is shown again below an
order, and when an order has ended. `reserved_number` keeps the number of an order whose files are
still being fetched.
"""

from typing import Self

from pydantic import Field, JsonValue

from bot.drafts.choices import Choices
from bot.gateway.messenger import CardMessage, ChatTarget
from bot.gateway.updates import MediaFile
from bot.record_store import STORED_NAMES, BotRecord
from jobs.engines import EngineName
from jobs.model import CropBox, Face, Value
from jobs.old_records import draft_before
from jobs.orders import DraftId, LookResult, order_id
from jobs.queues.keys import INTAKE, LOOK, JobRef
from jobs.wish import Movement

_JOB_PREFIXES = {INTAKE: "in", LOOK: "look"}


class DraftProblem(Value):
    """Why a photo, a clip or a recording cannot be used, or an order failed.

    Attributes:
        error: an error's class and fields, as `AnimatoError.to_dict` writes it.
        is_lead: whether it is about the clip or the recording, so another one solves it.
    """

    model_config = STORED_NAMES

    error: dict[str, JsonValue]
    is_lead: bool = False


class Draft(BotRecord):
    """What a person is putting together.

    Attributes:
        draft_id: made from chat and message, so a repeated update makes no second draft.
        chat_id: its chat.
        order_chat_id: the chat id in the ids of its orders: a group's first id if it has changed
            since; None: `chat_id`.
        person_id: its owner; negative: a chat, whose anonymous admin or channel asked.
        photo_author_id: who had sent the photo if somebody else asked for it; or None.
        message_id: the person's message that results reply to.
        thread_id: the topic of a forum, or None.
        number: number of its next order; rises whenever its keyboard is shown again.
        revision: of photo and lead; rises with each new look at them.
        card: the message with its buttons, once sent.
        photo: the photo.
        lead: the person's own clip or recording that leads the face, or None.
        findings: what the gate found in this revision; None until then.
        problem: why this revision cannot be used, or None.
        face_boxes: the faces that will move, px of the normalised photo; empty until chosen.
        movement: what to order as soon as everything is chosen, or None.
        orders_lead: whether the lead becomes that movement as soon as it is looked at.
        reserved_number: number of the order that this becomes; None: `number`.
        engine: the chosen engine, or None for the default.
        options: of the engine, by name.
        choices: what else was chosen for the next orders.
        reserved_choices: the choices of the order that this becomes; None: `choices`.
    """

    schema_version: int = 2
    _convert = draft_before

    draft_id: DraftId
    chat_id: int
    order_chat_id: int | None = None
    person_id: int
    # Not written if None, since the version before does not know it.
    photo_author_id: int | None = Field(default=None, exclude_if=lambda found: found is None)
    message_id: int
    photo: MediaFile
    thread_id: int | None = None
    number: int = Field(default=1, ge=1)
    revision: int = Field(default=1, ge=1)
    card: CardMessage | None = None
    lead: MediaFile | None = None
    findings: LookResult | None = None
    problem: DraftProblem | None = None
    face_boxes: tuple[CropBox, ...] = ()
    movement: Movement | None = None
    # Not written if false, since bots of the version before do not know it.
    orders_lead: bool = Field(default=False, exclude_if=lambda orders: not orders)
    reserved_number: int | None = Field(default=None, ge=1)
    engine: EngineName | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    choices: Choices = Field(default=Choices(), exclude_if=lambda choices: choices == Choices())
    reserved_choices: Choices | None = Field(default=None, exclude_if=lambda choices: not choices)

    @property
    def is_group(self) -> bool:
        """Whether it belongs to a group; groups have negative chat ids."""
        return self.chat_id < 0

    @property
    def target(self) -> ChatTarget:
        """Where its messages go: they reply to the photo."""
        return ChatTarget(self.chat_id, self.thread_id, self.message_id)

    @property
    def order_id(self) -> str:
        """The id of the next order from this draft."""
        return self.order_id_of(self.number)

    def order_id_of(self, number: int) -> str:
        """Return the id of its order with that number."""
        return order_id(self.order_chat_id or self.chat_id, self.draft_id, number)

    def job(self, queue: str) -> JobRef:
        """Return the job of the queue `intake` or `look` for the current photo and lead."""
        return JobRef(queue, f"{_JOB_PREFIXES[queue]}-{self.draft_id}-{self.revision}")

    @property
    def has_voice(self) -> bool:
        """Whether it has a recording, not a clip."""
        return self.lead is not None and self.lead.is_voice

    @property
    def faces(self) -> tuple[Face, ...]:
        """Faces of the photo, largest first; empty before the look."""
        return self.findings.faces if self.findings else ()

    def with_reserved_number(self) -> Self:
        """Return the draft with the number and the choices of the order that it becomes."""
        number, choices = self.reserved_number or self.number, self.reserved_choices or self.choices
        return self.model_copy(update={"number": number, "choices": choices})

    def without_movement(self, **changes: object) -> Self:
        """Return the draft with no movement to order."""
        nothing = {
            "movement": None,
            "orders_lead": False,
            "reserved_number": None,
            "reserved_choices": None,
        }
        return self.model_copy(update={**nothing, "options": {}, **changes})

    def shown_again(self) -> Self:
        """Return the draft for a new keyboard: a tap on it is a new order."""
        return self.model_copy(update={"number": self.number + 1})

    def after_order(self, number: int) -> Self:
        """Return the draft after its order of that number: further taps are new orders."""
        return self.model_copy(update={"number": max(self.number, number + 1)})

    def renewed(self, **changes: object) -> Self:
        """Return the draft with another photo or lead, to be looked at again."""
        fresh = {"findings": None, "problem": None, "face_boxes": (), "revision": self.revision + 1}
        return self.model_copy(update={**fresh, **changes})


def draft_of_job(job_id: str) -> tuple[str, int]:
    """Return the draft's id and the revision in a job id that `Draft.job` made."""
    _, draft_id, revision = job_id.split("-")
    return draft_id, int(revision)
