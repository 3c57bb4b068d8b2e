"""Which engine an order goes to, and what is offered."""

import pytest

from bot.orders.offers import NoEngine, Offer
from jobs.engines import MARK, VOICE, EngineInfo
from jobs.wish import MAX_FACES

BOTH = Offer(("fomm", "mesh"), understood={"fomm": frozenset({"find_best_frame"})})
KNOWN = {
    "fomm": EngineInfo(name="fomm", preference=20, evaluates_motions=False),
    "still": EngineInfo(name="still", preference=0),
    "mesh": EngineInfo(name="mesh", preference=10, max_faces=8),
}


def test_best_engine_is_the_first_unless_another_is_wanted() -> None:
    assert BOTH.engine_or_default() == "fomm"
    assert BOTH.engine_or_default("mesh") == "mesh"


def test_engine_of_the_settings_comes_before_the_best_and_after_the_wanted() -> None:
    offer = Offer(BOTH.engines, default="mesh")
    assert offer.engine_or_default() == "mesh"
    assert offer.engine_or_default("fomm") == "fomm"


def test_order_keeps_to_a_choice_that_nobody_attends_to() -> None:
    assert Offer(("mesh",)).engine_or_default("fomm") == "fomm"
    assert Offer(("mesh",), default="fomm").engine_or_default() == "fomm"


def test_without_any_worker_orders_wait_for_the_best_engine_that_was_there_last() -> None:
    nobody = Offer((), known=KNOWN, last=("fomm", "mesh"))
    assert nobody.is_empty
    assert nobody.engine_or_default() == "fomm"
    assert nobody.engine_for(None, is_all_wanted=False) == "fomm"
    assert nobody.engine_for("fomm", is_all_wanted=True) == "mesh"


def test_where_no_worker_has_ever_been_nothing_is_ordered() -> None:
    for is_all_wanted in (False, True):
        with pytest.raises(NoEngine):
            Offer(()).engine_for(None, is_all_wanted=is_all_wanted)


@pytest.mark.parametrize(
    ("engines", "engine"),
    [(("fomm", "mesh"), "mesh"), (("fomm",), None), (("still",), None), (("new", "mesh"), "mesh")],
)
def test_all_movements_are_shown_by_an_engine_that_needs_no_clip(
    engines: tuple[str, ...], engine: str | None
) -> None:
    assert Offer(engines, known=KNOWN).shows_all == engine


def test_voices_are_taken_if_all_workers_can_make_photos_speak() -> None:
    able, unable = frozenset({"strength", VOICE}), frozenset({"strength"})
    assert Offer(("mesh",), understood={"mesh": able, "fomm": able}).takes_voices
    assert not Offer(("mesh",), understood={"mesh": able, "fomm": unable}).takes_voices
    assert Offer(()).takes_voices, "nothing is known yet"


def test_without_any_worker_those_that_were_there_last_decide_about_voices() -> None:
    able = KNOWN["mesh"].model_copy(update={"options": (VOICE,)})
    assert Offer((), known=KNOWN | {"mesh": able}, last=("mesh",)).takes_voices
    assert not Offer((), known=KNOWN, last=("mesh",)).takes_voices


def test_several_faces_go_to_an_engine_that_moves_so_many() -> None:
    offer = Offer(("fomm", "mesh"), known=KNOWN)
    assert offer.max_faces == 8
    assert offer.engine_for(None) == "fomm"
    assert offer.engine_for(None, face_count=3) == offer.engine_for("fomm", face_count=3) == "mesh"
    assert offer.engine_or_default(None, 9) is None
    assert Offer(("fomm",), default="mesh", known=KNOWN).engine_for(None, face_count=3) == "mesh"
    # All movements at once show one face.
    assert offer.engine_for("fomm", is_all_wanted=True, face_count=3) == "mesh"


def test_several_faces_are_not_offered_where_no_engine_moves_them() -> None:
    offer = Offer(("fomm", "new"), known=KNOWN)
    assert offer.max_faces == 1
    assert offer.moves("new", 1)
    assert not offer.moves("new", 2)
    with pytest.raises(NoEngine):
        offer.engine_for("fomm", face_count=2)


def test_without_any_worker_the_faces_of_the_engines_that_were_there_last_count() -> None:
    nobody = Offer((), known=KNOWN, last=("fomm", "mesh"))
    assert nobody.max_faces == 8
    assert nobody.engine_for(None, face_count=2) == "mesh"


def test_no_engine_moves_more_faces_than_a_wish_holds() -> None:
    many = {"crowd": EngineInfo(name="crowd", max_faces=40)}
    assert Offer(("crowd",), known=many).max_faces == MAX_FACES


def test_options_of_an_unknown_engine_are_none() -> None:
    assert BOTH.options("fomm") == {"find_best_frame"}
    assert BOTH.options("mesh") == frozenset()


def test_mark_is_ordered_if_all_workers_can_draw_it() -> None:
    able, unable = frozenset({MARK}), frozenset({"strength"})
    assert Offer(("mesh",), understood={"mesh": able, "fomm": able}).takes_marks
    assert not Offer(("mesh",), understood={"mesh": able, "fomm": unable}).takes_marks
