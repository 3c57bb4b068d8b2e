"""Texts and captions as Telegram keeps them: plain text and a list of entities."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.errors import bad_request
from sandbox.formatting.automatic_entities import automatic_spans
from sandbox.formatting.html_entities import parse_html
from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.spans import Span, as_entities, byte_offset, utf16_length, utf16_offsets
from sandbox.json_types import JsonObject

__all__ = ["FormattedText", "commands_of", "formatted", "utf16_length"]

# In UTF-16 code units, after parsing.
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
# Including markup. A longer source cannot become short enough, and is not parsed.
RAW_TEXT_LIMIT = 32_768

_STYLES = {"bold", "italic", "underline", "strikethrough", "spoiler"}
_QUOTES = {"blockquote", "expandable_blockquote"}
# The server detects these itself and ignores what a bot says of them.
_DETECTED = {"mention", "hashtag", "bot_command", "url", "email"}
_KNOWN = _STYLES | _QUOTES | _DETECTED | {"pre", "code", "text_link", "text_mention"}
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


def formatted(
    text: str, parse_mode: str | None, entities: Sequence[JsonObject] | None
) -> FormattedText:
    """Parse a text that a bot sends or a person writes.

    Args:
        text: as received.
        parse_mode: "HTML" in any case; None or "" for none.
        entities: if given, even as an empty list, the parse mode is ignored.

    Raises:
        ApiError: the markup is not well-formed, or an entity is invalid.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    text = _CONTROL.sub(" ", text)
    spans: list[Span] = []
    if entities is not None:
        spans = _given_spans(text, entities)
    elif parse_mode:
        if parse_mode.lower() != "html":
            raise bad_request("unsupported parse_mode")
        text, spans = parse_html(text.strip(_TRIMMED))
    else:
        text = text.strip(_TRIMMED)
    spans += _detected(text, spans)
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


def _detected(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return detected entities outside code and links."""
    solid = [span for span in spans if span.type not in _STYLES | _QUOTES]
    return [
        found for found in automatic_spans(text) if not any(found.overlaps(span) for span in solid)
    ]


# --- entities given by the bot --------------------------------------------------------------------


def _given_spans(text: str, entities: Sequence[JsonObject]) -> list[Span]:
    places = {offset: place for place, offset in enumerate(utf16_offsets(text))}
    spans = [_given_span(entity, text, places) for entity in entities]
    return [span for span in spans if span.end > span.start and span.type not in _DETECTED]


def _given_span(entity: JsonObject, text: str, places: dict[int, int]) -> Span:
    kind = str(entity.get("type"))
    if kind not in _KNOWN:
        raise bad_request("can't parse MessageEntity: Unsupported type specified")
    offset, length = _number(entity, "offset"), _number(entity, "length")
    if offset < 0:
        raise bad_request(f"receive an entity with incorrect offset {offset}")
    if length < 0:
        raise bad_request(f"receive an entity with incorrect length {length}")
    end, last = offset + length, next(reversed(places))
    if offset > last:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {offset}")
    beginning = f"entity beginning at UTF-16 offset {offset} ends"
    if end > last:
        raise bad_request(f"{beginning} after the end of the text at UTF-16 offset {end}")
    for unit, what in ((offset, "entity begins"), (end, beginning)):
        if unit not in places:
            place = byte_offset(text, places[unit - 1])
            raise bad_request(f"{what} in a middle of a UTF-16 symbol at byte offset {place}")
    return Span(kind, places[offset], places[end], _given_extra(kind, entity))


def _number(entity: JsonObject, field: str) -> int:
    value = entity.get(field)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request(f'can\'t parse MessageEntity: Field "{field}" must be of type Number')
    return value


def _given_extra(kind: str, entity: JsonObject) -> JsonObject:
    if kind == "text_link":
        url = entity.get("url")
        if not isinstance(url, str):
            raise bad_request("can't parse MessageEntity: Can't find field \"url\"")
        try:
            return {"url": checked_link(url)}
        except BadLink as exc:
            raise bad_request(f"entity URL '{url}' is invalid: {exc}") from exc
    if kind == "text_mention":
        user = entity.get("user")
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise bad_request("can't parse MessageEntity: Can't find field \"user\"")
        return {"user": user}
    language = entity.get("language")
    return {"language": language} if kind == "pre" and isinstance(language, str) else {}
