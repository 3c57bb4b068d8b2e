"""Records keep their names in Redis: those that earlier versions stored are read."""

import json

import pytest

from bot.conversation.album_store import AlbumPart
from bot.drafts.draft import Draft, DraftProblem
from bot.drafts.draft_store import Conversation
from bot.drafts.intake import IntakeJob
from bot.orders.order_cards import OrderCard
from bot.record_store import BotRecord
from jobs.model import CropBox
from jobs.orders import LookResult
from tests.old_records import old_record
from tests.unit.bot.cards import make_card

FILE = {"file_id": "f1", "name": "photo.jpg", "size_bytes": None, "duration_s": None}
CONVERSATION = {
    "schema_version": 1,
    "draft": "k3f9a2b1cd",
    "earlier": "abc",
    "photo_s": 3.5,
    "wants_clip": "abc",
    "clip": FILE,
    "template": "smile",
    "unagreed": ["abc"],
    "questions": [7],
}
INTAKE = {
    "schema_version": 1,
    "draft": "k3f9a2b1cd",
    "revision": 2,
    "chat": -5,
    "person": 7,
    "photo": FILE,
    "clip": None,
}
ALBUM_PART = {
    "schema_version": 1,
    "chat": -5,
    "person": 7,
    "message_id": 3,
    "thread_id": None,
    "photo": FILE,
    "clip": None,
    "refusal": "",
    "name": "",
}


@pytest.mark.parametrize(
    ("kind", "stored"),
    [(Conversation, CONVERSATION), (IntakeJob, INTAKE), (AlbumPart, ALBUM_PART)],
)
def test_record_is_read_and_written_under_its_stored_names(
    kind: type[BotRecord], stored: dict[str, object]
) -> None:
    record = kind.read(json.dumps(stored))
    assert json.loads(record.to_json()) == stored
    assert kind.read(record.to_json()) == record


def test_problem_of_a_lead_and_the_lead_keep_the_names_of_clips() -> None:
    stored = old_record("draft_of_template", clip=FILE, trouble={"error": {}, "is_clip": True})
    draft = Draft.read(json.dumps(stored))
    assert draft.lead is not None
    assert draft.problem == DraftProblem(error={}, is_lead=True)
    written = json.loads(draft.to_json())
    assert (written["clip"], written["trouble"]) == (FILE, {"error": {}, "is_clip": True})


def test_draft_is_read_and_written_under_its_stored_names() -> None:
    stored = old_record(
        "draft_of_template", motion={"template": "smile"}, wish_number=3, chat_of_ids=-9
    )
    draft = Draft.read(json.dumps(stored))
    assert (draft.draft_id, draft.chat_id, draft.person_id) == ("7", 5, 5)
    assert draft.movement is not None
    assert (draft.movement.template, draft.reserved_number, draft.order_chat_id) == ("smile", 3, -9)
    written = json.loads(draft.to_json())
    # The names of all movements were not stored with the wish for them.
    assert written.keys() == stored.keys() - {"face_box", "is_all_wanted"} | {"face_boxes"}
    assert written["schema_version"] == 2
    assert written["look"]["photo"]["file"] == "looks/7/photo.png"
    assert draft.findings == LookResult.read(json.dumps(written["look"]))
    assert Draft.read(draft.to_json()) == draft


def test_face_of_an_earlier_draft_is_still_chosen() -> None:
    stored = old_record("draft_of_template")
    box = CropBox.model_validate(stored["face_box"])
    assert Draft.read(json.dumps(stored)).face_boxes == (box,)
    assert Draft.read(json.dumps(stored | {"face_box": None})).face_boxes == ()


def test_order_card_is_read_and_written_under_its_stored_names() -> None:
    stored = json.loads(make_card().to_json()) | {"card": {"message_id": 4, "has_media": True}}
    card = OrderCard.read(json.dumps(stored))
    assert card.message is not None
    assert (card.message.message_id, card.message.has_media) == (4, True)
    assert json.loads(card.to_json()) == stored
