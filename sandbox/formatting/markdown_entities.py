"""The parse modes Markdown (the old one) and MarkdownV2: a text with marks in, entities out."""

import re
from dataclasses import dataclass

from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.spans import Span, byte_offset, cannot_parse

# The marks of MarkdownV2, longer ones first, with their types and Telegram's names for them.
_MARKS = {
    "__": ("underline", "Underline"),
    "||": ("spoiler", "Spoiler"),
    "_": ("italic", "Italic"),
    "*": ("bold", "Bold"),
    "~": ("strikethrough", "Strikethrough"),
}
_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_FENCE = "```"
_OLD_MARKS = {"_": "italic", "*": "bold"}
_LANGUAGE = re.compile(r"[^\s`]+(?=\s)")
_ONE_LINE_BREAK = re.compile(r"\r\n|\n\r|\n|\r|")
_EMOJI_ADDRESS = re.compile(r"tg://emoji/?\?(?:[^#]*&)?id=(0*[1-9][0-9]{0,18})(?:[&#].*)?")
# Of the ASCII characters all can be escaped; a backslash before any other stands for itself.
_ESCAPED = re.compile(r"\\([\x01-\x7e])")


@dataclass(frozen=True)
class _OpenMark:
    """A mark that waits for its end.

    Attributes:
        type: of the entity; "" for a block of code until it is closed.
        name: in Telegram's complaints.
        closing: what ends it.
        start: where its text begins in what is written.
        position: of the mark in the source.
        language: of a block of code.
    """

    type: str
    name: str
    closing: str
    start: int
    position: int
    language: str = ""


def parse_markdown_v2(source: str) -> tuple[str, list[Span]]:
    """The text without its marks, and what they mean.

    Raises:
        ApiError: a mark without its end, or a reserved character that is not escaped.
    """
    return _MarkdownReader(source).read()


