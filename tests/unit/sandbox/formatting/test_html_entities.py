"""The parse mode HTML."""

import pytest

from sandbox.errors import ApiError
from sandbox.formatting.entities import formatted

STADIUMS = "🏟 🏟"  # five code units, nine bytes


def parsed(source: str) -> tuple[str, list[tuple[object, ...]]]:
    """The text and its entities: type, offset, length, and what else they carry."""
    result = formatted(source, "HTML", None)
    return result.text, [tuple(entity.values()) for entity in result.entities]


def complaint(source: str) -> str:
    with pytest.raises(ApiError) as caught:
        formatted(source, "HTML", None)
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


def test_span_is_a_spoiler_or_nothing() -> None:
    assert parsed('<span class="tg-spoiler">x</span>') == ("x", [("spoiler", 0, 1)])
    assert complaint("ab<span>x</span>") == (
        'Tag "span" must have class "tg-spoiler" at byte offset 2'
    )


def test_tags_can_be_nested() -> None:
    text, entities = parsed(f"{STADIUMS}<i>🏟 &gt;<b any = thing>&lt🏟</b></i>")
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


def test_custom_emoji_has_its_identifier() -> None:
    source = '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>'
    assert parsed(source) == ("👍", [("custom_emoji", 0, 2, "5368324170671202286")])
    assert complaint("<tg-emoji>x</tg-emoji>") == "Invalid custom emoji identifier specified"


@pytest.mark.parametrize(
    "source",
    [
        '<pre><code class="language-python">x = 1</code></pre>',
        '<code class="language-python"><pre>x = 1</pre></code>',
    ],
)
def test_block_of_code_has_a_language(source: str) -> None:
    assert parsed(source) == ("x = 1", [("pre", 0, 5, "python")])


def test_language_counts_only_where_code_fills_the_block() -> None:
    source = '<pre>a <code class="language-python">x</code></pre>'
    assert parsed(source) == ("a x", [("pre", 0, 3)])
    assert parsed('<code class="language-python">x</code>') == ("x", [("code", 0, 1)])


def test_quotation_can_be_folded() -> None:
    source = "<blockquote expandable>a\nb</blockquote>c"
    assert parsed(source) == ("a\nbc", [("expandable_blockquote", 0, 3)])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&lt;&gt;&amp;&quot;", '<>&"'),
        ("&#65;&#x42;&#128512;", "AB😀"),
        ("&laquo;&#12345678;&#0; & &;", "&laquo;&#12345678;&#0; & &;"),
        ("a > b", "a > b"),
    ],
)
def test_references_to_characters_are_resolved(source: str, text: str) -> None:
    assert parsed(source) == (text, [])


def test_empty_tags_leave_nothing() -> None:
    assert parsed("x<b></b><a href='t.me'></a><tg-emoji></tg-emoji>") == ("x", [])


def test_short_end_tag_closes_what_is_open() -> None:
    assert parsed("<i>a</>b<b>c</b  >") == ("abc", [("italic", 0, 1), ("bold", 2, 1)])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>unclosed", 'Can\'t find end tag corresponding to start tag "b"'),
        ("abc<x>y</x>", 'Unsupported start tag "x" at byte offset 3'),
        ("a<br/>b", 'Unsupported start tag "br/" at byte offset 1'),
        ("<script>alert(1)</script>", 'Unsupported start tag "script" at byte offset 0'),
        (f"{STADIUMS}&lt;<abac aba>", 'Unsupported start tag "abac" at byte offset 13'),
        (f"{STADIUMS}&lt;<abacaba", "Unclosed start tag at byte offset 13"),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("<i   =aba>", 'Empty attribute name in the tag "i" at byte offset 0'),
        ("<i  aba  =  ", 'Unclosed start tag "i" at byte offset 0'),
        ("<i  aba", 'Unclosed start tag "i" at byte offset 0'),
        ("<i  aba  =  19a-.,>", "Unexpected end of name token at byte offset 12"),
        ('<i  aba="x>', "Unclosed start tag at byte offset 0"),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<i>a</i   ", "Unclosed end tag at byte offset 4"),
        (
            "<b><i>test</b></i>",
            'Unmatched end tag at byte offset 10, expected "</i>", found "</b>"',
        ),
        (
            "&#xDFDF;",
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units",
        ),
    ],
)
def test_ill_formed_html_is_refused_in_telegrams_words(source: str, words: str) -> None:
    assert complaint(source) == words
