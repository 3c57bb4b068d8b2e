"""The pages of settings: an overview with a button for each setting, and a page of its choices.

The same pages serve a person in private and, with other settings, a group.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, MessageContent, in_rows
from bot.texts import Texts

_IN_A_ROW = 2
_SEPARATOR = "="


@dataclass(frozen=True)
class Setting:
    """A setting with a few choices. Its owner is a person, or a group by its chat's id.

    Attributes:
        key: short, for its buttons.
        label: its button and its name in the overview; a msgid.
        question: the text above its choices; a msgid.
        choices: returns the label of each choice, in the current language.
        current: returns the choice of an owner.
        choose: stores a choice of an owner.
    """

    key: str
    label: str
    question: str
    choices: Callable[[Texts], Mapping[str, str]]
    current: Callable[[int], Awaitable[str]]
    choose: Callable[[int, str], Awaitable[object]]


class SettingsPages:
    """The pages of some settings. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        settings: in the order of the overview.
        texts: what the bot says.
        title: the first line of the overview; a msgid.
    """

    def __init__(self, settings: Sequence[Setting], texts: Texts, title: str) -> None:
        self._settings = {setting.key: setting for setting in settings}
        self._texts = texts
        self._title = title

    async def overview(self, owner_id: int) -> MessageContent:
        """Return the page of all settings and their values."""
        _ = self._texts
        lines, buttons = [_(self._title)], []
        for setting in self._settings.values():
            label, choices = _(setting.label), setting.choices(_)
            chosen = choices.get(await setting.current(owner_id), "")
            lines.append(_("{setting}: {value}", setting=label, value=chosen))
            buttons.append(_button(label, setting.key))
        return MessageContent("\n".join(lines), tuple(in_rows(buttons, _IN_A_ROW)))

    async def choices(self, owner_id: int, key: str) -> MessageContent:
        """Return the page of a setting's choices; the overview if there is no such setting."""
        setting, _ = self._settings.get(key), self._texts
        if setting is None:
            return await self.overview(owner_id)
        chosen = await setting.current(owner_id)
        buttons = [
            _button(f"{'✓ ' if value == chosen else ''}{label}", f"{key}{_SEPARATOR}{value}")
            for value, label in setting.choices(_).items()
        ]
        rows = (*in_rows(buttons, _IN_A_ROW), (_button(_("◀️ All settings"), ""),))
        return MessageContent(_(setting.question), rows)

    async def tap(self, owner_id: int, argument: str) -> MessageContent:
        """Do what a button says, and return the page to show."""
        key, separator, value = argument.partition(_SEPARATOR)
        setting = self._settings.get(key)
        if setting is None or not separator:
            return await self.choices(owner_id, key)
        if value in setting.choices(self._texts):
            await setting.choose(owner_id, value)
        return await self.overview(owner_id)


def _button(label: str, argument: str) -> Button:
    return Button(label, ButtonData(ButtonAction.SETTINGS, argument=argument))
