"""The cards of orders in Redis: what each order shows in its chat, and what delivery needs.

A card is stored before its order is submitted, so that no order is without one, and is kept for a
few days after its end: "Try again" and "As file" refer to it.
"""

from collections.abc import Callable, Sequence

from pydantic import Field
from redis.asyncio import Redis

from bot.gateway.messenger import CardMessage, ChatTarget
from bot.gateway.updates import MediaFile
from bot.record_store import BotRecord, RecordStore
from jobs.connection import queue_errors
from jobs.model import Value
from jobs.orders import Order
from jobs.queues.keys import OPEN_CARDS, JobRef, card_key
from jobs.queues.waiting import ShownPlace
from jobs.service_errors import RecordError

_OPEN_KEPT_S = 30 * 86_400
CLOSED_KEPT_S = 3 * 86_400


class FinalMessage(Value):
    """What a card says after its order has ended.

    Attributes:
        text: the text.
        offers_more: whether there is a button for another movement.
    """

    text: str
    offers_more: bool = False


class OrderCard(BotRecord):
    """An order and the message that shows its status.

    Attributes:
        order: what was ordered.
        title: what is made: a movement's emoji and title, in the language in which it was stored;
            `OrderCards` returns it in the current one.
        thread_id: the forum topic, or None.
        reply_to: the message that the result replies to, or None.
        moved_to: the new id of a group that migrated after the order's id was made, or None.
        message: the one that shows the status; None before it is sent, or if it is gone.
        lead: the person's clip or recording that it follows, in case it must be fetched again; or
            None.
        later: the numbers of the orders placed by its buttons, by button.
        replaced_by: the number of the order that replaces it in another queue, or None.
        files: the messages that brought the result once more, as a file or in another form.
        begun_s: when it was ordered, unix time.
        is_stopping: whether its person has cancelled it while it ran.
        ended: the final message, or None while the order is open.
        shown: the place in the queue that the card shows.
        shown_phase: the phase that the card shows; empty before it is shown.
        shown_percent: the progress that the card shows.
        edited_s: when the card was last edited, unix time.
        edits: how often it was edited.
    """

    order: Order
    title: str
    thread_id: int | None = None
    reply_to: int | None = None
    moved_to: int | None = None
    message: CardMessage | None = None
    lead: MediaFile | None = None
    later: dict[str, int] = Field(default_factory=dict)
    replaced_by: int | None = None
    files: tuple[int, ...] = ()
    begun_s: float
    is_stopping: bool = False
    ended: FinalMessage | None = None
    shown: ShownPlace = ShownPlace()
    shown_phase: str = ""
    shown_percent: int = 0
    edited_s: float = 0.0
    edits: int = 0

    @property
    def order_id(self) -> str:
        """The order's id."""
        return self.order.order_id

    @property
    def ref(self) -> JobRef:
        """The order's job."""
        return self.order.ref

    @property
    def chat_id(self) -> int:
        """The chat's current id."""
        return self.order.chat if self.moved_to is None else self.moved_to

    @property
    def person_id(self) -> int:
        """Whose order it is."""
        return self.order.person

    @property
    def draft_id(self) -> str:
        """The draft it was ordered from."""
        return self.order.draft

    @property
    def number(self) -> int:
        """The order's number within its draft."""
        return self.order.number

    @property
    def is_group(self) -> bool:
        """Whether the chat is a group, whose ids are negative."""
        return self.chat_id < 0

    @property
    def target(self) -> ChatTarget:
        """Where its messages go: they reply to the photo."""
        return ChatTarget(self.chat_id, self.thread_id, self.reply_to)


