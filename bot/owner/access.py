"""Who is let in: the bot is private unless its owner wants otherwise.

The guard looks at everything before any other handler does. Whoever is not served hears so in one
polite line, now and then; admins' commands of anybody else are met with silence.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from telegram.error import TelegramError

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.orders.ordering import Ordering
from bot.owner.claim import CLAIM_LINK
from bot.people import Person, Role
from bot.services import Services
from bot.texts import Texts
from jobs.connection import queue_errors
from jobs.queues.keys import refused_key

log = logging.getLogger(__name__)

OWNER_COMMANDS = ("status", "jobs", "pause", "resume", "allow", "ban", "unban")
# A photo is answered even right after a text; those of an album come together.
_TOLD_AGAIN_S = {"text": 60, "file": 5}
_MOST_LISTED = 100
# What people may write in a group without naming the bot; anything else may be another bot's.
_BARE_COMMANDS = ("animate", "help", "start", "cancel")
# Everybody may take back and delete what is theirs.
_ALWAYS = (ButtonAction.CANCEL, ButtonAction.DROP, ButtonAction.DELETE)


@dataclass(frozen=True)
class CommandAttempt:
    """Somebody who wants something.

    Attributes:
        place: where, with the message to answer.
        person: who.
        text: what was written, text or caption.
        query: Telegram's number of a tap, or None if it is a message.
        data: what the tapped button carries.
        bot: the bot's own name on Telegram.
        has_file: whether a message brings more than text.
    """

    place: ChatTarget
    person: int
    text: str = ""
    query: str | None = None
    data: str = ""
    bot: str = ""
    has_file: bool = False

    @property
    def command(self) -> str:
        """The command's name, or nothing if it is none."""
        first = (self.text.split() or [""])[0]
        return first[1:].partition("@")[0].lower() if first.startswith("/") else ""

    @property
    def is_for_bot(self) -> bool:
        """Whether it is meant for this bot: in a group that are commands, and not all of them."""
        if not self.is_group:
            return True
        named = (self.text.split() or [""])[0].partition("@")[2].lower()
        return named == self.bot.lower() if named else self.command in _BARE_COMMANDS

    @property
    def is_group(self) -> bool:
        """Whether it is in a group, whose chat numbers are negative."""
        return self.place.chat < 0


class Guard:
    """Lets people in, or says why not.

    Args:
        office: the parts of the bot.
        contact: how the owner can be reached; may be empty.
    """

    def __init__(self, services: Services, contact: str) -> None:
        self._services = services
        self._contact = contact
        self._redis: Redis = services.queues.client

    async def admits(self, knock: CommandAttempt) -> bool:
        """Whether the other handlers may see this; if not, the person was told what there is to."""
        role = await self._services.people.role(knock.person)
        if role is Role.ADMIN:
            return True
        if knock.query is not None:
            return await self._admits_tap(knock, role)
        if knock.command in OWNER_COMMANDS:
            return False
        is_claim = knock.text.startswith(f"/start {CLAIM_LINK}") and not knock.is_group
        if role is Role.GUEST or is_claim:
            return True
        if knock.is_for_bot:
            await self._refuse(knock, role)
        return False

    async def _admits_tap(self, knock: CommandAttempt, role: Role) -> bool:
        tap, query = ButtonData.decoded(knock.data), knock.query or ""
        verb = tap.verb if tap else None
        if verb is ButtonAction.OWNER:
            await self._services.messenger.answer(query)
            return False
        if role is Role.GUEST or verb in _ALWAYS:
            return True
        text = refusal(role, knock.person, self._contact, self._services.texts)
        await self._services.messenger.answer(query, text, is_alert=True)
        return False

    async def _refuse(self, knock: CommandAttempt, role: Role) -> None:
        kind, url = "file" if knock.has_file else "text", self._services.queues.url
        key = refused_key(knock.place.chat, knock.person, kind)
        with queue_errors(url):
            if await self._redis.exists(key):
                return
        text = refusal(role, knock.person, self._contact, self._services.texts)
        await self._services.messenger.send(knock.place, MessageContent(text))
        with queue_errors(url):
            await self._redis.set(key, "1", ex=_TOLD_AGAIN_S[kind])


