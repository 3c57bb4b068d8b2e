"""Texts as a server keeps them: trimmed, given entities checked, automatic ones found."""

from typing import Any

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.entities import commands_of, formatted, utf16_length

STADIUM = "🏟"  # two code units


def found(text: str, kind: str | None = None) -> list[str]:
    """The pieces of the text that the server marks by itself."""
    result = formatted(text, None, None)
    units = result.text.encode("utf-16-le")
    return [
        units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
        for entity in result.entities
        if kind is None or entity["type"] == kind
    ]


def given(text: str, *entities: dict[str, Any]) -> list[tuple[str, int, int]]:
    result = formatted(text, None, entities)
    return [(entity["type"], entity["offset"], entity["length"]) for entity in result.entities]


def entity(kind: str, offset: object, length: object, **extra: object) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **extra}


def refusal(
    text: str, parse_mode: str | None = None, entities: list[dict[str, Any]] | None = None
) -> str:
    with pytest.raises(ApiError) as caught:
        formatted(text, parse_mode, entities)
    assert caught.value.code == 400
    return caught.value.description.removeprefix("Bad Request: ")


# --- the text -------------------------------------------------------------------------------------


def test_length_is_counted_in_utf16_code_units() -> None:
    assert utf16_length("") == 0
    assert utf16_length("aя") == 2
    assert utf16_length(f"{STADIUM} {STADIUM}") == 5


def test_text_is_trimmed_at_both_ends() -> None:
    assert formatted("  \n hello  world \n", None, None).text == "hello  world"
    assert formatted(" \n ", None, None).text == ""


def test_control_characters_become_spaces() -> None:
    assert formatted("a\tb\x00c\nd", None, None).text == "a b c\nd"


@pytest.mark.parametrize("mode", ["html", "HTML", "Html"])
def test_parse_mode_is_known_in_any_case(mode: str) -> None:
    assert formatted("<b>x</b>", mode, None).text == "x"


@pytest.mark.parametrize("mode", [None, ""])
def test_without_parse_mode_tags_are_text(mode: str | None) -> None:
    assert formatted("<b>x</b> *y*", mode, None).text == "<b>x</b> *y*"


def test_unknown_parse_mode_is_refused() -> None:
    assert refusal("x", "Markdown") == "unsupported parse_mode"


def test_half_a_character_is_refused() -> None:
    assert refusal("a\ud83c") == "strings must be encoded in UTF-8"


def test_space_at_the_beginning_of_code_is_kept() -> None:
    result = formatted("<pre>  x</pre>", "HTML", None)
    assert result.text == "  x"
    assert result.entities == ({"type": "pre", "offset": 0, "length": 3},)


# --- given entities -------------------------------------------------------------------------------


def test_given_entities_count_instead_of_the_parse_mode() -> None:
    result = formatted("<b>", "HTML", [entity("italic", 1, 1)])
    assert (result.text, len(result.entities)) == ("<b>", 1)
    assert formatted("<b>", "HTML", []).text == "<b>"


def test_given_entities_are_counted_in_code_units() -> None:
    text = f"{STADIUM} bold {STADIUM}"
    assert given(text, entity("bold", 3, 7)) == [("bold", 3, 7)]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (entity("sparkle", 0, 1), "can't parse MessageEntity: Unsupported type specified"),
        (entity("bold", -1, 1), "receive an entity with incorrect offset -1"),
        (entity("bold", 0, -1), "receive an entity with incorrect length -1"),
        (
            entity("bold", 100, 1),
            "entity begins after the end of the text at UTF-16 offset 100",
        ),
        (
            entity("bold", 0, 100),
            "entity beginning at UTF-16 offset 0 ends after the end of the text "
            "at UTF-16 offset 100",
        ),
        (
            entity("bold", 2, 1),
            "entity begins in a middle of a UTF-16 symbol at byte offset 1",
        ),
        (
            entity("bold", 0, 2),
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol "
            "at byte offset 1",
        ),
        (
            entity("bold", "0", 1),
            'can\'t parse MessageEntity: Field "offset" must be of type Number',
        ),
        (entity("text_link", 0, 1), "can't parse MessageEntity: Can't find field \"url\""),
        (
            entity("text_link", 0, 1, url="not-a-url"),
            "entity URL 'not-a-url' is invalid: Wrong HTTP URL",
        ),
        (entity("text_link", 0, 1, url=""), "entity URL '' is invalid: URL host is empty"),
        (entity("text_mention", 0, 1), "can't parse MessageEntity: Can't find field \"user\""),
    ],
)
def test_wrong_entity_is_refused(wrong: dict[str, Any], complaint: str) -> None:
    assert refusal(f"a{STADIUM}b", None, [wrong]) == complaint


def test_what_an_entity_carries_is_kept_and_nothing_else() -> None:
    user = {"id": 7, "is_bot": False, "first_name": "Alice"}
    entities = [
        entity("text_link", 0, 1, url="https://example.org", unknown=1),
        entity("text_mention", 2, 1, user=user),
        entity("pre", 4, 1, language="python"),
    ]
    assert formatted(f"a b c {STADIUM}", None, entities).entities == (
        entity("text_link", 0, 1, url="https://example.org/"),
        entity("text_mention", 2, 1, user=user),
        entity("pre", 4, 1, language="python"),
    )


def test_commands_are_found_by_the_server_whatever_a_bot_says() -> None:
    assert given("say /go", entity("bot_command", 0, 3)) == [("bot_command", 4, 3)]


# --- entities together ----------------------------------------------------------------------------


def test_entities_are_sorted_and_longer_ones_come_first() -> None:
    parts = [entity("italic", 4, 2), entity("bold", 0, 3), entity("underline", 0, 6)]
    assert given("abcdef", *parts) == [("underline", 0, 6), ("bold", 0, 3), ("italic", 4, 2)]


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
    ("text", "hashtags"),
    [
        ("#a #я #123a", ["#a", "#я", "#123a"]),
        ("# ## я#a #a# #123", []),
        ("#a™", ["#a"]),
        ("#a#b #c", ["#c"]),
    ],
)
def test_hashtags_are_found(text: str, hashtags: list[str]) -> None:
    assert found(text, "hashtag") == hashtags


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


def test_email_addresses_are_found_and_are_no_mentions() -> None:
    assert found("write to alice@example.org!") == ["alice@example.org"]
    assert found("alice@example.org", "email") == ["alice@example.org"]


def test_nothing_is_found_within_something_else() -> None:
    assert found("https://example.org/#tag, me/@alice") == ["https://example.org/#tag", "@alice"]


def test_nothing_is_found_in_code_and_in_links() -> None:
    result = formatted("<code>/go</code> <a href='t.me'>@alice</a>", "HTML", None)
    assert [entity["type"] for entity in result.entities] == ["code", "text_link"]


def test_commands_are_found_in_styled_text_and_quotations() -> None:
    result = formatted("<b>try /go now</b>\n<blockquote>/stop</blockquote>", "HTML", None)
    assert commands_of(result.text, result.entities) == ["/go", "/stop"]


def test_offsets_of_what_is_found_are_in_code_units() -> None:
    (command,) = formatted(f"{STADIUM} /go", None, None).entities
    assert command == entity("bot_command", 3, 3)


def test_commands_are_read_behind_wide_characters() -> None:
    result = formatted(f"{STADIUM}{STADIUM} /animate@animato_bot", None, None)
    assert commands_of(result.text, result.entities) == ["/animate@animato_bot"]
