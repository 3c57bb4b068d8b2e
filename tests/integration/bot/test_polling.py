"""How updates come, what is said when none come, and what is never said."""

import asyncio
import logging
import re

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.gateway.application import Backoff
from bot.gateway.connection import build_application, run
from bot.gateway.polling import ALLOWED_UPDATES
from jobs.errors import BadSettings
from jobs.service_errors import TelegramUnavailable
from sandbox.server import Sandbox
from tests.integration.bot.running import Heard, built, running, settings_for, until
from tests.integration.jobs.servers import free_port
from tests.integration.sandbox.desk import Desk
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets

SECRET = "a_secret-1"  # noqa: S105 - of this test
HEADER = "X-Telegram-Bot-Api-Secret-Token"


async def test_only_wanted_kinds_are_asked_for(sandbox: Sandbox, redis: Redis, desk: Desk) -> None:
    answered = Heard()
    async with running(built(sandbox, redis, answered)):
        await desk.say("one")
        await until(lambda: answered.texts == ["one"])
        await desk.say("two")
        await until(lambda: len(answered.texts) == 2)
    assert answered.texts == ["one", "two"]
    assert sandbox.telegram.updates.allowed_kinds == sorted(ALLOWED_UPDATES)


async def test_second_program_with_the_same_token_is_told_of_in_one_sentence(
    sandbox: Sandbox, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(built(sandbox, redis, Heard())), aiohttp.ClientSession() as session:
        other = RawBot(session, sandbox)
        for _ in range(3):
            await other.ask("getUpdates", timeout=0)
        await until(lambda: "another program fetches" in caplog.text)
    (record,) = [one for one in caplog.records if "another program" in one.getMessage()]
    assert record.exc_info is None
    assert "Traceback" not in caplog.text


async def test_webhook_that_another_program_sets_is_told_of(
    sandbox: Sandbox, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(built(sandbox, redis, Heard())), aiohttp.ClientSession() as session:
        await RawBot(session, sandbox).call("setWebhook", url="http://127.0.0.1:9/x")
        await until(lambda: "has set a webhook" in caplog.text)


async def test_outage_is_told_of_and_the_bot_hears_again(
    sandbox: Sandbox, redis: Redis, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    answered = Heard()
    async with running(built(sandbox, redis, answered)):
        await sandbox.stop()
        await until(lambda: "Telegram does not answer" in caplog.text)
        await sandbox.start()
        await desk.say("/start")
        await until(lambda: answered.texts == ["/start"])


async def test_token_is_in_no_line_of_the_log(
    sandbox: Sandbox, redis: Redis, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def fail(*_: object) -> None:
        raise ValueError(sandbox.token)

    application = built(sandbox, redis, Heard(fail))
    async with running(application):
        await desk.say("/start")
        await until(lambda: caplog.text.count("failed") >= 3)
        await sandbox.stop()
        await until(lambda: "Telegram does not answer" in caplog.text)
    assert sandbox.token not in caplog.text
    assert "Traceback" not in caplog.text
    assert sandbox.token not in repr(application)
    await sandbox.start()


async def test_wrong_token_is_an_error_that_does_not_hold_it(
    sandbox: Sandbox, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    application = built(sandbox, redis, Heard(), bot_token=SecretStr("4242:hunter2"))
    with pytest.raises(BadSettings, match="Telegram does not know this token") as caught:
        await run(application, asyncio.Event())
    logging.getLogger("test").error("it failed", exc_info=caught.value)
    assert "hunter2" not in caplog.text


async def test_token_that_is_revoked_ends_the_bot(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    application = built(sandbox, redis, Heard())
    work = asyncio.create_task(run(application, asyncio.Event()))
    await until(lambda: application.running)
    await desk.fault(method="getUpdates", code=401, times=100)
    await desk.say("wakes it")
    with pytest.raises(BadSettings, match="not any more"):
        await work


async def test_end_that_is_asked_for_before_telegram_answers_is_heard(
    sandbox: Sandbox, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await sandbox.stop()
    slow = Backoff(start_pauses_s=(1000.0,))
    application = built(sandbox, redis, Heard(), backoff=slow)
    ending = asyncio.Event()
    work = asyncio.create_task(run(application, ending))
    await until(lambda: "trying again" in caplog.text)
    ending.set()
    await work
    assert not application.running


async def test_telegram_that_is_never_there_is_an_error_with_its_place(
    sandbox: Sandbox, redis: Redis
) -> None:
    await sandbox.stop()
    application = built(sandbox, redis, Heard(), backoff=Backoff(start_pauses_s=(0.01, 0.01)))
    with pytest.raises(TelegramUnavailable, match=re.escape(sandbox.url)):
        await run(application, asyncio.Event())


async def test_telegram_that_refuses_the_start_is_an_error_with_its_place(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    await desk.fault(
        method="deleteWebhook", code=400, description="Bad Request: refused", times=100
    )
    with pytest.raises(TelegramUnavailable, match=r"\(Refused\)"):
        await run(built(sandbox, redis, Heard()), asyncio.Event())


def test_bot_without_a_token_says_where_to_get_one(sandbox: Sandbox, redis: Redis) -> None:
    with pytest.raises(BadSettings, match="@BotFather"):
        build_application(settings_for(sandbox, bot_token=SecretStr("")), redis)


# --- pushed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [SECRET, ""], ids=["given", "its own"])
async def test_pushed_updates_arrive_and_strangers_cannot_push(
    sandbox: Sandbox, redis: Redis, desk: Desk, secret: str
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    url = f"http://{listen}/updates"
    answered = Heard()
    application = built(
        sandbox,
        redis,
        answered,
        webhook_url=url,
        webhook_listen=listen,
        webhook_secret=SecretStr(secret),
    )
    forged = {"update_id": 1}
    async with running(application), aiohttp.ClientSession() as session:
        await desk.say("/start")
        await until(lambda: answered.texts == ["/start"])
        for headers in ({}, {HEADER: "wrong"}):
            async with session.post(url, json=forged, headers=headers) as response:
                assert response.status == 403
        assert application.webhook is not None
        if secret:
            assert application.webhook.secret == SECRET
        async with session.post(
            url, json=forged, headers={HEADER: application.webhook.secret}
        ) as response:
            assert response.status == 200
        await until(lambda: answered.texts == ["/start", "None"])


async def test_port_that_is_taken_is_an_error_that_names_the_setting(
    sandbox: Sandbox, redis: Redis
) -> None:
    listen = sandbox.url.removeprefix("http://")
    application = built(
        sandbox, redis, Heard(), webhook_url=f"{sandbox.url}/x", webhook_listen=listen
    )
    with pytest.raises(BadSettings, match="ANIMATO_WEBHOOK_LISTEN"):
        await run(application, asyncio.Event())


async def test_update_that_is_pushed_twice_is_handled_once(sandbox: Sandbox, redis: Redis) -> None:
    listen = f"127.0.0.1:{free_port()}"
    url = f"http://{listen}/updates"
    answered = Heard()
    application = built(sandbox, redis, answered, webhook_url=url, webhook_listen=listen)
    async with running(application), aiohttp.ClientSession() as session:
        assert application.webhook is not None
        headers = {HEADER: application.webhook.secret}
        for number in (1, 1, 2, 1):
            async with session.post(url, json={"update_id": number}, headers=headers) as response:
                assert response.status == 200
        await until(lambda: len(answered.texts) == 2)
    assert len(answered.texts) == 2
