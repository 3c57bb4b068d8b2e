"""Texts as a server keeps them: trimmed, with the entities that it finds."""

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.entities import commands_of, formatted, utf16_length

STADIUM = "🏟"  # two code units


def found(text: str, kind: str | None = None) -> list[str]:
    """The pieces of the text that the server marks by itself."""
    result = formatted(text)
    units = result.text.encode("utf-16-le")
    return [
        units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
        for entity in result.entities
        if kind is None or entity["type"] == kind
    ]


def refusal(text: str, parse_mode: str | None = None) -> str:
    with pytest.raises(ApiError) as caught:
        formatted(text, parse_mode)
    assert caught.value.code == 400
    return caught.value.description.removeprefix("Bad Request: ")


# --- the text -------------------------------------------------------------------------------------


def test_length_is_counted_in_utf16_code_units() -> None:
    assert utf16_length("") == 0
    assert utf16_length("aя") == 2
    assert utf16_length(f"{STADIUM} {STADIUM}") == 5


def test_text_is_trimmed_at_both_ends() -> None:
    assert formatted("  \n hello  world \n").text == "hello  world"
    assert formatted(" \n ").text == ""


def test_control_characters_become_spaces() -> None:
    assert formatted("a\tb\x00c\nd").text == "a b c\nd"


@pytest.mark.parametrize("mode", ["html", "HTML", "Html"])
def test_parse_mode_is_known_in_any_case(mode: str) -> None:
    assert formatted("<b>x</b>", mode).text == "x"


@pytest.mark.parametrize("mode", [None, ""])
def test_without_parse_mode_tags_are_text(mode: str | None) -> None:
    assert formatted("<b>x</b> *y*", mode).text == "<b>x</b> *y*"


def test_unknown_parse_mode_is_refused() -> None:
    assert refusal("x", "Markdown") == "unsupported parse_mode"


def test_half_a_character_is_refused() -> None:
    assert refusal("a\ud83c") == "strings must be encoded in UTF-8"


def test_space_at_the_beginning_of_code_is_kept() -> None:
    result = formatted("<pre>  x</pre>", "HTML")
    assert result.text == "  x"
    assert result.entities == ({"type": "pre", "offset": 0, "length": 3},)


# --- entities together ----------------------------------------------------------------------------


def test_entities_are_sorted_and_longer_ones_come_first() -> None:
    result = formatted("<u><b>abc</b>d<i>ef</i></u>", "HTML")
    assert [tuple(entity.values()) for entity in result.entities] == [
        ("underline", 0, 6),
        ("bold", 0, 3),
        ("italic", 4, 2),
    ]


# --- automatic entities ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("/abc", ["/abc"]),
        ("well: /abc, /d_1", ["/abc", "/d_1"]),
        ("/animate@animato_bot now", ["/animate@animato_bot"]),
        ("(/help)", ["/help"]),
        ("/a@b", []),
        ("/@bfdsa", []),
        ("/test/", []),
        ("1/2 and/or", []),
        ("https://example.org/abc", []),
        ("/команда", []),
    ],
)
def test_commands_are_found(text: str, commands: list[str]) -> None:
    assert found(text, "bot_command") == commands


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("@mention", ["@mention"]),
        ("@abcde @xxxxx@yyyyy @abcd", ["@abcde", "@xxxxx", "@abcd"]),
        ("no@mention нет@mention @n", []),
        (f"@{'a' * 33}", []),
    ],
)
def test_mentions_are_found(text: str, mentions: list[str]) -> None:
    assert found(text, "mention") == mentions


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("see https://example.org.", ["https://example.org"]),
        ("(http://example.org/?q=1)", ["http://example.org/?q=1"]),
        ("t.me/animato_bot, telegram.org", ["t.me/animato_bot", "telegram.org"]),
        ("tg://user?id=7", ["tg://user?id=7"]),
        ("hTtPs://example.org/a#b!", ["hTtPs://example.org/a#b"]),
        ("http://localhost and ftp://example.zz and e.g. this.", []),
        ('"example.com"', ["example.com"]),
        ("I said.me too", ["said.me"]),
    ],
)
def test_addresses_are_found(text: str, urls: list[str]) -> None:
    assert found(text, "url") == urls


def test_email_address_is_neither_a_mention_nor_a_url() -> None:
    assert found("write to alice@example.org!") == []


def test_nothing_is_found_within_something_else() -> None:
    assert found("https://example.org/#tag, me/@alice") == ["https://example.org/#tag", "@alice"]


def test_nothing_is_found_in_code_and_in_links() -> None:
    result = formatted("<code>/go</code> <a href='t.me'>@alice</a>", "HTML")
    assert [entity["type"] for entity in result.entities] == ["code", "text_link"]


def test_commands_are_found_in_styled_text_and_quotations() -> None:
    result = formatted("<b>try /go now</b>\n<blockquote>/stop</blockquote>", "HTML")
    assert commands_of(result.text, result.entities) == ["/go", "/stop"]


def test_offsets_of_what_is_found_are_in_code_units() -> None:
    (command,) = formatted(f"{STADIUM} /go").entities
    assert command == {"type": "bot_command", "offset": 3, "length": 3}


def test_commands_are_read_behind_wide_characters() -> None:
    result = formatted(f"{STADIUM}{STADIUM} /animate@animato_bot")
    assert commands_of(result.text, result.entities) == ["/animate@animato_bot"]
