"""Finds buttons that are behind "More", as people do."""

from contextlib import suppress
from functools import partial
from typing import Any

from tests.integration.bot.running import until
from tests.integration.sandbox.desk import Desk, NotPossible

_MOST_TURNS = 5
Message = dict[str, Any]


async def with_button(desk: Desk, label: str, message: Message, person: int) -> Message:
    """The message with the page of buttons that has this one; as it is if none has."""
    where = {"user_id": person, "chat_id": message["chat"]["id"]}
    for _ in range(_MOST_TURNS):
        message = await _now(desk, message)
        shown = _labels(message)
        turns = [one for turn in ("⋯ More", "Back") for one in shown if turn in one]
        if any(label in one for one in shown) or not turns:
            break
        # An earlier tap may redraw the buttons at the same time.
        with suppress(NotPossible):
            await desk.post("tap", label=turns[0], message_id=message["message_id"], **where)
            await until(partial(_is_other, desk, message, shown))
    return await _now(desk, message)


async def _is_other(desk: Desk, message: Message, shown: list[str]) -> bool:
    return _labels(await _now(desk, message)) != shown


async def _now(desk: Desk, message: Message) -> Message:
    messages = await desk.messages(message["chat"]["id"])
    found = [one for one in messages if one["message_id"] == message["message_id"]]
    return found[0] if found else message


def _labels(message: Message) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]
