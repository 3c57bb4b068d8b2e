"""Texts and captions as a server keeps them: plain text, and entities that say what is special.

    parse mode or given entities -> control characters away -> trimmed
        -> entities that cannot be together sorted out -> automatic ones added

The parse modes are in `html_entities.py` and `markdown_entities.py`, what is found without marks in
`automatic_entities.py`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from sandbox.errors import bad_request
from sandbox.formatting.automatic_entities import automatic_spans
from sandbox.formatting.html_entities import parse_html
from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.markdown_entities import parse_markdown, parse_markdown_v2
from sandbox.formatting.spans import Span, as_entities, byte_offset, utf16_length, utf16_offsets
from sandbox.json_types import JsonObject

__all__ = ["FormattedText", "commands_of", "formatted", "utf16_length"]

# In UTF-16 units, after formatting.
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
# With its formatting. Whatever is longer cannot be short enough without it, and is not read.
RAW_TEXT_LIMIT = 32_768

_PARSERS = {"html": parse_html, "markdown": parse_markdown, "markdownv2": parse_markdown_v2}

_CODE = ("pre", "code")
_QUOTES = ("blockquote", "expandable_blockquote")
# These can be cut into pieces; where two cross, the later one of this list is cut.
_STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
# The server finds them itself, whatever a bot says.
_FOUND_ANYWAY = ("mention", "hashtag", "bot_command", "url", "email")
_GIVEN = {*_CODE, *_QUOTES, *_STYLES, *_FOUND_ANYWAY, "text_link", "text_mention", "custom_emoji"}
_GIVEN |= {"cashtag", "phone_number"}
_TRIMMED = " \n"


@dataclass(frozen=True)
class FormattedText:
    """A text and Telegram's MessageEntity objects, sorted, longer ones first.

    Attributes:
        text: plain.
        entities: with offsets and lengths in UTF-16 code units.
    """

    text: str
    entities: tuple[JsonObject, ...]


def formatted(
    text: str, parse_mode: str | None, entities: Sequence[JsonObject] | None
) -> FormattedText:
    """What a message keeps of a text that a bot sends or a person writes.

    Args:
        text: as it came.
        parse_mode: "HTML", "MarkdownV2" or "Markdown" in any case; None or "" for none.
        entities: where they are given, even as an empty list, the parse mode does not count.

    Raises:
        ApiError: the text is not well-formed, or an entity lies outside of it.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise bad_request("strings must be encoded in UTF-8")
    if entities is not None:
        spans = _given_spans(text, entities)
    elif parse_mode:
        parser = _PARSERS.get(parse_mode.lower())
        if parser is None:
            raise bad_request("unsupported parse_mode")
        text, spans = parser(text)
    else:
        spans = []
    text, spans = _cleaned(text, spans)
    text, spans = _trimmed(text, spans)
    return FormattedText(text, as_entities(text, _arranged(text, spans)))


def commands_of(text: str, entities: Iterable[JsonObject]) -> list[str]:
    """The bot commands in a text as they are written: `["/animate@animato_bot"]`."""
    units = text.encode("utf-16-le")
    return [
        units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
        for entity in entities
        if entity["type"] == "bot_command"
    ]


# --- entities that a bot gives --------------------------------------------------------------------


def _given_spans(text: str, entities: Sequence[JsonObject]) -> list[Span]:
    places = {offset: place for place, offset in enumerate(utf16_offsets(text))}
    spans = []
    for entity in entities:
        span = _given_span(entity, text, places)
        if span.end > span.start and span.type not in _FOUND_ANYWAY:
            spans.append(span)
    return spans


def _given_span(entity: JsonObject, text: str, places: dict[int, int]) -> Span:
    if not isinstance(entity, dict):
        raise bad_request("can't parse MessageEntity: expected an Object")
    kind = str(entity.get("type"))
    if kind not in _GIVEN:
        raise bad_request("can't parse MessageEntity: Unsupported type specified")
    offset, length = _number(entity, "offset"), _number(entity, "length")
    if offset < 0:
        raise bad_request(f"receive an entity with incorrect offset {offset}")
    if length < 0:
        raise bad_request(f"receive an entity with incorrect length {length}")
    end, last = offset + length, next(reversed(places))
    if offset > last:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {offset}")
    if end > last:
        raise bad_request(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text "
            f"at UTF-16 offset {end}"
        )
    beginning = f"entity beginning at UTF-16 offset {offset} ends"
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
        url = _string(entity, "url")
        try:
            return {"url": checked_link(url)}
        except BadLink as exc:
            raise bad_request(f"entity URL '{url}' is invalid: {exc}") from exc
    if kind == "text_mention":
        user = entity.get("user")
        if not isinstance(user, dict) or not isinstance(user.get("id"), int):
            raise bad_request("can't parse MessageEntity: Can't find field \"user\"")
        return {"user": user}
    if kind == "custom_emoji":
        identifier = _string(entity, "custom_emoji_id")
        if not re.fullmatch(r"[0-9]{1,19}", identifier):
            raise bad_request(
                'can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number'
            )
        return {"custom_emoji_id": identifier}
    if kind == "pre" and entity.get("language"):
        return {"language": _string(entity, "language")}
    return {}


