"""The buttons under a result: few at first, all others one tap away."""

import pytest

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Keyboard
from bot.orders.follow_up_orders import as_ordered
from bot.orders.offers import Offer
from bot.orders.order_cards import OrderCard
from bot.orders.result_keyboard import ResultButtons, ResultPage, numbers_keyboard, share_button
from bot.texts import ENGLISH
from jobs.engines import EngineInfo
from jobs.model import CropBox
from jobs.queues.waiting import TimeRange
from jobs.show_all import MAX_TILES
from jobs.wish import Movement
from tests.unit.bot.cards import make_card, make_order
from tests.unit.bot.conversation.test_draft_text import draft_of
from tests.wishes import make_clip

BEST_FRAME = {"find_best_frame", "best_frame_rank"}


def taps(keyboard: Keyboard) -> dict[ButtonAction, ButtonData]:
    return {button.data.action: button.data for row in keyboard for button in row}


def labels(keyboard: Keyboard) -> list[list[str]]:
    return [[button.text for button in row] for row in keyboard]


def more(card: OrderCard, *options: str) -> Keyboard:
    offer = Offer(("mesh",), understood={"mesh": frozenset(options)})
    again = as_ordered(draft_of(), card)
    return ResultButtons(card, 3, offer, again=again).page(ResultPage.MORE, ENGLISH)


def test_result_has_three_buttons_at_first() -> None:
    buttons = ResultButtons(make_card(number=2), 3)
    keyboard = buttons.page(ResultPage.SHORT, ENGLISH)
    assert labels(keyboard) == [["↗️ Share", "⋯ More"], ["🔁 Another movement"]]
    assert taps(keyboard)[ButtonAction.AGAIN].number == 3
    assert taps(keyboard)[ButtonAction.MORE] == ButtonData(
        ButtonAction.MORE, "k3f9a2b1cd", 2, "more"
    )


@pytest.mark.parametrize("page", ResultPage)
def test_every_page_in_a_group_can_be_reported_and_none_in_private(page: ResultPage) -> None:
    # Whoever reports may not turn the page back.
    shown = ResultButtons(make_card(chat=-1001), 3).page(page, ENGLISH)
    assert labels(shown)[-1][-1] == "⚠️ Report"
    assert ButtonAction.REPORT not in taps(ResultButtons(make_card(), 3).page(page, ENGLISH))


def test_bot_without_inline_mode_offers_no_sharing() -> None:
    buttons = ResultButtons(make_card(), 3, can_share=False)
    assert labels(buttons.page(ResultPage.SHORT, ENGLISH))[0] == ["⋯ More"]


def test_share_searches_for_the_movement_without_its_emoji() -> None:
    assert share_button("😊 Smile, strength 125 %", ENGLISH).share == "Smile"
    assert share_button("🎬 Your clip", ENGLISH).share == "Your clip"
    assert share_button("9 movements", ENGLISH).share == "9 movements"


def test_more_is_about_the_order_and_leads_back() -> None:
    keyboard = more(make_card(number=2))
    found = taps(keyboard)
    assert found[ButtonAction.FORM] == ButtonData(ButtonAction.FORM, "k3f9a2b1cd", 2, "file")
    assert found[ButtonAction.DELETE].number == 2
    assert labels(keyboard)[-1] == ["« Back"]
    assert keyboard[-1][0].data.argument == "short"


def test_another_frame_is_offered_for_ones_own_clip_if_the_engine_can() -> None:
    clip = make_card(motion=Movement.of_clip(make_clip("looks/a/clip.mp4")))
    assert ButtonAction.BEST_FRAME in taps(more(clip, *BEST_FRAME))
    assert ButtonAction.BEST_FRAME not in taps(more(clip, "find_best_frame"))
    assert ButtonAction.BEST_FRAME not in taps(more(make_card(), *BEST_FRAME))


def test_a_little_more_and_less_are_offered_as_far_as_they_go() -> None:
    def steps(card: OrderCard, *options: str) -> list[str]:
        found = [button.data for row in more(card, *options) for button in row]
        return [tap.argument for tap in found if tap.action is ButtonAction.OPTION]

    assert steps(make_card(), "strength") == ["less", "more"]
    assert steps(make_card()) == [], "the engine cannot"
    assert steps(strong(1.5), "strength") == ["less"]
    assert steps(strong(0.5), "strength") == ["more"]
    all_in_one = make_card(motion=Movement(templates=("nod", "wink")))
    assert steps(all_in_one, "strength") == []


def strong(strength: float) -> OrderCard:
    order = make_order()
    wish = order.wish.model_copy(update={"options": {"strength": strength}})
    return make_card(wish=wish)


def test_result_whose_draft_is_gone_has_no_variations() -> None:
    offer = Offer(("mesh",), understood={"mesh": frozenset({"strength"})})
    page = ResultButtons(make_card(), None, offer).page(ResultPage.MORE, ENGLISH)
    assert ButtonAction.OPTION not in taps(page)


def test_result_can_be_made_by_another_engine() -> None:
    infos = {"fomm": EngineInfo(name="fomm", button="Livelier"), "mesh": EngineInfo(name="mesh")}
    offer = Offer(("fomm", "mesh"), known=infos)
    again = as_ordered(draft_of(), make_card())
    times = {"fomm": TimeRange(300, 420), "mesh": None}
    page = ResultButtons(make_card(), 3, offer, True, again, times).page(ResultPage.MORE, ENGLISH)
    assert ["Livelier (5 to 7 min)"] in labels(page)
    assert ["✓ mesh"] in labels(page)


def test_round_forms_are_offered_for_a_single_face_only() -> None:
    forms = ResultButtons(make_card(), 3).page(ResultPage.FORMS, ENGLISH)
    assert labels(forms) == [
        ["🎬 Video", "🖼 GIF file"],
        ["⭕️ Round video", "✨ Sticker"],
        ["« Back"],
    ]
    assert forms[1][1].data == ButtonData(ButtonAction.FORM, "k3f9a2b1cd", 2, "sticker")
    nine = make_card(motion=Movement(templates=("nod", "wink")))
    box = CropBox(left=0, upper=0, right=9, lower=9)
    wish = make_order().wish.model_copy(update={"face_boxes": (box, box)})
    for card in (nine, make_card(wish=wish)):
        assert labels(ResultButtons(card, 3).page(ResultPage.FORMS, ENGLISH))[:-1] == [
            ["🎬 Video", "🖼 GIF file"]
        ]


def test_numbers_of_all_movements_name_the_order_that_shows_them() -> None:
    keyboard = numbers_keyboard(make_order(motion=Movement(templates=("a", "b", "c", "d"))))
    assert labels(keyboard) == [["1", "2", "3"], ["4"]]
    assert keyboard[1][0].data == ButtonData(ButtonAction.ONE_OF_ALL, "k3f9a2b1cd", 2, "d")
    assert MAX_TILES <= 30


def test_animation_of_all_movements_keeps_its_numbers() -> None:
    nine = make_card(motion=Movement(templates=("nod", "wink")))
    first = ResultButtons(nine, 3).page(ResultPage.SHORT, ENGLISH)
    assert labels(first)[0] == ["1", "2"]
    gone = ResultButtons(nine, None).page(ResultPage.SHORT, ENGLISH)
    assert labels(gone)[0] == ["↗️ Share", "⋯ More"]
