"""The owner's desk: /limits, /stats and /broadcast."""

from collections.abc import Awaitable, Callable

from bot.gateway.messenger import MessageContent
from bot.gateway.updates import IncomingMessage
from bot.owner.broadcasts import Broadcasts
from bot.owner.limit_commands import LimitCommands
from bot.owner.statistics_text import statistics_text
from bot.owner.status import OwnerAction
from bot.services import Services

Command = Callable[[IncomingMessage], Awaitable[None]]
Action = Callable[[str], Awaitable[tuple[str, MessageContent]]]

_WEEK_DAYS = 7


class OwnerDesk:
    """Answers admins' commands and buttons, in private chats.

    Args:
        limit_commands: answers /limits.
        broadcasts: answers /broadcast.

    Attributes:
        commands: what answers each command, by its name.
        actions: what each button does; it returns the answer and the message's new content.
    """

    def __init__(
        self, services: Services, limit_commands: LimitCommands, broadcasts: Broadcasts
    ) -> None:
        self._services = services
        self._limit_commands = limit_commands
        self._broadcasts = broadcasts
        self.commands: dict[str, Command] = {
            "limits": self._limits,
            "stats": self._show_statistics,
            "broadcast": self._broadcast,
        }
        self.actions: dict[OwnerAction, Action] = {
            OwnerAction.BROADCAST: self._send_broadcast,
            OwnerAction.STOP_BROADCAST: self._stop_broadcast,
        }

    async def _limits(self, incoming: IncomingMessage) -> None:
        words = incoming.text.split()[1:]
        await self._say(incoming, await self._limit_commands.answer(words))

    async def _show_statistics(self, incoming: IncomingMessage) -> None:
        statistics = self._services.statistics
        today, week = await statistics.of_last_days(1), await statistics.of_last_days(_WEEK_DAYS)
        await self._say(incoming, statistics_text(today, week, self._services.texts))

    async def _broadcast(self, incoming: IncomingMessage) -> None:
        _, _, text = incoming.text.partition(" ")
        await self._broadcasts.ask(incoming.person_id, incoming.target, text.strip())

    async def _send_broadcast(self, name: str) -> tuple[str, MessageContent]:
        return "", await self._broadcasts.send(name)

    async def _stop_broadcast(self, name: str) -> tuple[str, MessageContent]:
        return "", await self._broadcasts.stop(name)

    async def _say(self, incoming: IncomingMessage, text: str) -> None:
        await self._services.messenger.send(incoming.target, MessageContent(text))
