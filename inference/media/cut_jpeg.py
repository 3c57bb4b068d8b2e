"""Decode truncated JPEG files, as chat apps and interrupted downloads leave them."""

import re
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops

# At most this share of the rows may be missing.
_MOST_MISSING = 0.05
_END = b"\xff\xd9"
# Valid entropy-coded data without a marker, even after a final 0xFF: rows it changes are missing.
_GARBAGE = bytes(range(255)) * 8
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xda-\xfe])")
_NO_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
_COEFFICIENTS = 64


def complete_jpeg(path: Path) -> Image.Image | None:
    """Decode a truncated file. Return None if more than a few rows are missing.

    Missing rows repeat the last row that is there.

    Raises:
        OSError, SyntaxError: it is damaged in another way.
    """
    data = path.read_bytes()
    if _lacks_scans(data):
        return None
    image = _decoded(data + _END)
    difference = ImageChops.difference(image, _decoded(data + _GARBAGE + _END)).getbbox()
    if difference is None:
        return image
    first_missing = difference[1]
    missing = image.height - first_missing
    if missing > _MOST_MISSING * image.height:
        return None
    # In a progressive JPEG the last rows are there, only less sharp.
    if "progressive" not in image.info:
        last_row = image.crop((0, first_missing - 1, image.width, first_missing))
        image.paste(last_row.resize((image.width, missing)), (0, first_missing))
    return image


def _decoded(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data), formats=("JPEG",))
    image.load()
    return image


def _lacks_scans(data: bytes) -> bool:
    """Return whether a scan is missing altogether (ITU-T T.81, annexes B and G)."""
    # Per component, the lowest bits still missing from each coefficient; 16 means all of it.
    waiting: dict[int, list[int]] = {}
    at = 2
    while found := _MARKER.search(data, at):
        kind, start = found[1][0], found.end()
        segment = data[start + 2 : start + int.from_bytes(data[start : start + 2])]
        at = start + 2 + len(segment)
        if kind < 0xD0 and kind not in _NO_FRAME_HEADERS:
            waiting = {number: [16] * _COEFFICIENTS for number in segment[6::3]}
        elif kind == 0xDA:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            for number in segment[1 : 1 + 2 * count : 2]:
                width = last + 1 - first
                waiting[number][first : last + 1] = [bits & 15] * width
    return not waiting or any(any(bits) for bits in waiting.values())
