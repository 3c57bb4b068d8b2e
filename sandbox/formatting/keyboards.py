"""What a bot hangs under its messages: inline keyboards, reply keyboards, and their two kin."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from sandbox.errors import bad_request
from sandbox.formatting.links import BadLink, checked_link
from sandbox.json_types import JsonObject

Kind = TypeVar("Kind")

MAX_BUTTONS = 100
MAX_DATA_BYTES = 64
MAX_COPIED_CHARACTERS = 256

_NO_ACTION = "Text buttons are unallowed in the inline keyboard"
_STYLES = ("danger", "success", "primary")
_TYPE_NAMES: dict[type, str] = {str: "String", bool: "Boolean", dict: "Object"}
_CHOSEN_CHAT_FLAGS = (
    "allow_user_chats",
    "allow_bot_chats",
    "allow_group_chats",
    "allow_channel_chats",
)
# What else a reply keyboard's button may ask a person for.
_REQUESTS: dict[str, type] = {
    "request_contact": bool,
    "request_location": bool,
    "request_poll": dict,
    "request_users": dict,
    "request_chat": dict,
    "request_managed_bot": dict,
    "web_app": dict,
}


def checked_markup(value: JsonObject | None) -> JsonObject | None:
    """A `reply_markup` as Telegram keeps it: without unknown keys, empty rows and false flags.

    Args:
        value: an InlineKeyboardMarkup, ReplyKeyboardMarkup, ReplyKeyboardRemove or ForceReply;
            one without a button, or with none of their keys, counts as none.

    Raises:
        ApiError: it is none of these, or a button is wrong.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in value:
        return _inline_keyboard(value)
    if "keyboard" in value:
        return _reply_keyboard(value)
    for flag in ("remove_keyboard", "force_reply"):
        if value.get(flag) is True:
            return {flag: True} | _flags(value, "selective") | _placeholder(value)
    return None


def is_inline(markup: JsonObject | None) -> bool:
    """Whether it is an inline keyboard: the one kind that stays with its message."""
    return markup is not None and "inline_keyboard" in markup


def inline_keyboard_of(markup: JsonObject | None) -> JsonObject | None:
    """The markup if a Message shows it in `reply_markup`, which is only an inline keyboard."""
    return markup if is_inline(markup) else None


def button_with(
    markup: JsonObject | None, label: str | None = None, data: str | None = None
) -> JsonObject | None:
    """The first inline button with this label and this data; None if there is none.

    Args:
        markup: of a message.
        label: the button's text; None for any.
        data: its `callback_data`; None for any.
    """
    if markup is None or (label is None and data is None):
        return None
    for row in markup.get("inline_keyboard", []):
        for button in row:
            is_named = label is None or button["text"] == label
            if is_named and (data is None or button.get("callback_data") == data):
                found: JsonObject = button
                return found
    return None


# --- inline keyboards -----------------------------------------------------------------------------


def _inline_keyboard(value: JsonObject) -> JsonObject | None:
    rows = _rows(value, "inline_keyboard", "InlineKeyboardMarkup", _inline_button)
    if sum(map(len, rows)) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": rows} if rows else None


def _inline_button(button: JsonObject) -> JsonObject:
    text = _field(button, "text", str)
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = {name: checked(button) for name, checked in _ACTIONS.items() if _is_set(button, name)}
    if not actions:
        raise _bad_button(_NO_ACTION)
    if len(actions) > 1:
        raise _bad_button(f"exactly one action is allowed, not {' and '.join(actions)}")
    return {"text": text} | actions | _looks(button)


def _is_set(button: JsonObject, name: str) -> bool:
    """Whether the action is there; an empty one is as good as none, but for an empty query."""
    if name.startswith("switch_inline_query"):
        return name in button
    return name in button and button[name] not in ("", False)


def _callback_data(button: JsonObject) -> str:
    data = _field(button, "callback_data", str)
    if len(data.encode(errors="replace")) > MAX_DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    return data


def _url(button: JsonObject) -> str:
    return _checked_url(_field(button, "url", str), "inline keyboard button URL")


def _web_app(button: JsonObject) -> JsonObject:
    return _https(button, "web_app", "inline keyboard button Web App URL")


def _login_url(button: JsonObject) -> JsonObject:
    return _https(button, "login_url", "inline keyboard button login URL")


