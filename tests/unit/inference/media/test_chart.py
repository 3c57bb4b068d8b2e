"""The chart of /stats."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.media.chart import COLOURS, draw_chart, tick_step
from jobs.media_tasks import ChartDay, DrawChart


def drawn(folder: Path, *days: tuple[int, int, int]) -> np.ndarray:
    shown = [
        ChartDay(label=f"11-{number:02}", parts=parts, people=sum(parts))
        for number, parts in enumerate(days, start=1)
    ]
    made = draw_chart(DrawChart(days=tuple(shown)), folder)
    with Image.open(folder / made.names[0]) as picture:
        assert picture.size == (made.width, made.height)
        return np.asarray(picture.convert("RGB"))


def area(picture: np.ndarray, colour: str) -> int:
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((picture == wanted).all(axis=2).sum())


def test_areas_are_in_proportion_to_the_numbers(tmp_path: Path) -> None:
    picture = drawn(tmp_path, (40, 20, 10), (0, 0, 0), (0, 40, 0))
    done, not_made, failed = (area(picture, colour) for colour in COLOURS)
    assert not_made == pytest.approx(1.5 * done, rel=0.02)
    assert failed == pytest.approx(done / 4, rel=0.05)


@pytest.mark.parametrize(
    ("largest", "step"),
    [(0, 1), (1, 1), (5, 1), (6, 2), (11, 5), (26, 10), (140, 50), (5001, 2000)],
)
def test_axis_has_few_round_steps(largest: int, step: int) -> None:
    assert tick_step(largest) == step


def test_week_without_orders_is_drawn_too(tmp_path: Path) -> None:
    picture = drawn(tmp_path, *[(0, 0, 0)] * 7)
    assert [area(picture, colour) for colour in COLOURS] == [0, 0, 0]
