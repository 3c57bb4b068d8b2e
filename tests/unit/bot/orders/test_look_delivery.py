"""What the gate found, as it goes into a draft."""

from typing import Any

from bot.drafts.draft import Draft, draft_of_job
from bot.drafts.intake import name_in_store
from bot.gateway.updates import MediaFile
from bot.orders.look_delivery import is_ready, with_look
from jobs.model import CropBox, Face
from jobs.orders import LookResult
from jobs.queues.keys import INTAKE, LOOK, JobRef
from jobs.wish import Movement
from tests.wishes import make_clip, make_photo, make_voice

BOX = CropBox(left=0, upper=0, right=100, lower=100)
FACES = tuple(Face(number=number, box=BOX.scaled(number), votes=1) for number in (1, 2))


def make_draft(**changes: Any) -> Draft:
    photo = MediaFile(file_id="x", name="photo.jpg")
    return Draft(
        draft_id="k3f9a2b1cd", chat_id=7, person_id=7, message_id=1, photo=photo, **changes
    )


def make_look(**changes: Any) -> LookResult:
    clip = changes.pop("clip", None)
    return LookResult(photo=make_photo("looks/a/photo.png", **changes), clip=clip)


def test_draft_and_revision_are_told_by_the_jobs_id() -> None:
    draft = make_draft(revision=12)
    assert draft_of_job(draft.job(LOOK).job_id) == (draft.draft_id, 12)
    assert draft_of_job(draft.job(INTAKE).job_id) == (draft.draft_id, 12)
    assert draft.job(INTAKE) == JobRef("intake", "in-k3f9a2b1cd-12"), "as earlier versions named it"
    assert draft.job(LOOK) == JobRef("look", "look-k3f9a2b1cd-12")


def test_single_face_is_chosen_and_several_are_not() -> None:
    assert with_look(make_draft(), make_look(faces=FACES[:1])).face_boxes == (FACES[0].box,)
    assert with_look(make_draft(), make_look(faces=FACES)).face_boxes == ()
    assert with_look(make_draft(), make_look()).face_boxes == ()


def test_face_that_was_chosen_before_stays() -> None:
    draft = make_draft(face_boxes=(BOX.scaled(3), BOX))
    assert with_look(draft, make_look(faces=FACES[:1])).face_boxes == draft.face_boxes


def test_wish_for_a_clip_follows_the_clip_to_its_new_key() -> None:
    draft = make_draft(movement=Movement.of_clip(make_clip("looks/a/old.mp4")))
    followed = with_look(draft, make_look(clip=make_clip("looks/a/new.mp4")))
    assert followed.movement == Movement.of_clip(make_clip("looks/a/new.mp4"))
    assert with_look(draft, make_look()).movement is None
    smile = Movement(template="smile")
    assert with_look(make_draft(movement=smile), make_look()).movement == smile


def test_lead_that_was_asked_for_becomes_the_movement_once() -> None:
    draft = make_draft(orders_lead=True)
    found = with_look(draft, make_look(faces=FACES[:1], clip=make_clip("looks/a/new.mp4")))
    assert found.movement == Movement.of_clip(make_clip("looks/a/new.mp4"))
    assert is_ready(found)
    assert not found.orders_lead
    assert not draft.without_movement().orders_lead


def test_wish_for_a_voice_speaks_what_was_found_anew() -> None:
    draft = make_draft(movement=Movement.of_voice(make_voice("looks/a/old")))
    found = make_look().model_copy(update={"voice": make_voice("looks/a/new")})
    assert with_look(draft, found).movement == Movement.of_voice(make_voice("looks/a/new"))


def test_draft_is_ready_when_look_face_and_movement_are_there() -> None:
    smile = Movement(template="smile")
    ready = make_draft(findings=make_look(), face_boxes=(BOX,), movement=smile)
    assert is_ready(ready)
    assert is_ready(ready.model_copy(update={"movement": Movement(templates=("nod", "wink"))}))
    for missing in ({"findings": None}, {"face_boxes": ()}, {"movement": None}):
        assert not is_ready(ready.model_copy(update=missing))


def test_number_rises_after_an_order_once() -> None:
    once = make_draft(number=4).after_order(4)
    assert once.number == 5
    assert once.after_order(4) == once
    assert make_draft(number=9).after_order(4).number == 9


def test_files_have_plain_names_in_the_store_that_differ_by_revision() -> None:
    assert name_in_store("IMG 1 (ü).HEIC", "photo.jpg", 1) == "photo-1.HEIC"
    assert name_in_store("no suffix", "clip.mp4", 2) == "clip-2.mp4"
    assert name_in_store("../../x.j/pg", "photo.jpg", 1) == "photo-1.jpg"
    assert name_in_store("a.<script>", "photo.jpg", 1) == "photo-1.jpg"
