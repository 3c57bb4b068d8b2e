"""Keyboards as Telegram takes, keeps and refuses them."""

from typing import Any

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.keyboards import button_with, checked_markup


def inline(*rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"inline_keyboard": list(rows)}


def button(text: str = "Go", **action: object) -> dict[str, Any]:
    return {"text": text, **action}


def complaint(markup: object) -> str:
    with pytest.raises(ApiError) as caught:
        checked_markup(markup)  # type: ignore[arg-type]
    assert caught.value.code == 400
    return caught.value.description.removeprefix("Bad Request: ")


def button_complaint(wrong: object) -> str:
    return complaint({"inline_keyboard": [[wrong]]}).removeprefix(
        "can't parse inline keyboard button: "
    )


# --- inline keyboards -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        {"callback_data": "go:1"},
        {"url": "https://example.org/a"},
        {"url": "tg://user?id=7"},
        {"switch_inline_query": ""},
        {"switch_inline_query_current_chat": "smile"},
        {"switch_inline_query_chosen_chat": {"query": "", "allow_user_chats": True}},
        {"copy_text": {"text": "copied"}},
    ],
)
def test_button_with_one_action_is_kept(action: dict[str, Any]) -> None:
    markup = inline([button(**action)])
    assert checked_markup(markup) == markup


def test_unknown_keys_and_empty_rows_are_dropped() -> None:
    markup = inline([], [button(callback_data="a", colour="red")], []) | {"resize_keyboard": True}
    assert checked_markup(markup) == inline([button(callback_data="a")])


def test_markup_that_was_given_is_left_alone() -> None:
    markup = inline([], [button(callback_data="a", colour="red")])
    checked_markup(markup)
    assert markup == inline([], [button(callback_data="a", colour="red")])


@pytest.mark.parametrize("markup", [None, inline(), inline([], []), {}])
def test_keyboard_without_buttons_is_none(markup: dict[str, Any] | None) -> None:
    assert checked_markup(markup) is None


def test_address_is_kept_as_telegram_writes_it() -> None:
    assert checked_markup(inline([button(url="t.me")])) == inline([button(url="http://t.me/")])


def test_callback_data_has_at_most_64_bytes() -> None:
    longest = inline([button(callback_data="я" * 32)])
    assert checked_markup(longest) == longest
    assert complaint(inline([button(callback_data="я" * 32 + "a")])) == "BUTTON_DATA_INVALID"


@pytest.mark.parametrize(
    "nothing", [{}, {"callback_data": ""}, {"url": ""}, {"pay": True}, {"unknown": 1}]
)
def test_button_that_does_nothing_is_refused(nothing: dict[str, Any]) -> None:
    words = "Text buttons are unallowed in the inline keyboard"
    assert button_complaint(button(**nothing)) == words


def test_button_that_does_two_things_is_refused() -> None:
    words = button_complaint(button(callback_data="a", url="https://example.org"))
    assert words == "exactly one action is allowed, not url and callback_data"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"callback_data": "a"}, 'Can\'t find field "text"'),
        (button(text=1, callback_data="a"), 'Field "text" must be of type String'),  # type: ignore[arg-type]
        (button(callback_data=1), 'Field "callback_data" must be of type String'),
        (button(callback_data=None), 'Field "callback_data" must be of type String'),
        (button(copy_text="x"), 'Field "copy_text" must be of type Object'),
        ("Go", "expected an Object"),
    ],
)
def test_button_of_the_wrong_form_is_refused(wrong: object, words: str) -> None:
    assert button_complaint(wrong) == words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (
            {"url": "not-a-url"},
            "inline keyboard button URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        (
            {"url": "ftp://example.com"},
            "inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
        ),
        (
            {"url": "http://localhost:8080/x"},
            "inline keyboard button URL 'http://localhost:8080/x' is invalid: Wrong HTTP URL",
        ),
        (
            {"url": "https://"},
            "inline keyboard button URL 'https://' is invalid: URL host is empty",
        ),
        ({"copy_text": {"text": ""}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"copy_text": {"text": "x" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
    ],
)
def test_action_that_leads_nowhere_is_refused(action: dict[str, Any], words: str) -> None:
    assert complaint(inline([button(**action)])) == words


def test_button_without_a_label_is_refused() -> None:
    wrong = inline([button(" ", callback_data="a")])
    assert complaint(wrong) == "inline keyboard button text must be non-empty"


def test_hundred_buttons_are_enough() -> None:
    rows = [[button(callback_data="a")] * 10 for _ in range(10)]
    assert checked_markup(inline(*rows)) == inline(*rows)
    assert complaint(inline(*rows, [button(callback_data="a")])) == "reply markup is too long"


@pytest.mark.parametrize("rows", [{}, "x", [button(callback_data="a")]])
def test_rows_are_lists_of_lists(rows: object) -> None:
    words = 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'
    assert complaint({"inline_keyboard": rows}) == words


@pytest.mark.parametrize(
    "other", [{"keyboard": [["Yes"]]}, {"remove_keyboard": True}, {"force_reply": True}]
)
def test_only_inline_keyboards_are_taken(other: dict[str, Any]) -> None:
    assert complaint(other) == "inline keyboard expected"


# --- finding a button -----------------------------------------------------------------------------


def test_button_is_found_by_label_or_data() -> None:
    rows = [button("Smile", callback_data="s"), button("Nod", callback_data="n")]
    again = button("Nod", callback_data="n2")
    markup = inline(rows, [again, button("Site", url="https://example.org/")])
    assert button_with(markup, "Smile", None) is rows[0]
    assert button_with(markup, "Nod", None) is rows[1]
    assert button_with(markup, None, "n2") is again
    assert button_with(markup, "Nod", "n2") is again
    assert button_with(markup, "Smile", "n") is None
    assert button_with(markup, "smile", None) is None
