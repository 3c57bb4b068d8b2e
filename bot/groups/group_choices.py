"""What the admins of a group choose in `/settings`, besides its language."""

from collections.abc import Mapping

from bot.conversation.settings_pages import Setting
from bot.groups.group_settings import WhoMayAsk
from bot.services import Services
from bot.texts import Texts, msgid

_ON, _OFF = "on", "off"
_NO_LIMIT = "0"
_LIMITS = (5, 10, 20, 50, 100)


def settings_of_group(services: Services) -> list[Setting]:
    """Return the settings: on or off, who may ask, and how many videos within 24 hours."""
    return [_is_on(services), _who_may_ask(services), _orders_per_day(services)]


def _is_on(services: Services) -> Setting:
    def choices(_: Texts) -> Mapping[str, str]:
        return {_ON: _("On"), _OFF: _("Off")}

    async def current(chat_id: int) -> str:
        return _ON if (await services.group_settings.read(chat_id)).is_on else _OFF

    async def choose(chat_id: int, choice: str) -> None:
        await services.group_settings.change(chat_id, is_on=choice == _ON)

    question = msgid("Should I take orders in this group?")
    return Setting("on", msgid("🟢 Orders here"), question, choices, current, choose)


def _who_may_ask(services: Services) -> Setting:
    def choices(_: Texts) -> Mapping[str, str]:
        return {WhoMayAsk.EVERYONE: _("Everybody"), WhoMayAsk.ADMINS: _("Only admins")}

    async def current(chat_id: int) -> str:
        return (await services.group_settings.read(chat_id)).who_may_ask

    async def choose(chat_id: int, choice: str) -> None:
        await services.group_settings.change(chat_id, who_may_ask=WhoMayAsk(choice))

    question = msgid("Who may ask me for videos in this group?")
    return Setting("who", msgid("👥 Who may ask"), question, choices, current, choose)


def _orders_per_day(services: Services) -> Setting:
    def choices(_: Texts) -> Mapping[str, str]:
        return {_NO_LIMIT: _("No limit"), **{str(number): str(number) for number in _LIMITS}}

    async def current(chat_id: int) -> str:
        limit = (await services.group_settings.read(chat_id)).orders_per_day
        return _NO_LIMIT if limit is None else str(limit)

    async def choose(chat_id: int, choice: str) -> None:
        limit = None if choice == _NO_LIMIT else int(choice)
        await services.group_settings.change(chat_id, orders_per_day=limit)

    question = msgid("How many videos may this group order within 24 hours?")
    return Setting("limit", msgid("📅 Videos in 24 hours"), question, choices, current, choose)
