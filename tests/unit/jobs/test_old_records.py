"""Records as version 1 wrote them are read, or refused in one sentence.

`records/version_1.json` was written by the classes of that version.
"""

import json
from fractions import Fraction

import pytest

from bot.drafts.draft import Draft
from bot.orders.order_cards import OrderCard
from jobs.errors import UserError
from jobs.model import CropBox, MediaWarning
from jobs.orders import LookJob, LookResult, Order, Record, Result
from jobs.queues.delivery_records import DeliveryRecord, DeliveryState
from jobs.service_errors import BrokenRecord, OutdatedOrder
from tests.old_records import old_record

BOX = CropBox(left=-3, upper=4, right=90, lower=97)


def stored(name: str) -> str:
    return json.dumps(old_record(name))


def test_order_of_a_template_can_be_made() -> None:
    order = Order.read(stored("order_of_template"))
    order.check_complete()
    wish = order.wish
    assert (order.order_id, order.engine) == ("g1001234567890-7-2", "mesh")
    assert (wish.photo.file, wish.face_boxes) == ("looks/7/photo.png", (BOX,))
    assert (wish.movement.template, wish.cost_frames) == ("smile", 75)
    assert wish.options == {"relative": True}
    assert Order.read(order.to_json()) == order


def test_order_of_several_templates_can_be_made() -> None:
    order = Order.read(stored("order_of_all"))
    order.check_complete()
    assert order.wish.movement.templates == ("smile", "nod")


def test_order_of_a_clip_is_refused_in_a_sentence_for_its_person() -> None:
    order = Order.read(stored("order_of_clip"))
    assert order.wish.clip is not None
    assert (order.wish.clip.file, order.wish.cost_frames) == ("looks/7/clip.mp4", 75)
    with pytest.raises(OutdatedOrder, match="choose again") as caught:
        order.check_complete()
    assert isinstance(caught.value, UserError)


def test_look_keeps_what_it_knew() -> None:
    look = LookResult.read(stored("look"))
    assert (look.photo.width, look.photo.height, look.photo.scale) == (900, 1200, 1)
    assert [face.box for face in look.faces] == [BOX]
    assert look.warnings == (MediaWarning.SMALL_FACE, MediaWarning.HARD_CUTS)
    assert look.clip is not None
    assert (look.clip.frame_count, look.clip.frame_rate) == (75, Fraction(30000, 1001))
    assert look.clip.has_sound
    assert not look.clip.is_complete
    assert LookResult.read(look.to_json()) == look


@pytest.mark.parametrize(
    ("sentence", "today"),
    [
        ("No face was found at the beginning of the clip.", MediaWarning.NO_FACE_IN_CLIP),
        (
            "The face is lost in parts of the clip; the movement may be wrong there.",
            MediaWarning.FACE_HIDDEN,
        ),
    ],
)
def test_warning_of_an_earlier_version_is_read_as_todays(
    sentence: str, today: MediaWarning
) -> None:
    record = json.loads(stored("look"))
    record["warnings"] = [sentence]
    assert LookResult.read(json.dumps(record)).warnings == (today,)


def test_draft_keeps_its_look_and_its_wish() -> None:
    draft = Draft.read(stored("draft_of_template"))
    assert draft.findings is not None
    assert draft.findings.photo.file == "looks/7/photo.png"
    assert draft.movement is not None
    assert draft.movement.template == "smile"
    led = Draft.read(stored("draft_of_clip"))
    assert led.movement is not None
    assert led.movement.clip is not None
    assert led.movement.clip.file == "looks/7/clip.mp4"
    assert Draft.read(led.to_json()) == led


@pytest.mark.parametrize("name", ["card_of_template", "card_of_clip"])
def test_card_is_read(name: str) -> None:
    card = OrderCard.read(stored(name))
    assert card.title == "😊 Smile"
    assert OrderCard.read(card.to_json()) == card


def test_look_job_can_be_done() -> None:
    job = LookJob.read(stored("look_job"))
    assert (job.ref.job_id, job.person, job.draft) == ("look-7-1", 5, "7")
    assert (job.photo_key, job.clip_key) == ("inputs/7/photo", "inputs/7/clip")
    assert LookJob.read(job.to_json()) == job


def test_delivery_is_not_repeated() -> None:
    record = DeliveryRecord.read(stored("delivery"))
    assert (record.state, record.message_id) == (DeliveryState.SENT, 42)
    assert DeliveryRecord.read(record.to_json()) == record


def test_result_can_be_delivered() -> None:
    result = Result.read(stored("result"))
    assert result.duration_s == pytest.approx(4.004)
    assert result.frame_rate == Fraction(24000, 1001)
    assert (result.key, result.thumbnail_key) == ("results/c7-k3f9a2b1cd-2/1.mp4", None)


@pytest.mark.parametrize(
    ("kind", "name", "missing"),
    [
        (Order, "order_of_clip", "photo_key"),
        (Order, "order_of_clip", "motion"),
        (LookResult, "look", "sheet_key"),
        (Result, "result", "frame_count"),
    ],
)
def test_mutilated_record_is_broken(kind: type[Record], name: str, missing: str) -> None:
    plain = json.loads(stored(name))
    del plain[missing]
    with pytest.raises(BrokenRecord):
        kind.read(json.dumps(plain))
