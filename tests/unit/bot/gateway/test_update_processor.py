"""Whose order an update keeps."""

from typing import Any

import pytest
from telegram import Update

from bot.gateway.update_processor import chat_of

ALICE = {"id": 7, "is_bot": False, "first_name": "Alice"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Alice"}
GROUP = {"id": -1001, "type": "group", "title": "Family"}


def message_in(chat: dict[str, Any]) -> dict[str, Any]:
    return {"message_id": 1, "date": 0, "chat": chat, "from": ALICE, "text": "hello"}


def tap(**where: Any) -> dict[str, Any]:
    return {"id": "1", "from": ALICE, "chat_instance": "1", "data": "smile", **where}


@pytest.mark.parametrize(
    ("content", "chat"),
    [
        ({"message": message_in(PRIVATE)}, 7),
        ({"message": message_in(GROUP)}, -1001),
        ({"callback_query": tap(message=message_in(PRIVATE))}, 7),
        ({"callback_query": tap(message=message_in(GROUP))}, -1001),
        ({"callback_query": tap(inline_message_id="x")}, 7),
        ({"inline_query": {"id": "1", "from": ALICE, "query": "", "offset": ""}}, 7),
        ({}, None),
    ],
    ids=["private", "group", "tap", "tap in a group", "tap inline", "inline", "nothing"],
)
def test_updates_of_a_chat_or_else_of_a_person_keep_their_order(
    content: dict[str, Any], chat: int | None
) -> None:
    assert chat_of(Update.de_json({"update_id": 1, **content}, None)) == chat


def test_what_is_no_update_has_no_order() -> None:
    assert chat_of(object()) is None