class OrderCards:
    """Reads and changes cards. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        in_language: returns a card with its title in the current language.
    """

    def __init__(
        self,
        redis: Redis,
        url: str,
        in_language: Callable[[OrderCard], OrderCard] = lambda card: card,
    ) -> None:
        self._redis = redis
        self._url = url
        self.in_language = in_language
        self._records = RecordStore(redis, url, self._parse)

    async def open(self, card: OrderCard) -> OrderCard:
        """Store an open card. Return the card that the order already has, if any."""
        key = card_key(card.order_id)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(key, card.to_json(), nx=True)
                pipe.expire(key, _OPEN_KEPT_S)
                pipe.sadd(OPEN_CARDS, card.order_id)
                await pipe.execute()
        return await self.read(card.order_id) or card

    async def read(self, order_id: str) -> OrderCard | None:
        """Return an order's card, or None if it is not stored.

        Raises:
            RecordError: it was written by another version of this program.
        """
        return await self._records.read(card_key(order_id))

    async def update(self, order_id: str, **changes: object) -> OrderCard | None:
        """Change fields of a card. Return the card, or None if it is not stored."""
        return await self._change(order_id, lambda card: card.model_copy(update=changes))

    async def note_files(self, order_id: str, messages: Sequence[int]) -> None:
        """Add messages that brought the result once more; it may be called again."""

        def with_file(card: OrderCard) -> OrderCard:
            files = tuple(dict.fromkeys((*card.files, *messages)))
            return card.model_copy(update={"files": files})

        await self._change(order_id, with_file)

    async def note_later(
        self, order_id: str, button_key: str, number: int, known: int | None
    ) -> int:
        """Store a follow-up order's number. Return the number that another call stored, if any.

        Args:
            order_id: the earlier order.
            button_key: names the button.
            number: the follow-up order's number.
            known: the stored number that is to be replaced, or None.
        """

        def noted(card: OrderCard) -> OrderCard:
            if card.later.get(button_key) != known:
                return card
            return card.model_copy(update={"later": {**card.later, button_key: number}})

        card = await self._change(order_id, noted)
        return number if card is None else card.later[button_key]

    async def _change(
        self, order_id: str, change: Callable[[OrderCard], OrderCard]
    ) -> OrderCard | None:
        return await self._records.change(card_key(order_id), change)

    async def reopen(
        self, known: OrderCard, message: CardMessage | None, now_s: float
    ) -> OrderCard:
        """Reset the card of an order that begins again.

        Args:
            known: the card as it was.
            message: becomes the order's message; None: a new one is sent.
            now_s: unix time.
        """
        fresh = {
            "ended": None,
            "is_stopping": False,
            "message": message,
            "begun_s": now_s,
            "shown": ShownPlace(),
            "shown_phase": "",
            "shown_percent": 0,
            "edits": 0,
        }
        return await self.open(await self.update(known.order_id, **fresh) or known)

    async def end(self, order_id: str, message: FinalMessage) -> None:
        """Store how the order ended; `StatusCards` shows it."""
        await self.update(order_id, ended=message)

    def _parse(self, text: str | bytes) -> OrderCard:
        return self.in_language(OrderCard.read(text))

    async def all_open(self) -> list[OrderCard]:
        """Return the cards of orders that have not ended, the oldest first."""
        return [card for card in await self.all_unsettled() if card.ended is None]

    async def all_unsettled(self) -> list[OrderCard]:
        """Return the open cards, and those whose final message is not shown yet."""
        with queue_errors(self._url):
            names = list(map(str, await self._redis.smembers(OPEN_CARDS)))
            texts = await self._redis.mget([card_key(name) for name in names]) if names else []
            gone = [name for name, text in zip(names, texts, strict=True) if text is None]
            if gone:
                await self._redis.srem(OPEN_CARDS, *gone)
        found = []
        for text in texts:
            try:
                found.append(self._parse(text or ""))
            except RecordError:
                continue  # written by another version of this program
        return sorted(found, key=lambda card: card.begun_s)

    async def close(self, order_id: str) -> None:
        """Mark a card as finished: nothing more is shown."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.srem(OPEN_CARDS, order_id)
                pipe.expire(card_key(order_id), CLOSED_KEPT_S)
                await pipe.execute()

    async def forget(self, order_id: str) -> None:
        """Delete a card, as that of a refused order."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.srem(OPEN_CARDS, order_id)
                pipe.delete(card_key(order_id))
                await pipe.execute()