class _MarkdownReader:
    """Goes once through the source; `position` is where it is, `written` what it has kept."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.written: list[str] = []
        self.open: list[_OpenMark] = []
        self.spans: list[Span] = []
        self.is_line_start = True

    def read(self) -> tuple[str, list[Span]]:
        while self.position < len(self.source):
            self._step()
        self._end_quote_with_text()
        if self.open:
            raise self._no_end(self.open[-1])
        return "".join(self.written), self.spans

    def _step(self) -> None:
        character = self.source[self.position]
        escaped = _ESCAPED.match(self.source, self.position)
        if escaped is not None:
            self._write(escaped[1], 2)
        elif self.open and self.open[-1].type in {"code", "pre"}:
            self._step_in_code()
        elif character == "\n":
            self._line_break()
        elif character not in _RESERVED:
            self._write(character, 1)
        elif not self._closes():
            self._opens(character)

    def _write(self, character: str, taken: int) -> None:
        self.written.append(character)
        self.position += taken
        if character != "\r":
            self.is_line_start = False

    def _step_in_code(self) -> None:
        mark = self.open[-1]
        if self.source.startswith(mark.closing, self.position):
            self.open.pop()
            self.position += len(mark.closing)
            self._add(mark, {"language": mark.language} if mark.language else {})
        elif self.source[self.position] == "`":
            # In a block, too, backticks are to be escaped: Telegram takes this for code in it.
            self._push("code", "Code", "`", 1)
        else:
            self._write(self.source[self.position], 1)

    def _closes(self) -> bool:
        """Whether the innermost mark ends here; then it is closed."""
        if not self.open:
            return False
        mark = self.open[-1]
        if not mark.closing or not self.source.startswith(mark.closing, self.position):
            return False
        # Two underscores belong together wherever they could.
        if mark.closing == "_" and self.source.startswith("__", self.position):
            return False
        self.open.pop()
        self.position += len(mark.closing)
        if mark.type == "text_link":
            self._add_link(mark)
        elif mark.type == "custom_emoji":
            self._add_custom_emoji(mark)
        else:
            self._add(mark, {})
        return True

    def _opens(self, character: str) -> None:
        for sign, (kind, name) in _MARKS.items():
            if self.source.startswith(sign, self.position):
                self._push(kind, name, sign, len(sign))
                return
        if character == "[":
            self._push("text_link", "TextUrl", "]", 1)
        elif self.source.startswith("![", self.position):
            self._push("custom_emoji", "CustomEmoji", "]", 2)
        elif self.source.startswith(_FENCE, self.position):
            self._open_block()
        elif character == "`":
            self._push("code", "Code", "`", 1)
        elif character == ">" and self.is_line_start:
            self._open_quote()
        else:
            raise cannot_parse(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )

    def _push(self, kind: str, name: str, closing: str, taken: int) -> None:
        self.open.append(_OpenMark(kind, name, closing, len(self.written), self.position))
        self.position += taken

    def _open_block(self) -> None:
        begin = self.position
        language, self.position = _language(self.source, begin + len(_FENCE))
        name = "PreCode" if language else "Pre"
        self.open.append(_OpenMark("pre", name, _FENCE, len(self.written), begin, language))

    def _open_quote(self) -> None:
        if self._is_in_quote():
            # The next line of the same quotation.
            self.position += 1
        else:
            self._push("blockquote", "BlockQuote", "", 1)

    def _is_in_quote(self) -> bool:
        return any(mark.type == "blockquote" for mark in self.open)

    def _line_break(self) -> None:
        ends_quote = self._is_in_quote() and not self.source.startswith("\n>", self.position)
        if ends_quote:
            self._close_quote()
        self.written.append("\n")
        self.position += 1
        self.is_line_start = True

    def _close_quote(self) -> None:
        """Ends the quotation at hand; `||` as its last sign lets people fold it."""
        kind = "blockquote"
        last = self.open[-1]
        if (
            last.type == "spoiler"
            and self.source[last.position + 2 : self.position].strip("\r") == ""
        ):
            self.open.pop()
            kind = "expandable_blockquote"
        quote = self.open.pop()
        if quote.type != "blockquote":
            raise self._no_end(quote)
        self.spans.append(Span(kind, quote.start, len(self.written)))

    def _end_quote_with_text(self) -> None:
        if self._is_in_quote():
            self._close_quote()

    def _add(self, mark: _OpenMark, extra: dict[str, str]) -> None:
        self.spans.append(Span(mark.type, mark.start, len(self.written), extra))

    def _add_link(self, mark: _OpenMark) -> None:
        url = self._address("URL")
        if url is None:
            url = "".join(self.written[mark.start :])
        try:
            self._add(mark, {"url": checked_link(url)})
        except BadLink:
            # Telegram shows such a link as plain text and says nothing.
            return

    def _add_custom_emoji(self, mark: _OpenMark) -> None:
        url = self._address("custom emoji URL")
        if url is None:
            raise cannot_parse("Custom emoji entity must contain a tg://emoji URL")
        identifier = _custom_emoji_id(url)
        self._add(mark, {"custom_emoji_id": identifier})

    def _address(self, name: str) -> str | None:
        """What stands in parentheses behind the mark that has just ended, if anything does."""
        if not self.source.startswith("(", self.position):
            return None
        begin = self.position = self.position + 1
        parts = []
        while self.position < len(self.source) and self.source[self.position] != ")":
            escaped = _ESCAPED.match(self.source, self.position)
            parts.append(escaped[1] if escaped else self.source[self.position])
            self.position += 2 if escaped else 1
        if self.position >= len(self.source):
            offset = byte_offset(self.source, begin)
            raise cannot_parse(f"Can't find end of a {name} at byte offset {offset}")
        self.position += 1
        return "".join(parts)

    def _no_end(self, mark: _OpenMark) -> Exception:
        offset = byte_offset(self.source, mark.position)
        return cannot_parse(f"Can't find end of {mark.name} entity at byte offset {offset}")


def parse_markdown(source: str) -> tuple[str, list[Span]]:
    """The old Markdown: `_italic_`, `*bold*`, links and code, none inside another.

    Raises:
        ApiError: a mark without its end.
    """
    written: list[str] = []
    spans: list[Span] = []
    position = 0
    while position < len(source):
        if source[position] == "\\" and source[position + 1 : position + 2] in {*"_*`["}:
            written.append(source[position + 1])
            position += 2
        elif source[position] in "_*`[":
            position = _read_old_entity(source, position, written, spans)
        else:
            written.append(source[position])
            position += 1
    return "".join(written), spans


def _read_old_entity(source: str, begin: int, written: list[str], spans: list[Span]) -> int:
    """Reads the entity that begins at `begin`; returns where the reading goes on."""
    mark, language, text_begin = source[begin], "", begin + 1
    if source.startswith(_FENCE, begin):
        mark = _FENCE
        language, text_begin = _language(source, begin + len(_FENCE))
    closing = "]" if mark == "[" else mark
    text_end = source.find(closing, text_begin)
    if text_end < 0:
        offset = byte_offset(source, begin)
        raise cannot_parse(f"Can't find end of the entity starting at byte offset {offset}")
    text = source[text_begin:text_end]
    after = text_end + len(closing)
    kind, extra = _OLD_MARKS.get(mark, "code"), {}
    if mark == "[":
        url = text
        if source.startswith("(", after):
            url_end = source.find(")", after)
            url_end = len(source) if url_end < 0 else url_end
            url, after = source[after + 1 : url_end], url_end + 1
        kind, extra = "text_link", {"url": url}
    elif mark == _FENCE:
        kind, extra = "pre", {"language": language} if language else {}
    span = Span(kind, len(written), len(written) + len(text), extra)
    written.extend(text)
    if kind != "text_link" or _take_link(extra):
        spans.append(span)
    return after


def _take_link(extra: dict[str, str]) -> bool:
    """Whether the entity's address is one; then it is put into its proper form."""
    try:
        extra["url"] = checked_link(extra["url"])
    except BadLink:
        return False
    return True


def _language(source: str, begin: int) -> tuple[str, int]:
    """The language behind a fence, if there is one, and where the code begins."""
    found = _LANGUAGE.match(source, begin)
    end = found.end() if found else begin
    line_break = _ONE_LINE_BREAK.match(source, end)
    return source[begin:end], line_break.end() if line_break else end


def _custom_emoji_id(url: str) -> str:
    found = _EMOJI_ADDRESS.fullmatch(url)
    if found is None:
        raise cannot_parse("Custom emoji URL must have an emoji identifier")
    return found[1]
