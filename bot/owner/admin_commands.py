"""What admins write and tap. The guard has checked that they are admins."""

from collections.abc import Awaitable, Callable
from functools import partial

from bot.callback_data import ButtonData
from bot.gateway.messenger import CardMessage, MessageContent
from bot.gateway.updates import Command, IncomingMessage, IncomingTap
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.ordering import Ordering
from bot.owner.access import Admissions, people_text
from bot.owner.buttons import OwnerAction, owner_action_of, owner_button
from bot.owner.claim import CLAIM_LINK, Claims
from bot.owner.jobs import Jobs
from bot.owner.overview import overview_of
from bot.owner.private_commands import UNDER_PREVIEW, PrivateAdminCommands
from bot.owner.reports import SHOWN_CHARACTERS, blocked_line
from bot.owner.status_text import status_content
from bot.people import Role
from bot.services import Services

# Of a hash: what fits into a button, and what its label shows.
_DIGEST_CHARACTERS = 32
_MOST_PHOTOS = 20


class AdminCommands:
    """Answers admins.

    Args:
        ordering: cancels orders.
        follow_up_orders: retries orders.
        commands_shown: makes Telegram show an admin's commands in a chat.
        private_commands: answers the other commands.

    Attributes:
        private_commands: as given.
        in_private: what answers each command of private chats, by its name.
    """

    def __init__(
        self,
        services: Services,
        ordering: Ordering,
        follow_up_orders: FollowUpOrders,
        commands_shown: Callable[[int], Awaitable[None]],
        private_commands: PrivateAdminCommands,
    ) -> None:
        self.private_commands = private_commands
        self._services = services
        self._commands_shown = commands_shown
        self._jobs = Jobs(services, ordering, follow_up_orders)
        self._admissions = Admissions(services, ordering)
        self._claims = Claims(services.queues.client, services.queues.url)
        self.in_private: dict[str, Command] = {
            "status": self._status,
            "jobs": self._list_jobs,
            "pause": partial(self._pause, is_paused=True),
            "resume": partial(self._pause, is_paused=False),
            **private_commands.commands,
        }

    async def claim(self, incoming: IncomingMessage) -> None:
        """Make an admin of the first person who opens the link of the first start."""
        _, people = self._services.texts, self._services.people
        secret = incoming.text.partition(CLAIM_LINK)[2].strip()
        is_owner = await self._claims.redeem(secret, incoming.person_id)
        # The same update may be repeated after the link was used.
        if is_owner or await people.role(incoming.person_id) is Role.ADMIN:
            said = _("You are an admin of this bot now. /status shows its state.")
            await self._say(incoming, MessageContent(said))
            await self._commands_shown(incoming.person_id)
        else:
            said = _("This link was used already, or has expired.")
            await self._say(incoming, MessageContent(said))

    async def _status(self, incoming: IncomingMessage) -> None:
        await self._say(incoming, await self._status_content())

    async def _list_jobs(self, incoming: IncomingMessage) -> None:
        await self._say(incoming, await self._jobs.list_page(0))

    async def _pause(self, incoming: IncomingMessage, *, is_paused: bool) -> None:
        await self._services.people.pause(is_paused=is_paused)
        await self._say(incoming, MessageContent(self._pause_text(is_paused=is_paused)))

    async def change_access(
        self, command: str, incoming: IncomingMessage, persons: list[int]
    ) -> None:
        """Allow, ban or unban people; without any, list who is allowed and who is banned."""
        admissions = self._admissions
        changes = {"allow": admissions.allow, "ban": admissions.ban, "unban": admissions.unban}
        if persons:
            content = MessageContent(await changes[command](persons))
        else:
            content = await self._access_content()
        await self._say(incoming, content)

    async def tap(self, tap: IncomingTap) -> None:
        """Do what a button says, and show the result in its message."""
        messenger, button = self._services.messenger, ButtonData.decode(tap.data)
        found = owner_action_of(button) if button else None
        if found is None:
            await messenger.answer(tap.query_id, self._services.texts("This button is too old."))
            return
        action, about = found
        if action is OwnerAction.UNBLOCK:
            answer, content = await self._unblock(about)
        elif action in self.private_commands.actions:
            answer, content = await self.private_commands.actions[action](about)
        else:
            answer, content = await self._do(action, about, tap.person_id)
        await messenger.answer(tap.query_id, answer)
        card = CardMessage(message_id=tap.message_id, has_media=action in UNDER_PREVIEW)
        await messenger.edit(tap.chat_id, card, content)

    async def _do(self, action: OwnerAction, about: str, admin: int) -> tuple[str, MessageContent]:
        """Return the answer to the tap, and the message's new content."""
        match action:
            case OwnerAction.PAUSE | OwnerAction.RESUME:
                is_paused = action is OwnerAction.PAUSE
                await self._services.people.pause(is_paused=is_paused)
                return self._pause_text(is_paused=is_paused), await self._status_content()
            case OwnerAction.JOBS:
                return "", await self._jobs.list_page(int(about) if about.isdecimal() else 0)
            case OwnerAction.JOB:
                return "", await self._jobs.detail(about)
            case OwnerAction.CANCEL:
                return await self._jobs.cancel(about), await self._jobs.detail(about)
            case OwnerAction.RETRY:
                return await self._jobs.retry(about, admin), await self._jobs.detail(about)
        return "", await self._status_content()

    async def _unblock(self, about: str) -> tuple[str, MessageContent]:
        photos = self._services.blocked_photos
        for digest in await photos.all():
            if digest[:_DIGEST_CHARACTERS] == about:
                await photos.unblock(digest)
        return self._services.texts("The photo may be used again."), await self._access_content()

    async def _access_content(self) -> MessageContent:
        """List who is allowed and who is banned, and the blocked photos with a button for each."""
        _, blocked = self._services.texts, await self._services.blocked_photos.all()
        shown = list(blocked)[:_MOST_PHOTOS]
        rows = [
            (
                owner_button(
                    _("Unblock photo {digest}", digest=digest[:SHOWN_CHARACTERS]),
                    OwnerAction.UNBLOCK,
                    digest[:_DIGEST_CHARACTERS],
                ),
            )
            for digest in shown
        ]
        people = people_text(await self._services.people.allowed_or_banned(), _)
        lines = [blocked_line(digest, blocked[digest], _) for digest in shown]
        text = "\n".join((people, *([""] if lines else []), *lines))
        return MessageContent(text, tuple(rows))

    async def _status_content(self) -> MessageContent:
        return status_content(await overview_of(self._services), self._services.texts)

    def _pause_text(self, *, is_paused: bool) -> str:
        _ = self._services.texts
        if is_paused:
            return _("Paused: no new orders. Those in the queue are still made. /resume")
        return _("New orders are accepted again.")

    async def _say(self, incoming: IncomingMessage, content: MessageContent) -> None:
        await self._services.messenger.send(incoming.target, content)
