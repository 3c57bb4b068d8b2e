"""Access: the bot is private unless its owner opens it.

The guard checks every update before the other handlers. People without access get one polite line
now and then; admins' commands from anybody else are ignored.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from telegram.error import TelegramError

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.command_lists import admin_commands
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.orders.ordering import Ordering
from bot.owner.claim import CLAIM_LINK
from bot.people import Person, Role
from bot.services import Services
from bot.texts import ENGLISH, Texts, speaking
from jobs.connection import queue_errors
from jobs.queues.keys import refused_key

log = logging.getLogger(__name__)

OWNER_COMMANDS = tuple(name for name, _ in admin_commands(ENGLISH))
# A refusal is repeated after this time, s; the photos of an album get one.
_TOLD_AGAIN_S = {"text": 60, "file": 5}
_MOST_LISTED = 100
# Commands that work in a group without the bot's name; others may be meant for another bot.
_BARE_COMMANDS = ("animate", "help", "start", "cancel", "settings")
# Everybody may cancel and delete their own orders ("Delete" is behind "More"), delete what is
# stored about them, and switch off the owner's messages. The handlers check who taps.
_ALWAYS = (
    ButtonAction.CANCEL,
    ButtonAction.DROP,
    ButtonAction.DELETE,
    ButtonAction.FORGET,
    ButtonAction.MORE,
    ButtonAction.NEWS,
)
_COMMANDS_OF_ALL = ("delete_me", "privacy")


@dataclass(frozen=True)
class CommandAttempt:
    """A message or a tap, before access is checked.

    Attributes:
        target: where to answer.
        person_id: who sent it.
        text: its text or caption.
        query_id: the callback query's id, or None for a message.
        data: the tapped button's data.
        bot: the bot's username.
        has_file: whether a message has media.
    """

    target: ChatTarget
    person_id: int
    text: str = ""
    query_id: str | None = None
    data: str = ""
    bot: str = ""
    has_file: bool = False

    @property
    def command(self) -> str:
        """The command's name; empty if it is not a command."""
        first = (self.text.split() or [""])[0]
        return first[1:].partition("@")[0].lower() if first.startswith("/") else ""

    @property
    def is_for_bot(self) -> bool:
        """Whether it is meant for this bot: in a group, only some commands are."""
        if not self.is_group:
            return True
        named = (self.text.split() or [""])[0].partition("@")[2].lower()
        return named == self.bot.lower() if named else self.command in _BARE_COMMANDS

    @property
    def is_for_all(self) -> bool:
        """Whether it is a command that everybody may use; not the caption of a file."""
        return self.command in _COMMANDS_OF_ALL and not (self.is_group or self.has_file)

    @property
    def is_group(self) -> bool:
        """Whether it is in a group, whose ids are negative."""
        return self.target.chat_id < 0


class Guard:
    """Lets updates through, or tells people why not.

    Args:
        contact: the owner's contact; may be empty.
    """

    def __init__(self, services: Services, contact: str) -> None:
        self._services = services
        self._contact = contact
        self._redis: Redis = services.queues.client

    async def admits(self, attempt: CommandAttempt) -> bool:
        """Whether the other handlers may see this. If not, the person is told why."""
        role = await self._services.people.role(attempt.person_id)
        if role is Role.ADMIN:
            return True
        if attempt.query_id is not None:
            return await self._admits_tap(attempt, role)
        if attempt.command in OWNER_COMMANDS:
            return False
        is_claim = attempt.text.startswith(f"/start {CLAIM_LINK}") and not attempt.is_group
        if role is Role.GUEST or is_claim or attempt.is_for_all:
            return True
        if attempt.is_for_bot:
            await self._refuse(attempt, role)
        return False

    async def _admits_tap(self, attempt: CommandAttempt, role: Role) -> bool:
        tap, query = ButtonData.decode(attempt.data), attempt.query_id or ""
        action = tap.action if tap else None
        if action is ButtonAction.OWNER:
            await self._services.messenger.answer(query)
            return False
        if role is Role.GUEST or action in _ALWAYS:
            return True
        if role is Role.STRANGER and action is ButtonAction.REPORT:
            return True  # a result may show somebody who may not use the bot
        text = refusal(role, attempt.person_id, self._contact, self._services.texts)
        await self._services.messenger.answer(query, text, is_alert=True)
        return False

    async def _refuse(self, attempt: CommandAttempt, role: Role) -> None:
        kind, url = "file" if attempt.has_file else "text", self._services.queues.url
        key = refused_key(attempt.target.chat_id, attempt.person_id, kind)
        with queue_errors(url):
            if await self._redis.exists(key):
                return
        text = refusal(role, attempt.person_id, self._contact, self._services.texts)
        await self._services.messenger.send(attempt.target, MessageContent(text))
        with queue_errors(url):
            await self._redis.set(key, "1", ex=_TOLD_AGAIN_S[kind])


