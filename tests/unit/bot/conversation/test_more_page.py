"""The page "More" of a draft and of a result."""

from bot.callback_data import MOST_BYTES, ButtonAction, ButtonData
from bot.conversation.more_page import draft_page
from bot.drafts.choices import Choices
from bot.gateway.messenger import Keyboard
from bot.orders.offers import Offer
from bot.texts import ENGLISH
from jobs.engines import PARTS, EngineInfo
from jobs.queues.waiting import TimeRange
from tests.unit.bot.conversation.test_draft_text import draft_of, look_of

ALL = frozenset({"strength", "relative", "find_best_frame", "best_frame_rank", PARTS})
INFOS = {"fomm": EngineInfo(name="fomm", button="Livelier"), "mesh": EngineInfo(name="mesh")}
OFFER = Offer(("fomm", "mesh"), understood={"mesh": ALL, "fomm": ALL}, known=INFOS)
TIMES = {"fomm": TimeRange(300, 420), "mesh": TimeRange(5, 20)}


def taps(keyboard: Keyboard) -> list[ButtonData]:
    return [button.data for row in keyboard for button in row]


def test_engines_are_told_apart_by_what_they_do_and_how_long_they_take() -> None:
    page = draft_page(draft_of(engine="mesh"), OFFER, TIMES, ENGLISH)
    assert "Livelier: fomm (5 to 7 min)" in page.text
    assert "mesh (less than a minute)" in page.text
    assert ["Livelier", "✓ mesh"] in [[button.text for button in row] for row in page.keyboard]


def test_the_only_engine_is_not_asked_for() -> None:
    page = draft_page(draft_of(), OFFER, {"mesh": None}, ENGLISH)
    assert ButtonAction.ENGINE not in {tap.action for tap in taps(page.keyboard)}
    assert "mesh" not in page.text


def test_page_of_a_draft_says_what_was_chosen_and_leads_back() -> None:
    draft = draft_of(choices=Choices(strength=1.25), findings=look_of(2))
    page = draft_page(draft, OFFER, TIMES, ENGLISH)
    assert "125 %" in page.text
    found = taps(page.keyboard)
    assert found[-1] == ButtonData(ButtonAction.PAGE, draft.draft_id, 1, "0")
    assert ButtonData(ButtonAction.AGAIN, draft.draft_id, 1, "face") in found


def test_buttons_fit_into_telegrams_bytes() -> None:
    page = draft_page(draft_of(), OFFER, TIMES, ENGLISH)
    assert all(len(tap.encode().encode()) <= MOST_BYTES for tap in taps(page.keyboard))
