"""The parse modes MarkdownV2 and Markdown."""

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.entities import formatted

STADIUMS = "🏟 🏟"  # five code units, nine bytes
RESERVED = "_*[]()~`>#+-=|{}.!"


def parsed(source: str, mode: str = "MarkdownV2") -> tuple[str, list[tuple[object, ...]]]:
    """The text and its entities: type, offset, length, and what else they carry."""
    result = formatted(source, mode, None)
    return result.text, [tuple(entity.values()) for entity in result.entities]


def complaint(source: str, mode: str = "MarkdownV2") -> str:
    with pytest.raises(ApiError) as caught:
        formatted(source, mode, None)
    prefix = "Bad Request: can't parse entities: "
    assert caught.value.description.startswith(prefix)
    return caught.value.description.removeprefix(prefix)


# --- MarkdownV2 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("*", "bold"),
        ("_", "italic"),
        ("__", "underline"),
        ("~", "strikethrough"),
        ("||", "spoiler"),
        ("`", "code"),
        ("```", "pre"),
    ],
)
def test_mark_becomes_its_entity(mark: str, kind: str) -> None:
    # A space first: what follows a fence at once is a language.
    source = f"{STADIUMS}{mark} {STADIUMS}{mark}x"
    assert parsed(source) == (f"{STADIUMS} {STADIUMS}x", [(kind, 5, 6)])


def test_marks_can_be_nested() -> None:
    assert parsed("*b _i __u__ ~s~_*") == (
        "b i u s",
        [("bold", 0, 7), ("italic", 2, 5), ("underline", 4, 1), ("strikethrough", 6, 1)],
    )


def test_two_underscores_belong_together() -> None:
    assert parsed("_a __b___") == ("a b", [("italic", 0, 3), ("underline", 2, 1)])
    assert complaint("__a _b___") == "Can't find end of Italic entity at byte offset 8"


@pytest.mark.parametrize("character", RESERVED)
def test_reserved_character_can_be_escaped(character: str) -> None:
    assert parsed(f"a\\{character}b") == (f"a{character}b", [])


@pytest.mark.parametrize("character", "]()>#+-=|{}.!")
def test_reserved_character_is_refused_if_it_is_not_escaped(character: str) -> None:
    assert complaint(f"a{character}") == (
        f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    )


def test_backslash_stands_for_itself_before_other_than_ascii() -> None:
    assert parsed("\\\\ \\a \\я \\") == ("\\ a \\я \\", [])


def test_link_has_its_address() -> None:
    assert parsed("[x](http://example.org/\\)a)")[1] == [
        ("text_link", 0, 1, "http://example.org/)a")
    ]
    assert parsed("[x](tg://user?id=7)")[1] == [("text_link", 0, 1, "tg://user?id=7")]
    assert parsed("[telegram\\.org]")[1] == [("text_link", 0, 12, "http://telegram.org/")]
    assert parsed("[x](nowhere)") == ("x", [])


def test_custom_emoji_has_its_identifier() -> None:
    source = "![👍](tg://emoji?id=5368324170671202286)"
    assert parsed(source) == ("👍", [("custom_emoji", 0, 2, "5368324170671202286")])
    assert complaint("![👍]") == "Custom emoji entity must contain a tg://emoji URL"
    assert complaint("![👍](t.me)") == "Custom emoji URL must have an emoji identifier"


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_block_of_code_has_a_language(line_break: str) -> None:
    source = f"```python{line_break}x = 1```"
    assert parsed(source) == ("x = 1", [("pre", 0, 5, "python")])


def test_in_code_only_backticks_and_backslashes_are_special() -> None:
    assert parsed("`a.b*c_\\`\\\\`") == ("a.b*c_`\\", [("code", 0, 8)])


def test_backtick_in_a_block_has_to_be_escaped() -> None:
    assert complaint("``` a ` b```").startswith("Can't find end of ")
    assert parsed("``` a \\` b```")[0] == " a ` b"


def test_lines_of_a_quotation_belong_together() -> None:
    assert parsed(">a\n>b\nc\n>d") == ("a\nb\nc\nd", [("blockquote", 0, 3), ("blockquote", 6, 1)])


def test_quotation_can_be_folded() -> None:
    assert parsed(">a\n>b||") == ("a\nb", [("expandable_blockquote", 0, 3)])
    assert parsed(">a||\nb") == ("a\nb", [("expandable_blockquote", 0, 1)])


def test_quotation_ends_no_earlier_than_what_is_in_it() -> None:
    assert complaint(">*a\nb*") == "Can't find end of Bold entity at byte offset 1"
    assert parsed(">*a*\nb")[1] == [("blockquote", 0, 1), ("bold", 0, 1)]


def test_empty_marks_leave_nothing() -> None:
    assert parsed("a**____||||") == ("a", [])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("*unclosed", "Can't find end of Bold entity at byte offset 0"),
        (f"{STADIUMS}_abac * asd _", "Can't find end of Italic entity at byte offset 21"),
        (f"{STADIUMS}`", "Can't find end of Code entity at byte offset 9"),
        (f"{STADIUMS}```a", "Can't find end of Pre entity at byte offset 9"),
        (f"{STADIUMS}```a ", "Can't find end of PreCode entity at byte offset 9"),
        (f"{STADIUMS}__", "Can't find end of Underline entity at byte offset 9"),
        (f"{STADIUMS}||x", "Can't find end of Spoiler entity at byte offset 9"),
        ("~x", "Can't find end of Strikethrough entity at byte offset 0"),
        ("[x", "Can't find end of TextUrl entity at byte offset 0"),
        ("[telegram\\.org](asd\\)", "Can't find end of a URL at byte offset 16"),
        ("![x](tg", "Can't find end of a custom emoji URL at byte offset 5"),
    ],
)
def test_mark_without_its_end_is_refused(source: str, words: str) -> None:
    assert complaint(source) == words


# --- the old Markdown -----------------------------------------------------------------------------


def test_old_markdown_knows_four_marks_and_blocks() -> None:
    source = "*b* _i_ `c` [l](http://example.org) ```python\nx``` \\_ . ! ~s~"
    assert parsed(source, "Markdown") == (
        "b i c l x _ . ! ~s~",
        [
            ("bold", 0, 1),
            ("italic", 2, 1),
            ("code", 4, 1),
            ("text_link", 6, 1, "http://example.org/"),
            ("pre", 8, 1, "python"),
        ],
    )


def test_old_markdown_does_not_nest() -> None:
    assert parsed("*a_b*", "Markdown") == ("a_b", [("bold", 0, 3)])


def test_old_markdown_drops_links_that_lead_nowhere() -> None:
    assert parsed("[x](nowhere) [telegram.org]", "Markdown") == (
        "x telegram.org",
        [("text_link", 2, 12, "http://telegram.org/")],
    )


def test_old_markdown_complains_of_a_missing_end() -> None:
    words = "Can't find end of the entity starting at byte offset 5"
    assert complaint("🏟 *unclosed", "Markdown") == words
