"""Checks of `animato doctor`: the admins, the token, and what Telegram says about the bot."""

import asyncio

from telegram import (
    Bot,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
    User,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, TelegramError

from bot.gateway.connection import NOT_KNOWN, bot_of
from bot.gateway.outgoing import OutgoingVideo
from bot.gateway.polling import PollingBot
from bot.gateway.round_trip import Trip, round_trips
from bot.people import People
from jobs.check_results import CheckResult, State
from jobs.connection import connect
from jobs.errors import BadSettings
from jobs.service_errors import TelegramUnavailable
from jobs.settings import Settings

# Our request interrupts another program that polls, which returns within a second or two.
WATCH_S = 5.0
_PAUSE_S = 1.0


async def check_access(url: str, settings: Settings) -> tuple[list[CheckResult], list[int]]:
    """Check admins and access; also return the admins, those of the settings first.

    Args:
        url: the address of Redis.
        settings: admins and access.

    Raises:
        QueueUnavailable: Redis does not answer.
    """
    client = connect(url, is_worker=False)
    people = People(client, url, frozenset(settings.admins), is_open=settings.open)
    try:
        claimed = await people.admins() - set(settings.admins)
        is_paused = await people.is_paused()
    finally:
        await client.aclose()
    admins = [*settings.admins, *sorted(claimed)]
    findings = [_admins(admins), _access(settings)]
    if is_paused:
        says = "an admin has paused new orders and can send /resume to the bot"
        findings.append(CheckResult("pause", State.WRONG, says))
    return findings, admins


def _admins(admins: list[int]) -> CheckResult:
    if not admins:
        says = "none yet: the bot's first start prints a link; whoever opens it becomes one"
        return CheckResult("admins", State.MISSING, says)
    return CheckResult(
        "admins", State.OK, f"there are {len(admins)}" if admins[1:] else "there is one"
    )


def _access(settings: Settings) -> CheckResult:
    says = "open: for everybody" if settings.open else "private: for admins and people they allow"
    return CheckResult("access", State.OK, says)


def check_token(settings: Settings) -> CheckResult:
    """Check that there is a token, without asking Telegram."""
    if not settings.bot_token.get_secret_value():
        says = (
            "not set: write /newbot to @BotFather on Telegram, and set ANIMATO_BOT_TOKEN to what "
            "you get (docs/first-evening.md)"
        )
        return CheckResult("token", State.MISSING, says, is_needed=True)
    says = "set; `animato doctor --live` asks Telegram about it"
    return CheckResult("token", State.OK, says, is_needed=True)


async def check_live(
    settings: Settings, admins: list[int], silent: OutgoingVideo, with_sound: OutgoingVideo
) -> tuple[list[CheckResult], list[Trip]]:
    """Check what Telegram says about the bot, and send three files and fetch them back.

    Args:
        settings: with the token.
        admins: the first of them gets the files.
        silent: see `round_trips`.
        with_sound: see `round_trips`.

    Raises:
        BadSettings: there is no token.
    """
    try:
        async with bot_of(settings) as bot:
            findings = await check_telegram(bot, settings.webhook_url)
            finding, trips = await check_files(bot, admins, silent, with_sound)
    except InvalidToken:
        return [CheckResult.of("bot", BadSettings(reason=NOT_KNOWN))], []
    except TelegramError as error:
        away = TelegramUnavailable(place=settings.bot_api_url, reason=error.message)
        return [CheckResult.of("bot", away)], []
    return [*findings, finding], trips


# --- what Telegram says ---------------------------------------------------------------------------


async def check_telegram(
    bot: PollingBot, webhook_url: str, watch_s: float = WATCH_S
) -> list[CheckResult]:
    """Check what Telegram says about the bot, without confirming, changing or sending anything.

    Args:
        bot: an initialized bot.
        webhook_url: where updates are pushed; empty: they are fetched.
        watch_s: how long to look for another program that fetches updates.

    Raises:
        TelegramError: Telegram does not answer.
    """
    return [
        CheckResult("bot", State.OK, f"Telegram knows it as @{bot.username}", is_needed=True),
        *check_flags(bot.bot),
        await _profile(bot),
        await _updates(bot, webhook_url, watch_s),
    ]


def check_flags(user: User) -> list[CheckResult]:
    """Check what the owner has set in @BotFather."""
    flags = (
        ("groups", user.can_join_groups, "can be added to groups", "/setjoingroups, Enable"),
        (
            "privacy mode",
            not user.can_read_all_group_messages,
            "on: in groups it receives only commands and replies",
            "/setprivacy, Enable; until then it receives all messages of its groups",
        ),
        (
            "inline",
            user.supports_inline_queries,
            "on: results can be shared; /setinlinefeedback makes them count in the metrics",
            "/setinline, and /setinlinefeedback; until then results have no Share button",
        ),
    )
    return [
        CheckResult(about, State.OK, says)
        if is_set
        else CheckResult(about, State.MISSING, f"no: write to @BotFather {what}")
        for about, is_set, says, what in flags
    ]


async def _profile(bot: Bot) -> CheckResult:
    """Check the bot's commands and descriptions."""
    scopes = (
        BotCommandScopeDefault(),
        BotCommandScopeAllPrivateChats(),
        BotCommandScopeAllGroupChats(),
    )
    name = (await bot.get_my_name()).name
    missing = []
    if not any([await bot.get_my_commands(scope) for scope in scopes]):
        missing.append("commands")
    if not (await bot.get_my_description()).description:
        missing.append("description")
    if not (await bot.get_my_short_description()).short_description:
        missing.append("short description")
    if missing:
        says = f"{name} has no {', no '.join(missing)} yet: the bot sets them when it starts"
        return CheckResult("profile", State.MISSING, says)
    return CheckResult("profile", State.OK, f"{name} has its commands and descriptions")


async def _updates(bot: PollingBot, webhook_url: str, watch_s: float) -> CheckResult:
    """Check that updates reach this bot and no other program."""
    about = "updates"
    info = await bot.get_webhook_info()
    if info.url and info.url == webhook_url:
        if info.last_error_message:
            says = (
                f"Telegram could not push the last one ({info.last_error_message}): look at your "
                "web server and at ANIMATO_WEBHOOK_LISTEN"
            )
            return CheckResult(about, State.WRONG, says)
        return CheckResult(about, State.OK, "pushed to ANIMATO_WEBHOOK_URL")
    if info.url:
        says = (
            "pushed to another webhook: the bot replaces it at its start; if it comes back, stop "
            "the program that sets it, or take a new token (/revoke)"
        )
        return CheckResult(about, State.WRONG, says)
    if await _is_fetched_elsewhere(bot, watch_s):
        says = (
            "another program fetches them. If that is your own service, all is well; else stop it: "
            "only one program can use a token"
        )
        return CheckResult(about, State.WRONG, says)
    waiting = f"{info.pending_update_count or 'none'} waiting"
    return CheckResult(about, State.OK, f"nobody else fetches them; {waiting}")


async def _is_fetched_elsewhere(bot: PollingBot, watch_s: float) -> bool:
    """Whether another program fetches updates meanwhile. Without an offset none is confirmed."""
    now = asyncio.get_running_loop().time
    end_s = now() + watch_s
    while (left_s := end_s - now()) > 0:
        try:
            found = await bot.fetch(wait_s=max(1, round(left_s)))
        except Conflict:
            return True
        if found:
            # The answer came at once, which left no time for another program.
            await asyncio.sleep(min(_PAUSE_S, max(0.0, end_s - now())))
    return False


# --- what Telegram makes of files -----------------------------------------------------------------


async def check_files(
    bot: PollingBot, admins: list[int], silent: OutgoingVideo, with_sound: OutgoingVideo
) -> tuple[CheckResult, list[Trip]]:
    """Send an admin three small files, fetch them back, and compare them."""
    about = "files"
    if not admins:
        says = "no admin to send them to: set ANIMATO_ADMINS to your Telegram id"
        return CheckResult(about, State.MISSING, says), []
    try:
        trips = await round_trips(bot, admins[0], silent, with_sound)
    except (BadRequest, Forbidden) as error:
        says = f"the first admin cannot be written to ({error.message}): write /start to the bot"
        return CheckResult(about, State.WRONG, says), []
    except TelegramError as error:
        says = f"they did not come back ({error.message}): try again"
        return CheckResult(about, State.WRONG, says), []
    problems = [trip.problem for trip in trips if trip.problem]
    if problems:
        return CheckResult(about, State.WRONG, "; ".join(problems)), trips
    return CheckResult(about, State.OK, "three were sent to the first admin and came back"), trips