class Admissions:
    """Gives people access and bans them.

    All methods return the answer to the admin, and raise QueueUnavailable if Redis does not answer.
    """

    def __init__(self, services: Services, ordering: Ordering) -> None:
        self._services = services
        self._ordering = ordering

    async def allow(self, persons: Sequence[int]) -> str:
        """Give people access, even if they were banned, and tell them."""
        _, people, untold = self._services.texts, self._services.people, []
        for person in persons:
            role = await people.role(person)
            await people.change(person, is_allowed=True, is_banned=False)
            if role in (Role.STRANGER, Role.BANNED) and not await self._has_told(person):
                untold.append(person)
        lines = [_("Allowed: {persons}", persons=_numbers(persons))]
        if untold:
            text = _(
                "I could not notify {persons}: they must write to me first.",
                persons=_numbers(untold),
            )
            lines.append(text)
        return "\n".join(lines)

    async def ban(self, persons: Sequence[int]) -> str:
        """Ban people and cancel their orders; admins cannot be banned."""
        _, admins = self._services.texts, await self._services.people.admins()
        out = [person for person in persons if person not in admins]
        for person in out:
            await self._services.people.change(person, is_allowed=False, is_banned=True)
            for card in await self._ordering.open_orders(person):
                await self._ordering.cancel_order(card)
        lines = []
        if out:
            lines.append(_("Banned: {persons}", persons=_numbers(out)))
        if len(out) < len(persons):
            lines.append(_("Admins cannot be banned."))
        return "\n".join(lines)

    async def unban(self, persons: Sequence[int]) -> str:
        """Lift the ban of people, without giving them access."""
        for person in persons:
            await self._services.people.change(person, is_banned=False)
        _ = self._services.texts
        return _("No longer banned: {persons}", persons=_numbers(persons))

    async def _has_told(self, person_id: int) -> bool:
        """Tell a person about the new access. Return whether that worked."""
        _ = self._services.texts
        with speaking(await self._services.languages.of(person_id, person_id)):
            content = MessageContent(_("You may use this bot now. Send me a photo."))
        try:
            await self._services.messenger.send(ChatTarget(person_id), content)
        except TelegramError as error:
            log.info("could not notify a person of the access: %s", type(error).__name__)
            return False
        return True


def refusal(role: Role, person_id: int, contact: str, _: Texts) -> str:
    """Return the polite line for somebody without access.

    Args:
        role: `STRANGER` or `BANNED`.
        person_id: their id, which the owner needs.
        contact: the owner's contact; may be empty.
    """
    if role is Role.BANNED:
        text = _("The owner of this bot has banned you.")
    else:
        text = _(
            "This bot is private. Its owner can give you access: your id is {person}.",
            person=person_id,
        )
    return f"{text} {_('The owner: {contact}', contact=contact)}" if contact else text


def people_text(people: dict[int, Person], _: Texts) -> str:
    """List who has access and who is banned, and how to change that."""
    allowed = [person for person, known in people.items() if known.is_allowed]
    banned = [person for person, known in people.items() if known.is_banned]
    return "\n".join(
        (
            _("Allowed: {persons}", persons=_numbers(allowed) or _("nobody")),
            _("Banned: {persons}", persons=_numbers(banned) or _("nobody")),
            "",
            _(
                "/allow, /ban and /unban take Telegram ids, as in /allow 4242, or reply to a "
                "message of that person."
            ),
        )
    )


def _numbers(persons: Sequence[int]) -> str:
    shown = ", ".join(map(str, persons[:_MOST_LISTED]))
    return f"{shown} ..." if len(persons) > _MOST_LISTED else shown
