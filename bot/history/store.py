"""The last results of each person, with Telegram's ids of their files.

A result is added when it is delivered. Its file in the store is deleted long before its entry; from
then on it can only be sent by Telegram's file ids, which belong to one bot.
"""

from collections.abc import Callable

from pydantic import ConfigDict, Field
from redis.asyncio import Redis

from bot.gateway.outgoing import SentVideo
from bot.orders.card_text import TitleParts
from bot.orders.order_cards import OrderCard
from bot.orders.result_files import file_stem
from bot.provenance.signing import Origin
from bot.record_store import BotRecord, RecordStore
from jobs.media_tasks import Form
from jobs.model import CropBox, Value
from jobs.orders import Result
from jobs.queues.keys import history_key
from jobs.wish import Wish

MOST_RESULTS = 50
KEPT_S = 30 * 86_400


class HistoryEntry(Value):
    """A result that was delivered. Fields that a later version added are ignored.

    Attributes:
        order_id: its order.
        draft: the draft that it was ordered from.
        number: the order's number within the draft.
        title: the movement's emoji and title, in the language in which it was delivered;
            `HistoryStore.read` returns it in the current one.
        title_parts: what it is made of; None in entries of earlier versions.
        movement: the template's name; empty for a clip, a voice alone, or several movements.
        has_voice: whether it says a recording.
        label: how it was made, a msgid.
        engine: the engine that made it; empty in entries of earlier versions.
        source_type: the IPTC term for how it was made; empty in entries of earlier versions.
        file_stem: the name under which it is saved, without suffix.
        chat: where it was delivered.
        message_id: the message there, or None.
        made_s: when it was delivered, unix time.
        key: its key in the file store.
        thumbnail_key: same for its thumbnail, or None.
        width: px.
        height: px.
        duration_s: how long it plays, s.
        has_sound: whether it has sound.
        face_box: the face, px of the video; None if there is no single one.
        other_faces: boxes of the other faces in it.
        file_ids: Telegram's file ids, by bot and form (`cached_as`).
    """

    # A history that cannot be read would fail all deliveries to its person.
    model_config = ConfigDict(extra="ignore")

    order_id: str
    draft: str
    number: int
    title: str
    # Not written if None, since the version before does not know it.
    title_parts: TitleParts | None = Field(default=None, exclude_if=lambda parts: parts is None)
    movement: str = ""
    has_voice: bool = False
    label: str
    # These three are not written if empty, since the version before does not know them.
    engine: str = Field(default="", exclude_if=lambda engine: not engine)
    source_type: str = Field(default="", exclude_if=lambda term: not term)
    file_stem: str
    chat: int
    message_id: int | None = None
    made_s: float
    key: str
    thumbnail_key: str | None = None
    width: int
    height: int
    duration_s: float
    has_sound: bool
    face_box: CropBox | None = None
    other_faces: tuple[CropBox, ...] = Field(default=(), exclude_if=lambda boxes: not boxes)
    file_ids: dict[str, str] = Field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        """How it was made, for its Content Credentials."""
        return Origin(self.engine, self.label, self.source_type)

    def file_id(self, bot: int, form: Form) -> str | None:
        """Return the file id of one of its forms, or None."""
        return self.file_ids.get(cached_as(bot, form))


class History(BotRecord):
    """The results of a person, the oldest first."""

    entries: tuple[HistoryEntry, ...] = ()

    def find(self, draft: str, number: int) -> HistoryEntry | None:
        """Return the result of an order, or None."""
        found = (one for one in self.entries if (one.draft, one.number) == (draft, number))
        return next(found, None)


def cached_as(bot: int, form: Form) -> str:
    """Return the key in `HistoryEntry.file_ids`."""
    return f"{bot}:{form}"


