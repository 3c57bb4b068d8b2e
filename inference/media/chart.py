"""The chart of /stats: a bar for each day, made of coloured parts, over an axis that begins at 0.

It holds no words, only numbers and dates: the caption, in the reader's language, names the colours.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from jobs.media_tasks import ChartDay, DrawChart, Made

_WIDTH, _HEIGHT = 1000, 620
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 24, 48, 96
_BACKGROUND, _INK, _PALE, _LINE = "#ffffff", "#26282e", "#6b7078", "#dfe2e7"
COLOURS = ("#3b7dd8", "#f2b632", "#d64541")
"""Of the parts of a bar, from its bottom; in the caption 🟦 🟨 🟥."""

_BAR_SHARE = 0.62
_MOST_STEPS = 5


def draw_chart(task: DrawChart, folder: Path) -> Made:
    """Draw the chart as `chart.png`."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    step = tick_step(max(sum(day.parts) for day in task.days))
    top = step * max(1, -(-max(sum(day.parts) for day in task.days) // step))
    for value in range(0, top + 1, step):
        y = _y(value, top)
        draw.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=_LINE if value else _PALE, width=2)
        draw.text((_LEFT - 14, y), str(value), font=_font(22), fill=_PALE, anchor="rm")
    slot = (_WIDTH - _LEFT - _RIGHT) / len(task.days)
    for index, day in enumerate(task.days):
        _draw_day(draw, day, _LEFT + (index + 0.5) * slot, slot * _BAR_SHARE, top)
    target = folder / "chart.png"
    picture.save(target, format="PNG", optimize=True)
    size_bytes = target.stat().st_size
    return Made(names=(target.name,), size_bytes=size_bytes, width=_WIDTH, height=_HEIGHT)


def tick_step(largest: int) -> int:
    """Return the distance of the axis' lines: 1, 2 or 5 times a power of ten, so that few do."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if largest <= factor * power * _MOST_STEPS:
                return factor * power
        power *= 10


def _draw_day(
    draw: ImageDraw.ImageDraw, day: ChartDay, middle: float, width: float, top: int
) -> None:
    left, right = round(middle - width / 2), round(middle + width / 2)
    below = 0
    for count, colour in zip(day.parts, COLOURS, strict=True):
        if count:
            upper, lower = _y(below + count, top), _y(below, top)
            draw.rectangle((left, min(upper, lower - 2), right, lower - 1), fill=colour)
        below += count
    draw.text((middle, _y(below, top) - 8), str(below), font=_font(26), fill=_INK, anchor="mb")
    y = _HEIGHT - _BOTTOM + 14
    draw.text((middle, y), day.label, font=_font(24), fill=_INK, anchor="mt")
    _draw_people(draw, middle, y + 38, day.people)


def _draw_people(draw: ImageDraw.ImageDraw, middle: float, y: float, count: int) -> None:
    """Draw a head with shoulders, and the number of people."""
    text, font = str(count), _font(22)
    x = middle - (30 + draw.textlength(text, font=font)) / 2
    draw.ellipse((x + 6, y, x + 16, y + 10), fill=_PALE)
    draw.pieslice((x, y + 12, x + 22, y + 34), 180, 360, fill=_PALE)
    draw.text((x + 30, y + 12), text, font=font, fill=_PALE, anchor="lm")


def _y(value: float, top: int) -> int:
    return round(_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
