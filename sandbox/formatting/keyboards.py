"""Inline keyboards, checked as Telegram checks them."""

from collections.abc import Callable
from typing import Any, TypeVar

from sandbox.errors import bad_request
from sandbox.formatting.links import BadLink, checked_link
from sandbox.json_types import JsonObject

Kind = TypeVar("Kind")

MAX_BUTTONS = 100
MAX_DATA_BYTES = 64
MAX_COPIED_CHARACTERS = 256

_TYPE_NAMES: dict[type, str] = {str: "String", dict: "Object"}
_CHAT_TYPES = ("allow_user_chats", "allow_bot_chats", "allow_group_chats", "allow_channel_chats")


def checked_markup(value: JsonObject | None) -> JsonObject | None:
    """Return a `reply_markup` without unknown keys and empty rows; None if no button is left.

    Raises:
        ApiError: a button is invalid, or it is not an inline keyboard.
    """
    if not value:
        return None
    if "inline_keyboard" not in value:
        raise bad_request("inline keyboard expected")
    rows = value["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request(
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'
        )
    kept = [[_button(button) for button in row] for row in rows if row]
    if sum(map(len, kept)) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": kept} if kept else None


def button_with(markup: JsonObject, label: str | None, data: str | None) -> JsonObject | None:
    """Return the first button with this label and this `callback_data`; None stands for any."""
    for row in markup["inline_keyboard"]:
        for button in row:
            is_named = label is None or button["text"] == label
            if is_named and (data is None or button.get("callback_data") == data):
                found: JsonObject = button
                return found
    return None


def _button(button: JsonObject) -> JsonObject:
    text = _field(button, "text", str)
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = {name: checked(button) for name, checked in _ACTIONS.items() if _is_set(button, name)}
    if not actions:
        raise _bad_button("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise _bad_button(f"exactly one action is allowed, not {' and '.join(actions)}")
    return {"text": text} | actions


def _is_set(button: JsonObject, name: str) -> bool:
    """Return whether an action is given; only an inline query may be empty."""
    return name in button and (name.startswith("switch_inline_query") or button[name] != "")


def _callback_data(button: JsonObject) -> str:
    data = _field(button, "callback_data", str)
    if len(data.encode(errors="replace")) > MAX_DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    return data


def _url(button: JsonObject) -> str:
    url = _field(button, "url", str)
    try:
        return checked_link(url)
    except BadLink as exc:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: {exc}") from exc


def _chosen_chat(button: JsonObject) -> JsonObject:
    given = _field(button, "switch_inline_query_chosen_chat", dict)
    query = _field(given, "query", str) if "query" in given else ""
    return {"query": query} | {name: True for name in _CHAT_TYPES if given.get(name) is True}


def _copy_text(button: JsonObject) -> JsonObject:
    text = _field(_field(button, "copy_text", dict), "text", str)
    if not 1 <= len(text) <= MAX_COPIED_CHARACTERS:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    return {"text": text}


_ACTIONS: dict[str, Callable[[JsonObject], Any]] = {
    "url": _url,
    "callback_data": _callback_data,
    "switch_inline_query": lambda button: _field(button, "switch_inline_query", str),
    "switch_inline_query_current_chat": lambda button: _field(
        button, "switch_inline_query_current_chat", str
    ),
    "switch_inline_query_chosen_chat": _chosen_chat,
    "copy_text": _copy_text,
}


def _field(source: JsonObject, name: str, kind: type[Kind]) -> Kind:
    """Return the value of a required field of this type."""
    if not isinstance(source, dict):
        raise _bad_button("expected an Object")
    if name not in source:
        raise _bad_button(f'Can\'t find field "{name}"')
    value = source[name]
    if not isinstance(value, kind):
        raise _bad_button(f'Field "{name}" must be of type {_TYPE_NAMES[kind]}')
    return value


def _bad_button(text: str) -> Exception:
    return bad_request(f"can't parse inline keyboard button: {text}")
