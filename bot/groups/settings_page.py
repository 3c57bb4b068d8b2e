"""The page of a group's settings: everybody may read it, the group's admins may tap."""

from functools import partial

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, CardMessage, MessageContent
from bot.gateway.updates import IncomingTap, TapAnswer
from bot.groups.group_settings import GroupSettings, WhoMayAsk
from bot.people import Role
from bot.services import Services
from bot.texts import Texts

GROUP = "group-"
"""How the arguments of these buttons begin."""
_ON, _WHO, _LIMIT, _CLOSE = (f"{GROUP}{name}" for name in ("on", "who", "limit", "close"))
# A tap on the limit goes to the next one.
_LIMITS = (None, 5, 10, 20, 50, 100)


def settings_content(group: GroupSettings, _: Texts) -> MessageContent:
    """The settings, and a button to change each of them."""
    on = _("🟢 On: I take orders here") if group.is_on else _("⚪ Off: I take no orders here")
    is_open = group.who_may_ask is WhoMayAsk.EVERYONE
    who = _("👥 Everybody may ask") if is_open else _("👮 Only admins may ask")
    limit = _("♾ Videos in 24 h: any number")
    if group.orders_per_day is not None:
        limit = _("📅 Videos in 24 h: {count}", count=group.orders_per_day)
    rows = ((on, _ON), (who, _WHO), (limit, _LIMIT), (_("✖️ Close"), _CLOSE))
    text = _("The settings of this group. Its admins change them with the buttons.")
    return MessageContent(text, tuple((_button(label, name),) for label, name in rows))


def changed(group: GroupSettings, button: str) -> dict[str, object]:
    """Return what a button changes."""
    if button == _ON:
        return {"is_on": not group.is_on}
    if button == _WHO:
        is_open = group.who_may_ask is WhoMayAsk.EVERYONE
        return {"who_may_ask": WhoMayAsk.ADMINS if is_open else WhoMayAsk.EVERYONE}
    if button == _LIMIT:
        known = group.orders_per_day
        place = _LIMITS.index(known) if known in _LIMITS else 0
        return {"orders_per_day": _LIMITS[(place + 1) % len(_LIMITS)]}
    return {}


class SettingsPage:
    """Handles taps on the page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def tap(self, tap: IncomingTap) -> TapAnswer:
        """Change a setting, and show the page again.

        Raises:
            QueueUnavailable, TelegramError: try again later.
        """
        services, _ = self._services, self._services.texts
        button = ButtonData.decode(tap.data)
        if button is None or not await self._may_change(tap):
            text = _("Only the admins of this group can change its settings.")
            return TapAnswer(text, is_alert=True)
        if button.argument == _CLOSE:
            return TapAnswer(then=partial(services.messenger.delete, tap.chat_id, tap.message_id))
        group = await services.groups.read(tap.chat_id)
        changes = changed(group, button.argument)
        group = await services.groups.change(tap.chat_id, **changes)
        card = CardMessage(message_id=tap.message_id)
        content = settings_content(group, _)
        return TapAnswer(
            then=partial(services.messenger.edit, tap.chat_id, card, content), only_shows=True
        )

    async def _may_change(self, tap: IncomingTap) -> bool:
        if await self._services.people.role(tap.person_id) is Role.ADMIN:
            return True
        return await self._services.messenger.is_chat_admin(tap.chat_id, tap.person_id)


def _button(label: str, name: str) -> Button:
    return Button(label, ButtonData(ButtonAction.SETTINGS, argument=name))
