"""Files that are nearly right: intact ones, changed as accidents and attackers change them."""

import re
import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

Draw = st.DrawFn

# Numbers with which lengths, sizes and counts of a format are replaced.
_EXTREMES = (
    *(b"\0", b"\1", b"\x7f", b"\x80", b"\xff"),
    *(b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\x7f"),
    *(b"\0\0\0\0", b"\0\0\0\1", b"\1\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"),
    *(b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\0\1\0\0", b"\xff\xff\xff\xf0"),
    *(b"\0" * 8, b"\xff" * 8, b"\0" * 36, b"\xff" * 16),
)
# The names of boxes, chunks and tags; lengths stand before or after them.
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = 256
_MOST_BYTES = 400_000


def _place(draw: Draw, data: bytes) -> int:
    """A place in a file; the beginning, where sizes are declared, is chosen more often."""
    last = max(0, len(data) - 1)
    return draw(st.one_of(st.integers(0, min(last, _HEAD_BYTES)), st.integers(0, last)))


def _part(draw: Draw, data: bytes) -> tuple[int, int]:
    begin = _place(draw, data)
    return begin, min(len(data), begin + draw(st.integers(1, 2048)))


def _flip(draw: Draw, data: bytes, _: bytes) -> bytes:
    at = _place(draw, data)
    return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]


def _overwrite(draw: Draw, data: bytes, _: bytes) -> bytes:
    at, value = (
        _place(draw, data),
        draw(st.one_of(st.sampled_from(_EXTREMES), st.binary(max_size=8))),
    )
    return data[:at] + value + data[at + len(value) :]


def _field(draw: Draw, data: bytes, _: bytes) -> bytes:
    """Replace the number before or after a name, or what lies a little behind it."""
    names = [found.start() for found in _NAME.finditer(data[:_MOST_BYTES])]
    if not names:
        return data
    offset = draw(st.one_of(st.sampled_from([-4, 4]), st.integers(4, 96)))
    at = max(0, draw(st.sampled_from(names)) + offset)
    value = draw(st.sampled_from(_EXTREMES))
    return data[:at] + value + data[at + len(value) :]


def _rename(draw: Draw, data: bytes, other: bytes) -> bytes:
    names = [found.start() for found in _NAME.finditer(data[:_MOST_BYTES])]
    others = [found[0] for found in _NAME.finditer(other[:_MOST_BYTES])]
    if not names or not others:
        return data
    at = draw(st.sampled_from(names))
    return data[:at] + draw(st.sampled_from(others)) + data[at + 4 :]


def _truncate(draw: Draw, data: bytes, _: bytes) -> bytes:
    return data[: _place(draw, data)]


def _drop(draw: Draw, data: bytes, _: bytes) -> bytes:
    begin, end = _part(draw, data)
    return data[:begin] + data[end:]


def _repeat(draw: Draw, data: bytes, _: bytes) -> bytes:
    begin, end = _part(draw, data)
    at, times = _place(draw, data), draw(st.sampled_from([1, 1, 2, 50]))
    return data[:at] + data[begin:end] * times + data[at:]


def _splice(draw: Draw, data: bytes, other: bytes) -> bytes:
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def _append(_: Draw, data: bytes, other: bytes) -> bytes:
    return data + other


def _change_head(draw: Draw, data: bytes, other: bytes) -> bytes:
    size = draw(st.integers(1, 64))
    return other[:size] + data[size:]


def _insert(draw: Draw, data: bytes, _: bytes) -> bytes:
    at = _place(draw, data)
    return data[:at] + draw(st.binary(min_size=1, max_size=64)) + data[at:]


_CHANGES: tuple[Callable[[Draw, bytes, bytes], bytes], ...] = (
    *(_flip, _flip, _overwrite, _overwrite, _field, _field, _field, _rename, _truncate),
    *(_drop, _repeat, _splice, _append, _change_head, _insert),
)


@st.composite
def mutated(draw: Draw, corpus: Callable[[], Sequence[bytes]], most_changes: int = 4) -> bytes:
    """One of the files of a corpus after one to `most_changes` changes; never empty."""
    files = corpus()
    data = draw(st.sampled_from(files))
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=most_changes)):
        if data:
            data = change(draw, data, draw(st.sampled_from(files)))[:_MOST_BYTES]
    if data.startswith(_PNG) and draw(st.booleans()):
        data = with_checksums(data)
    return data or b"\0"


def with_checksums(png: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them, so that decoders go on."""
    result, at = bytearray(png), len(_PNG)
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        result[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(result)
