"""Wishes for tests."""

from fractions import Fraction
from typing import Any

from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.wish import Movement, Wish


def make_photo(file: str, **changes: Any) -> PhotoFindings:
    """A photo without a face, as the gate describes it."""
    facts: dict[str, Any] = {
        "file": file,
        "sheet": file.replace("photo", "sheet"),
        "width": 900,
        "height": 1200,
        "original_width": 900,
        "original_height": 1200,
    }
    return PhotoFindings(**(facts | changes))


def make_clip(file: str = "looks/7/clip.mp4", **changes: Any) -> ClipFindings:
    """A silent clip of a second, as the gate describes it."""
    facts: dict[str, Any] = {
        "file": file,
        "width": 64,
        "height": 48,
        "original_width": 64,
        "original_height": 48,
        "frame_rate": Fraction(25),
        "frame_count": 25,
        "has_sound": False,
    }
    return ClipFindings(**(facts | changes))


def make_voice(folder: str = "looks/7", **changes: Any) -> VoiceFindings:
    """A recording of two seconds, as the gate describes it."""
    facts: dict[str, Any] = {
        "file": f"{folder}/voice.m4a",
        "curves": f"{folder}/voice.npz",
        "frame_count": 50,
    }
    return VoiceFindings(**(facts | changes))


def make_wish(photo: str, movement: Movement, frames: int = 75, **changes: Any) -> Wish:
    """A wish whose movement takes so many frames."""
    movement = movement.model_copy(update={"frames": movement.frames or frames})
    return Wish(photo=make_photo(photo), movement=movement, **changes)
