"""The parse mode HTML."""

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.entities import formatted

STADIUMS = "🏟 🏟"  # five code units, nine bytes


def parsed(source: str) -> tuple[str, list[tuple[object, ...]]]:
    """The text and its entities: type, offset, length, and what else they carry."""
    result = formatted(source, "HTML")
    return result.text, [tuple(entity.values()) for entity in result.entities]


def complaint(source: str) -> str:
    with pytest.raises(ApiError) as caught:
        formatted(source, "HTML")
    prefix = "Bad Request: can't parse entities: "
    assert caught.value.description.startswith(prefix)
    return caught.value.description.removeprefix(prefix)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("b", "bold"),
        ("strong", "bold"),
        ("I", "italic"),
        ("em", "italic"),
        ("u", "underline"),
        ("ins", "underline"),
        ("s", "strikethrough"),
        ("strike", "strikethrough"),
        ("del", "strikethrough"),
        ("tg-spoiler", "spoiler"),
        ("code", "code"),
        ("pre", "pre"),
        ("blockquote", "blockquote"),
    ],
)
def test_tag_becomes_its_entity(tag: str, kind: str) -> None:
    source = f"{STADIUMS}<{tag}>{STADIUMS}</{tag}>."
    assert parsed(source) == (f"{STADIUMS}{STADIUMS}.", [(kind, 5, 5)])


def test_tags_can_be_nested() -> None:
    text, entities = parsed(f"{STADIUMS}<i>🏟 &gt;<b any = thing>&lt;🏟</b></i>")
    assert text == f"{STADIUMS}🏟 ><🏟"
    assert entities == [("italic", 5, 7), ("bold", 9, 3)]


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ('<a href="https://example.org/?a=1&amp;b=2">x</a>', "https://example.org/?a=1&b=2"),
        ("<a   href = 'telegram.org'  >x</a>", "http://telegram.org/"),
        ("<a href=telegram.org>x</a>", "http://telegram.org/"),
        ('<a href="tg://user?id=7">x</a>', "tg://user?id=7"),
    ],
)
def test_link_keeps_its_address(source: str, url: str) -> None:
    assert parsed(source) == ("x", [("text_link", 0, 1, url)])


def test_link_without_address_is_its_own_text() -> None:
    assert parsed("<a>telegram.org</a>")[1] == [("text_link", 0, 12, "http://telegram.org/")]
    assert parsed("<a href='nowhere'>x</a>") == ("x", [])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&lt;&gt;&amp;&quot;", '<>&"'),
        ("&#65;&#x42;&#128512;", "AB😀"),
        ("&laquo; & &;", "&laquo; & &;"),
        ("a > b", "a > b"),
    ],
)
def test_references_to_characters_are_resolved(source: str, text: str) -> None:
    assert parsed(source) == (text, [])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>unclosed", 'Can\'t find end tag corresponding to start tag "b"'),
        ("abc<x>y</x>", 'Unsupported start tag "x" at byte offset 3'),
        ("a<br/>b", 'Unsupported start tag "br/" at byte offset 1'),
        ("<script>alert(1)</script>", 'Unsupported start tag "script" at byte offset 0'),
        (f"{STADIUMS}&lt;<abac aba>", 'Unsupported start tag "abac" at byte offset 13'),
        (f"{STADIUMS}&lt;<abacaba", "Unclosed start tag at byte offset 13"),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
        ("<i   =aba>", "Unclosed start tag at byte offset 0"),
        ("<i  aba", "Unclosed start tag at byte offset 0"),
        ('<i  aba="x>', "Unclosed start tag at byte offset 0"),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<i>a</i   ", "Unclosed end tag at byte offset 4"),
        (
            "<b><i>test</b></i>",
            'Unmatched end tag at byte offset 10, expected "</i>", found "</b>"',
        ),
    ],
)
def test_ill_formed_html_is_refused_in_telegrams_words(source: str, words: str) -> None:
    assert complaint(source) == words


def test_code_within_a_block_of_code_is_part_of_it() -> None:
    assert parsed("<pre><code>x = 1</code></pre>") == ("x = 1", [("pre", 0, 5)])


def test_empty_tags_leave_nothing() -> None:
    assert parsed("x<b></b><a href='t.me'></a>") == ("x", [])
