"""What the cards and results of orders say."""

import re
from dataclasses import replace

import pytest

from bot.callback_data import ANOTHER_FACE, ButtonAction, ButtonData
from bot.gateway.messenger import Keyboard, MessageContent
from bot.orders.card_text import (
    GROUP,
    PRIVATE,
    OrderStanding,
    TitleParts,
    cancelled_message,
    caption,
    current_title,
    done_message,
    failed_message,
    failure_content,
    is_worth_an_edit,
    result_caption,
    standing_of,
    status_content,
    time_text,
)
from bot.orders.offers import Offer
from bot.texts import ENGLISH, speaking
from bot.translations import translated_texts
from inference.engine import find_engine
from inference.engine_names import engine_names
from jobs.engines import EngineInfo
from jobs.errors import EngineFailed, NoFaceInBox, NoFaceInClip
from jobs.orders import OrderState, Progress, Stage
from jobs.queues.status import Status
from jobs.queues.waiting import ShownPlace, TimeRange
from jobs.service_errors import FileGone
from jobs.templates import Catalogue
from jobs.wish import Movement
from tests.unit.bot.cards import NOW_S, make_card, make_result
from tests.wishes import make_voice

SHOWN = {"edits": 1, "edited_s": NOW_S - 100, "shown_phase": "waiting"}


def status(state: OrderState, ahead: int | None = None, progress: Progress | None = None) -> Status:
    return Status(make_card().ref, state, ahead=ahead, progress=progress)


def labels(content: MessageContent) -> list[str]:
    return [button.text for row in content.keyboard for button in row]


def test_place_and_time_are_told_and_cancel_is_offered() -> None:
    standing = OrderStanding("waiting", ShownPlace(place=3), time=TimeRange(70, 170))
    content = status_content(make_card(), standing, ENGLISH)
    assert content.text == "😊 Smile\nYour place in the queue: 3 (1 to 3 min)"
    assert labels(content) == ["✖️ Cancel"]
    tap = content.keyboard[0][0].data
    assert (tap.action, tap.draft_id, tap.number) == (ButtonAction.CANCEL, "k3f9a2b1cd", 2)


def test_place_never_counts_up_and_it_is_said_why() -> None:
    card = make_card(shown=ShownPlace(place=2))
    standing = standing_of(card, status(OrderState.WAITING, ahead=4), ("mesh",))
    content = status_content(card, standing, ENGLISH)
    assert "Your place in the queue: 2" in content.text
    assert "fewer recent videos" in content.text


def test_order_that_nobody_attends_to_keeps_its_place_and_offers_who_is_there() -> None:
    standing = standing_of(make_card(), status(OrderState.WAITING, ahead=0), ("fomm",))
    content = status_content(make_card(), standing, ENGLISH)
    assert "No worker is online" in content.text
    assert "Your place is kept" in content.text
    assert labels(content) == ["Use fomm instead", "✖️ Cancel"]
    info = EngineInfo(name="fomm", button="Livelier")
    named = status_content(make_card(), standing, ENGLISH, Offer((), known={"fomm": info}))
    assert labels(named) == ["Use Livelier instead", "✖️ Cancel"]
    alone = standing_of(make_card(), status(OrderState.WAITING, ahead=0), ())
    assert labels(status_content(make_card(), alone, ENGLISH)) == ["✖️ Cancel"]


def test_worker_that_does_not_answer_is_told_of_after_a_few_beats() -> None:
    running = status(OrderState.RUNNING)
    silent = standing_of(make_card(), replace(running, silent_s=11), ("mesh",))
    assert status_content(make_card(), silent, ENGLISH).text == (
        "😊 Smile\nThe worker stopped answering. Your order waits for another one, in first place."
    )
    card = make_card(shown_phase="animating", edits=3, shown_percent=40)
    assert is_worth_an_edit(card, silent, NOW_S)
    late = standing_of(make_card(), replace(running, silent_s=5), ("mesh",))
    assert late.phase == "preparing"


def test_work_is_told_in_per_cent() -> None:
    progress = Progress(stage=Stage.ANIMATING, frames_done=40, frames_total=100)
    standing = standing_of(make_card(), status(OrderState.RUNNING, progress=progress), ("mesh",))
    assert "Animating: 40 %" in status_content(make_card(), standing, ENGLISH).text