def _https(button: JsonObject, field: str, what: str) -> JsonObject:
    asked = _field(button, field, dict)
    url = _checked_url(_field(asked, "url", str), what)
    if not url.startswith("https://"):
        raise bad_request(f"{what} '{url}' is invalid: Only HTTPS links are allowed")
    return {**asked, "url": url}


def _query(button: JsonObject) -> str:
    return _field(button, "switch_inline_query", str)


def _query_here(button: JsonObject) -> str:
    return _field(button, "switch_inline_query_current_chat", str)


def _query_in_chosen_chat(button: JsonObject) -> JsonObject:
    asked = _field(button, "switch_inline_query_chosen_chat", dict)
    query = _field(asked, "query", str) if "query" in asked else ""
    return {"query": query} | _flags(asked, *_CHOSEN_CHAT_FLAGS)


def _copy_text(button: JsonObject) -> JsonObject:
    text = _field(_field(button, "copy_text", dict), "text", str)
    if not 1 <= len(text) <= MAX_COPIED_CHARACTERS:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    return {"text": text}


def _sold_or_played(_: JsonObject) -> NoReturn:
    """Buttons of invoices and games, of which the sandbox has none."""
    raise bad_request("BUTTON_TYPE_INVALID")


_ACTIONS: dict[str, Callable[[JsonObject], Any]] = {
    "url": _url,
    "callback_data": _callback_data,
    "web_app": _web_app,
    "login_url": _login_url,
    "switch_inline_query": _query,
    "switch_inline_query_current_chat": _query_here,
    "switch_inline_query_chosen_chat": _query_in_chosen_chat,
    "copy_text": _copy_text,
    "callback_game": _sold_or_played,
    "pay": _sold_or_played,
}


# --- reply keyboards ------------------------------------------------------------------------------


def _reply_keyboard(value: JsonObject) -> JsonObject | None:
    rows = _rows(value, "keyboard", "ReplyKeyboardMarkup", _reply_button)
    if not rows:
        return None
    flags = _flags(value, "is_persistent", "resize_keyboard", "one_time_keyboard", "selective")
    return {"keyboard": rows} | flags | _placeholder(value)


def _reply_button(button: JsonObject | str) -> JsonObject:
    asked: JsonObject = {"text": button} if isinstance(button, str) else button
    text = _field(asked, "text", str, "keyboard button")
    if not text.strip():
        raise bad_request("keyboard button text must be non-empty")
    requests: JsonObject = {
        name: _field(asked, name, kind, "keyboard button")
        for name, kind in _REQUESTS.items()
        if asked.get(name) not in (None, False)
    }
    return {"text": text} | requests | _looks(asked)


def _placeholder(value: JsonObject) -> JsonObject:
    text = value.get("input_field_placeholder")
    return {"input_field_placeholder": text} if isinstance(text, str) and text else {}


# --- what all have in common ----------------------------------------------------------------------


def _rows(
    value: JsonObject, field: str, kind: str, read: Callable[[Any], JsonObject]
) -> list[list[JsonObject]]:
    rows = value[field]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request(f'field "{field}" of the {kind} must be an Array of Arrays')
    return [[read(button) for button in row] for row in rows if row]


def _field(
    source: JsonObject, name: str, kind: type[Kind], what: str = "inline keyboard button"
) -> Kind:
    """The value of a field that must be there and of this type."""
    if not isinstance(source, dict):
        raise _bad_button("expected an Object", what)
    if name not in source:
        raise _bad_button(f'Can\'t find field "{name}"', what)
    value = source[name]
    if not isinstance(value, kind):
        raise _bad_button(f'Field "{name}" must be of type {_TYPE_NAMES[kind]}', what)
    return value


def _bad_button(text: str, what: str = "inline keyboard button") -> Exception:
    return bad_request(f"can't parse {what}: {text}")


def _checked_url(url: str, what: str) -> str:
    try:
        return checked_link(url)
    except BadLink as exc:
        raise bad_request(f"{what} '{url}' is invalid: {exc}") from exc


def _flags(value: JsonObject, *names: str) -> JsonObject:
    return {name: True for name in names if value.get(name) is True}


def _looks(button: JsonObject) -> JsonObject:
    """A button's colour and its emoji."""
    looks = {}
    style, emoji = button.get("style"), button.get("icon_custom_emoji_id")
    if style is not None:
        if style not in _STYLES:
            raise _bad_button("invalid button style specified")
        looks["style"] = style
    return looks | ({"icon_custom_emoji_id": emoji} if isinstance(emoji, str) else {})
