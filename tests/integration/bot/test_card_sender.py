"""Cards whose sending nobody heard the end of: none is left behind, and nothing else is touched."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram.error import BadRequest, NetworkError

from bot.drafts.draft import Draft
from bot.gateway.card_sender import CardSender
from bot.gateway.messenger import CardMessage, ChatTarget, MessageContent, Messenger
from jobs.queues.keys import DUE_ALBUMS, album_key, draft_key, sending_key
from jobs.store.files import FileStore
from sandbox.server import Sandbox
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import (
    BotParts,
    Maker,
    card_sender_of,
    delivering,
    fast_bot,
    looked_at,
    photo_sent,
    working,
)
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, Desk, Part

pytestmark = pytest.mark.local_sockets

newcomers = talks.newcomers
talk = talks.talk

BELOW = "See below."
LOST: dict[str, Any] = {"method": "sendMessage", "drop": True}


async def texts(desk: Desk) -> list[str]:
    """What the bot has said to Alice, in the order of the messages."""
    return [text_of(one) for one in await desk.messages() if one["from"]["is_bot"]]


async def is_settled(client: Redis) -> bool:
    """Whether nothing is noted that may have been sent."""
    return not await client.exists(sending_key(ALICE))


# --- alone ----------------------------------------------------------------------------------------


class Notes:
    """Notes cards, or dies before it can."""

    def __init__(self, *, dies: bool = False) -> None:
        self.cards: list[CardMessage] = []
        self._dies = dies

    async def __call__(self, card: CardMessage) -> None:
        if self._dies:
            raise asyncio.CancelledError
        self.cards.append(card)


@pytest.fixture
async def messenger(sandbox: Sandbox, desk: Desk) -> AsyncIterator[Messenger]:
    await desk.say("/start")
    async with fast_bot(sandbox) as bot:
        yield Messenger(bot)


@pytest.fixture
async def card_sender(redis: Redis, valkey: str, messenger: Messenger) -> CardSender:
    return card_sender_of(redis, valkey, messenger)


async def test_card_whose_answer_was_lost_is_told_that_it_goes_on_below(
    card_sender: CardSender, redis: Redis, desk: Desk
) -> None:
    photo = (await desk.say("a photo"))["message"]["message_id"]
    place, notes = ChatTarget(ALICE, reply_to=photo), Notes()
    for _ in range(2):
        await desk.fault(**LOST)
        with pytest.raises(NetworkError):
            await card_sender.send("a", place, MessageContent("Looking ..."), notes)
    await card_sender.send("a", place, MessageContent("Looking ..."), notes)
    assert await texts(desk) == [BELOW, BELOW, "Looking ..."]
    assert [card.message_id for card in notes.cards] == [photo + 3]
    assert await is_settled(redis)


async def test_card_that_was_sent_by_a_bot_that_died_is_told_so_after_the_restart(
    redis: Redis, valkey: str, messenger: Messenger, desk: Desk
) -> None:
    before = card_sender_of(redis, valkey, messenger)
    await messenger.send(ChatTarget(ALICE), MessageContent("Hello!"))
    with pytest.raises(asyncio.CancelledError):
        await before.send("a", ChatTarget(ALICE), MessageContent("Looking ..."), Notes(dies=True))
    after, notes = card_sender_of(redis, valkey, messenger), Notes()
    await after.send("a", ChatTarget(ALICE), MessageContent("Looking ..."), notes)
    assert await texts(desk) == ["Hello!", BELOW, "Looking ..."]
    assert await is_settled(redis)


async def test_nothing_else_in_the_chat_is_touched(
    card_sender: CardSender, messenger: Messenger, desk: Desk
) -> None:
    place = ChatTarget(ALICE, reply_to=(await desk.say("a photo"))["message"]["message_id"])
    await messenger.send(place, MessageContent("before"))
    await desk.fault(**LOST)
    with pytest.raises(NetworkError):
        await card_sender.send("a", place, MessageContent("lost"), Notes())
    await desk.say("of Alice")
    await messenger.bot.send_photo(ALICE, media.photo(), caption="a picture")
    await messenger.send(place, MessageContent("a text"))
    await card_sender.send("b", place, MessageContent("another card"), Notes())
    # What is under way is waited for: its id lies between as well.
    is_slow = asyncio.Event()

    async def note(_: CardMessage) -> None:
        is_slow.set()
        await asyncio.sleep(0.2)

    slow = asyncio.create_task(card_sender.send("c", place, MessageContent("a slow card"), note))
    await is_slow.wait()
    await card_sender.send("a", place, MessageContent("the card"), Notes())
    await slow
    shown = ["before", BELOW, "a picture", "a text", "another card", "a slow card", "the card"]
    assert await texts(desk) == shown


async def test_refused_card_leaves_nothing_to_look_for(
    card_sender: CardSender, redis: Redis, desk: Desk
) -> None:
    await desk.fault(method="sendMessage", code=400, description="Bad Request: no")
    with pytest.raises(BadRequest):
        await card_sender.send("a", ChatTarget(ALICE), MessageContent("no"), Notes())
    assert await is_settled(redis)


async def test_card_that_could_not_be_told_is_looked_for_once_more(
    card_sender: CardSender, redis: Redis, desk: Desk
) -> None:
    place = ChatTarget(ALICE, reply_to=(await desk.say("a photo"))["message"]["message_id"])
    await desk.fault(**LOST)
    with pytest.raises(NetworkError):
        await card_sender.send("a", place, MessageContent("one"), Notes())
    await desk.fault(method="editMessageText", code=502)
    await card_sender.send("a", place, MessageContent("two"), Notes())
    assert await texts(desk) == ["one", "two"]
    await card_sender.send("a", place, MessageContent("three"), Notes())
    assert await texts(desk) == [BELOW, "two", "three"]
    assert await is_settled(redis)


# --- each kind of card ----------------------------------------------------------------------------


async def test_lost_card_of_a_photo_does_not_look_at_it_for_ever(talk: Talk, redis: Redis) -> None:
    await talk.desk.fault(**LOST, contains="Looking at your photo")
    await talk.photo()
    await talk.shows("Which movement?")
    await until(lambda: is_settled(redis))
    shown = (await texts(talk.desk))[1:]
    assert [text == BELOW for text in shown] == [True, False]


async def test_lost_card_of_several_faces_shows_its_sheet_below(talk: Talk) -> None:
    (face,) = talk.worker.faces
    talk.worker.faces = (face, face.model_copy(update={"number": 2}))
    await talk.photo()
    card = await talk.shows("Which one should I animate?")
    draft = await talk.draft_of(card["reply_to_message"])
    await talk.desk.fault(**LOST)
    await talk.parts.drafts.change(
        draft.draft_id, lambda now: now.model_copy(update={"card": None})
    )
    cards = talk.media_handler._draft_cards  # noqa: SLF001 - as a handler that is run twice
    with pytest.raises(NetworkError):
        await cards.show(draft.draft_id)
    await cards.show(draft.draft_id)
    *_, lost, last = await talk.said()
    assert text_of(lost) == BELOW
    assert last["photo"]
    assert (await talk.parts.draft(draft.draft_id)).card == CardMessage(
        message_id=last["message_id"], has_media=True
    )


async def test_lost_question_about_an_album_is_told_so(talk: Talk, redis: Redis) -> None:
    await talk.desk.fault(**LOST, contains="photos")
    parts = [Part("photo", media.photo(seed=seed)) for seed in (1, 2)]
    await talk.sent(*parts)
    await until(lambda: has_moved_on(talk.desk))
    await until(lambda: is_settled(redis))


async def test_album_that_cannot_be_read_is_given_up(
    talk: Talk, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.hset(album_key("broken"), "1", "no JSON")
    await redis.zadd(DUE_ALBUMS, {"broken": 0})
    await talk.sent(*[Part("photo", media.photo(seed=seed)) for seed in (1, 2)])
    await talk.shows("You sent 2 photos")
    await until(lambda: is_empty(redis, DUE_ALBUMS))
    assert "no JSON" in caplog.text
    assert "Traceback" not in caplog.text


async def is_empty(client: Redis, key: str) -> bool:
    return not await client.exists(key)


async def has_moved_on(desk: Desk) -> bool:
    shown = (await texts(desk))[1:]
    return len(shown) == 2 and shown[0] == BELOW and shown[1] != BELOW


async def test_lost_question_for_consent_is_told_so(newcomers: Talk, redis: Redis) -> None:
    await newcomers.desk.say("/start")
    await newcomers.desk.fault(**LOST, contains="agree")
    await newcomers.photo()
    await until(lambda: has_moved_on(newcomers.desk))
    await until(lambda: is_settled(redis))


async def cardless(parts: BotParts, store: FileStore, desk: Desk) -> Draft:
    """A draft that can be ordered, and whose card is gone."""
    async with delivering(parts), working(parts, Maker(store)):
        draft = await looked_at(parts, await photo_sent(parts, desk))
    await parts.services.messenger.send(ChatTarget(ALICE), MessageContent("a text"))
    changed = await parts.drafts.change(
        draft.draft_id, lambda now: now.model_copy(update={"card": None})
    )
    assert changed is not None
    return changed


async def is_shown(parts: BotParts, draft: Draft) -> bool:
    """Whether the first status of the draft's order was shown and noted."""
    card = await parts.services.order_cards.read(draft.order_id)
    return card is not None and card.edits > 0


