"""What the webhook's port answers to somebody who is not Telegram."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.gateway import webhook
from bot.gateway.application import Backoff
from bot.gateway.connection import run
from jobs.errors import BadSettings
from sandbox.server import Sandbox
from tests.integration.bot.running import PATIENCE_S, Heard, built, running, until
from tests.integration.jobs.servers import free_port

pytestmark = pytest.mark.local_sockets

SECRET = "a_secret-1"  # noqa: S105 - of this test
HEADERS = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The webhook does not wait long."""
    monkeypatch.setattr(webhook, "_BODY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(webhook, "_HEADERS_TIMEOUT_S", 0.5)


@pytest.fixture
async def url(sandbox: Sandbox, redis: Redis) -> AsyncIterator[str]:
    """The address of a webhook."""
    listen = f"127.0.0.1:{free_port()}"
    application = built(
        sandbox,
        redis,
        heard := Heard(),
        webhook_url=f"http://{listen}/updates",
        webhook_listen=listen,
        webhook_secret=SecretStr(SECRET),
    )
    async with running(application):
        yield f"http://{listen}/updates"
        # Whatever a test has done, Telegram is still heard.
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://{listen}/updates", json={"update_id": 1}, headers=HEADERS
            ) as response,
        ):
            assert response.status == 200
        await until(lambda: heard.texts == ["None"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_methods_are_refused_even_with_the_secret(url: str, method: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=HEADERS) as response,
    ):
        assert response.status == 405


@pytest.mark.parametrize("path", ["/", "/updates/", "/updates/x", "/UPDATES", "/metrics"])
async def test_other_paths_are_not_there(url: str, path: str) -> None:
    address = url.removesuffix("/updates") + path
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, json={"update_id": 2}, headers=HEADERS) as response,
    ):
        assert response.status == 404


@pytest.mark.parametrize("secret", [None, "", "a_secret-", "a_secret-12"])
async def test_refusal_of_a_wrong_secret_says_nothing(url: str, secret: str | None) -> None:
    headers = {} if secret is None else {next(iter(HEADERS)): secret}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"update_id": 2}, headers=headers) as response,
    ):
        assert response.status == 403
        assert await response.read() == b""


REQUEST = f"POST /updates HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "beginning",
    ["", "POST /upd", REQUEST, f"{REQUEST}Content-Length: 20\r\n\r\n", "\0\1\2\r\n\r\n"],
    ids=["nothing", "half a line", "half the headers", "no body", "no HTTP"],
)
async def test_connection_that_goes_no_further_is_closed(url: str, beginning: str) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(beginning.encode())
    async with asyncio.timeout(PATIENCE_S):
        await reader.read()  # until it is closed
    writer.close()


@pytest.mark.parametrize(
    "rest",
    [
        f"Content-Length: {webhook.MAX_BODY_BYTES + 1}\r\n\r\n",
        f"Transfer-Encoding: chunked\r\n\r\n{webhook.MAX_BODY_BYTES + 1:x}\r\n"
        + "x" * (webhook.MAX_BODY_BYTES + 1),
    ],
    ids=["announced", "in pieces"],
)
async def test_body_that_is_too_large_is_refused(url: str, rest: str) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write((REQUEST + rest).encode())
    async with asyncio.timeout(PATIENCE_S):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_address_that_telegram_refuses_is_a_wrong_setting(
    sandbox: Sandbox, redis: Redis
) -> None:
    application = built(
        sandbox,
        redis,
        Heard(),
        webhook_url="https://bot.example.org/updates",
        webhook_listen=f"127.0.0.1:{free_port()}",
        backoff=Backoff(start_pauses_s=(0.0,)),
    )
    with pytest.raises(BadSettings, match=r"^ANIMATO_WEBHOOK_URL .* refuses it \(Bad webhook: "):
        await run(application, asyncio.Event())
