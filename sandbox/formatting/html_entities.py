"""The HTML parse mode: converts tags to entities."""

import html
import re
from dataclasses import dataclass

from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.spans import Span, byte_offset, cannot_parse

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_TAG = re.compile(
    r"<(?P<slash>/?)(?P<name>[^\s<>]*)"
    r"(?P<attributes>(?:\s+[\w-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[\w.-]+))?)*)\s*>"
)
_HREF = re.compile(r"\shref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([\w.-]+))")
# Telegram resolves only these named references, and any numeric one.
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6})(?![\w]);?")


@dataclass(frozen=True)
class _OpenTag:
    name: str
    url: str | None
    start: int


def parse_html(source: str) -> tuple[str, list[Span]]:
    """Return the text without its tags, and the entities that they describe.

    Raises:
        ApiError: the markup is not well-formed, or has a tag that Telegram does not know.
    """
    text, position = "", 0
    spans: list[Span] = []
    open_tags: list[_OpenTag] = []
    while (begin := source.find("<", position)) >= 0:
        text += _unescape(source[position:begin])
        tag = _tag_at(source, begin)
        position = tag.end()
        if tag["slash"]:
            opened = _closed_by(tag, source, open_tags)
            spans += _spans_of(opened, text, open_tags)
        else:
            open_tags.append(_OpenTag(tag["name"].lower(), _href(tag["attributes"]), len(text)))
    text += _unescape(source[position:])
    if open_tags:
        name = open_tags[-1].name
        raise cannot_parse(f'Can\'t find end tag corresponding to start tag "{name}"')
    return text, spans


def _tag_at(source: str, begin: int) -> re.Match[str]:
    """Return the start or end tag at a `<`."""
    offset = byte_offset(source, begin)
    tag = _TAG.match(source, begin)
    if tag is None:
        kind = "end" if source.startswith("</", begin) else "start"
        raise cannot_parse(f"Unclosed {kind} tag at byte offset {offset}")
    if not tag["slash"] and tag["name"].lower() not in _TYPES:
        name = tag["name"].lower()
        raise cannot_parse(f'Unsupported start tag "{name}" at byte offset {offset}')
    return tag


def _closed_by(tag: re.Match[str], source: str, open_tags: list[_OpenTag]) -> _OpenTag:
    """Remove and return the start tag that an end tag closes."""
    offset = byte_offset(source, tag.start())
    if not open_tags:
        raise cannot_parse(f"Unexpected end tag at byte offset {offset}")
    opened, name = open_tags.pop(), tag["name"].lower()
    if name != opened.name:
        raise cannot_parse(
            f"Unmatched end tag at byte offset {offset}, "
            f'expected "</{opened.name}>", found "</{name}>"'
        )
    return opened


def _spans_of(opened: _OpenTag, text: str, around: list[_OpenTag]) -> list[Span]:
    """Return the entity of a closed tag; none for an empty tag, or for code inside code."""
    if len(text) == opened.start:
        return []
    if opened.name in {"code", "pre"} and any(tag.name in {"code", "pre"} for tag in around):
        return []
    span = Span(_TYPES[opened.name], opened.start, len(text))
    if opened.name != "a":
        return [span]
    try:
        url = checked_link(opened.url or text[opened.start :])
    except BadLink:
        # Telegram shows such a link as plain text.
        return []
    return [Span(span.type, span.start, span.end, {"url": url})]


def _href(attributes: str) -> str | None:
    found = _HREF.search(attributes)
    return _unescape(found[1] or found[2] or found[3] or "") if found else None


def _unescape(text: str) -> str:
    return _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
