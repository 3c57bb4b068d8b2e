"""What is done with an update before it is stored."""

import json
from typing import Any

import pytest
from telegram import Bot, Update

from bot.gateway.inbox import UnreadableUpdate, read_update

PERSON = {"id": 7, "is_bot": False, "first_name": "Alice"}
CHAT = {"id": 7, "type": "private"}
ORIGIN = {"type": "of the future", "date": 5, "sender_user": PERSON}


def update_with(**fields: Any) -> str:
    message = {"message_id": 1, "date": 5, "chat": CHAT, "from": PERSON, **fields}
    return json.dumps({"update_id": 3, "message": message})


def test_update_that_can_be_stored_is_read() -> None:
    found = read_update(update_with(text="hello"), Bot("4242:abc"))
    assert isinstance(found, Update)
    assert read_update(found.to_json(), Bot("4242:abc")) == found


@pytest.mark.parametrize(
    "fields", [{"external_reply": {"origin": ORIGIN}}, {"forward_origin": ORIGIN}]
)
def test_update_that_the_library_cannot_write_again_is_unreadable(fields: Any) -> None:
    text = update_with(**fields)
    found = read_update(text, Bot("4242:abc"))
    assert isinstance(found, UnreadableUpdate)
    assert (found.update_id, found.kind, found.text) == (3, "message", text)


@pytest.mark.parametrize("fields", [{"chat": CHAT | {"id": []}}, {"from": PERSON | {"id": {}}}])
def test_update_that_has_no_place_in_the_order_of_updates_is_unreadable(fields: Any) -> None:
    assert isinstance(read_update(update_with(**fields), Bot("4242:abc")), UnreadableUpdate)
