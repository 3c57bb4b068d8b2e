"""What stands under results and failures."""

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Keyboard
from bot.orders.results import (
    cancelled_ending,
    caption,
    done_ending,
    failed_ending,
    failure_words,
    result_buttons,
)
from bot.texts import ENGLISH
from jobs.errors import EngineFailed, NoFaceInClip
from jobs.service_errors import FileGone
from jobs.wish import Movement
from tests.unit.bot.cards import NOW_S, make_card, make_order, make_result
from tests.wishes import make_clip

BEST_FRAME = {"find_best_frame", "best_frame_rank"}


def taps(keyboard: Keyboard) -> dict[ButtonAction, ButtonData]:
    found = [button.does for row in keyboard for button in row]
    return {tap.verb: tap for tap in found if isinstance(tap, ButtonData)}


def test_caption_names_the_movement_and_says_truthfully_how_it_was_made() -> None:
    told = caption("😊 Smile", make_result(), ENGLISH)
    assert told == "😊 Smile\nMade with AI software: a photo warped by computer vision"


def test_caption_fits_however_long_a_label_is() -> None:
    assert len(caption("😊 Smile", make_result(label="x" * 5000), ENGLISH)) == 1024


def test_next_movement_is_a_new_wish_and_the_file_is_the_orders() -> None:
    found = taps(result_buttons(make_order(number=2), 3, (), ENGLISH))
    assert found[ButtonAction.AGAIN].number == 3
    assert found[ButtonAction.AS_FILE].number == found[ButtonAction.DELETE].number == 2


def test_another_frame_is_offered_for_ones_own_clip_if_the_engine_can() -> None:
    clip = make_order(motion=Movement.of_clip(make_clip("looks/a/clip.mp4")))
    assert ButtonAction.BEST_FRAME in taps(result_buttons(clip, 3, BEST_FRAME, ENGLISH))
    assert ButtonAction.BEST_FRAME not in taps(
        result_buttons(clip, 3, {"find_best_frame"}, ENGLISH)
    )
    assert ButtonAction.BEST_FRAME not in taps(result_buttons(make_order(), 3, BEST_FRAME, ENGLISH))


def test_failure_of_ours_tells_the_order_and_offers_another_try() -> None:
    error = EngineFailed(name="flow", reason="a secret path /etc")
    words = failure_words(make_card(), error, 3, ENGLISH)
    assert "c7-k3f9a2b1cd-2" in words.text
    assert "secret" not in words.text
    found = taps(words.keyboard)
    assert found[ButtonAction.RETRY].number == 2
    assert found[ButtonAction.AGAIN].number == 3


def test_failure_that_would_come_again_offers_another_movement_only() -> None:
    words = failure_words(make_card(), NoFaceInClip(name="a.mp4"), 3, ENGLISH)
    assert "no face at the beginning of your clip" in words.text
    assert taps(words.keyboard).keys() == {ButtonAction.AGAIN}


def test_file_that_is_gone_is_told_honestly() -> None:
    words = failure_words(make_card(), FileGone(key="results/x"), 3, ENGLISH)
    assert "not there any more" in words.text
    assert ButtonAction.RETRY in taps(words.keyboard)


def test_card_says_at_last_how_it_ended() -> None:
    card = make_card()
    assert done_ending(card, NOW_S + 38, ENGLISH).text == "😊 Smile: done in 38 s."
    assert done_ending(card, NOW_S + 600, ENGLISH).text == "😊 Smile: done in 10 min."
    assert failed_ending(card, ENGLISH).text == "😊 Smile: this one did not work out."
    cancelled = cancelled_ending(card, ENGLISH)
    assert cancelled.text == "😊 Smile: cancelled."
    assert cancelled.offers_more


def test_buttons_of_the_longest_names_fit() -> None:
    draft, engine = "k" * 10, "e" * 32
    for verb in ButtonAction:
        ButtonData(verb, draft, 99_999, engine[:32]).encoded()
