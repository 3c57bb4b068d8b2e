"""The whole service for a test module: the sandbox, the bot, and a worker process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from PIL import Image
from pydantic import SecretStr
from skimage.data import astronaut, brick

from bot.app import serve
from bot.people import People
from inference.process.setup import EngineSetup
from jobs.connection import connect
from jobs.settings import Settings
from jobs.store.files import FileStore
from jobs.templates import SHIPPED_TEMPLATES
from sandbox.server import Sandbox
from tests.e2e.service_secrets import secrets_of, told
from tests.integration.bot.result_pages import with_button
from tests.integration.jobs.servers import free_port, valkey_server
from tests.integration.sandbox.desk import Desk, Part

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
ENGINES = ("mesh", "still")
Message = dict[str, Any]


@dataclass(frozen=True)
class Service:
    """The service at work, and the desk of all persons."""

    desk: Desk
    people: People

    async def newcomer(self, name: str = "Carol") -> "Chatter":
        """Somebody whom the bot does not know yet."""
        person = (await self.desk.post("persons", first_name=name))["person"]["id"]
        return Chatter(self.desk, person)

    async def regular(self, name: str = "Dora") -> "Chatter":
        """Somebody who has agreed to the terms."""
        found = await self.newcomer(name)
        await self.people.agree(found.person)
        return found


@dataclass(frozen=True)
class Chatter:
    """A person of a test's own, and what they see."""

    desk: Desk
    person: int

    async def say(self, text: str) -> None:
        await self.desk.say(text, user_id=self.person)

    async def send(self, *parts: Part, **where: Any) -> Message:
        sent: Message = (await self.desk.send(*parts, user_id=self.person, **where))["message"]
        return sent

    async def tap(self, label: str, message: Message) -> Any:
        """Taps the only button with these words."""
        message = await with_button(self.desk, label, message, self.person)
        data = [
            button["callback_data"]
            for row in message["reply_markup"]["inline_keyboard"]
            for button in row
            if label in button["text"]
        ]
        where = {"user_id": self.person, "message_id": message["message_id"]}
        return (await self.desk.post("tap", data=data[0], **where))["answer"]

    async def sees(self, words: str, count: int = 1) -> Message:
        """The last of the bot's messages with these words, as soon as there are so many."""
        found: list[Message] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(found) < count:
                    await asyncio.sleep(0.02)
                    found = [one for one in await self._said() if words in _text_of(one)]
        except TimeoutError:
            shown = await self.desk.transcript(self.person)
            raise AssertionError(f"{words!r} never came {count} times:\n{shown}") from None
        return found[-1]

    async def videos(self, count: int = 1) -> list[Message]:
        """The bot's videos, as soon as there are so many."""
        found: list[Message] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(found) < count:
                    await asyncio.sleep(0.02)
                    found = [
                        one
                        for one in await self._said()
                        if one.get("animation") or one.get("video")
                    ]
        except TimeoutError:
            shown = await self.desk.transcript(self.person)
            raise AssertionError(f"there are not {count} videos:\n{shown}") from None
        return found

    async def file_of(self, message: Message) -> bytes:
        """A message's video."""
        return await self.desk.file((message.get("animation") or message["video"])["file_id"])

    async def _said(self) -> list[Message]:
        messages = await self.desk.messages(self.person)
        return [one for one in messages if one["from"]["is_bot"]]


def _text_of(message: Message) -> str:
    return str(message.get("text") or message.get("caption") or "")


@asynccontextmanager
async def whole_service(folder: Path, *, is_pushed: bool = False) -> AsyncIterator[Service]:
    """Everything at work; the bot fetches its updates, or they are pushed to it."""
    listen = f"127.0.0.1:{free_port()}"
    webhook: dict[str, Any] = {"webhook_url": f"http://{listen}/push", "webhook_listen": listen}
    store_place = str(folder / "store")
    async with AsyncExitStack() as stack:
        url = stack.enter_context(valkey_server(folder))
        sandbox = await stack.enter_async_context(Sandbox())
        settings = Settings(
            bot_token=SecretStr(sandbox.token),
            bot_api_url=sandbox.url,
            redis_url=SecretStr(url),
            data_dir=folder / "data",
            open=True,
            **webhook if is_pushed else {},
        )
        ending = asyncio.Event()
        store = FileStore.open(store_place, min_free_bytes=0)
        bot = asyncio.create_task(serve(settings, store, ending))
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.worker.program"),
            _plan(url, store_place, folder),
            cwd=ROOT,
            stderr=stack.enter_context((folder / "worker.log").open("wb")),
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        redis = await stack.enter_async_context(connect(url, is_worker=False))
        try:
            people = People(redis, url, frozenset(), is_open=True)
            yield Service(Desk(session, sandbox.url), people)
            assert (sandbox.telegram.webhook is not None) == is_pushed
        finally:
            ending.set()
            worker.terminate()
            await asyncio.gather(bot, worker.wait())
        log = (folder / "worker.log").read_text("utf-8", "replace")
        assert told(secrets_of(sandbox, folder), log) == set()


def portrait() -> Part:
    """One face."""
    return Part("photo", _jpeg("one"))


def two_portraits() -> Part:
    """Two faces."""
    return Part("photo", _jpeg("two"))


def wall() -> Part:
    """No face."""
    return Part("photo", _jpeg("none"))


@cache
def _jpeg(kind: str) -> bytes:
    head = np.ascontiguousarray(astronaut()[0:200, 120:320])
    grey = brick()[:200, :200]
    pictures = {
        "one": head,
        "two": np.hstack([head, head[:, ::-1]]),
        "none": np.stack([grey] * 3, axis=-1),
    }
    file = BytesIO()
    Image.fromarray(pictures[kind]).save(file, "JPEG", quality=95)
    return file.getvalue()


def _plan(url: str, store: str, folder: Path) -> str:
    setup = EngineSetup(
        templates_dir=SHIPPED_TEMPLATES,
        checkpoints_dir=folder / "weights",
        device="cpu",
        is_offline=True,
    )
    plan = {
        "url": url,
        "store": store,
        "place": str(folder / "work"),
        "setup": setup.model_dump(mode="json"),
        "lock_s": 30.0,
        "engines": ENGINES,
    }
    return json.dumps(plan)
