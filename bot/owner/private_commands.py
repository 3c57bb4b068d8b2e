"""Admins' commands that are answered only in private: limits, statistics, broadcasts, movements."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from bot.gateway.messenger import CardMessage, MessageContent
from bot.gateway.updates import Command, IncomingMessage
from bot.movements import TemplateState
from bot.orders.media_delivery import MediaOutcome
from bot.orders.media_requests import request_media
from bot.owner.broadcasts import Broadcasts
from bot.owner.buttons import OwnerAction
from bot.owner.limit_commands import LimitCommands
from bot.owner.own_templates import OwnTemplates
from bot.owner.statistics_text import chart_day, statistics_text
from bot.services import Services
from jobs.errors import UserError
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawChart

Action = Callable[[str], Awaitable[tuple[str, MessageContent]]]

_WEEK_DAYS = 7
_CAPTION_CHARACTERS = 1024
UNDER_PREVIEW = (OwnerAction.PUBLISH, OwnerAction.DISCARD)
"""Buttons under an animation; the others are under texts."""


class PrivateAdminCommands:
    """Answers admins' commands and buttons, in private chats.

    Args:
        limit_commands: answers /limits.
        broadcasts: answers /broadcast.
        own_templates: answers /add_template and /templates_admin.

    Attributes:
        commands: what answers each command, by its name.
        actions: what each button does; it returns the answer and the message's new content.
    """

    def __init__(
        self,
        services: Services,
        limit_commands: LimitCommands,
        broadcasts: Broadcasts,
        own_templates: OwnTemplates,
    ) -> None:
        self.own_templates = own_templates
        self._services = services
        self._limit_commands = limit_commands
        self._broadcasts = broadcasts
        self.commands: dict[str, Command] = {
            "limits": self._limits,
            "stats": self._show_statistics,
            "broadcast": self._broadcast,
            "templates_admin": own_templates.administer,
        }
        self.actions: dict[OwnerAction, Action] = {
            OwnerAction.BROADCAST: self._send_broadcast,
            OwnerAction.STOP_BROADCAST: self._stop_broadcast,
            OwnerAction.TEMPLATES: self._list_templates,
            OwnerAction.PUBLISH: self._publish,
            OwnerAction.DISCARD: self._discard,
            OwnerAction.SHOW: self._show_template,
            OwnerAction.HIDE: self._hide_template,
            OwnerAction.ASK_TO_REMOVE: self._ask_to_remove,
            OwnerAction.REMOVE: self._remove_template,
        }

    async def _limits(self, incoming: IncomingMessage) -> None:
        words = incoming.text.split()[1:]
        await self._say(incoming, await self._limit_commands.answer(words))

    async def _show_statistics(self, incoming: IncomingMessage) -> None:
        services = self._services
        content = MessageContent(await self._statistics_text())
        sent = await services.messenger.send(incoming.target, content)
        days = [
            chart_day(one, services.texts)
            for one in await services.statistics.last_days(_WEEK_DAYS)
        ]
        job = MediaJob(
            job_id=f"chart-{incoming.person_id}-{sent}",
            person=incoming.person_id,
            chat=incoming.chat_id,
            reference=str(sent),
            task=DrawChart(days=tuple(days)),
        )
        with suppress(UserError):  # no worker can draw it: the text is shown without it
            await request_media(services, job)

    async def receive_chart(self, outcome: MediaOutcome) -> None:
        """Put the chart into the message with the numbers."""
        services = self._services
        if outcome.result is None:
            return
        picture = await services.store.get(outcome.result.key)
        legend = services.texts(
            "Each day: 🟦 done, 🟨 not made or cancelled, 🟥 failed; below, how many people "
            "ordered."
        )
        text = f"{await self._statistics_text()}\n\n{legend}"[:_CAPTION_CHARACTERS]
        card = CardMessage(message_id=int(outcome.job.reference))
        await services.messenger.edit_media(outcome.job.chat, card, picture, MessageContent(text))

    async def _statistics_text(self) -> str:
        statistics = self._services.statistics
        today, week = await statistics.of_last_days(1), await statistics.of_last_days(_WEEK_DAYS)
        return statistics_text(today, week, self._services.texts)

    async def _broadcast(self, incoming: IncomingMessage) -> None:
        _, _, text = incoming.text.partition(" ")
        await self._broadcasts.ask(incoming.person_id, incoming.target, text.strip())

    async def _send_broadcast(self, name: str) -> tuple[str, MessageContent]:
        return "", await self._broadcasts.send(name)

    async def _stop_broadcast(self, name: str) -> tuple[str, MessageContent]:
        return "", await self._broadcasts.stop(name)

    async def _list_templates(self, _about: str) -> tuple[str, MessageContent]:
        return "", await self.own_templates.list_content()

    async def _publish(self, name: str) -> tuple[str, MessageContent]:
        text = await self.own_templates.set_state(name, TemplateState.PUBLISHED)
        return "", MessageContent(text)

    async def _discard(self, name: str) -> tuple[str, MessageContent]:
        return "", MessageContent(await self.own_templates.remove(name))

    async def _show_template(self, name: str) -> tuple[str, MessageContent]:
        answer = await self.own_templates.set_state(name, TemplateState.PUBLISHED)
        return answer, await self.own_templates.list_content()

    async def _hide_template(self, name: str) -> tuple[str, MessageContent]:
        answer = await self.own_templates.set_state(name, TemplateState.HIDDEN)
        return answer, await self.own_templates.list_content()

    async def _ask_to_remove(self, name: str) -> tuple[str, MessageContent]:
        return "", self.own_templates.ask_to_remove(name)

    async def _remove_template(self, name: str) -> tuple[str, MessageContent]:
        answer = await self.own_templates.remove(name)
        return answer, await self.own_templates.list_content()

    async def _say(self, incoming: IncomingMessage, text: str) -> None:
        await self._services.messenger.send(incoming.target, MessageContent(text))
