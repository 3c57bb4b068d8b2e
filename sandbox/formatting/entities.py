"""Texts and captions as Telegram keeps them: plain text and a list of entities."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.errors import bad_request
from sandbox.formatting.automatic_entities import automatic_spans
from sandbox.formatting.html_entities import parse_html
from sandbox.formatting.spans import Span, as_entities, utf16_length
from sandbox.json_types import JsonObject

__all__ = ["FormattedText", "commands_of", "formatted", "utf16_length"]

# In UTF-16 code units, after parsing.
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
# Including markup. A longer source cannot become short enough, and is not parsed.
RAW_TEXT_LIMIT = 32_768

_STYLES = {"bold", "italic", "underline", "strikethrough", "spoiler", "blockquote"}
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_TRIMMED = " \n"


@dataclass(frozen=True)
class FormattedText:
    """A text and its MessageEntity objects, sorted by offset, longer ones first."""

    text: str
    entities: tuple[JsonObject, ...]

    def as_fields(self, name: str) -> JsonObject:
        """Return the fields of a Message; `name` is "text" or "caption"."""
        entities = "entities" if name == "text" else "caption_entities"
        fields: JsonObject = {name: self.text} if self.text else {}
        return fields | ({entities: list(self.entities)} if self.entities else {})


def formatted(text: str, parse_mode: str | None = None) -> FormattedText:
    """Parse a text that a bot sends or a person writes.

    Args:
        text: as received.
        parse_mode: "HTML" in any case; None or "" for none.

    Raises:
        ApiError: the markup is not well-formed.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    text, spans = _CONTROL.sub(" ", text).strip(_TRIMMED), list[Span]()
    if parse_mode:
        if parse_mode.lower() != "html":
            raise bad_request("unsupported parse_mode")
        text, spans = parse_html(text)
    spans += _detect(text, spans)
    spans.sort(key=lambda span: (span.start, -span.end))
    return FormattedText(text, as_entities(text, spans))


def commands_of(text: str, entities: Iterable[JsonObject]) -> list[str]:
    """Return the bot commands in a text as written: `["/animate@animato_bot"]`."""
    units = text.encode("utf-16-le")
    return [
        units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
        for entity in entities
        if entity["type"] == "bot_command"
    ]


def _detect(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return detected entities outside code and links."""
    solid = [span for span in spans if span.type not in _STYLES]
    return [
        found for found in automatic_spans(text) if not any(found.overlaps(span) for span in solid)
    ]
