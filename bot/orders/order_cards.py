"""Orders as their persons see them: the status card of each, and what delivery needs.

A card is written before its order is handed in, so that no order is without one, and is kept for a
few days after its end: "try again" and "as a file" refer to it.
"""

from collections.abc import Callable

from pydantic import Field
from redis.asyncio import Redis
from redis.exceptions import WatchError

from bot.gateway.messenger import ChatTarget
from jobs.connection import queue_errors
from jobs.drafts import Card, MediaFile
from jobs.model import Value
from jobs.orders import Order, Record
from jobs.queues.keys import OPEN_CARDS, JobRef, card_key
from jobs.queues.waiting import ShownPlace
from jobs.service_errors import RecordError

_OPEN_KEPT_S = 30 * 86_400
_CLOSED_KEPT_S = 3 * 86_400


class FinalMessage(Value):
    """The last words of a card.

    Attributes:
        text: the words.
        offers_more: whether there is a button for another movement.
    """

    text: str
    offers_more: bool = False


class OrderCard(Record):
    """An order and the message that shows how it stands.

    Attributes:
        order: what was ordered.
        title: what is made, in the person's words: a movement's sign and name.
        thread_id: the topic of a forum, or None.
        reply_to: the person's message that the result answers, or None.
        moved_to: the number that its group got after the one of the order's id, or None.
        card: the message that shows how it stands; None while there is none, or if it is gone.
        clip: the person's clip that it follows, to be fetched again, or None.
        later: the numbers of the orders that were wished for on its buttons, by wish.
        replaced_by: the number of the order that takes its place in another queue, or None.
        files: the messages that brought the result once more, as a file.
        begun_s: when it was ordered, unix time.
        is_stopping: whether its person wants it to stop.
        ended: what the card is to say at last, or None while the order goes on.
        shown: the place that the card shows.
        shown_phase: how the order stands according to the card; empty before it is shown.
        shown_percent: likewise, of the work that is done.
        edited_s: when the card was written last, unix time.
        edits: how often.
    """

    order: Order
    title: str
    thread_id: int | None = None
    reply_to: int | None = None
    moved_to: int | None = None
    card: Card | None = None
    clip: MediaFile | None = None
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
        """Of the order."""
        return self.order.order_id

    @property
    def ref(self) -> JobRef:
        """Where the order is found."""
        return self.order.ref

    @property
    def queue(self) -> str:
        """The order's queue."""
        return self.order.ref.queue

    @property
    def chat(self) -> int:
        """Where to."""
        return self.order.chat if self.moved_to is None else self.moved_to

    @property
    def person(self) -> int:
        """Whose."""
        return self.order.person

    @property
    def draft(self) -> str:
        """The draft it was made from."""
        return self.order.draft

    @property
    def number(self) -> int:
        """Which order of that draft."""
        return self.order.number

    @property
    def is_group(self) -> bool:
        """Whether it belongs to a group, whose chat numbers are negative."""
        return self.chat < 0

    @property
    def place(self) -> ChatTarget:
        """Where its messages go."""
        return ChatTarget(self.chat, self.thread_id, self.reply_to)


class OrderCards:
    """The cards in Redis. All its methods raise QueueUnavailable if the server does not answer.

    Args:
        redis: the server of the queues.
        url: its address.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def open(self, card: OrderCard) -> OrderCard:
        """Notes a card; of an order that has one already, that one, open again or still."""
        key = card_key(card.order_id)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(key, card.to_json(), nx=True)
                pipe.expire(key, _OPEN_KEPT_S)
                pipe.sadd(OPEN_CARDS, card.order_id)
                await pipe.execute()
        return await self.read(card.order_id) or card

    async def read(self, order_id: str) -> OrderCard | None:
        """An order's card; None if it is not known (any more).

        Raises:
            RecordError: it was written by another version of this program.
        """
        with queue_errors(self._url):
            text = await self._redis.get(card_key(order_id))
        return None if text is None else OrderCard.read(text)

    async def change(self, order_id: str, **changes: object) -> OrderCard | None:
        """The card with other values; None if it is not known."""
        return await self._changed(order_id, lambda card: card.model_copy(update=changes))

    async def note_file(self, order_id: str, message_id: int) -> None:
        """Notes a message that brought the result as a file, once however often it is called."""

        def with_file(card: OrderCard) -> OrderCard:
            files = tuple(dict.fromkeys((*card.files, message_id)))
            return card.model_copy(update={"files": files})

        await self._changed(order_id, with_file)

    async def note_later(self, order_id: str, wish: str, number: int, known: int | None) -> int:
        """Notes the number of a later wish, unless another call has; the number that holds.

        Args:
            order_id: of the order that the wish goes back to.
            wish: which wish.
            number: its number.
            known: the one that is noted already and to be replaced, or None.
        """

        def noted(card: OrderCard) -> OrderCard:
            if card.later.get(wish) != known:
                return card
            return card.model_copy(update={"later": {**card.later, wish: number}})

        card = await self._changed(order_id, noted)
        return number if card is None else card.later[wish]

    async def _changed(
        self, order_id: str, change: Callable[[OrderCard], OrderCard]
    ) -> OrderCard | None:
        key = card_key(order_id)
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                while True:
                    await pipe.watch(key)
                    text = await pipe.get(key)
                    if text is None:
                        return None
                    changed = change(OrderCard.read(text))
                    pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                    pipe.set(key, changed.to_json(), keepttl=True)
                    try:
                        await pipe.execute()
                    except WatchError:
                        continue
                    return changed

    async def reopen(self, known: OrderCard, message: Card | None, now_s: float) -> OrderCard:
        """The card of an order that begins once more, as one that has said nothing yet.

        Args:
            known: as it was.
            message: what is to show it; None: a new one.
            now_s: unix time.
        """
        fresh = {
            "ended": None,
            "is_stopping": False,
            "card": message,
            "begun_s": now_s,
            "shown": ShownPlace(),
            "shown_phase": "",
            "shown_percent": 0,
            "edits": 0,
        }
        return await self.open(await self.change(known.order_id, **fresh) or known)

    async def end(self, order_id: str, ending: FinalMessage) -> None:
        """Note how the order ended; `bot/orders/status_cards.py` writes it into the card."""
        await self.change(order_id, ended=ending)

    async def all_open(self) -> list[OrderCard]:
        """The cards of the orders that have not come to their end, the oldest first."""
        return [card for card in await self.all_unsettled() if card.ended is None]

    async def all_unsettled(self) -> list[OrderCard]:
        """The same, and those whose cards are still to say how it ended."""
        with queue_errors(self._url):
            names = list(map(str, await self._redis.smembers(OPEN_CARDS)))
            texts = await self._redis.mget([card_key(name) for name in names]) if names else []
            gone = [name for name, text in zip(names, texts, strict=True) if text is None]
            if gone:
                await self._redis.srem(OPEN_CARDS, *gone)
        found = []
        for text in texts:
            try:
                found.append(OrderCard.read(text or ""))
            except RecordError:
                continue  # written by another version of this program
        return sorted(found, key=lambda card: card.begun_s)

    async def close(self, order_id: str) -> None:
        """Nothing more is to be shown."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.srem(OPEN_CARDS, order_id)
                pipe.expire(card_key(order_id), _CLOSED_KEPT_S)
                await pipe.execute()

    async def forget(self, order_id: str) -> None:
        """Deletes a card, as of an order that was not taken."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.srem(OPEN_CARDS, order_id)
                pipe.delete(card_key(order_id))
                await pipe.execute()
