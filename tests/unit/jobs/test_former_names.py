"""An engine that was renamed is found by its former name wherever that is stored."""

import json
from pathlib import Path

import pytest

from bot.drafts.draft import Draft
from bot.orders.order_cards import OrderCard
from jobs.orders import Order
from jobs.queues.keys import JobRef
from jobs.settings import Settings
from tests.integration.jobs.hand import make_order
from tests.old_records import old_record

JOB_ID = "g1001234567890-7-2"


def as_before(order: Order) -> str:
    """Return an order as the version before wrote it."""
    plain = json.loads(order.to_json())
    plain.pop("queue", None)
    return json.dumps(plain | {"engine": "flow"})


def test_default_engine_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_DEFAULT_ENGINE", "flow")
    assert Settings.load().default_engine == "mesh"


def test_engines_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_ENGINES", "fomm, flow")
    assert Settings.load().engines == ("fomm", "mesh")


def test_engines_of_an_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ANIMATO_ENGINES=flow\n")
    assert Settings.load(tmp_path / ".env").engines == ("mesh",)


def test_order_is_made_by_todays_engine_and_stays_in_its_queue() -> None:
    order = Order.read(as_before(make_order(2)))
    assert order.engine == "mesh"
    assert order.ref == JobRef("animate-flow", "c2-7-1")
    assert Order.read(order.to_json()) == order


def test_order_of_version_1_is_made_by_todays_engine_and_stays_in_its_queue() -> None:
    order = Order.read(json.dumps(old_record("order_of_template")))
    assert (order.engine, order.ref) == ("mesh", JobRef("animate-flow", JOB_ID))


def test_new_order_has_only_fields_that_a_worker_of_the_version_before_knows() -> None:
    assert "queue" not in json.loads(make_order(2, engine="fomm").to_json())


def test_order_has_a_queue_of_its_engine() -> None:
    plain = json.loads(make_order(2, engine="fomm").to_json()) | {"queue": "animate-mesh"}
    with pytest.raises(ValueError, match="queue"):
        Order.model_validate(plain)


def test_card_finds_the_job_of_its_order() -> None:
    card = OrderCard.read(json.dumps(old_record("card_of_template")))
    assert card.ref == JobRef("animate-flow", card.order_id)
    again = OrderCard.read(card.to_json())
    assert (again.order.engine, again.ref) == ("mesh", card.ref)


def test_draft_orders_todays_engine() -> None:
    plain = old_record("draft_of_template", engine="flow")
    assert Draft.read(json.dumps(plain)).engine == "mesh"
