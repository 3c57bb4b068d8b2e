"""Show me all: one silent video of the same face under several movements, side by side.

How long the video is and how much work it is, for the bot that plans it and for
`inference/show_all.py`, which makes it for a wish with `Movement.templates`.
"""

from collections.abc import Iterable, Sequence
from math import ceil

from jobs.templates import CurveMotion, Template

FRAME_RATE = 25
"""Frames per second of the video."""

MAX_TILES = 9
"""The most movements that the bot shows in one video, and the buttons of one page."""

_MAX_FRAMES = 6 * FRAME_RATE
# Work of a tile's frame relative to a whole photo's; a small face is as much work.
_TILE_SHARE = 0.6


def frame_count(lengths: Sequence[int]) -> int:
    """Return the video's number of frames: those of the longest movement, 6 s at most.

    Args:
        lengths: of the movements, frames at `FRAME_RATE`; at least one.
    """
    return min(_MAX_FRAMES, max(lengths))


def repeats(length: int, count: int) -> int:
    """Return how often a movement of `length` frames is shown within `count`; then it rests."""
    return max(1, count // length)


def work_for_lengths(lengths: Sequence[int]) -> int:
    """Return the video's work in frames of an ordinary video, see `Movement.frames`.

    Args:
        lengths: as in `frame_count`.
    """
    count = frame_count(lengths)
    moving = sum(min(count, length * repeats(length, count)) for length in lengths)
    return max(1, round(_TILE_SHARE * moving))


def work_frames(templates: Iterable[Template]) -> int:
    """Return the work for these templates; one of unknown length counts as long as it can be."""
    return work_for_lengths([_length(template) for template in templates])


def _length(template: Template) -> int:
    motion = template.motion
    if isinstance(motion, CurveMotion):
        return ceil(motion.frame_count * FRAME_RATE / motion.frame_rate)
    return min(_MAX_FRAMES, motion.frame_count or _MAX_FRAMES)