@pytest.mark.parametrize("is_retried", [False, True])
async def test_lost_card_of_an_order_is_told_so(
    parts: BotParts, store: FileStore, desk: Desk, redis: Redis, is_retried: bool
) -> None:
    draft = await cardless(parts, store, desk)
    async with delivering(parts):
        if is_retried:
            await parts.ordering.place(await parts.with_movement(draft.draft_id))
            await until(lambda: is_shown(parts, draft))
            known = await parts.services.order_cards.read(draft.order_id)
            assert known is not None
            await desk.fault(**LOST)
            await parts.services.order_cards.reopen(known, None, parts.clock())
        else:
            await desk.fault(**LOST)
            await parts.ordering.place(await parts.with_movement(draft.draft_id))

        async def is_told() -> bool:
            shown = await texts(desk)
            return BELOW in shown and "No worker is online" in shown[-1]

        await until(is_told)
        await until(lambda: is_settled(redis))
        card = await parts.services.order_cards.read(draft.order_id)
    assert card is not None
    assert card.message == CardMessage(message_id=(await desk.messages())[-1]["message_id"])
    assert sum(text == BELOW for text in await texts(desk)) == 1


async def test_order_whose_draft_cannot_be_read_is_shown_once(
    parts: BotParts, store: FileStore, desk: Desk, redis: Redis
) -> None:
    draft = await cardless(parts, store, desk)
    placed = await parts.ordering.place(await parts.with_movement(draft.draft_id))
    assert placed.card is not None
    await redis.set(draft_key(draft.draft_id), '{"schema_version": 99}')
    async with delivering(parts):
        await desk.sees("No worker is online")
        await until(lambda: is_shown(parts, draft))
    assert sum("No worker is online" in text for text in await texts(desk)) == 1
