"""Pieces of a text with a meaning: counted in characters here, in UTF-16 code units by Telegram."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sandbox.errors import ApiError, bad_request
from sandbox.json_types import JsonObject

# Everything beyond this code point takes two code units.
_LAST_SINGLE_UNIT = 0xFFFF


@dataclass(frozen=True)
class Span:
    """One entity, still in Python's own counting.

    Attributes:
        type: Telegram's word: "bold", "text_link", ...
        start: its first character.
        end: the character after its last one.
        extra: what else the entity carries: `url`, `language`, `user`, `custom_emoji_id`.
    """

    type: str
    start: int
    end: int
    extra: JsonObject = field(default_factory=dict)

    def overlaps(self, other: "Span") -> bool:
        """Whether both cover a character."""
        return self.start < other.end and other.start < self.end


def utf16_length(text: str) -> int:
    """How long Telegram finds a text: its length in UTF-16 code units."""
    return sum(_units(character) for character in text)


def utf16_offsets(text: str) -> list[int]:
    """Where each character begins in UTF-16 code units; the last number is the text's length."""
    return list(accumulate((_units(character) for character in text), initial=0))


def as_entities(text: str, spans: Sequence[Span]) -> tuple[JsonObject, ...]:
    """The spans as Telegram's MessageEntity objects, in their order."""
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
    """How many bytes of UTF-8 lie before a character: thus Telegram says where something is."""
    return len(text[:position].encode())


def cannot_parse(text: str) -> ApiError:
    """The refusal of a text that is not well-formed in its parse mode."""
    return bad_request(f"can't parse entities: {text}")


def _units(character: str) -> int:
    return 2 if ord(character) > _LAST_SINGLE_UNIT else 1
