"""Argument types for argparse: each function parses a value or raises ArgumentTypeError."""

import argparse
import math
from pathlib import Path

from jobs.model import CropBox
from jobs.wish import LEAST_STRENGTH, MOST_STRENGTH


def crop_box(text: str) -> CropBox:
    """Parse a box written as `left,upper,right,lower`."""
    parts = text.split(",")
    try:
        left, upper, right, lower = (int(part) for part in parts)
        return CropBox(left=left, upper=upper, right=right, lower=lower)
    except ValueError as error:
        message = f"'{text}' is not left,upper,right,lower in whole px, such as 40,30,200,190"
        raise argparse.ArgumentTypeError(message) from error


def face_choice(text: str) -> int | str:
    """Parse the number of a face (from 1), `all` or `centre`."""
    if text in ("all", "centre", "center"):
        return text.replace("center", "centre")
    return _whole_number(text, 1, None, "the number of a face (1, 2, ...), all or centre")


def video_path(text: str) -> Path:
    """Parse a path that ends in .mp4, .mkv (lossless), .gif or .webp."""
    path = Path(text)
    if path.suffix.lower() not in (".mp4", ".mkv", ".gif", ".webp"):
        message = f"'{text}' must end in .mp4, .mkv (lossless), .gif or .webp"
        raise argparse.ArgumentTypeError(message)
    return path


def png_path(text: str) -> Path:
    """Parse a path that ends in .png."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        message = f"'{text}' must end in .png"
        raise argparse.ArgumentTypeError(message)
    return path


def side_px(text: str) -> int:
    """Parse a side in px: 0, or at least 64."""
    return 0 if text == "0" else _whole_number(text, 64, None, "0 or a whole number of px from 64")


def seconds(text: str) -> float:
    """Parse a time in s, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        message = f"'{text}' is not a time in seconds, 0 or more"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_seconds(text: str) -> float:
    """Parse a time in s, more than 0."""
    value = seconds(text)
    if value == 0:
        message = "a duration must be more than 0 seconds"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_count(text: str) -> int:
    """Parse a whole number from 1 to 100."""
    return _whole_number(text, 1, 100, "a whole number from 1 to 100")


def padding_px(text: str) -> int:
    """Parse a padding in px, 0 to 5000; the limit bounds the memory of the padded picture."""
    return _whole_number(text, 0, 5000, "a whole number of px from 0 to 5000")


def frame_number(text: str) -> int:
    """Parse the number of a frame, from 0."""
    return _whole_number(text, 0, 999_999, "the number of a frame (0, 1, 2, ...)")


def margin(text: str) -> float:
    """Parse a margin as a multiple of the face's size, 1 to 4."""
    return _number_between(text, 1, 4)


def strength(text: str) -> float:
    """Parse the strength of a movement, 0.5 to 1.5."""
    return _number_between(text, LEAST_STRENGTH, MOST_STRENGTH)


def smoothing_s(text: str) -> float:
    """Parse a smoothing time in s, 0 to 1."""
    return _number_between(text, 0, 1)


def _whole_number(text: str, least: int, most: int | None, what: str) -> int:
    if text.isdecimal() and least <= int(text) <= (most or math.inf):
        return int(text)
    message = f"'{text}' is not {what}"
    raise argparse.ArgumentTypeError(message)


def _number_between(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        message = f"'{text}' is not a number from {least:g} to {most:g}"
        raise argparse.ArgumentTypeError(message)
    return value
