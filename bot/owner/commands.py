"""What admins write and tap: each answers one message, or changes the one with the button."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.callback_data import ButtonData
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.orders.later_orders import LaterOrders
from bot.orders.ordering import Ordering
from bot.owner.access import Admissions
from bot.owner.buttons import OwnerAction, deed_of
from bot.owner.claim import CLAIM_LINK, Claims
from bot.owner.jobs import Jobs
from bot.owner.overview import Overviews
from bot.owner.status import status_words
from bot.people import Role
from bot.services import Services
from jobs.drafts import Card


@dataclass(frozen=True)
class OwnersTap:
    """A tap on an admin's button.

    Attributes:
        chat: where the button is.
        person: the admin.
        message_id: its message.
        query: Telegram's number of the tap.
        tap: what the button carries.
    """

    chat: int
    person: int
    message_id: int
    query: str
    tap: ButtonData


class OwnerCommands:
    """Does what admins want. Whether somebody is one, the guard has seen to.

    Args:
        services: shared by the bot's parts.
        ordering: cancels orders.
        later_orders: retries orders.
        commands_shown: makes Telegram show an admin's commands in a chat.
    """

    def __init__(
        self,
        services: Services,
        ordering: Ordering,
        later_orders: LaterOrders,
        commands_shown: Callable[[int], Awaitable[None]],
    ) -> None:
        self._services = services
        self._commands_shown = commands_shown
        self._overviews = Overviews(services)
        self._jobs = Jobs(services, ordering, later_orders)
        self._admissions = Admissions(services, ordering)
        self._claims = Claims(services.queues.client, services.queues.url)

    async def claim(self, place: ChatTarget, person: int, text: str) -> None:
        """Makes an admin of the first who opens the link of the first start."""
        _, people = self._services.texts, self._services.people
        secret = text.partition(CLAIM_LINK)[2].strip()
        is_owner = await self._claims.redeem(secret, person)
        # The same update may come again when the link is used up.
        if is_owner or await people.role(person) is Role.ADMIN:
            said = _("You are an admin of this bot now. /status shows how it stands.")
            await self._say(place, MessageContent(said))
            await self._commands_shown(person)
        else:
            await self._say(place, MessageContent(_("This link is used up, or its time is over.")))

    async def status(self, place: ChatTarget) -> None:
        """How everything stands."""
        await self._say(place, await self._status_words())

    async def jobs(self, place: ChatTarget) -> None:
        """The orders."""
        await self._say(place, await self._jobs.listed(0))

    async def pause(self, place: ChatTarget, *, is_paused: bool) -> None:
        """Stops the taking of orders, or goes on."""
        await self._services.people.pause(is_paused=is_paused)
        await self._say(place, MessageContent(self._pause_text(is_paused=is_paused)))

    async def allow(self, place: ChatTarget, persons: Sequence[int]) -> None:
        """Lets people in; without any, says who is."""
        await self._admit(place, persons, self._admissions.allow)

    async def ban(self, place: ChatTarget, persons: Sequence[int]) -> None:
        """Shuts people out; without any, says who is."""
        await self._admit(place, persons, self._admissions.ban)

    async def unban(self, place: ChatTarget, persons: Sequence[int]) -> None:
        """Shuts people out no longer; without any, says who is shut out."""
        await self._admit(place, persons, self._admissions.unban)

    async def tapped(self, tapped: OwnersTap) -> None:
        """Does what a button says, and shows what came of it in its message."""
        messenger, found = self._services.messenger, deed_of(tapped.tap)
        if found is None:
            await messenger.answer(tapped.query, self._services.texts("This button is too old."))
            return
        deed, about = found
        told, words = await self._done(deed, about, tapped.person)
        await messenger.answer(tapped.query, told)
        await messenger.edit(tapped.chat, Card(message_id=tapped.message_id), words)

    async def _done(self, deed: OwnerAction, about: str, admin: int) -> tuple[str, MessageContent]:
        """What is said in passing, and what the message shows from now on."""
        match deed:
            case OwnerAction.PAUSE | OwnerAction.RESUME:
                is_paused = deed is OwnerAction.PAUSE
                await self._services.people.pause(is_paused=is_paused)
                return self._pause_text(is_paused=is_paused), await self._status_words()
            case OwnerAction.JOBS:
                return "", await self._jobs.listed(int(about) if about.isdecimal() else 0)
            case OwnerAction.JOB:
                return "", await self._jobs.detail(about)
            case OwnerAction.CANCEL:
                return await self._jobs.cancel(about), await self._jobs.detail(about)
            case OwnerAction.RETRY:
                return await self._jobs.retry(about, admin), await self._jobs.detail(about)
        return "", await self._status_words()

    async def _admit(
        self,
        place: ChatTarget,
        persons: Sequence[int],
        change: Callable[[Sequence[int]], Awaitable[str]],
    ) -> None:
        text = await (change(persons) if persons else self._admissions.listed())
        await self._say(place, MessageContent(text))

    async def _status_words(self) -> MessageContent:
        return status_words(await self._overviews.now(), self._services.texts)

    def _pause_text(self, *, is_paused: bool) -> str:
        _ = self._services.texts
        if is_paused:
            return _("Paused: new videos are not taken; those in the queue are still made. /resume")
        return _("Videos are taken again.")

    async def _say(self, place: ChatTarget, words: MessageContent) -> None:
        await self._services.messenger.send(place, words)
