"""Entities in characters, before they are converted to the Bot API's UTF-16 code units."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from sandbox.errors import ApiError, bad_request
from sandbox.json_types import JsonObject


@dataclass(frozen=True)
class Span:
    """One entity, counted in Python characters.

    Attributes:
        type: the Bot API's name: "bold", "text_link", ...
        start: the first character.
        end: the character after the last one.
        extra: other fields of the entity: `url`.
    """

    type: str
    start: int
    end: int
    extra: JsonObject = field(default_factory=dict)

    def overlaps(self, other: "Span") -> bool:
        """Return whether both cover a character."""
        return self.start < other.end and other.start < self.end


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return sum(map(_units, text))


def utf16_offsets(text: str) -> list[int]:
    """Return the UTF-16 offset of each character; the last number is the text's length."""
    return list(accumulate(map(_units, text), initial=0))


def as_entities(text: str, spans: Iterable[Span]) -> tuple[JsonObject, ...]:
    """Convert spans to MessageEntity objects."""
    offsets = utf16_offsets(text)
    return tuple(
        {
            "type": span.type,
            "offset": offsets[span.start],
            "length": offsets[span.end] - offsets[span.start],
            **span.extra,
        }
        for span in spans
    )


def byte_offset(text: str, position: int) -> int:
    """Return the UTF-8 byte offset of a character, which Telegram's error messages name."""
    return len(text[:position].encode())


def cannot_parse(text: str) -> ApiError:
    """Return the error for a text that its parse mode does not allow."""
    return bad_request(f"can't parse entities: {text}")


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1
