"""Updates that python-telegram-bot cannot read: set aside, told of once, and in nobody's way."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.gateway.connection import bot_of
from bot.gateway.polling import PollingBot
from jobs.queues.keys import failed_update_key
from sandbox.server import Sandbox
from tests.integration.bot.running import (
    PATIENCE_S,
    Heard,
    built,
    left_in_inbox,
    running,
    settings_for,
    until,
)
from tests.integration.bot.served_bot import ServedBot, serve_bot
from tests.integration.jobs.servers import free_port
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, Desk

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]

MB = 1_000_000
SECRET = "a_secret-1"  # noqa: S105 - of this test
HEADER = "X-Telegram-Bot-Api-Secret-Token"

# As older Bot API servers send it: without the field allows_revoting.
POLL = {
    "id": "1",
    "question": "private question?",
    "options": [{"persistent_id": "0", "text": "yes", "voter_count": 0}],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
}


async def poll_sent(desk: Desk, person: int = ALICE) -> None:
    await desk.post("message", user_id=person, chat_id=person, content=json.dumps({"poll": POLL}))


async def set_aside(client: Redis) -> list[Any]:
    """What is kept of updates that nobody could handle."""
    keys = [key async for key in client.scan_iter(failed_update_key("*"))]
    return [json.loads(await client.get(key) or "") for key in keys]


async def test_update_that_cannot_be_read_makes_nobody_unheard(
    sandbox: Sandbox, redis: Redis, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for library in ("telegram", "httpx", "httpcore"):
        caplog.set_level(logging.INFO, library)
    answered = Heard()
    await desk.say("before")
    await poll_sent(desk)
    await desk.say("after", user_id=BOB, chat_id=BOB)
    async with running(built(sandbox, redis, answered)):
        await until(lambda: len(answered.texts) == 2)
        await until(lambda: len(sandbox.telegram.updates) == 0)
    assert answered.texts == ["before", "after"]
    (record,) = await set_aside(redis)
    assert json.loads(record["update"])["message"]["poll"]["question"] == "private question?"
    assert await left_in_inbox(redis) == 0
    (line,) = [one.getMessage() for one in caplog.records if "set aside" in one.getMessage()]
    assert "(message)" in line
    assert "TypeError" in line
    assert "private question" not in caplog.text
    assert "Traceback" not in caplog.text
    # The restart meets it no more.
    again = Heard()
    async with running(built(sandbox, redis, again)):
        await desk.say("new")
        await until(lambda: again.texts == ["new"])


async def test_forward_of_an_unknown_kind_does_not_end_the_bot(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    sender = {"id": BOB, "is_bot": False, "first_name": "Bob"}
    origin = {"type": "of the future", "date": 5, "sender_user": sender}
    where = {"user_id": ALICE, "chat_id": ALICE}
    answered = Heard()
    await desk.post("message", content=json.dumps({"forward_origin": origin}), **where)
    await desk.say("after", user_id=BOB, chat_id=BOB)
    async with running(built(sandbox, redis, answered)):
        await until(lambda: answered.texts == ["after"])
    (record,) = await set_aside(redis)
    assert record["error"] == "TypeError"


class Answering(HTTPXRequest):
    """A server that always gives one answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    async def do_request(self, *_: Any, **__: Any) -> tuple[int, bytes]:
        return 200, self._answer


@pytest.mark.parametrize("result", ["true", "{}", "[3]", '[{"message": {}}]', "null"])
async def test_answer_that_holds_no_updates_is_an_outage(result: str) -> None:
    answer = f'{{"ok": true, "result": {result}}}'.encode()
    bot = PollingBot("4242:sandbox", get_updates_request=Answering(answer))
    with pytest.raises(TelegramError, match="no updates"):
        await bot.fetch()


async def test_broken_answer_of_telegram_is_not_quoted_in_the_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    bot = bot_of(settings_for(sandbox))
    with pytest.raises(TelegramError):
        bot.request.parse_json_payload(b'{"ok": true, "result": "secret words')
    assert "secret words" not in caplog.text
    assert "Can not load invalid JSON data" in caplog.text


