"""Updates as Telegram sends them become objects of python-telegram-bot, one by one."""

import json
from dataclasses import dataclass, field
from typing import Any

from telegram import Bot, Update


@dataclass(frozen=True)
class UnreadableUpdate:
    """An update that python-telegram-bot cannot parse.

    Attributes:
        update_id: Telegram's number of it; 0 if it has none.
        kind: the names of its fields, such as `message`; no contents.
        error: the class of the error that parsing ended with.
        text: the update itself. It is private: store it, never log it.
    """

    update_id: int
    kind: str
    error: str
    text: str = field(repr=False)


def read_update(text: str, bot: Bot) -> Update | UnreadableUpdate:
    """Parse one update.

    Args:
        text: its JSON.
        bot: the bot that the shortcuts of its objects use.
    """
    data: Any = None
    try:
        data = json.loads(text)
        return Update.de_json(data, bot)
    except Exception as exc:  # noqa: BLE001 - it depends on the update what the library raises
        fields = data if isinstance(data, dict) else {}
        number = fields.get("update_id")
        return UnreadableUpdate(
            update_id=number if isinstance(number, int) else 0,
            kind=", ".join(sorted(map(str, fields.keys() - {"update_id"}))),
            error=type(exc).__name__,
            text=text,
        )