@pytest.mark.parametrize(
    ("state", "ahead", "progress", "said"),
    [
        (OrderState.WAITING, 0, None, "You are next."),
        (OrderState.WAITING, None, None, "In the queue."),
        (OrderState.RETRYING, None, None, "Retrying."),
        (OrderState.RUNNING, None, None, "Starting now"),
        (OrderState.RUNNING, None, Progress(stage=Stage.STORING), "Almost done"),
    ],
)
def test_every_standing_has_its_words(
    state: OrderState, ahead: int | None, progress: Progress | None, said: str
) -> None:
    standing = standing_of(make_card(), status(state, ahead, progress), ("mesh",))
    assert said in status_content(make_card(), standing, ENGLISH).text


def test_sentence_before_a_time_has_no_full_stop() -> None:
    standing = OrderStanding("waiting", ShownPlace(place=1), time=TimeRange(5, 40))
    said = status_content(make_card(), standing, ENGLISH).text
    assert said == "😊 Smile\nYou are next (less than a minute)"


def test_order_that_is_stopping_cannot_be_cancelled_again() -> None:
    card = make_card(is_stopping=True)
    standing = standing_of(card, status(OrderState.RUNNING), ("mesh",))
    assert status_content(card, standing, ENGLISH) == MessageContent("😊 Smile\nStopping ...")


@pytest.mark.parametrize(
    ("low_s", "high_s", "told"),
    [
        (5, 40, "less than a minute"),
        (50, 61, "1 to 2 min"),
        (100, 119, "about 2 min"),
        (200, 600, "3 to 10 min"),
        (3600, 9000, "1 to 3 h"),
    ],
)
def test_time_is_told_roughly(low_s: float, high_s: float, told: str) -> None:
    assert time_text(TimeRange(low_s, high_s), ENGLISH) == told


# --- when it is written ---------------------------------------------------------------------------


def test_first_time_is_always_written() -> None:
    assert is_worth_an_edit(make_card(), OrderStanding("waiting"), NOW_S)


def test_what_has_not_changed_is_not_written() -> None:
    card = make_card(**SHOWN, shown=ShownPlace(place=5))
    assert not is_worth_an_edit(card, OrderStanding("waiting", ShownPlace(place=5)), NOW_S)


@pytest.mark.parametrize(
    ("before", "now", "is_written"), [(9, 8, False), (9, 6, True), (5, 3, True), (3, 2, True)]
)
def test_place_is_written_when_it_is_near_or_has_moved_far(
    before: int, now: int, is_written: bool
) -> None:
    card = make_card(**SHOWN, shown=ShownPlace(place=before))
    standing = OrderStanding("waiting", ShownPlace(place=now))
    assert is_worth_an_edit(card, standing, NOW_S) is is_written


def test_news_wait_until_the_chat_has_rested() -> None:
    card = make_card(**(SHOWN | {"edited_s": NOW_S - PRIVATE.every_s + 1}))
    assert not is_worth_an_edit(card, OrderStanding(Stage.ANIMATING), NOW_S)
    assert is_worth_an_edit(card, OrderStanding(Stage.ANIMATING), NOW_S + 1)
    group = make_card(**(SHOWN | {"edited_s": NOW_S - GROUP.every_s + 1}), chat=-1001)
    assert not is_worth_an_edit(group, OrderStanding(Stage.ANIMATING), NOW_S)


@pytest.mark.parametrize(("chat", "most"), [(7, PRIVATE.most), (-1001, GROUP.most)])
def test_whatever_happens_an_order_costs_few_edits(chat: int, most: int) -> None:
    card, now_s, edits = make_card(chat=chat), NOW_S, 0
    standings = [OrderStanding("waiting", ShownPlace(place=place)) for place in range(40, 0, -1)]
    standings += [OrderStanding(Stage.ANIMATING, percent=percent) for percent in range(101)]
    for standing in standings:
        now_s += 20
        if is_worth_an_edit(card, standing, now_s):
            edits += 1
            card = card.model_copy(
                update={
                    "edits": edits,
                    "edited_s": now_s,
                    "shown_phase": standing.phase,
                    "shown": standing.place,
                    "shown_percent": standing.percent,
                }
            )
    assert 3 <= edits <= most
    # There was something left for the work itself.
    assert card.shown_percent >= 50


def taps(keyboard: Keyboard) -> dict[ButtonAction, ButtonData]:
    found = [button.data for row in keyboard for button in row]
    return {tap.action: tap for tap in found}


