"""Updates that are nearly as Telegram sends them, read and then handled by the whole bot."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event
from hypothesis import strategies as st
from redis.asyncio import Redis
from telegram import Bot

from bot.callback_data import ButtonAction
from bot.gateway.inbox import UnreadableUpdate, read_update
from bot.gateway.update_processor import chat_of
from jobs.queues.keys import accepting_key, failed_update_key
from sandbox.server import Sandbox
from tests.fuzz.rounds import fuzzed
from tests.fuzz.test_values import changed, places
from tests.integration.bot import conftest as bots
from tests.integration.bot.running import left_in_inbox, until
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk, Part

valkey_for_all = bots.valkey_for_all
redis = bots.redis
valkey = bots.valkey
machine_has_no_proxy = bots.machine_has_no_proxy
sandbox = bots.sandbox
desk = bots.desk
quick_chats = bots.quick_chats

USER = {"id": 7, "is_bot": False, "first_name": "Alice", "language_code": "en"}
CHAT = {"id": 7, "type": "private", "first_name": "Alice"}
MESSAGE = {"message_id": 3, "date": 1_700_000_000, "chat": CHAT, "from": USER}
FILE = {"file_id": "AgAC", "file_unique_id": "AQAD", "file_size": 9000}
VIDEO = FILE | {"width": 64, "height": 48, "duration": 3}
PHOTO = [FILE | {"width": 90, "height": 90}]
REPLY = MESSAGE | {"photo": PHOTO, "caption": "look"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Family"}
MEMBER = {"status": "member", "user": USER}

UPDATES: list[dict[str, Any]] = [
    {"update_id": 1, **content}
    for content in (
        {"message": MESSAGE | {"text": "/start abc", "entities": [
            {"type": "bot_command", "offset": 0, "length": 6}]}},
        {"message": MESSAGE | {"photo": PHOTO, "media_group_id": "5", "has_media_spoiler": True}},
        {"message": MESSAGE | {"video": VIDEO | {"file_name": "a.mp4"}, "reply_to_message": REPLY}},
        {"message": MESSAGE | {"voice": FILE | {"duration": 2, "mime_type": "audio/ogg"}}},
        {"message": MESSAGE | {"document": FILE | {"file_name": "a.heic", "mime_type": "image/x"}}},
        {"message": MESSAGE | {"sticker": FILE | {"type": "regular", "width": 9, "height": 9,
            "is_animated": False, "is_video": True}}},
        {"message": MESSAGE | {"chat": GROUP, "text": "hi", "message_thread_id": 4,
            "is_topic_message": True, "external_reply": {
                "origin": {"type": "user", "date": 5, "sender_user": USER}, "photo": PHOTO}}},
        {"edited_message": MESSAGE | {"edit_date": 1_700_000_009, "text": "x"}},
        {"callback_query": {"id": "9", "from": USER, "chat_instance": "1", "data": "v1|t|a|1|smile",
            "message": MESSAGE | {"text": "card"}}},
        {"inline_query": {"id": "9", "from": USER, "query": "", "offset": "5", "chat_type": "x"}},
        {"my_chat_member": {"chat": GROUP, "from": USER, "date": 5, "old_chat_member": MEMBER,
            "new_chat_member": MEMBER | {"status": "left"}}},
        {"message_reaction": {"chat": GROUP, "message_id": 3, "user": USER, "date": 5,
            "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "❤"}]}},
    )
]  # fmt: skip


@cache
def bot() -> Bot:
    return Bot("4242:abc")


@fuzzed(400, plain=changed(lambda: UPDATES))
def test_update_is_read_or_set_aside(plain: Any) -> None:
    if isinstance(plain, dict):
        plain["update_id"] = 1  # what fetches updates checks it
    update = read_update(json.dumps(plain), bot())
    if isinstance(update, UnreadableUpdate):
        event("unreadable")
        assert update.error
        return
    event("read")
    # All that is done with it before its handlers run, which nothing would catch.
    assert read_update(update.to_json(), bot()).update_id == 1
    chat_of(update)


@fuzzed(
    100, text=st.one_of(st.text(max_size=50), st.sampled_from(["[" * 10**5, "1" * 5000, "NaN"]))
)
def test_text_that_is_no_update_is_set_aside(text: str) -> None:
    found = read_update(text, bot())
    assert isinstance(found, UnreadableUpdate)


# --- the whole bot --------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\0", "\u2028", "\u202e", "<b>", "</a>&amp;&#0;", "{name}", "%s", "|"]
    ),
    st.sampled_from(["v1|t||1|", "v1|j|a|9|", "v1|w||0|", "v1|D||0|", "v1|i||0|0", "v2|t|a|1|x"]),
    st.sampled_from(
        ["/start", "/start ", "/start claim_x", "/animate 99", "/limits a b c", "/stats"]
    ),
    st.sampled_from(
        ["/add_template ../x", "/ban", "/ban 1e9", "/allow 9" + "9" * 60, "/broadcast"]
    ),
    st.sampled_from(
        ["/history", "/delete_me", "/privacy", "/settings@animato_bot", "/language xx"]
    ),
    st.sampled_from(["a" * 4096, "x.mp4/../..", "..", "é" * 200, ".jpg", "image/gif", "audio/"]),
)
NUMBERS = st.sampled_from([0, 1, 59, 61, 3600, 64_000_001, 2_000_000_000, 2**31 - 1])
# What Telegram itself gives: people cannot choose it.
GIVEN = {"id", "update_id", "message_id", "date", "type", "file_id", "file_unique_id", "status"}


@st.composite
def tampered(draw: st.DrawFn, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """An update whose texts and numbers are others, of the same kind as Telegram sends."""
    update: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(samples))))
    free = [path for path in places(update) if path and path[-1] not in GIVEN]
    for *path, last in draw(st.lists(st.sampled_from(free), min_size=1, max_size=3)):
        parent: Any = update
        for key in path:
            parent = parent[key]
        if isinstance(parent[last], str):
            parent[last] = draw(HOSTILE)
        elif type(parent[last]) is int:
            parent[last] = draw(NUMBERS)
    return update


@dataclass(frozen=True)
class AtWork:
    """The bot in a loop of its own, between the examples.

    Attributes:
        served_bot: the bot.
        sandbox: its server.
        redis: a client of its queues.
        loop: the loop in which all of it lives; it stands still between two calls.
        samples: updates of a short conversation, which its chats have seen.
    """

    served_bot: ServedBot
    sandbox: Sandbox
    redis: Redis
    loop: asyncio.AbstractEventLoop
    samples: list[dict[str, Any]]

    def handle(self, updates: list[dict[str, Any]]) -> None:
        """Let the bot handle updates; nothing is put aside, so no handler has failed."""
        self.loop.run_until_complete(self._handle(updates))

    def messages(self, chat: int) -> list[Any]:
        """What a chat shows."""
        return self.loop.run_until_complete(self.served_bot.desk.messages(chat))

    def stored(self, drafts: Collection[str], chats: Collection[int] = ()) -> dict[str, Any]:
        """What is stored about these drafts and their orders, and about these chats."""
        return self.loop.run_until_complete(self._stored(drafts, chats))

    async def _handle(self, updates: list[dict[str, Any]]) -> None:
        pending = self.sandbox.telegram.updates
        # Also those that the bot does not ask for: Telegram may still have some.
        pending.allow([kind for update in updates for kind in update])
        for update in updates:
            for kind, content in update.items():
                pending.add(kind, content)

        async def is_done() -> bool:
            return len(pending) == 0 and await left_in_inbox(self.redis) == 0

        await until(is_done)
        aside = [key async for key in self.redis.scan_iter(failed_update_key("*"))]
        assert [json.loads(await self.redis.get(key) or "") for key in aside] == []

    async def _stored(self, drafts: Collection[str], chats: Collection[int]) -> dict[str, Any]:
        def is_about_a_chat(key: str) -> bool:
            # The last number of some keys is that of a message.
            place = key.rpartition(":")[0] if key.startswith("animato:shown:") else key
            parts = place.split(":")
            return parts[0] == "animato" and any(str(chat) in parts for chat in chats)

        found = [
            key
            async for key in self.redis.scan_iter("*")
            if any(one in key for one in drafts) or is_about_a_chat(key)
        ]
        # A mark that expires by itself.
        keys = [key for key in sorted(found) if not key.startswith(accepting_key(""))]
        return {key: await self.redis.dump(key) for key in keys}


@pytest.fixture
async def at_work(
    sandbox: Sandbox, valkey: str, redis: Redis, desk: Desk, tmp_path: Path
) -> AsyncIterator[AtWork]:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as served_bot, served_bot.working():
        samples = await short_conversation(served_bot, sandbox)
        yield AtWork(served_bot, sandbox, redis, asyncio.get_running_loop(), samples)


async def short_conversation(served_bot: ServedBot, sandbox: Sandbox) -> list[dict[str, Any]]:
    """Let three people talk with the bot; the updates that it got."""
    desk, pending = served_bot.desk, sandbox.telegram.updates
    found: list[dict[str, Any]] = []
    add = pending.add

    def noting(kind: str, content: Any) -> Any:
        found.append({kind: content})
        return add(kind, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending, "add", noting)
        await served_bot.says("/start", ADMIN)
        await served_bot.people.agree(ALICE)
        await served_bot.says("/start", ALICE)
        await served_bot.photo(ALICE)
        await served_bot.tap("Smile", await served_bot.shows("Which movement?", ALICE), ALICE)
        await served_bot.video(ALICE)
        await served_bot.shows("Smile: done in", ALICE)
        for part in (
            Part("voice", media.voice(), "voice.ogg"),
            Part("document", media.photo(), "a.jpg"),
            Part("video", media.clip(), "a.mp4"),
        ):
            await desk.send(part, user_id=BOB, chat_id=BOB)
        await served_bot.says("hello", BOB, chat_id=FAMILY)
        await served_bot.shows("Before we begin", BOB)
        await until(lambda: len(pending) == 0)
    return found + [update for one in UPDATES if (update := _seen_only(one))]


def _seen_only(update: dict[str, Any]) -> dict[str, Any]:
    """An update without its number, if it is of a kind that the conversation has not."""
    kinds = ("inline_query", "my_chat_member", "message_reaction", "edited_message")
    return {kind: content for kind, content in update.items() if kind in kinds}


@pytest.mark.local_sockets
@pytest.mark.usefixtures("quick_chats")
@fuzzed(60, data=st.data())
def test_bot_handles_what_people_can_write(at_work: AtWork, data: st.DataObject) -> None:
    updates = st.lists(tampered(at_work.samples), min_size=1, max_size=5)
    at_work.handle(data.draw(updates))


# --- buttons of others ----------------------------------------------------------------------------

ARGUMENTS = st.sampled_from(
    ["", "smile", "face", "all", "0", "1", "2", "keep", "own", "mesh", "each"]
)


@st.composite
def foreign_buttons(draw: st.DrawFn, buttons: list[str]) -> str:
    """Data of a button that somebody else's message has or could have."""
    known = draw(st.sampled_from(buttons)).split("|")
    action = draw(st.one_of(st.just(known[1]), st.sampled_from(list(ButtonAction)).map(str)))
    number = draw(st.one_of(st.just(known[3]), st.integers(0, 3).map(str)))
    argument = draw(st.one_of(st.just(known[4]), ARGUMENTS))
    return "|".join(["v1", action, known[2], number, argument])


@pytest.fixture
async def buttons(at_work: AtWork) -> list[str]:
    """The data of Alice's buttons."""
    shown = json.dumps(await at_work.served_bot.desk.messages(ALICE))
    return sorted(set(re.findall(r'"callback_data": "(v1\|[^"]*)"', shown)))


@pytest.mark.local_sockets
@pytest.mark.usefixtures("quick_chats")
@fuzzed(40, data=st.data())
def test_buttons_of_one_person_do_nothing_for_another(
    at_work: AtWork, buttons: list[str], data: st.DataObject
) -> None:
    drafts = {one.split("|")[2] for one in buttons} - {""}
    before = at_work.messages(ALICE), at_work.stored(drafts)
    bob = USER | {"id": BOB, "first_name": "Bob"}
    message = MESSAGE | {"chat": CHAT | {"id": BOB}, "text": "card", "message_id": 1}
    tap = {"id": "77", "from": bob, "chat_instance": "1", "message": message}
    found = data.draw(st.lists(foreign_buttons(buttons), min_size=1, max_size=5))
    at_work.handle([{"callback_query": tap | {"data": button}} for button in found])
    assert at_work.messages(ALICE) == before[0], found
    assert at_work.stored(drafts) == before[1], found
