"""`animato doctor --live` at a sandbox: what Telegram says, and what becomes of three files."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from telegram import BotCommand, InputFile

from bot.gateway.checks import check_access, check_files, check_live, check_telegram
from bot.gateway.connection import bot_of
from bot.gateway.outgoing import OutgoingVideo
from bot.gateway.polling import PollingBot
from bot.people import People
from inference.sample_videos import SampleVideo, write_samples
from jobs.check_results import CheckResult, State
from jobs.queues.keys import PEOPLE_ADMINS_KEY
from sandbox.server import Sandbox
from tests.integration.bot.running import Heard, built, running, settings_for, until
from tests.integration.sandbox.desk import ADMIN, Desk
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]


def by_name(findings: list[CheckResult]) -> dict[str, CheckResult]:
    return {one.about: one for one in findings}


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[OutgoingVideo, OutgoingVideo]:
    """A silent one and one with sound."""

    def video(sample: SampleVideo) -> OutgoingVideo:
        side_px, name = sample.side_px, sample.path.name
        return OutgoingVideo(
            sample.path, side_px, side_px, sample.duration_s, sample.has_sound, name
        )

    silent, with_sound = write_samples(tmp_path_factory.mktemp("samples"))
    return video(silent), video(with_sound)


# --- the command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def doctor(folder: Path, *options: str, **settings: str) -> Ended:
    """The command as an owner types it in an empty folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANIMATO_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "animato", "doctor", "--live", *options),
        env=kept | settings | {"PYTHONPATH": str(ROOT), "ANIMATO_MIN_FREE_GB": "0"},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def test_all_is_well_and_three_messages_are_all_that_it_leaves(
    sandbox: Sandbox, desk: Desk, valkey: str, tmp_path: Path
) -> None:
    for text in ("/start", "hello"):
        await desk.say(text, user_id=ADMIN)
    pending = [dict(update) for update in await sandbox.telegram.updates.poll(0, 100, 0)]
    ended = await doctor(
        tmp_path,
        "--json",
        ANIMATO_BOT_API_URL=sandbox.url,
        ANIMATO_BOT_TOKEN=sandbox.token,
        ANIMATO_ADMINS=str(ADMIN),
        ANIMATO_REDIS_URL=valkey,
    )
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["can_run"] is True
    assert [(one["sent"], one["came_back"], one["is_same"]) for one in report["trips"]] == [
        (kind, kind, True) for kind in ("animation", "video", "document")
    ]
    sent = (await desk.messages(ADMIN))[2:]
    assert [one["caption"].partition(": ")[2] for one in sent] == ["animation", "video", "document"]
    # Nothing was confirmed: what waited for the bot still does.
    assert await sandbox.telegram.updates.poll(0, 100, 0) == pending
    changing = [one["method"] for one in await desk.calls() if one["method"].startswith("set")]
    assert changing == []


async def test_language_that_the_bot_does_not_speak_is_in_the_way(
    sandbox: Sandbox, valkey: str, tmp_path: Path
) -> None:
    ended = await doctor(
        tmp_path,
        ANIMATO_BOT_API_URL=sandbox.url,
        ANIMATO_BOT_TOKEN=sandbox.token,
        ANIMATO_LANGUAGE="fr",
        ANIMATO_REDIS_URL=valkey,
    )
    assert ended.code == 3
    assert "ANIMATO_LANGUAGE is 'fr': choose one of de, en, es, pt, ru, uk." in ended.out


async def test_token_that_telegram_does_not_know_is_in_the_way_and_not_shown(
    sandbox: Sandbox, valkey: str, tmp_path: Path
) -> None:
    token = "4242:another"  # noqa: S105 - of this test
    ended = await doctor(
        tmp_path,
        ANIMATO_BOT_API_URL=sandbox.url,
        ANIMATO_BOT_TOKEN=token,
        ANIMATO_REDIS_URL=valkey,
    )
    assert ended.code == 3
    assert "Telegram does not know this token" in ended.out
    assert ended.err == "animato: The service cannot run yet; fix first: bot.\n"
    assert token not in ended.out + ended.err


# --- what Telegram says ---------------------------------------------------------------------------


async def test_telegram_that_is_away_is_in_the_way(
    sandbox: Sandbox, videos: tuple[OutgoingVideo, OutgoingVideo]
) -> None:
    await sandbox.stop()
    findings, trips = await check_live(settings_for(sandbox), [ADMIN], *videos)
    assert [one.is_in_the_way for one in findings] == [True]
    assert "cannot be used" in findings[0].says
    assert trips == []


async def test_flags_of_botfather_are_told_with_what_to_write_there(
    sandbox: Sandbox, desk: Desk
) -> None:
    async with bot_of(settings_for(sandbox)) as bot:
        before = by_name(await check_telegram(bot, "", 0))
    await desk.post("settings", privacy_mode="false")
    async with bot_of(settings_for(sandbox)) as bot:
        after = by_name(await check_telegram(bot, "", 0))
    assert before["privacy mode"].state is State.OK
    assert after["privacy mode"].state is State.MISSING
    assert "/setprivacy" in after["privacy mode"].says