def test_caption_names_the_movement_and_says_truthfully_how_it_was_made() -> None:
    told = caption(make_card(), make_result(), ENGLISH)
    assert told == "😊 Smile\nMade with AI software: a photo warped by computer vision"


WORDS_FOR_AI = {"de": "KI", "en": "AI", "es": "IA", "pt": "IA", "ru": "ИИ", "uk": "ШІ"}


@pytest.mark.parametrize("language", sorted(WORDS_FOR_AI))
@pytest.mark.parametrize(
    "engine", [name for name in engine_names() if find_engine(name).preference]
)
def test_every_caption_says_in_every_language_that_it_is_made_with_ai(
    engine: str, language: str
) -> None:
    texts, label = translated_texts(), find_engine(engine).label
    assert set(texts.languages) == set(WORDS_FOR_AI)
    with speaking(language):
        captions = [
            caption(make_card(), make_result(label=label), texts),
            result_caption("😊", label, texts, has_voice=True),
            result_caption("x" * 200, label, texts, has_voice=False),
        ]
    for told in captions:
        assert re.search(rf"\b{WORDS_FOR_AI[language]}\b", told.split("\n")[1])


def test_caption_fits_however_long_a_label_is() -> None:
    assert len(caption(make_card(), make_result(label="x" * 5000), ENGLISH)) == 1024


def test_caption_says_whose_voice_it_is() -> None:
    card = make_card(motion=Movement.of_voice(make_voice()), title="🎤 Speaking")
    assert caption(card, make_result(label="Made with AI"), ENGLISH).split("\n") == [
        "🎤 Speaking",
        "Made with AI",
        "The voice comes from the recording that was sent; it moves the lips. Nothing was cloned.",
    ]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (TitleParts(template="smile", strength=1.5), "😊 Lächeln, Stärke 150 %"),
        (TitleParts(template="smile", has_voice=True, face_count=2), "😊 Lächeln, 2 Gesichter"),
        (TitleParts(has_voice=True), "🎤 Sprechen"),
        (TitleParts(), "🎬 Dein Clip"),
        (TitleParts(template_count=9), "✨ 9 Bewegungen"),
        (TitleParts(template="forgotten"), "as it was"),
    ],
)
def test_titles_are_in_the_current_language_while_their_movement_is_there(
    parts: TitleParts, told: str
) -> None:
    with speaking("de"):
        assert current_title(parts, "as it was", Catalogue.load(), translated_texts()) == told


def test_failure_of_ours_tells_the_order_and_offers_another_try() -> None:
    error = EngineFailed(name="mesh", reason="a secret path /etc")
    content = failure_content(make_card(), error, 3, ENGLISH)
    assert "c7-k3f9a2b1cd-2" in content.text
    assert "secret" not in content.text
    found = taps(content.keyboard)
    assert found[ButtonAction.RETRY].number == 2
    assert found[ButtonAction.AGAIN].number == 3


def test_failure_that_would_come_again_offers_another_movement_only() -> None:
    content = failure_content(make_card(), NoFaceInClip(name="a.mp4"), 3, ENGLISH)
    assert "no face in your clip" in content.text
    assert taps(content.keyboard).keys() == {ButtonAction.AGAIN}


def test_part_without_a_face_can_be_chosen_again() -> None:
    content = failure_content(make_card(), NoFaceInBox(), 3, ENGLISH)
    assert [button.text for row in content.keyboard for button in row] == ["🔁 Another part"]
    assert taps(content.keyboard)[ButtonAction.AGAIN].argument == ANOTHER_FACE


def test_file_that_is_gone_is_told_honestly() -> None:
    content = failure_content(make_card(), FileGone(key="results/x"), 3, ENGLISH)
    assert "files are kept for a limited time" in content.text
    assert ButtonAction.RETRY in taps(content.keyboard)


def test_card_says_at_last_how_it_ended() -> None:
    card = make_card()
    assert done_message(card, NOW_S + 38, ENGLISH).text == "😊 Smile: done in 38 s."
    assert done_message(card, NOW_S + 600, ENGLISH).text == "😊 Smile: done in 10 min."
    assert failed_message(card, ENGLISH).text == "😊 Smile failed."
    cancelled = cancelled_message(card, ENGLISH)
    assert cancelled.text == "😊 Smile: cancelled."
    assert cancelled.offers_more


def test_buttons_of_the_longest_names_fit() -> None:
    draft, engine = "k" * 10, "e" * 32
    for action in ButtonAction:
        ButtonData(action, draft, 99_999, engine[:32]).encode()