def _string(entity: JsonObject, field: str) -> str:
    value = entity.get(field)
    if not isinstance(value, str):
        raise bad_request(f"can't parse MessageEntity: Can't find field \"{field}\"")
    return value


# --- what the server makes of them ----------------------------------------------------------------


def _cleaned(text: str, spans: Iterable[Span]) -> tuple[str, list[Span]]:
    """Without carriage returns, and with spaces for other control characters."""
    places = list(accumulate((character != "\r" for character in text), initial=0))
    text = re.sub(r"[\x00-\x09\x0b-\x1f]", " ", text.replace("\r", ""))
    return text, _moved(spans, places)


def _trimmed(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Without space at its ends; what is in front belongs to an entity that begins there."""
    end = len(text.rstrip(_TRIMMED))
    begin = len(text) - len(text.lstrip(_TRIMMED))
    visible = [span.start for span in spans if text[span.start : span.end].strip(_TRIMMED)]
    begin = min([begin, end, *visible])
    places = [min(max(place, begin), end) - begin for place in range(len(text) + 1)]
    return text[begin:end], _moved(spans, places)


def _moved(spans: Iterable[Span], places: Sequence[int]) -> list[Span]:
    moved = (replace(span, start=places[span.start], end=places[span.end]) for span in spans)
    return [span for span in moved if span.end > span.start]


def _arranged(text: str, spans: Iterable[Span]) -> list[Span]:
    """Given and automatic spans in order, such that any two lie apart or one within the other."""
    ordered = sorted(spans, key=_order)
    quotes = _apart(span for span in ordered if span.type in _QUOTES)
    solid = _apart(
        span
        for span in ordered
        if span.type not in (*_STYLES, *_QUOTES)
        and not any(_cross(span, quote) for quote in quotes)
    )
    # What is found counts where nothing else says what the text is; styles do not say that.
    solid += [
        found
        for found in automatic_spans(text)
        if not any(found.overlaps(span) for span in solid)
        and not any(_cross(found, quote) for quote in quotes)
    ]
    arranged = quotes + solid
    for style in _STYLES:
        pieces = _joined(span for span in ordered if span.type == style)
        for block in (span for span in solid if span.type in _CODE):
            pieces = [part for piece in pieces for part in _around(piece, block)]
        for other in list(arranged):
            pieces = [part for piece in pieces for part in _cut(piece, other)]
        arranged += pieces
    return sorted(arranged, key=_order)


def _order(span: Span) -> tuple[int, int, int]:
    if span.type in _STYLES:
        rank = len(_QUOTES + _CODE) + 1 + _STYLES.index(span.type)
    elif span.type in _QUOTES + _CODE:
        rank = (_QUOTES + _CODE).index(span.type)
    else:
        rank = len(_QUOTES + _CODE)
    return span.start, -span.end, rank


def _apart(ordered: Iterable[Span]) -> list[Span]:
    """Those that do not overlap an earlier one."""
    kept: list[Span] = []
    for span in ordered:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _joined(ordered: Iterable[Span]) -> list[Span]:
    """Spans of one type; those that overlap or touch are one."""
    joined: list[Span] = []
    for span in ordered:
        if joined and span.start <= joined[-1].end:
            joined[-1] = replace(joined[-1], end=max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _cross(one: Span, other: Span) -> bool:
    """Whether they overlap and neither lies within the other."""
    within = one.start >= other.start and one.end <= other.end
    around = one.start <= other.start and one.end >= other.end
    return one.overlaps(other) and not within and not around


def _around(piece: Span, block: Span) -> list[Span]:
    """What is left of a style outside of a piece of code."""
    if not piece.overlaps(block):
        return [piece]
    parts = [replace(piece, end=block.start), replace(piece, start=block.end)]
    return [part for part in parts if part.end > part.start]


def _cut(piece: Span, other: Span) -> list[Span]:
    """The piece, in two where it crosses an end of the other span."""
    if not _cross(piece, other):
        return [piece]
    place = other.end if piece.start >= other.start else other.start
    return [replace(piece, end=place), replace(piece, start=place)]
