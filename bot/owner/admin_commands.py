"""What admins write and tap. The guard has checked that they are admins."""

from collections.abc import Awaitable, Callable

from bot.callback_data import ButtonData
from bot.gateway.messenger import CardMessage, ChatTarget, MessageContent
from bot.gateway.updates import IncomingTap
from bot.orders.follow_up_orders import FollowUpOrders
from bot.orders.ordering import Ordering
from bot.owner.access import Admissions
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

    async def claim(self, target: ChatTarget, person_id: int, text: str) -> None:
        """Make an admin of the first person who opens the link of the first start."""
        _, people = self._services.texts, self._services.people
        secret = text.partition(CLAIM_LINK)[2].strip()
        is_owner = await self._claims.redeem(secret, person_id)
        # The same update may be repeated after the link was used.
        if is_owner or await people.role(person_id) is Role.ADMIN:
            said = _("You are an admin of this bot now. /status shows its state.")
            await self._say(target, MessageContent(said))
            await self._commands_shown(person_id)
        else:
            await self._say(
                target, MessageContent(_("This link was used already, or has expired."))
            )

    async def status(self, target: ChatTarget) -> None:
        """Show the state of the service."""
        await self._say(target, await self._status_content())

    async def jobs(self, target: ChatTarget) -> None:
        """List the orders."""
        await self._say(target, await self._jobs.list_page(0))

    async def pause(self, target: ChatTarget, *, is_paused: bool) -> None:
        """Pause or resume new orders."""
        await self._services.people.pause(is_paused=is_paused)
        await self._say(target, MessageContent(self._pause_text(is_paused=is_paused)))

    async def change_access(self, command: str, target: ChatTarget, persons: list[int]) -> None:
        """Allow, ban or unban people; without any, list who is allowed and who is banned."""
        admissions = self._admissions
        changes = {"allow": admissions.allow, "ban": admissions.ban, "unban": admissions.unban}
        if persons:
            content = MessageContent(await changes[command](persons))
        else:
            content = await self._access_content()
        await self._say(target, content)

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
        lines = [blocked_line(digest, blocked[digest], _) for digest in shown]
        text = "\n".join((await self._admissions.list_people(), *([""] if lines else []), *lines))
        return MessageContent(text, tuple(rows))

    async def _status_content(self) -> MessageContent:
        return status_content(await overview_of(self._services), self._services.texts)

    def _pause_text(self, *, is_paused: bool) -> str:
        _ = self._services.texts
        if is_paused:
            return _("Paused: no new orders. Those in the queue are still made. /resume")
        return _("New orders are accepted again.")

    async def _say(self, target: ChatTarget, content: MessageContent) -> None:
        await self._services.messenger.send(target, content)