class HistoryStore:
    """Reads and changes histories. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        clock: unix time, s.
        titles: makes a title in the current language, see `current_title`.
    """

    def __init__(
        self,
        redis: Redis,
        url: str,
        clock: Callable[[], float],
        titles: Callable[[TitleParts, str], str] = lambda _parts, stored: stored,
    ) -> None:
        self._redis = redis
        self._url = url
        self._records = RecordStore(redis, url, History.read, kept_s=KEPT_S)
        self._clock = clock
        self._titles = titles

    async def read(self, person: int) -> History:
        """Return what is kept of a person's results."""
        history = await self._records.read(history_key(person)) or History()
        return History(entries=tuple(map(self.in_language, self._pruned(history).entries)))

    def in_language(self, entry: HistoryEntry) -> HistoryEntry:
        """Return an entry with its title in the current language, if that can be made."""
        parts = entry.title_parts
        title = self._titles(parts, entry.title) if parts is not None else entry.title
        return entry.model_copy(update={"title": title})

    async def add(self, person: int, entry: HistoryEntry) -> None:
        """Add a result; adding it again keeps the file ids that are known."""

        def added(history: History) -> History:
            others = [one for one in history.entries if one.order_id != entry.order_id]
            known = history.find(entry.draft, entry.number)
            ids = {**(known.file_ids if known else {}), **entry.file_ids}
            new = entry.model_copy(update={"file_ids": ids})
            return self._pruned(History(entries=(*others, new)))

        await self._records.change_or_create(history_key(person), History(), added)

    async def cache(self, person: int, entry: HistoryEntry, name: str, file_id: str | None) -> None:
        """Store a file id under `cached_as`, unless the history was deleted; None forgets it."""

        def changed(history: History) -> History:
            return History(
                entries=tuple(
                    _with_file_id(one, name, file_id) if one.order_id == entry.order_id else one
                    for one in history.entries
                )
            )

        await self._records.change(history_key(person), changed)

    async def remove(self, person: int, order_id: str) -> None:
        """Remove a result."""

        def removed(history: History) -> History:
            left = tuple(one for one in history.entries if one.order_id != order_id)
            return History(entries=left)

        await self._records.change(history_key(person), removed)

    def _pruned(self, history: History) -> History:
        after_s = self._clock() - KEPT_S
        kept = sorted(
            (one for one in history.entries if one.made_s > after_s), key=lambda one: one.made_s
        )
        return History(entries=tuple(kept[-MOST_RESULTS:]))

    async def note_delivery(
        self, card: OrderCard, result: Result, sent: SentVideo, bot: int
    ) -> None:
        """Add the result of an order that was just delivered."""
        wish = card.order.wish
        form = Form.FILE if sent.is_document else Form.LOOP
        ids = {cached_as(bot, form): sent.file_id} if sent.file_id else {}
        entry = HistoryEntry(
            order_id=card.order_id,
            draft=card.draft_id,
            number=card.number,
            title=card.title,
            title_parts=TitleParts.of(wish),
            movement=wish.movement.template or "",
            has_voice=wish.voice is not None,
            label=result.label,
            engine=result.engine,
            source_type=result.digital_source_type,
            file_stem=file_stem(wish),
            chat=card.chat_id,
            message_id=sent.message_id,
            made_s=self._clock(),
            key=result.key,
            thumbnail_key=result.thumbnail_key,
            width=result.width,
            height=result.height,
            duration_s=result.duration_s,
            has_sound=result.has_sound,
            face_box=face_in(card, result),
            other_faces=other_faces_in(card, result),
            file_ids=ids,
        )
        await self.add(card.person_id, entry)


def face_in(card: OrderCard, result: Result) -> CropBox | None:
    """Return where the face is in the video, px; None if there are several, or none is known."""
    wish = card.order.wish
    if len(wish.face_boxes) > 1:
        return None
    found = wish.face_boxes or tuple(face.box for face in wish.photo.faces[:1])
    return _in_video(found[0], wish, result) if found else None


def other_faces_in(card: OrderCard, result: Result) -> tuple[CropBox, ...]:
    """Return where all faces but that of `face_in` are in the video, px."""
    wish = card.order.wish
    found = dict.fromkeys((*(face.box for face in wish.photo.faces), *wish.face_boxes))
    boxes = (_in_video(box, wish, result) for box in found)
    own = face_in(card, result)
    return tuple(box for box in boxes if box is not None and box != own)


def _in_video(box: CropBox, wish: Wish, result: Result) -> CropBox | None:
    """Return a box of the photo in px of the video; None if that shows several pictures."""
    if wish.movement.templates or not wish.paste_back or not wish.photo.width:
        return None
    left, upper, width = 0, 0, wish.photo.width
    if wish.view is not None:
        left, upper, width = wish.view.left, wish.view.upper, wish.view.width
    return box.moved(-left, -upper).scaled(result.width / width)


def _with_file_id(entry: HistoryEntry, name: str, file_id: str | None) -> HistoryEntry:
    others = {key: value for key, value in entry.file_ids.items() if key != name}
    ids = others if file_id is None else {**others, name: file_id}
    return entry.model_copy(update={"file_ids": ids})