class Admissions:
    """Lets people in and shuts them out, for an admin.

    All methods return what to tell the admin, and raise QueueUnavailable if the server does not
    answer.

    Args:
        office: the parts of the bot.
        ordering: takes back the orders of those who are shut out.
    """

    def __init__(self, services: Services, ordering: Ordering) -> None:
        self._services = services
        self._ordering = ordering

    async def allow(self, persons: Sequence[int]) -> str:
        """Lets people in, those too who had been shut out, and tells them so."""
        _, people, untold = self._services.texts, self._services.people, []
        for person in persons:
            role = await people.role(person)
            await people.change(person, is_allowed=True, is_banned=False)
            if role in (Role.STRANGER, Role.BANNED) and not await self._is_told(person):
                untold.append(person)
        lines = [_("May use the bot: {persons}", persons=_numbers(persons))]
        if untold:
            text = _(
                "I could not tell {persons}: they must write to me first.",
                persons=_numbers(untold),
            )
            lines.append(text)
        return "\n".join(lines)

    async def ban(self, persons: Sequence[int]) -> str:
        """Shuts people out, and takes back what they have ordered; admins stay."""
        _, admins = self._services.texts, await self._services.people.admins()
        out = [person for person in persons if person not in admins]
        for person in out:
            await self._services.people.change(person, is_allowed=False, is_banned=True)
            for card in await self._ordering.open_orders(person):
                await self._ordering.cancel_order(card)
        lines = []
        if out:
            lines.append(_("Shut out: {persons}", persons=_numbers(out)))
        if len(out) < len(persons):
            lines.append(_("Admins cannot be shut out."))
        return "\n".join(lines)

    async def unban(self, persons: Sequence[int]) -> str:
        """Makes people who were shut out what they were before anybody knew them."""
        for person in persons:
            await self._services.people.change(person, is_banned=False)
        _ = self._services.texts
        return _("Not shut out any more: {persons}", persons=_numbers(persons))

    async def listed(self) -> str:
        """Who was let in and who was shut out, and how that is done."""
        return people_text(await self._services.people.listed(), self._services.texts)

    async def _is_told(self, person: int) -> bool:
        """Whether a person who was let in could be told so."""
        _ = self._services.texts
        words = MessageContent(_("You may use this bot now. Send me a photo."))
        try:
            await self._services.messenger.send(ChatTarget(person), words)
        except TelegramError as error:
            log.info("who was let in was not told: %s", type(error).__name__)
            return False
        return True


def refusal(role: Role, person: int, contact: str, _: Texts) -> str:
    """The polite line for somebody who is not served.

    Args:
        role: `STRANGER` or `BANNED`.
        person: whose number the owner needs.
        contact: how the owner can be reached; may be empty.
        _: the sentences.
    """
    if role is Role.BANNED:
        text = _("The owner of this bot does not want it to serve you.")
    else:
        text = _(
            "This bot is private. Its owner can let you in: your number is {person}.",
            person=person,
        )
    return f"{text} {_('The owner: {contact}', contact=contact)}" if contact else text


def people_text(people: dict[int, Person], _: Texts) -> str:
    """Who was let in and who was shut out, and how that is done."""
    allowed = [person for person, known in people.items() if known.is_allowed]
    banned = [person for person, known in people.items() if known.is_banned]
    return "\n".join(
        (
            _("Let in: {persons}", persons=_numbers(allowed) or _("nobody")),
            _("Shut out: {persons}", persons=_numbers(banned) or _("nobody")),
            "",
            _(
                "/allow, /ban and /unban take Telegram's numbers, as in /allow 4242, or answer to "
                "a message of that person."
            ),
        )
    )


def _numbers(persons: Sequence[int]) -> str:
    shown = ", ".join(map(str, persons[:_MOST_LISTED]))
    return f"{shown} ..." if len(persons) > _MOST_LISTED else shown
