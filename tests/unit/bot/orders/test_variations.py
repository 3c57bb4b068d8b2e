"""The variations of an order: which are offered, and what they change."""

import pytest

from bot.drafts.choices import Choices, View
from bot.drafts.draft import Draft
from bot.gateway.updates import MediaFile
from bot.orders.offers import Offer
from bot.orders.variations import LESS, MORE, is_new_look, strength_steps, variations, varied
from bot.texts import ENGLISH
from jobs.engines import PARTS
from jobs.model import CropBox
from jobs.orders import LookResult
from jobs.wish import Movement
from tests.wishes import make_clip, make_photo

ALL = frozenset({"strength", "relative", PARTS})
FACE = CropBox(left=400, upper=400, right=500, lower=500)
LONG_CLIP = MediaFile(file_id="c", name="clip.mp4", duration_s=23)


def offer_of(options: frozenset[str] = ALL) -> Offer:
    return Offer(("mesh",), understood={"mesh": options})


def draft_of(lead: MediaFile | None = None, *, has_sound: bool = False) -> Draft:
    clip = make_clip(frame_count=375, has_sound=has_sound) if lead else None  # 15 s
    return Draft(
        draft_id="k3f9a2b1cd",
        chat_id=7,
        person_id=7,
        message_id=1,
        photo=MediaFile(file_id="x", name="photo.jpg"),
        lead=lead,
        findings=LookResult(photo=make_photo("p"), clip=clip),
        face_boxes=(FACE,),
    )


def arguments(
    draft: Draft, offer: Offer | None = None, movement: Movement | None = None
) -> set[str]:
    rows = variations(draft, movement, offer or offer_of(), ENGLISH)
    return {one.argument for row in rows for one in row}


def test_a_movement_can_be_stronger_and_shown_closer() -> None:
    views = {f"view {view}" for view in View}
    assert arguments(draft_of()) == {LESS, MORE, *views}


def test_only_what_workers_can_do_is_offered() -> None:
    assert arguments(draft_of(LONG_CLIP), offer_of(frozenset())) == set()


def test_of_a_clip_sound_positions_and_the_part_can_be_chosen() -> None:
    found = arguments(draft_of(LONG_CLIP, has_sound=True))
    assert {"sound off", "sound on", "motion absolute", "motion relative"} <= found
    starts = {argument for argument in found if is_new_look(argument)}
    assert starts == {"start 0", "start 5", "start 10", "start 15", "start 20"}


def test_clip_that_is_used_whole_has_no_parts() -> None:
    short = LONG_CLIP.model_copy(update={"duration_s": 15})
    assert not any(is_new_look(argument) for argument in arguments(draft_of(short)))
    unknown = LONG_CLIP.model_copy(update={"duration_s": None})
    assert not any(is_new_look(argument) for argument in arguments(draft_of(unknown)))


def test_movement_of_the_owner_is_no_clip_of_the_persons() -> None:
    owners = Movement(template="boss_wave", clip=make_clip(frame_count=80, has_sound=True))
    draft = draft_of(LONG_CLIP)
    assert arguments(draft, movement=owners) == arguments(draft, movement=Movement(template="nod"))


def test_several_movements_at_once_have_no_variations() -> None:
    assert arguments(draft_of(), movement=Movement(templates=("nod", "wink"))) == set()


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        (MORE, {"strength": 1.25}),
        (LESS, {"strength": 0.8}),
        ("view face", {"view": View.FACE}),
        ("sound off", {"is_muted": True}),
        ("motion absolute", {"is_absolute": True}),
        ("start 10", {"clip_start_s": 10.0}),
    ],
)
def test_variation_changes_one_choice(argument: str, change: dict[str, object]) -> None:
    assert varied(Choices(), argument) == Choices(**change)  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize("argument", ["", "view", "view all", "start -5", "start x", "fog"])
def test_forged_variation_is_none(argument: str) -> None:
    assert varied(Choices(), argument) is None


@pytest.mark.parametrize(
    ("strength", "steps"),
    [(1.0, [LESS, MORE]), (1.5, [LESS]), (0.51, [MORE]), (0.5, [MORE]), (0.64, [LESS, MORE])],
)
def test_steps_end_at_the_bounds(strength: float, steps: list[str]) -> None:
    assert [one.argument for one in strength_steps(Choices(strength=strength), ENGLISH)] == steps


def test_a_step_beyond_the_bound_changes_nothing() -> None:
    assert varied(Choices(strength=1.5), MORE) == Choices(strength=1.5)
