"""Order cards and results for tests."""

from fractions import Fraction
from typing import Any

from bot.orders.order_cards import OrderCard
from jobs.orders import Lane, Order, Result, order_id
from jobs.wish import Movement
from tests.wishes import make_wish

NOW_S = 1_700_000_000.0


def make_order(**changes: Any) -> Order:
    chat, number = changes.pop("chat", 7), changes.pop("number", 2)
    facts: dict[str, Any] = {
        "order_id": order_id(chat, "k3f9a2b1cd", number),
        "person": 7,
        "chat": chat,
        "draft": "k3f9a2b1cd",
        "number": number,
        "engine": "mesh",
        "wish": make_wish(
            "looks/k3f9a2b1cd/photo.png",
            changes.pop("motion", Movement(template="smile")),
            changes.pop("frames", 100),
        ),
        "estimated_cost_s": 5.0,
        "lane": Lane.FAIR,
    }
    return Order(**(facts | changes))


def make_card(**changes: Any) -> OrderCard:
    names = {*Order.model_fields, "motion", "frames"} & set(changes)
    order = make_order(**{name: changes.pop(name) for name in names})
    facts: dict[str, Any] = {"order": order, "title": "😊 Smile", "begun_s": NOW_S}
    return OrderCard(**(facts | changes))


def make_result(**changes: Any) -> Result:
    facts: dict[str, Any] = {
        "key": "results/c7-k3f9a2b1cd-2/1.mp4",
        "size_bytes": 1000,
        "frame_rate": Fraction(25),
        "work_frames": 100,
        "render_s": 2.0,
        "width": 256,
        "height": 192,
        "frame_count": 100,
        "has_sound": False,
        "engine": "mesh",
        "label": "Made with AI software: a photo warped by computer vision",
        "digital_source_type": "https://example.org/type",
        "attempt": 1,
    }
    return Result(**(facts | changes))
