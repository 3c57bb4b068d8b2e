"""The private conversation at work: people at the sandbox, and a worker that play-acts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.request import HTTPXRequest

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.album_store import AlbumStore
from bot.conversation.albums import Albums
from bot.conversation.commands import Commands
from bot.conversation.draft_cards import DraftCards
from bot.conversation.handlers import (
    add_conversation_handlers,
    add_settings_commands,
    add_tap_handlers,
)
from bot.conversation.media_handler import MediaHandler, ServiceTerms
from bot.conversation.settings import SettingsCommands, language_of_group, language_of_person
from bot.conversation.taps import Taps
from bot.drafts.draft import Draft
from bot.drafts.draft_store import draft_id_of
from bot.drafts.intake import CLOUD_LIMIT_BYTES
from bot.gateway.command_lists import CommandLists
from bot.gateway.connection import build_application
from bot.gateway.messenger import Messenger
from bot.gateway.polling import PollingBot
from bot.history.handlers import add_history_handlers
from bot.languages import add_language_handler
from bot.orders.delivery import Delivery, deliverers
from bot.orders.look_delivery import LookDelivery
from bot.orders.media_delivery import MediaDelivery
from bot.privacy.deletion import Deletion
from bot.privacy.handlers import add_privacy_handlers
from bot.texts import ENGLISH, Texts
from jobs.orders import LookResult, Record
from jobs.queues import admission
from jobs.queues.assignment import Assignment
from jobs.store.files import FileStore
from jobs.tasks import end_tasks
from sandbox.server import Sandbox
from tests.integration.bot.held_calls import Held, HoldingLimiter
from tests.integration.bot.parts import (
    BotParts,
    Maker,
    bot_parts,
    delivering,
    local_store,
    working,
)
from tests.integration.bot.result_pages import with_button
from tests.integration.bot.running import FAST_BACKOFF, running, settings_for, until
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, Desk, Part

FASTER = 200
TERMS = ServiceTerms("@owner", 24, 24, file_bytes=CLOUD_LIMIT_BYTES)
Message = dict[str, Any]


class Painter(Maker):
    """A worker whose numbered sheets can be sent."""

    async def look(self, assignment: Assignment) -> Record:
        look = await super().look(assignment)
        assert isinstance(look, LookResult)
        await self.store.put(look.photo.sheet, media.photo())
        return look


@dataclass
class Talk:
    """What a test does and sees; who acts is Alice, or `person`."""

    desk: Desk
    parts: BotParts
    media_handler: MediaHandler
    worker: Painter

    async def photo(self, person: int = ALICE, seed: int = 0, **where: Any) -> Message:
        """Sends a photo; its message."""
        return await self.sent(Part("photo", media.photo(seed=seed)), person=person, **where)

    async def clip(self, person: int = ALICE, kind: str = "video", **where: Any) -> Message:
        """Sends a clip; its message."""
        part = Part(kind, media.clip(), f"{kind}.mp4")
        return await self.sent(part, person=person, **where)

    async def voice(self, person: int = ALICE, kind: str = "voice", **where: Any) -> Message:
        """Sends a recording; its message."""
        return await self.sent(Part(kind, media.voice(), f"{kind}.ogg"), person=person, **where)

    async def sent(self, *parts: Part, person: int = ALICE, **where: Any) -> Message:
        answer = await self.desk.send(*parts, user_id=person, chat_id=person, **where)
        message: Message = answer.get("message") or answer["messages"][0]
        return message

    async def tap(
        self, label: str, message: Message, person: int = ALICE, chat: int = 0, **how: Any
    ) -> Any:
        """Taps a button of a message; what the person is told, which may be nothing."""
        where = {"user_id": person, "chat_id": chat or person, **how}
        data = data_of(await with_button(self.desk, label, message, person), label)
        return (await self.desk.post("tap", data=data, message_id=message["message_id"], **where))[
            "answer"
        ]

    async def tap_data(self, data: str, person: int = ALICE, chat: int = 0) -> Any:
        """Taps a button that an earlier message may have shown."""
        row = [InlineKeyboardButton("old", callback_data=data)]
        bot = self.parts.services.messenger.bot
        sent = await bot.send_message(
            chat or person, "earlier", reply_markup=InlineKeyboardMarkup([row])
        )
        return await self.tap("old", json.loads(sent.to_json()), person, chat)

    def hold(self, method: str) -> Held:
        """Holds the bot's next call of a method back."""
        limiter = self.parts.services.messenger.bot.rate_limiter
        assert isinstance(limiter, HoldingLimiter)
        return limiter.hold(method)

    async def agree(self, person: int = ALICE) -> None:
        """Opens the chat, with the terms agreed to."""
        await self.parts.services.people.agree(person)
        await self.desk.say("/start", user_id=person, chat_id=person)
        await self.desk.sees("Hello!", person)

    async def said(self, person: int = ALICE) -> list[Message]:
        """The bot's messages in a chat."""
        return [one for one in await self.desk.messages(person) if one["from"]["is_bot"]]

    async def another(self, message: Message, phrase: str = "Which movement?") -> Message:
        """Taps "Another movement"; the new card. An earlier one may still say the same."""
        known = [one["message_id"] for one in await self.said()]
        await self.tap("Another movement", message)
        found: list[Message] = []

        async def is_there() -> bool:
            new = [one for one in await self.said() if one["message_id"] not in known]
            found[:] = [one for one in new if phrase in text_of(one)]
            return bool(found)

        await until(is_there)
        return found[-1]

    async def shows(self, phrase: str, person: int = ALICE, count: int = 1) -> Message:
        """The last of the bot's messages with this phrase, as soon as there are so many."""
        found: list[Message] = []

        async def are_there() -> bool:
            found[:] = [one for one in await self.said(person) if phrase in text_of(one)]
            return len(found) >= count

        try:
            await until(are_there)
        except TimeoutError:
            shown = await self.desk.transcript(person)
            raise AssertionError(f"{phrase!r} never came {count} times:\n{shown}") from None
        return found[-1]

    async def more(self, message: Message) -> list[list[str]]:
        """The buttons behind "More"."""
        return labels(await with_button(self.desk, "Other forms", message, ALICE))

    async def gone(self, message: Message, person: int = ALICE) -> None:
        """Waits until a message of the bot's is deleted."""

        async def is_gone() -> bool:
            return message["message_id"] not in [
                one["message_id"] for one in await self.said(person)
            ]

        await until(is_gone)

    async def draft_of(self, message: Message) -> Draft:
        """The draft of a photo's message."""
        return await self.parts.draft(draft_id_of(message["chat"]["id"], message["message_id"]))

    async def videos(self, person: int = ALICE, count: int = 1) -> list[Message]:
        """The videos that have come, as soon as there are so many."""

        async def are_there() -> bool:
            return len(await self._videos(person)) >= count

        await until(are_there)
        return await self._videos(person)

    async def _videos(self, person: int) -> list[Message]:
        return [one for one in await self.said(person) if one.get("animation") or one.get("video")]


