"""What a person is putting together in a chat: a photo, perhaps a clip, a face, a movement."""

from typing import Self

from pydantic import Field, JsonValue

from jobs.engines import EngineName
from jobs.model import CropBox, Face, Value
from jobs.orders import DraftId, LookResult, Record, order_id
from jobs.wish import Movement, Seconds


class MediaFile(Value):
    """A file at Telegram; this is all that fetching it again takes.

    Attributes:
        file_id: Telegram's name of it, of this bot alone.
        name: a name with a suffix that errors can tell the person.
        size_bytes: its size, or None if Telegram does not say.
        duration_s: of a clip, s; None of a photo, or if Telegram does not say.
    """

    file_id: str
    name: str
    size_bytes: int | None = Field(default=None, ge=0)
    duration_s: Seconds | None = None


class Card(Value):
    """The bot's message with buttons that belongs to a draft; it is edited in place.

    Attributes:
        message_id: in the draft's chat.
        has_media: whether it carries a picture or an animation, so that its text is a caption.
    """

    message_id: int
    has_media: bool = False


class DraftProblem(Value):
    """Why a photo or a clip cannot be used, or an order came to nothing.

    Attributes:
        error: an error's class and fields, as `AnimatoError.to_dict` writes it.
        is_clip: whether it is about the clip, so that another clip mends it.
    """

    error: dict[str, JsonValue]
    is_clip: bool = False


class Draft(Record):
    """What a person is putting together.

    Attributes:
        draft: its id; made of chat and message, so that a repeated update makes no second one.
        chat: where.
        chat_of_ids: whose number is in the ids of its orders: the first one of a group that got
            another since; None: that of `chat`.
        person: whose.
        message_id: the person's message that results reply to.
        thread_id: the topic of a forum, or None.
        number: of the next order from it; it rises whenever its keyboard is shown again.
        revision: of photo and clip; it rises with each new look at them.
        card: the message with its buttons, once it is sent.
        photo: the photo, or None while only a clip is there.
        clip: the person's own clip, or None.
        look: what the gate found of this revision, or None while it looks.
        trouble: why this revision cannot be used, or None.
        face_box: the chosen face, px of the normalised photo, or None while it is not settled.
        motion: the movement that is wanted as soon as all is settled, or None.
        is_all_wanted: whether that movement is all of them, in one numbered animation.
        wish_number: the number of the order that this wish becomes; None: `number`.
        engine: the chosen engine, or None for the default.
        options: of the engine, by name.
    """

    draft: DraftId
    chat: int
    chat_of_ids: int | None = None
    person: int
    message_id: int
    thread_id: int | None = None
    number: int = Field(default=1, ge=1)
    revision: int = Field(default=1, ge=1)
    card: Card | None = None
    photo: MediaFile | None = None
    clip: MediaFile | None = None
    look: LookResult | None = None
    trouble: DraftProblem | None = None
    face_box: CropBox | None = None
    motion: Movement | None = None
    is_all_wanted: bool = False
    wish_number: int | None = Field(default=None, ge=1)
    engine: EngineName | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        """Whether it belongs to a group, whose chat numbers are negative."""
        return self.chat < 0

    @property
    def order_id(self) -> str:
        """The id of the next order from this draft."""
        return self.order_id_of(self.number)

    def order_id_of(self, number: int) -> str:
        """The id of its order of that number."""
        return order_id(self.chat_of_ids or self.chat, self.draft, number)

    @property
    def look_id(self) -> str:
        """The id of the look order for its photo and clip as they are now."""
        return f"look-{self.draft}-{self.revision}"

    @property
    def faces(self) -> tuple[Face, ...]:
        """Those of the photo, largest first; empty before the look, too."""
        return self.look.faces if self.look else ()

    def with_wish_number(self) -> Self:
        """The draft with the number of the order that its wish becomes."""
        return self.model_copy(update={"number": self.wish_number or self.number})

    def without_wish(self, **changes: object) -> Self:
        """The draft with no movement wanted."""
        nothing = {"motion": None, "is_all_wanted": False, "wish_number": None}
        return self.model_copy(update={**nothing, **changes})

    def shown_again(self) -> Self:
        """The draft when its keyboard is shown anew: what is tapped from now on is a new wish."""
        return self.model_copy(update={"number": self.number + 1})

    def renewed(self, **changes: object) -> Self:
        """The draft with another photo or clip, which must be looked at again."""
        fresh = {"look": None, "trouble": None, "face_box": None, "revision": self.revision + 1}
        return self.model_copy(update={**fresh, **changes})
