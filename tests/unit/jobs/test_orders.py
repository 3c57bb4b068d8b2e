"""The values in the queues: exact through JSON, refused in one sentence when they are not ours."""

import itertools
import json
from fractions import Fraction

import pytest
from pydantic import JsonValue, ValidationError

from bot.drafts.draft import Draft
from bot.gateway.updates import MediaFile
from jobs.findings import ClipFindings, PhotoFindings
from jobs.model import CropBox, Face, MediaWarning
from jobs.orders import (
    LookJob,
    LookResult,
    Order,
    OrderState,
    Progress,
    Record,
    Result,
    Stage,
    order_id,
)
from jobs.queues.keys import JobRef
from jobs.service_errors import BrokenRecord, UnknownSchema
from jobs.wish import Movement, Wish
from tests.wishes import make_voice

BOX = CropBox(left=-3, upper=4, right=90, lower=97)
FACE = Face(number=1, box=BOX, votes=3)
PHOTO = PhotoFindings(
    file="looks/7/photo.png",
    sheet="looks/7/sheet.png",
    name="photo.jpg",
    width=900,
    height=1200,
    original_width=1801,
    original_height=2401,
    faces=(FACE,),
    warnings=(MediaWarning.SMALL_FACE,),
)
CLIP = ClipFindings(
    file="looks/7/clip.mp4",
    width=640,
    height=480,
    original_width=640,
    original_height=480,
    frame_count=75,
    frame_rate=Fraction(30000, 1001),
    has_sound=True,
    faces=(FACE,),
    later_faces=(BOX,),
    warnings=(MediaWarning.HARD_CUTS,),
)
LOOK = LookResult(photo=PHOTO, clip=CLIP)
OPTIONS: dict[str, JsonValue] = {
    "relative": True,
    "strength": 0.1,
    "frames": 3,
    "names": ["ä", None],
    "nested": {},
}
ORDER = Order(
    order_id="g1001234567890-7-2",
    person=5_000_000_001,
    chat=-1001234567890,
    draft="7",
    number=2,
    engine="mesh",
    wish=Wish(photo=PHOTO, face_boxes=(BOX,), movement=Movement.of_clip(CLIP), options=OPTIONS),
    estimated_cost_s=12.3,
)
FILE = MediaFile(file_id="AgAC-_x", name="photo.jpg", size_bytes=1)
RECORDS: list[Record] = [
    Draft(
        draft_id="7",
        chat_id=5,
        person_id=5,
        message_id=3,
        photo=FILE,
        findings=LOOK,
        face_boxes=(BOX,),
        movement=Movement(template="smile"),
        options={"whole": 1.0, "one": 1},
    ),
    LookJob(
        look_id="l7",
        person=5,
        draft="7",
        photo_key="inputs/7/photo",
        clip_key="inputs/7/clip",
    ),
    LOOK,
    ORDER,
    Result(
        key="results/c5-7-2/1.mp4",
        size_bytes=123_456_789_012,
        width=720,
        height=1280,
        frame_count=89,
        frame_rate=Fraction(25),
        work_frames=75,
        render_s=1.5,
        has_sound=True,
        engine="mesh",
        label="Made with AI software: a photo warped by computer vision",
        digital_source_type="http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic",
        attempt=1,
        thumbnail_key="results/c5-7-2/1.jpg",
    ),
    Progress(stage=Stage.ANIMATING, frames_done=3, frames_total=75),
]


def test_result_of_an_earlier_version_has_no_thumbnail() -> None:
    plain = json.loads(next(record for record in RECORDS if isinstance(record, Result)).to_json())
    del plain["thumbnail_key"]
    assert Result.read(json.dumps(plain)).thumbnail_key is None


def test_look_without_a_voice_is_written_as_the_version_before_reads_it() -> None:
    job = next(record for record in RECORDS if isinstance(record, LookJob))
    assert "voice_key" not in job.model_dump()
    assert "voice" not in LOOK.model_dump()


def test_look_at_a_voice_knows_its_warnings_and_its_movement() -> None:
    voice = make_voice(warnings=(MediaWarning.CLIP_SHORTENED,))
    look = LookResult(photo=PHOTO, voice=voice)
    assert LookResult.read(look.to_json()) == look
    assert look.warnings == (MediaWarning.SMALL_FACE, MediaWarning.CLIP_SHORTENED)
    assert look.own_movement == Movement.of_voice(voice)
    assert LookResult(photo=PHOTO, clip=CLIP).own_movement == Movement.of_clip(CLIP)
    assert LookResult(photo=PHOTO).own_movement is None


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_value_survives_json_exactly(record: Record) -> None:
    text = record.to_json()
    again = type(record).read(text)
    assert again == record
    assert again.to_json() == text
    # As BullMQ does it: plain data, written by another library.
    assert type(record).read(json.dumps(record.model_dump(mode="json"))) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("found", [0, 3, "1", 1.0, True, None])
def test_unknown_form_is_refused_in_one_sentence(record: Record, found: object) -> None:
    changed = json.loads(record.to_json()) | {"schema_version": found, "new_field": 1}
    with pytest.raises(UnknownSchema) as caught:
        type(record).read(json.dumps(changed))
    assert str(caught.value) == (
        f"A stored {type(record).__name__} has the format {found}, and this program reads "
        f"{record.schema_version}: run the same version of animato for the bot and all workers."
    )