# --- pushed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pushed:
    """A bot with a webhook."""

    url: str
    answered: Heard
    session: aiohttp.ClientSession

    async def push(self, body: Any, secret: str | None = SECRET) -> int:
        """The status that a push is answered with."""
        headers = {} if secret is None else {HEADER: secret}
        async with self.session.post(self.url, data=body, headers=headers) as response:
            return response.status


@pytest.fixture
async def pushed(sandbox: Sandbox, redis: Redis) -> AsyncIterator[Pushed]:
    listen = f"127.0.0.1:{free_port()}"
    url, answered = f"http://{listen}/updates", Heard()
    facts: dict[str, Any] = {
        "webhook_url": url,
        "webhook_listen": listen,
        "webhook_secret": SecretStr(SECRET),
    }
    application = built(sandbox, redis, answered, **facts)
    async with running(application), aiohttp.ClientSession() as session:
        yield Pushed(url, answered, session)


async def test_pushed_update_that_cannot_be_read_is_set_aside_and_confirmed(
    pushed: Pushed, redis: Redis, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await poll_sent(desk)
    await desk.say("after", user_id=BOB, chat_id=BOB)
    await until(lambda: pushed.answered.texts == ["after"])
    (record,) = await set_aside(redis)
    assert record["error"] == "TypeError"
    assert "private question" not in caplog.text


@pytest.mark.parametrize("secret", [None, "", "wrong", "a_secret-\xe9"])
async def test_push_without_the_secret_is_refused_before_its_body_is_read(
    pushed: Pushed, secret: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST /updates HTTP/1.1\r\nHost: here\r\nContent-Length: {50 * MB}\r\n"
    if secret is not None:
        head += f"{HEADER}: {secret}\r\n"
    assert await answer_to(pushed.url, head) == 403
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("length", ["Content-Length: 1000001", f"Content-Length: {50 * MB}"])
async def test_push_that_says_it_is_too_large_is_refused_before_its_body_is_read(
    pushed: Pushed, length: str
) -> None:
    head = f"POST /updates HTTP/1.1\r\nHost: here\r\n{length}\r\n{HEADER}: {SECRET}\r\n"
    assert await answer_to(pushed.url, head) == 413


async def test_push_without_a_length_is_refused_as_soon_as_it_is_too_large(pushed: Pushed) -> None:
    head = "POST /updates HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    # The body is not at its end: a little more than 1 MB has come.
    assert await answer_to(pushed.url, f"{head}{HEADER}: {SECRET}\r\n", chunk * 16) == 413


async def test_push_of_the_largest_size_is_taken(pushed: Pushed) -> None:
    assert await pushed.push(b'{"update_id": 1}'.ljust(MB)) == 200
    await until(lambda: pushed.answered.texts == ["None"])


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[1]", b"3", b"null", b"{}", b'{"update_id": "x"}', b"\xff", b"[" * 10**5]
)
async def test_push_that_is_no_update_is_refused_without_a_word_of_it(
    pushed: Pushed, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert await pushed.push(body) == 400
    assert caplog.text == ""


async def answer_to(url: str, head: str, body: bytes = b"") -> int:
    """The status that is answered while a request is still incomplete."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(head.encode("latin-1") + b"\r\n" + body)
        async with asyncio.timeout(PATIENCE_S):
            status = (await reader.readline()).split()[1]
            rest = await reader.read()
        assert b"HTTP/1.1 4" not in rest
        return int(status)
    finally:
        writer.close()


# --- who is told ----------------------------------------------------------------------------------


@pytest.fixture
async def served_bot(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path
) -> AsyncIterator[ServedBot]:
    async with serve_bot(sandbox, valkey, desk, tmp_path) as found:
        yield found


async def test_admins_are_told_once_of_updates_that_cannot_be_read(
    served_bot: ServedBot, redis: Redis, desk: Desk
) -> None:
    await served_bot.says("/start", ADMIN)
    for _ in range(3):
        await poll_sent(desk)
    note = await served_bot.shows("could not be read and was set aside", ADMIN)
    assert "(message)" in note["text"]
    assert "TypeError" in note["text"]
    await served_bot.says("/start", BOB)
    await served_bot.shows("I bring portraits to life", BOB)
    assert len(await set_aside(redis)) == 3
    notes = [one for one in await served_bot.said(ADMIN) if "could not be read" in one["text"]]
    assert len(notes) == 1
