"""The whole bot as it is served, people at the sandbox, and a worker that play-acts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app import serve
from bot.gateway.command_lists import CommandLists
from bot.people import People
from jobs.queues.keys import LOOK, MEDIA, engine_queue
from jobs.queues.queue_worker import QueueWorker
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from sandbox.server import Sandbox
from tests.integration.bot.parts import RULES, heartbeat, local_store
from tests.integration.bot.result_pages import with_button
from tests.integration.bot.running import beat_for_good, settings_for, until
from tests.integration.bot.talk import Painter, data_of, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk, Part

Message = dict[str, Any]


@dataclass
class ServedBot:
    """What a test does and sees.

    Attributes:
        desk: the persons.
        queues: as the bot has them.
        store: likewise.
        worker: looks and makes videos, between `working` and its end.
        told: what the owner reads on the screen.
    """

    desk: Desk
    queues: Queues
    store: FileStore
    worker: Painter
    told: list[str] = field(default_factory=list)

    @property
    def people(self) -> People:
        return People(self.queues.client, self.queues.url, frozenset(), is_open=True)

    async def says(self, text: str, person: int, **where: Any) -> Message:
        """Writes a text; its message."""
        place = {"chat_id": person, **where}
        message: Message = (await self.desk.say(text, user_id=person, **place))["message"]
        return message

    async def photo(self, person: int = ALICE, **where: Any) -> Message:
        """Sends a photo; its message."""
        part, place = Part("photo", media.photo()), {"chat_id": person, **where}
        message: Message = (await self.desk.send(part, user_id=person, **place))["message"]
        return message

    async def tap(self, label: str, message: Message, person: int) -> Any:
        """Taps a button of a message; what the person is told, which may be nothing."""
        where = {"chat_id": message["chat"]["id"], "message_id": message["message_id"]}
        data = data_of(await with_button(self.desk, label, message, person), label)
        return (await self.desk.post("tap", data=data, user_id=person, **where))["answer"]

    async def said(self, chat: int) -> list[Message]:
        """The bot's messages in a chat."""
        return [one for one in await self.desk.messages(chat) if one["from"]["is_bot"]]

    async def shows(self, phrase: str, chat: int, after: Message | None = None) -> Message:
        """The last of the bot's messages with this phrase, as soon as there is one.

        With `after`, it is below that message: an earlier one may still say the same.
        """
        found: list[Message] = []
        above = after["message_id"] if after else 0

        async def is_there() -> bool:
            said = [one for one in await self.said(chat) if one["message_id"] > above]
            found[:] = [one for one in said if phrase in text_of(one)]
            return bool(found)

        try:
            await until(is_there)
        except TimeoutError:
            shown = await self.desk.transcript(chat)
            raise AssertionError(f"{phrase!r} never came:\n{shown}") from None
        return found[-1]

    async def video(self, chat: int) -> Message:
        """The first video in a chat, as soon as it is there."""
        found: list[Message] = []

        async def is_there() -> bool:
            found[:] = [one for one in await self.said(chat) if {"animation", "video"} & set(one)]
            return bool(found)

        await until(is_there)
        return found[0]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker lives, looks and makes videos."""
        url = self.queues.url
        await beat_for_good(self.queues.client, heartbeat("mesh"))
        async with (
            QueueWorker(url, LOOK, self.worker.look, RULES),
            QueueWorker(url, MEDIA, self.worker.make_media, RULES),
            QueueWorker(url, engine_queue("mesh"), self.worker.make, RULES),
        ):
            yield


async def _write_no_lists(_lists: CommandLists) -> None:
    """In the place of `CommandLists.write`, whose 80 calls take longer than most tests."""


@asynccontextmanager
async def serve_bot(
    server: Sandbox,
    url: str,
    desk: Desk,
    folder: Path,
    *,
    command_lists: bool = False,
    **settings: Any,
) -> AsyncIterator[ServedBot]:
    """The bot at work; its admin is Admin, and everybody is served, unless told otherwise.

    Everybody's language is English, Bob's too. Its command lists are written if `command_lists`.
    """
    facts: dict[str, Any] = {
        "redis_url": SecretStr(url),
        "data_dir": folder / "data",
        "admins": (ADMIN,),
        "open": True,
        "owner_contact": "@owner",
        **settings,
    }
    ending, store = asyncio.Event(), local_store(folder)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        if not command_lists:
            patch.setattr(CommandLists, "write", _write_no_lists)
        await desk.post("persons", user_id=BOB, language_code="en")
        queues = await stack.enter_async_context(Queues(url, ["mesh"]))
        served_bot = ServedBot(desk, queues, store, Painter(store))
        work = asyncio.create_task(
            serve(settings_for(server, **facts), store, ending, served_bot.told.append)
        )
        try:

            async def listens() -> bool:
                return work.done() or bool((await desk.get("chats"))["bot"]["is_listening"])

            await until(listens)
            yield served_bot
        finally:
            ending.set()
            await work
