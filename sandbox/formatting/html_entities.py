"""The parse mode HTML: a text with a few tags in, a plain text and its entities out."""

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
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_LANGUAGE_CLASS = "language-"
_LAST_CODE_POINT = 0x10FFFF
_LONGEST_REFERENCE = 9

_SPECIAL = re.compile(r"[<&]")
_SPACE = re.compile(r"\s*")
_TAG_NAME = re.compile(r"[^\s>]*")
_ATTRIBUTE_NAME = re.compile(r"""[^\s=>/"']*""")
_BARE_VALUE = re.compile(r"[A-Za-z0-9.-]*")
_IDENTIFIER = re.compile(r"0*[1-9][0-9]{0,18}")
_REFERENCE = re.compile(r"(&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([A-Za-z]*)));?")


@dataclass(frozen=True)
class _OpenTag:
    name: str
    attributes: dict[str, str]
    start: int


def parse_html(source: str) -> tuple[str, list[Span]]:
    """The text without its tags, and what they mean.

    Raises:
        ApiError: it is not well-formed, or has a tag that Telegram does not know.
    """
    return _HtmlReader(source).read()


class _HtmlReader:
    """Goes once through the source; `position` is where it is, `parts` what it has written."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.parts: list[str] = []
        self.length = 0
        self.open: list[_OpenTag] = []
        self.spans: list[Span] = []

    def read(self) -> tuple[str, list[Span]]:
        while (special := _SPECIAL.search(self.source, self.position)) is not None:
            self._write(self.source[self.position : special.start()])
            self.position = special.start()
            if special[0] == "&":
                self._write(self._reference())
            elif self.source.startswith("</", self.position):
                self._end_tag()
            else:
                self._start_tag()
        self._write(self.source[self.position :])
        if self.open:
            name = self.open[-1].name
            raise cannot_parse(f'Can\'t find end tag corresponding to start tag "{name}"')
        # The class of a piece of code counts only where it fills a block.
        spans = [
            Span(span.type, span.start, span.end) if span.type == "code" else span
            for span in self.spans
        ]
        return "".join(self.parts), spans

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def _reference(self) -> str:
        """What the `&` at hand stands for: a character, or itself."""
        found = _REFERENCE.match(self.source, self.position)
        if found is None:
            self.position += 1
            return "&"
        character = _referred(found)
        self.position = found.end() if character else found.end(1)
        return character or found[1]

    def _start_tag(self) -> None:
        begin = self.position
        name = self._take(_TAG_NAME, begin + 1).lower()
        if self._is_at_end():
            raise cannot_parse(f"Unclosed start tag at byte offset {self._offset(begin)}")
        if name not in _TYPES:
            raise cannot_parse(
                f'Unsupported start tag "{name}" at byte offset {self._offset(begin)}'
            )
        attributes = self._attributes(name, begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise cannot_parse(
                f'Tag "span" must have class "tg-spoiler" at byte offset {self._offset(begin)}'
            )
        self.open.append(_OpenTag(name, attributes, self.length))

    def _attributes(self, tag: str, begin: int) -> dict[str, str]:
        """The tag's attributes; the reader stands behind its `>` then."""
        found: dict[str, str] = {}
        unclosed = f'Unclosed start tag "{tag}" at byte offset {self._offset(begin)}'
        while True:
            self._take(_SPACE, self.position)
            if self._is_at_end():
                raise cannot_parse(unclosed)
            if self.source[self.position] == ">":
                self.position += 1
                return found
            name = self._take(_ATTRIBUTE_NAME, self.position)
            if not name:
                raise cannot_parse(
                    f'Empty attribute name in the tag "{tag}" at byte offset {self._offset(begin)}'
                )
            self._take(_SPACE, self.position)
            if not self.source.startswith("=", self.position):
                found[name] = ""
                continue
            self._take(_SPACE, self.position + 1)
            if self._is_at_end():
                raise cannot_parse(unclosed)
            found[name] = self._attribute_value(begin)

    def _attribute_value(self, begin: int) -> str:
        quote = self.source[self.position]
        if quote not in "\"'":
            start = self.position
            value = self._take(_BARE_VALUE, start)
            following = self.source[self.position : self.position + 1]
            if following != ">" and not following.isspace():
                raise cannot_parse(
                    f"Unexpected end of name token at byte offset {self._offset(start)}"
                )
            return value.lower()
        start = self.position + 1
        end = self.source.find(quote, start)
        if end < 0 or end + 1 == len(self.source):
            raise cannot_parse(f"Unclosed start tag at byte offset {self._offset(begin)}")
        self.position = end + 1
        return _REFERENCE.sub(lambda found: _referred(found) or found[0], self.source[start:end])

    def _end_tag(self) -> None:
        begin = self.position
        if not self.open:
            raise cannot_parse(f"Unexpected end tag at byte offset {self._offset(begin)}")
        name = self._take(_TAG_NAME, begin + 2).lower()
        self._take(_SPACE, self.position)
        if not self.source.startswith(">", self.position):
            raise cannot_parse(f"Unclosed end tag at byte offset {self._offset(begin)}")
        self.position += 1
        tag = self.open.pop()
        # "</>" closes whatever is open.
        if name not in {"", tag.name}:
            raise cannot_parse(
                f"Unmatched end tag at byte offset {self._offset(begin)}, "
                f'expected "</{tag.name}>", found "</{name}>"'
            )
        if self.length > tag.start:
            self._close(tag)

    def _close(self, tag: _OpenTag) -> None:
        span = Span(_TYPES[tag.name], tag.start, self.length)
        if tag.name == "a":
            url = tag.attributes.get("href") or "".join(self.parts)[tag.start :]
            self._add_link(span, url)
        elif tag.name == "tg-emoji":
            identifier = tag.attributes.get("emoji-id", "")
            if not _IDENTIFIER.fullmatch(identifier):
                raise cannot_parse("Invalid custom emoji identifier specified")
            self.spans.append(
                Span(span.type, span.start, span.end, {"custom_emoji_id": identifier})
            )
        elif tag.name in {"code", "pre"}:
            self._add_code(span, tag.attributes.get("class", ""))
        elif tag.name == "blockquote" and "expandable" in tag.attributes:
            self.spans.append(Span("expandable_blockquote", span.start, span.end))
        else:
            self.spans.append(span)

    def _add_link(self, span: Span, url: str) -> None:
        try:
            self.spans.append(Span(span.type, span.start, span.end, {"url": checked_link(url)}))
        except BadLink:
            # Telegram shows such a link as plain text and says nothing.
            return

    def _add_code(self, span: Span, class_name: str) -> None:
        """The span; or the one around or in it becomes a block of code with a language."""
        extra = {}
        if span.type == "code" and class_name.startswith(_LANGUAGE_CLASS):
            language = class_name.removeprefix(_LANGUAGE_CLASS)
            extra = {"language": language} if language else {}
        inner = self.spans[-1] if self.spans else None
        is_pair = (
            inner is not None
            and {inner.type, span.type} == {"code", "pre"}
            and (inner.start, inner.end) == (span.start, span.end)
        )
        if inner is not None and is_pair and (extra or inner.extra):
            self.spans[-1] = Span("pre", span.start, span.end, extra or inner.extra)
        else:
            self.spans.append(Span(span.type, span.start, span.end, extra))

    def _take(self, pattern: re.Pattern[str], start: int) -> str:
        found = pattern.match(self.source, start)
        text = found[0] if found else ""
        self.position = start + len(text)
        return text

    def _is_at_end(self) -> bool:
        return self.position >= len(self.source)

    def _offset(self, position: int) -> int:
        return byte_offset(self.source, position)


def _referred(found: re.Match[str]) -> str:
    """The character that a reference names; nothing if Telegram would leave it as it is."""
    written, hexadecimal, decimal, name = found.groups()
    if name is not None:
        return _NAMED.get(name, "")
    if len(written) > _LONGEST_REFERENCE:
        return ""
    code = int(hexadecimal or "0", 16) if hexadecimal is not None else int(decimal or "0")
    if not 0 < code < _LAST_CODE_POINT:
        return ""
    if 0xD800 <= code <= 0xDFFF:
        raise cannot_parse(
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units"
        )
    return chr(code)
