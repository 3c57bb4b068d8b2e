"""Show me all: one silent video of the same face under several movements, side by side.

What the two sides have to agree on: how long it is, and how much work it is. It is made by
`inference/show_all.py`, for an order whose `Movement.templates` names the movements.
"""

from collections.abc import Iterable, Sequence
from math import ceil

from jobs.templates import CurveMotion, Template

FRAME_RATE = 25
"""Frames per second of the video."""

MAX_TILES = 24
"""So many movements can be told apart, and made in one go."""

_MAX_FRAMES = 6 * FRAME_RATE
# A tile's frame beside one of a whole photo; engines work as long on a small face.
_TILE_SHARE = 0.6


def frame_count(lengths: Sequence[int]) -> int:
    """How many frames the video has: those of the longest movement, 6 s at most.

    Args:
        lengths: of the movements, frames at `FRAME_RATE`; at least one.
    """
    return min(_MAX_FRAMES, max(lengths))


def repeats(length: int, count: int) -> int:
    """How often a movement of `length` frames is shown within `count`; then it rests."""
    return max(1, count // length)


def work(lengths: Sequence[int]) -> int:
    """The video's work in frames of an ordinary video, for `Movement.frames` and speeds.

    Args:
        lengths: as of `frame_count`.
    """
    count = frame_count(lengths)
    moving = sum(min(count, length * repeats(length, count)) for length in lengths)
    return max(1, round(_TILE_SHARE * moving))


def work_frames(templates: Iterable[Template]) -> int:
    """As `work`, for these templates; a recorded one may be as long as the video can be."""
    return work([_length(template) for template in templates])


def _length(template: Template) -> int:
    motion = template.motion
    return ceil(motion.duration_s * FRAME_RATE) if isinstance(motion, CurveMotion) else _MAX_FRAMES
