"""What is wrong with a file that came back, and what is Telegram's own affair."""

from dataclasses import replace

import pytest

from bot.gateway.round_trip import ANIMATION, DOCUMENT, VIDEO, Trip

WELL = Trip(ANIMATION, ANIMATION, is_same=True, sent_s=2.0, came_back_s=2.0, took_s=0.1)


@pytest.mark.parametrize(
    ("trip", "trouble"),
    [
        (WELL, ""),
        (replace(WELL, is_same=False), ""),
        (replace(WELL, came_back_s=3.0), ""),
        (replace(WELL, came_back_s=3.5), "the animation of 2 s came back with 3.5 s"),
        (replace(WELL, came_back=VIDEO), "what was sent as animation came back as video"),
        (Trip(DOCUMENT, DOCUMENT, is_same=True, sent_s=2.0, came_back_s=None, took_s=0.1), ""),
        (
            Trip(DOCUMENT, DOCUMENT, is_same=False, sent_s=2.0, came_back_s=None, took_s=0.1),
            "the document came back with other bytes",
        ),
    ],
)
def test_only_a_video_may_come_back_with_other_bytes(trip: Trip, trouble: str) -> None:
    assert trip.problem == trouble
