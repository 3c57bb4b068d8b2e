"""Whether the bot can be one: who watches over it, and what Telegram says of it."""

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
from bot.gateway.messenger import OutgoingVideo
from bot.gateway.polling import PollingBot
from bot.gateway.round_trip import Trip, round_trips
from bot.people import People
from jobs.check_results import CheckResult, State
from jobs.connection import connect
from jobs.errors import BadSettings
from jobs.service_errors import TelegramUnavailable
from jobs.settings import Settings

# Another poller is pushed away by ours, and comes back within a second or two.
LISTEN_S = 5.0
_PAUSE_S = 1.0


async def check_access(url: str, settings: Settings) -> tuple[list[CheckResult], list[int]]:
    """Who watches over the bot and whom it serves; and the admins, those of the settings first.

    Args:
        url: the server of the queues.
        settings: admins and access.

    Raises:
        QueueUnavailable: the server does not answer.
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
        says = "no orders are taken: an admin has paused the bot and can write /resume to it"
        findings.append(CheckResult("pause", State.WRONG, says))
    return findings, admins


def _admins(admins: list[int]) -> CheckResult:
    if not admins:
        says = "none yet: the first start of the bot prints a link that makes its opener one"
        return CheckResult("admins", State.MISSING, says)
    return CheckResult(
        "admins", State.OK, f"there are {len(admins)}" if admins[1:] else "there is one"
    )


def _access(settings: Settings) -> CheckResult:
    says = "open: everybody is served" if settings.open else "private: admins, and whom they let in"
    return CheckResult("access", State.OK, says)


def check_token(settings: Settings) -> CheckResult:
    """Whether there is a token; Telegram is not asked about it."""
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
    """What Telegram says of the bot, and what becomes of three files on their way.

    Args:
        settings: with the token.
        admins: the first of them gets the files.
        silent: see `round_trips`.
        with_sound: likewise.

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
    bot: PollingBot, webhook_url: str, listen_s: float = LISTEN_S
) -> list[CheckResult]:
    """What Telegram says of the bot; nothing is confirmed, changed or sent.

    Args:
        bot: has met Telegram (`initialize`).
        webhook_url: where updates are to be pushed; empty: they are to be fetched.
        listen_s: how long another program that fetches updates is looked for.

    Raises:
        TelegramError: it does not answer any more.
    """
    return [
        CheckResult("bot", State.OK, f"Telegram knows it as @{bot.username}", is_needed=True),
        *_flags(bot.bot),
        await _profile(bot),
        await _listeners(bot, webhook_url, listen_s),
    ]


def _flags(user: User) -> list[CheckResult]:
    """What its owner has set in @BotFather."""
    flags = (
        ("groups", user.can_join_groups, "can be added to groups", "/setjoingroups, Enable"),
        (
            "privacy mode",
            not user.can_read_all_group_messages,
            "on: of groups it hears only what is meant for it",
            "/setprivacy, Enable; until then it hears all that is said in its groups",
        ),
    )
    findings = [
        CheckResult(about, State.OK, says)
        if is_set
        else CheckResult(about, State.MISSING, f"not so: write to @BotFather {what}")
        for about, is_set, says, what in flags
    ]
    inline = "on" if user.supports_inline_queries else "off"
    says = f"{inline}; this version answers no inline queries yet"
    return [*findings, CheckResult("inline", State.OK, says)]


async def _profile(bot: Bot) -> CheckResult:
    """Whether it has told Telegram what it is and what it can do."""
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


async def _listeners(bot: PollingBot, webhook_url: str, listen_s: float) -> CheckResult:
    """Whether updates come to us, and to nobody else."""
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
            "pushed to a webhook that is not ours: the bot takes its place at its start; if it "
            "comes back, stop the program that sets it, or take a new token (/revoke)"
        )
        return CheckResult(about, State.WRONG, says)
    if await _is_fetched_elsewhere(bot, listen_s):
        says = (
            "another program fetches them. If that is your own service, all is well; else stop "
            "it: one token serves one program"
        )
        return CheckResult(about, State.WRONG, says)
    waiting = f"{info.pending_update_count} wait" if info.pending_update_count else "none waits"
    return CheckResult(about, State.OK, f"nobody else fetches them; {waiting}")


async def _is_fetched_elsewhere(bot: PollingBot, listen_s: float) -> bool:
    """Whether somebody else asks for updates while we do; none is confirmed, for lack of offset."""
    now = asyncio.get_running_loop().time
    end_s = now() + listen_s
    while (left_s := end_s - now()) > 0:
        try:
            found = await bot.fetch(wait_s=max(1, round(left_s)))
        except Conflict:
            return True
        if found:
            # It came at once, so that nobody could come between.
            await asyncio.sleep(min(_PAUSE_S, max(0.0, end_s - now())))
    return False


# --- what Telegram makes of files -----------------------------------------------------------------


async def check_files(
    bot: PollingBot, admins: list[int], silent: OutgoingVideo, with_sound: OutgoingVideo
) -> tuple[CheckResult, list[Trip]]:
    """Sends an admin three small files, fetches them back, and compares.

    Args:
        bot: the connection.
        admins: the first of them gets the files.
        silent: see `round_trips`.
        with_sound: likewise.
    """
    about = "files"
    if not admins:
        says = "nobody to send them to: set ANIMATO_ADMINS to your number on Telegram"
        return CheckResult(about, State.MISSING, says), []
    try:
        trips = await round_trips(bot, admins[0], silent, with_sound)
    except (BadRequest, Forbidden) as error:
        says = f"the first admin cannot be written to ({error.message}): write /start to the bot"
        return CheckResult(about, State.WRONG, says), []
    except TelegramError as error:
        says = f"they did not come back ({error.message}): try again"
        return CheckResult(about, State.WRONG, says), []
    troubles = [trip.trouble for trip in trips if trip.trouble]
    if troubles:
        return CheckResult(about, State.WRONG, "; ".join(troubles)), trips
    return CheckResult(about, State.OK, "three were sent to the first admin and came back"), trips