async def test_profile_is_missing_until_the_bot_has_set_it(sandbox: Sandbox) -> None:
    async with bot_of(settings_for(sandbox)) as bot:
        before = by_name(await check_telegram(bot, "", 0))
        await bot.set_my_commands([BotCommand("start", "Begin")])
        await bot.set_my_description("What I do")
        between = by_name(await check_telegram(bot, "", 0))
        await bot.set_my_short_description("Portraits")
        after = by_name(await check_telegram(bot, "", 0))
    assert "no commands, no description, no short description" in before["profile"].says
    assert "has no short description yet" in between["profile"].says
    assert after["profile"].state is State.OK


async def test_other_program_that_fetches_updates_is_found_and_goes_on(
    sandbox: Sandbox, redis: Redis, desk: Desk
) -> None:
    answered = Heard()
    async with running(built(sandbox, redis, answered)):
        await until(lambda: sandbox.telegram.has_listener)
        async with bot_of(settings_for(sandbox)) as bot:
            found = by_name(await check_telegram(bot, "", 15.0))
        await desk.say("still there?")
        await until(lambda: answered.texts == ["still there?"])
    assert found["updates"].state is State.WRONG
    assert "another program fetches them" in found["updates"].says


async def test_waiting_updates_are_counted_and_nobody_else_is_suspected(
    sandbox: Sandbox, desk: Desk
) -> None:
    await desk.say("one")
    await desk.say("two")
    async with bot_of(settings_for(sandbox)) as bot:
        found = by_name(await check_telegram(bot, "", 0.1))
    assert found["updates"] == CheckResult(
        "updates", State.OK, "nobody else fetches them; 2 waiting"
    )


async def test_webhook_of_another_program_is_told_and_left_alone(sandbox: Sandbox) -> None:
    url = "http://127.0.0.1:9/x"
    async with aiohttp.ClientSession() as session:
        await RawBot(session, sandbox).call("setWebhook", url=url)
    async with bot_of(settings_for(sandbox)) as bot:
        foreign = by_name(await check_telegram(bot, "", 0))
        ours = by_name(await check_telegram(bot, url, 0))
    assert foreign["updates"].state is State.WRONG
    assert "another webhook" in foreign["updates"].says
    assert ours["updates"].state is State.OK
    assert sandbox.telegram.webhook is not None


# --- what Telegram makes of files -----------------------------------------------------------------


class Recoding(PollingBot):
    """A Telegram that makes documents of animations, and keeps no document's bytes."""

    async def send_animation(self, *given: Any, **named: Any) -> Any:
        return await self.send_document(given[0], caption=named["caption"])

    async def send_document(self, *given: Any, **named: Any) -> Any:
        other = InputFile(b"other", "other.txt")
        return await super().send_document(given[0], other, caption=named["caption"])


async def test_what_comes_back_otherwise_is_wrong(
    sandbox: Sandbox, desk: Desk, videos: tuple[OutgoingVideo, OutgoingVideo]
) -> None:
    await desk.say("/start", user_id=ADMIN)
    async with Recoding(sandbox.token, sandbox.base_url, sandbox.base_file_url) as bot:
        finding, trips = await check_files(bot, [ADMIN], *videos)
    assert finding.state is State.WRONG
    assert finding.says == (
        "what was sent as animation came back as document; the document came back with other bytes"
    )
    assert [trip.is_same for trip in trips] == [False, True, False]


async def test_admin_who_never_wrote_is_asked_to(
    sandbox: Sandbox, videos: tuple[OutgoingVideo, OutgoingVideo]
) -> None:
    async with bot_of(settings_for(sandbox)) as bot:
        finding, trips = await check_files(bot, [ADMIN], *videos)
        nobody, _ = await check_files(bot, [], *videos)
    assert finding.state is State.WRONG
    assert "write /start to the bot" in finding.says
    assert trips == []
    assert nobody.state is State.MISSING
    assert "ANIMATO_ADMINS" in nobody.says


# --- who watches over it --------------------------------------------------------------------------


async def test_admins_are_those_of_the_settings_and_those_who_claimed(
    sandbox: Sandbox, redis: Redis, valkey: str
) -> None:
    settings = settings_for(sandbox, bot_token=SecretStr(""))
    findings, admins = await check_access(valkey, settings)
    assert by_name(findings)["admins"].state is State.MISSING
    assert admins == []
    await redis.sadd(PEOPLE_ADMINS_KEY, "5")
    await People(redis, valkey, frozenset(), is_open=False).pause(is_paused=True)
    findings, admins = await check_access(valkey, settings_for(sandbox, admins=(ADMIN,), open=True))
    assert admins == [ADMIN, 5]
    found = by_name(findings)
    assert "there are 2" in found["admins"].says
    assert "everybody" in found["access"].says
    assert "/resume" in found["pause"].says