def test_value_without_a_form_is_refused() -> None:
    plain = json.loads(ORDER.to_json())
    del plain["schema_version"]
    with pytest.raises(UnknownSchema, match="has the format None"):
        Order.read(json.dumps(plain))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ('{"schema_version": 2', "no JSON"),
        ("[1]", "no JSON object"),
        ('{"schema_version": 2}', "wrong at size_bytes"),
        ('{"schema_version": 2, "key": 1, "size_bytes": 1}', "wrong at width"),
        ('{"schema_version": 1, "key": "a"}', "wrong at all of it"),
    ],
)
def test_broken_value_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(BrokenRecord) as caught:
        Result.read(text)
    assert str(caught.value) == (
        f"A stored Result cannot be read ({reason}): remove it, or order again."
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_has_not_are_refused(number: float) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate({**ORDER.model_dump(), "estimated_cost_s": number})
    with pytest.raises(ValidationError):
        Wish.model_validate({**ORDER.wish.model_dump(), "options": {"strength": number}})


def test_wording_of_a_result_is_not_taken_for_its_source_type() -> None:
    result = next(record for record in RECORDS if isinstance(record, Result))
    swapped = {"label": result.digital_source_type, "digital_source_type": result.label}
    with pytest.raises(ValidationError, match="digital_source_type"):
        Result.model_validate({**result.model_dump(), **swapped})


# --- ids ------------------------------------------------------------------------------------------


def test_order_ids_are_plain_and_never_the_same_for_two_wishes() -> None:
    wishes = itertools.product([5, -5, 51, 1, -1001234567890], ["1", "11", "a1"], [1, 11, 111])
    ids = [order_id(*wish) for wish in wishes]
    assert len(set(ids)) == len(ids)
    assert all(one.replace("-", "").isalnum() and one[0].isalpha() for one in ids)
    assert order_id(5, "7", 2) == "c5-7-2"
    assert order_id(-1001234567890, "7", 2) == "g1001234567890-7-2"


def test_order_is_named_after_its_draft() -> None:
    with pytest.raises(ValidationError, match="does not belong"):
        Order.model_validate({**ORDER.model_dump(), "number": 3})


@pytest.mark.parametrize("bad", ["a:b", "1-2", "", "a b", "ä", "a" * 129])
def test_ids_that_would_break_a_key_are_refused(bad: str) -> None:
    look = RECORDS[1].model_dump()
    with pytest.raises(ValidationError):
        LookJob.model_validate({**look, "look_id": bad})


def test_each_keyboard_that_is_shown_makes_a_new_wish() -> None:
    draft = Draft(draft_id="7", chat_id=5, person_id=5, message_id=3, photo=FILE)
    assert draft.order_id == "c5-7-1"
    assert draft.shown_again().order_id == "c5-7-2"
    assert draft.order_id == "c5-7-1"


def test_order_knows_its_queue() -> None:
    assert ORDER.ref == JobRef("animate-mesh", "g1001234567890-7-2")
    assert ORDER.ref.key == "bull:animate-mesh:g1001234567890-7-2"
    assert ORDER.ref.lock_key == "bull:animate-mesh:g1001234567890-7-2:lock"


# --- the rest -------------------------------------------------------------------------------------


def test_states_say_whether_anything_follows() -> None:
    assert [state.value for state in OrderState if state.is_final] == [
        "done",
        "failed",
        "cancelled",
    ]


def test_progress_is_a_share_even_while_the_total_is_unknown() -> None:
    assert Progress().share == 0.0
    assert Progress(frames_done=3, frames_total=12).share == 0.25
    assert Progress(frames_done=13, frames_total=12).share == 1.0


# --- values that no program of ours has written ---------------------------------------------------


@pytest.mark.parametrize(
    "rate", ["1/0", "1e999999999", "0/1", "-25", "25/-1", " 25", "2_5", "25.0", "9" * 30, True]
)
def test_frame_rate_that_is_no_ratio_is_refused_at_once(rate: object) -> None:
    plain = json.loads(LOOK.to_json())
    plain["clip"]["frame_rate"] = rate
    with pytest.raises(BrokenRecord, match="wrong at clip"):
        LookResult.read(json.dumps(plain))


@pytest.mark.parametrize("rate", [float("inf"), float("nan"), 1e308, [], {}])
def test_frame_rate_that_is_no_text_is_refused(rate: object) -> None:
    plain = json.loads(LOOK.to_json())
    plain["clip"]["frame_rate"] = rate
    with pytest.raises(BrokenRecord, match=r"wrong at clip|no JSON"):
        LookResult.read(json.dumps(plain))


@pytest.mark.parametrize("engine", [[], {}, None, 3])
def test_order_whose_engine_is_no_name_is_refused(engine: object) -> None:
    plain = json.loads(ORDER.to_json()) | {"engine": engine}
    with pytest.raises(BrokenRecord, match="wrong at engine"):
        Order.read(json.dumps(plain))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_options_with_numbers_that_json_has_not_are_refused(number: str) -> None:
    text = ORDER.to_json().replace('"strength":0.1', f'"strength":{number}')
    with pytest.raises(BrokenRecord, match="no JSON"):
        Order.read(text)