def text_of(message: Message) -> str:
    return str(message.get("text") or message.get("caption") or "")


def labels(message: Message) -> list[list[str]]:
    """The buttons of a message, row by row."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [[button["text"] for button in row] for row in rows]


def data_of(message: Message, label: str) -> str:
    """What the button with this label carries, or else the only one whose label holds it."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    known = {
        one["text"]: str(one["callback_data"])
        for row in rows
        for one in row
        if "callback_data" in one
    }
    if label in known:
        return known[label]
    (found,) = [data for text, data in known.items() if label in text]
    return found


def tap_of(action: ButtonAction, draft: Draft, argument: str = "", number: int = 1) -> str:
    return ButtonData(action, draft.draft_id, number, argument).encode()


@asynccontextmanager
async def talking(
    server: Sandbox,
    url: str,
    client: Redis,
    store: FileStore,
    desk: Desk,
    texts: Texts = ENGLISH,
) -> AsyncIterator[Talk]:
    """The whole bot but for its owner's part; with few limits, so that tests are quick."""
    async with AsyncExitStack() as stack:
        bot = _quick_bot(server)
        await stack.enter_async_context(bot)
        limits = admission.OrderLimits(open_orders=4)
        parts = await stack.enter_async_context(
            bot_parts(
                server, url, store, messenger=lambda _: Messenger(bot), limits=limits, texts=texts
            )
        )
        services = parts.services
        cards = DraftCards(services)
        look_delivery = LookDelivery(services, parts.ordering, cards.show, parts.admins)
        media_delivery = MediaDelivery(services, parts.receivers, parts.admins)
        others = deliverers(look_delivery, media_delivery, parts.history.forms.deliver)
        parts.delivery = Delivery(services, parts.status_cards, others, parts.admins)
        media_handler = MediaHandler(services, parts.intake, cards, TERMS)
        albums = Albums(services, AlbumStore(client, url), media_handler)
        application = build_application(settings_for(server), client, FAST_BACKOFF)
        commands = Commands(services, parts.ordering, cards, TERMS)
        settings = SettingsCommands(
            services,
            private=[language_of_person(services)],
            group=[language_of_group(services)],
            language_chosen=CommandLists(bot, services).write_for,
        )
        add_language_handler(application, services.languages)
        add_settings_commands(application, settings)
        deletion = Deletion(services, parts.ordering, backup_days=0)
        add_privacy_handlers(application, deletion)
        history = parts.history
        add_history_handlers(application, history)
        add_conversation_handlers(application, media_handler, albums, commands)
        taps = Taps(services, media_handler, parts.ordering, parts.follow_up_orders, cards)
        by_action = {
            ButtonAction.ALBUM: albums.tap,
            **history.taps_by_action,
            ButtonAction.FORGET: deletion.tap,
            ButtonAction.SETTINGS: settings.tap,
        }
        add_tap_handlers(application, services.messenger, taps, by_action)
        worker = Painter(store)
        await stack.enter_async_context(delivering(parts))
        await stack.enter_async_context(working(parts, worker))
        task = asyncio.create_task(albums.run())
        stack.push_async_callback(end_tasks, [task])
        await stack.enter_async_context(running(application))
        yield Talk(desk, parts, media_handler, worker)


def _quick_bot(server: Sandbox) -> PollingBot:
    """A bot whose chats have room again after a few milliseconds."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / FASTER)

    limiter = HoldingLimiter(lambda: time.monotonic() * FASTER, sleep)
    plain = {"trust_env": False, "verify": False}
    base = server.url
    return PollingBot(
        server.token,
        f"{base}/bot",
        f"{base}/file/bot",
        request=HTTPXRequest(httpx_kwargs=plain),
        get_updates_request=HTTPXRequest(httpx_kwargs=plain),
        rate_limiter=limiter,
    )


@pytest.fixture
async def newcomers(
    sandbox: Sandbox, valkey: str, redis: Redis, desk: Desk, tmp_path: Path
) -> AsyncIterator[Talk]:
    """A talk with people who have not agreed to the terms yet."""
    async with talking(sandbox, valkey, redis, local_store(tmp_path), desk) as found:
        yield found


@pytest.fixture
async def talk(newcomers: Talk) -> Talk:
    """A talk with Alice, who has."""
    await newcomers.agree()
    return newcomers
