"""Records as version 2 wrote them are read, and written again without anything that it cannot read.

`records/version_2.json` was written by the classes of that version, with nearly all fields set.
During an update, workers and bots of both versions share one Redis. Values refuse unknown fields,
so a new field must not be written while it has its default.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.conversation.album_store import AlbumPart
from bot.drafts.draft import Draft
from bot.drafts.draft_store import Conversation
from bot.drafts.intake import IntakeJob
from bot.groups.group_settings import GroupSettings
from bot.history.store import History
from bot.limits import ChangedLimits
from bot.orders.order_cards import OrderCard
from bot.owner.alerts import Watched
from bot.owner.broadcasts import Broadcast
from bot.owner.reports import Report
from bot.people import Person
from jobs.media_jobs import MediaJob, MediaResult
from jobs.orders import LookJob, LookResult, Order, Progress, Record, Result
from jobs.queues.delivery_records import DeliveryRecord
from jobs.queues.heartbeats import Heartbeat
from jobs.queues.known_engines import KnownEngine
from jobs.queues.outbox import DeliveryJob
from jobs.service_errors import BrokenRecord

SAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "records" / "version_2.json").read_text("utf-8")
)
KINDS: dict[str, type[Record]] = {
    "album_part": AlbumPart,
    "album_part_refused": AlbumPart,
    "broadcast": Broadcast,
    "card": OrderCard,
    "card_of_ended_order": OrderCard,
    "conversation": Conversation,
    "delivery": DeliveryRecord,
    "delivery_job": DeliveryJob,
    "delivery_job_of_file": DeliveryJob,
    "delivery_job_of_history": DeliveryJob,
    "draft": Draft,
    "draft_with_problem": Draft,
    "group_settings": GroupSettings,
    "heartbeat": Heartbeat,
    "history": History,
    "intake_job": IntakeJob,
    "known_engine": KnownEngine,
    "limits": ChangedLimits,
    "look": LookResult,
    "look_job": LookJob,
    "look_job_of_voice": LookJob,
    "look_of_voice": LookResult,
    "media_job_chart": MediaJob,
    "media_job_form": MediaJob,
    "media_job_sheet": MediaJob,
    "media_job_template": MediaJob,
    "media_result": MediaResult,
    "order_of_all": Order,
    "order_of_clip": Order,
    "order_of_former_engine": Order,
    "order_of_template": Order,
    "order_of_voice": Order,
    "person": Person,
    "progress": Progress,
    "report": Report,
    "result": Result,
    "watched": Watched,
}


def test_every_sample_has_a_kind() -> None:
    assert list(KINDS) == sorted(SAMPLES)


@pytest.mark.parametrize("name", KINDS)
def test_record_is_read_and_written_as_it_was(name: str) -> None:
    record = KINDS[name].read(json.dumps(SAMPLES[name]))
    assert json.loads(record.to_json()) == SAMPLES[name]


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind is Order])
def test_order_can_be_made(name: str) -> None:
    order = Order.read(json.dumps(SAMPLES[name]))
    order.check_complete()
    assert order.wish.cost_frames > 0


def test_history_with_something_newer_is_read_without_it() -> None:
    plain = SAMPLES["history"]
    newer = {**plain, "entries": [{**one, "something_new": 1} for one in plain["entries"]]}
    assert History.read(json.dumps(newer)) == History.read(json.dumps(plain))


def test_order_with_something_newer_is_refused_by_name() -> None:
    """What a worker does with an order of a later bot that uses what it does not know."""
    plain = SAMPLES["order_of_template"]
    newer = {**plain, "wish": {**plain["wish"], "something_new": True}}
    with pytest.raises(BrokenRecord, match="something_new"):
        Order.read(json.dumps(newer))
