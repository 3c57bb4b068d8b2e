"""What options of the command line take: each function reads one value or says what is wrong."""

import argparse
import math
from pathlib import Path

from jobs.model import CropBox


def crop_box(text: str) -> CropBox:
    """The box of `left,upper,right,lower`."""
    parts = text.split(",")
    try:
        left, upper, right, lower = (int(part) for part in parts)
        return CropBox(left=left, upper=upper, right=right, lower=lower)
    except ValueError as error:
        message = f"'{text}' is not left,upper,right,lower in whole px, such as 40,30,200,190"
        raise argparse.ArgumentTypeError(message) from error


def face_choice(text: str) -> int | str:
    """A face's number from 1, or `centre`."""
    if text in ("centre", "center"):
        return "centre"
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    message = f"'{text}' is not a face's number (1, 2, ...) or centre"
    raise argparse.ArgumentTypeError(message)


def video_path(text: str) -> Path:
    """Read a path that ends in .mp4, .mkv (lossless), .gif or .webp."""
    path = Path(text)
    if path.suffix.lower() not in (".mp4", ".mkv", ".gif", ".webp"):
        message = f"'{text}' must end in .mp4, .mkv (lossless), .gif or .webp"
        raise argparse.ArgumentTypeError(message)
    return path


def png_path(text: str) -> Path:
    """A path that ends in .png."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        message = f"'{text}' must end in .png, the only format that is written"
        raise argparse.ArgumentTypeError(message)
    return path


def side_px(text: str) -> int:
    """A side in px; 0, or at least 64."""
    if text.isdecimal() and (int(text) == 0 or int(text) >= 64):
        return int(text)
    message = f"'{text}' is not 0 or a whole number of px from 64"
    raise argparse.ArgumentTypeError(message)


def seconds(text: str) -> float:
    """A time in s, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        message = f"'{text}' is not a time in seconds, 0 or more"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_seconds(text: str) -> float:
    """A time in s, more than 0."""
    value = seconds(text)
    if value == 0:
        message = "a duration must be more than 0 seconds"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_count(text: str) -> int:
    """A whole number from 1 to 100."""
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    message = f"'{text}' is not a whole number from 1 to 100"
    raise argparse.ArgumentTypeError(message)


def padding_px(text: str) -> int:
    """A padding in px, 0 to 5000: what is added is made, and kept in memory."""
    if text.isdecimal() and int(text) <= 5000:
        return int(text)
    message = f"'{text}' is not a whole number of px from 0 to 5000"
    raise argparse.ArgumentTypeError(message)


def frame_number(text: str) -> int:
    """A frame's number, from 0."""
    if text.isdecimal() and int(text) < 1_000_000:
        return int(text)
    message = f"'{text}' is not a frame's number (0, 1, 2, ...)"
    raise argparse.ArgumentTypeError(message)


def margin(text: str) -> float:
    """How many times as large as a face, 1 to 4."""
    return _number_between(text, 1, 4)


def smoothing_s(text: str) -> float:
    """A time in s to average over, 0 to 1."""
    return _number_between(text, 0, 1)


def _number_between(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        message = f"'{text}' is not a number from {least:g} to {most:g}"
        raise argparse.ArgumentTypeError(message)
    return value
