"""What cards say, and which buttons they have."""

from typing import Any

import pytest

from bot.callback_data import MOST_BYTES, ButtonAction, ButtonData
from bot.conversation.album_store import Album, AlbumPart
from bot.conversation.albums import album_content
from bot.conversation.draft_text import (
    MOST_FACES,
    Choice,
    ask_for_voice,
    consent_content,
    faces_content,
    grid_content,
    looking_content,
    movement_content,
    on_page,
    problem_content,
)
from bot.drafts.choices import Choices
from bot.drafts.draft import Draft, DraftProblem
from bot.gateway.messenger import Button, Keyboard, MessageContent
from bot.gateway.updates import MediaFile
from bot.orders.result_keyboard import numbers_keyboard
from bot.texts import ENGLISH
from jobs.errors import MediaDamaged
from jobs.model import CropBox, Face, MediaWarning
from jobs.orders import LookResult
from jobs.service_errors import OrderFailed
from jobs.show_all import MAX_TILES
from jobs.templates import Catalogue
from jobs.wish import Movement
from tests.unit.bot.cards import make_order
from tests.wishes import make_photo

CATALOGUE = Catalogue.load()
FILE = MediaFile(file_id="x", name="photo.jpg")
RECORDING = MediaFile(file_id="v", name="recording", is_voice=True)
LONGEST_NAME = "n" * 32
BOX = CropBox(left=0, upper=0, right=9, lower=9)


def draft_of(**changes: Any) -> Draft:
    facts: dict[str, Any] = {
        "draft_id": "k3f9a2b1cd",
        "chat_id": 7,
        "person_id": 7,
        "message_id": 1,
        "photo": FILE,
        "findings": look_of(),
    }
    return Draft(**(facts | changes))


def look_of(faces: int = 1, *warnings: MediaWarning) -> LookResult:
    found = tuple(Face(number=number + 1, box=BOX, votes=3) for number in range(faces))
    return LookResult(photo=make_photo("p", faces=found, warnings=warnings))


def choice_of(count: int = 9, *engines: str, **changes: Any) -> Choice:
    pattern = next(iter(CATALOGUE))
    templates = [
        pattern.model_copy(update={"name": f"move{number}", "title": {"en": f"Move {number}"}})
        for number in range(count)
    ]
    return Choice(templates=templates, engines=engines or ("mesh",), **changes)


def labels(keyboard: Keyboard) -> list[list[str]]:
    return [[button.text for button in row] for row in keyboard]


def taps(content: MessageContent) -> list[ButtonData]:
    return [one.data for row in content.keyboard for one in row]


def test_nine_movements_stand_as_in_their_animation_on_one_page() -> None:
    keyboard = labels(movement_content(draft_of(), choice_of(9), ENGLISH).keyboard)
    assert [len(row) for row in keyboard] == [3, 3, 3, 2, 2]
    assert keyboard[-2:] == [["🎬 My own clip", "🎤 A voice message"], ["⋯ More", "✖️ Cancel"]]


def test_long_titles_stand_in_pairs() -> None:
    choice = choice_of(4)
    long = choice.templates[0].model_copy(update={"title": {"en": "Look at everybody"}})
    keyboard = labels(
        movement_content(draft_of(), Choice([long, *choice.templates[1:]]), ENGLISH).keyboard
    )
    assert [len(row) for row in keyboard] == [2, 2, 2, 2]


def test_shipped_movements_stand_in_rows_of_three() -> None:
    for page in (0, 1):
        choice = Choice(tuple(CATALOGUE))
        keyboard = labels(movement_content(draft_of(), choice, ENGLISH, page).keyboard)
        assert [len(row) for row in keyboard[:4]] == [3, 3, 3, 3]
        assert keyboard[3] == ["◀️", f"{page + 1}/2", "▶️"]


@pytest.mark.parametrize(
    ("page", "shown", "numbers"),
    [(0, 9, "1/2"), (1, 2, "2/2"), (7, 2, "2/2"), (-1, 9, "1/2")],
)
def test_more_movements_have_pages(page: int, shown: int, numbers: str) -> None:
    content = movement_content(draft_of(), choice_of(11), ENGLISH, page)
    assert len([tap for tap in taps(content) if tap.action is ButtonAction.TEMPLATE]) == shown
    (row,) = [row for row in labels(content.keyboard) if "◀️" in row]
    assert row == ["◀️", numbers, "▶️"]


def test_pages_turn_round() -> None:
    turns = [
        [
            tap.argument
            for tap in taps(movement_content(draft_of(), choice_of(30), ENGLISH, page))
            if tap.action is ButtonAction.PAGE
        ]
        for page in (0, 3)
    ]
    assert turns == [["3", "0", "1"], ["2", "3", "0"]]


def test_all_movements_of_a_page_are_shown_at_once() -> None:
    (tap,) = show_all_taps(9, page=0)
    assert (tap.text, tap.data.argument) == ("✨ Show me all", "0")
    (tap,) = show_all_taps(11, page=0)
    assert (tap.text, tap.data.argument) == ("✨ Show me all 9", "0")
    (tap,) = show_all_taps(11, page=1)
    assert (tap.text, tap.data.argument) == ("✨ Show me all 2", "1")
    assert show_all_taps(0, page=0) == []
    names = [template.name for template in on_page(choice_of(11).templates, 1)]
    assert names == ["move9", "move10"]


def show_all_taps(count: int, page: int) -> list[Button]:
    content = movement_content(draft_of(), choice_of(count, shows_all=True), ENGLISH, page)
    return [
        one for row in content.keyboard for one in row if one.data.action is ButtonAction.SHOW_ALL
    ]


def test_warnings_stand_above_whatever_is_asked() -> None:
    for faces, content in ((0, grid_content), (2, faces_content)):
        draft = draft_of(findings=look_of(faces, MediaWarning.VERY_DARK, MediaWarning.SMALL_FACE))
        assert content(draft, ENGLISH).text.startswith(
            f"⚠️ {MediaWarning.VERY_DARK}\n⚠️ {MediaWarning.SMALL_FACE}"
        )
    draft = draft_of(findings=look_of(1, MediaWarning.HARD_CUTS))
    assert movement_content(draft, choice_of(), ENGLISH).text.startswith("⚠️ The clip has hard cuts")


def test_nobody_at_work_is_told_and_orders_are_taken_all_the_same() -> None:
    content = movement_content(draft_of(), Choice(templates=tuple(CATALOGUE)), ENGLISH)
    assert content.text.startswith("No worker is online")
    assert len([tap for tap in taps(content) if tap.action is ButtonAction.TEMPLATE]) == MAX_TILES


def test_photo_that_nobody_can_look_at_now_is_kept() -> None:
    assert looking_content(draft_of(), ENGLISH).text == "Looking at your photo ..."
    heard = looking_content(draft_of(lead=RECORDING), ENGLISH).text
    assert heard == "Looking at your photo and listening to your recording ..."
    content = looking_content(draft_of(), ENGLISH, is_attended=False)
    assert content.text.startswith("No worker is online right now. Your photo is kept")
    assert labels(content.keyboard) == [["✖️ Cancel"]]


def test_clip_that_is_there_comes_first() -> None:
    content = movement_content(draft_of(lead=FILE), choice_of(2, shows_all=True), ENGLISH)
    keyboard = labels(content.keyboard)
    assert keyboard[0] == ["🎬 Follow my clip"]
    assert keyboard[-3:-1] == [["🎬 Another clip", "🎤 A voice message"], ["✨ Show me all"]]


def test_recording_that_is_there_comes_first() -> None:
    content = movement_content(draft_of(lead=RECORDING), choice_of(2), ENGLISH)
    assert content.text == "Should the face say this, or make a movement?"
    keyboard = labels(content.keyboard)
    assert keyboard[0] == ["🎤 Say this"]
    assert keyboard[-2] == ["🎬 My own clip", "🎤 Another recording"]


def test_recording_is_asked_for_only_where_it_can_be_said() -> None:
    content = movement_content(draft_of(), choice_of(2, takes_voices=False), ENGLISH)
    assert labels(content.keyboard)[-2] == ["🎬 My own clip"]


def test_recording_is_asked_for_by_how_it_is_sent() -> None:
    private, group = (ask_for_voice(ENGLISH, in_group=in_group) for in_group in (False, True))
    assert private.startswith("Hold the microphone and speak")
    assert group.startswith("Reply to this message with a voice message")
    assert "up to 60 s" in private
    assert "up to 60 s" in group


def test_wish_that_waits_for_its_warnings_comes_first() -> None:
    draft = draft_of(movement=Movement(template="move1"))
    assert labels(movement_content(draft, choice_of(), ENGLISH).keyboard)[0][0].endswith("Move 1")
    every = draft_of(movement=Movement(templates=("move9", "move10")))
    first = movement_content(every, choice_of(11, shows_all=True), ENGLISH).keyboard[0][0]
    assert first.text == "▶️ Continue: all movements"
    assert first.data.argument == "1"


def test_faces_are_spread_evenly_and_end_somewhere() -> None:
    rows = [
        [
            len(row)
            for row in labels(faces_content(draft_of(findings=look_of(count)), ENGLISH).keyboard)
        ]
        for count in (2, 5, 9, 40)
    ]
    assert rows == [[2, 1], [3, 2, 1], [3, 3, 3, 1], [4, 4, 4, 1]]
    assert MOST_FACES == 12


def test_all_faces_are_offered_as_far_as_an_engine_moves_them() -> None:
    def row(count: int, max_faces: int) -> list[str]:
        content = faces_content(draft_of(findings=look_of(count)), ENGLISH, max_faces)
        return labels(content.keyboard)[-2]

    assert row(3, 8) == ["👥 All of them"]
    assert row(8, 8) == ["👥 All of them"]
    assert row(9, 8) == ["👥 The 8 largest"]
    assert row(3, 1) == ["1", "2", "3"]


def test_card_says_how_much_work_several_faces_are() -> None:
    draft = draft_of(face_boxes=(BOX, BOX.scaled(2), BOX.scaled(3)))
    text = movement_content(draft, choice_of(), ENGLISH).text
    assert text == "3 faces will move: 3 times the work of one.\nWhich movement?"
    one = movement_content(draft_of(face_boxes=(BOX,)), choice_of(), ENGLISH).text
    assert one == "Which movement?"


def test_trouble_with_a_clip_leaves_the_photo() -> None:
    error = MediaDamaged(name="a.mp4")
    with_clip = draft_of(lead=FILE, problem=DraftProblem(error=error.to_dict(), is_lead=True))
    assert labels(problem_content(with_clip, error, ENGLISH).keyboard) == [
        ["🎬 Another clip", "Without the clip"],
        ["✖️ Cancel"],
    ]
    problem = DraftProblem(error=error.to_dict(), is_lead=True)
    with_voice = draft_of(lead=RECORDING, problem=problem)
    assert labels(problem_content(with_voice, error, ENGLISH).keyboard) == [
        ["🎤 Another recording", "Without it"],
        ["✖️ Cancel"],
    ]
    photo = draft_of(problem=DraftProblem(error=error.to_dict()))
    assert labels(problem_content(photo, error, ENGLISH).keyboard) == [["OK"]]


def test_trouble_of_ours_can_be_tried_again_and_tells_nothing() -> None:
    error = OrderFailed(order="look-k3f9a2b1cd-1")
    content = problem_content(draft_of(problem=DraftProblem(error=error.to_dict())), error, ENGLISH)
    assert "look-" not in content.text
    assert labels(content.keyboard)[0] == ["↻ Try again"]


def test_photo_that_nobody_looks_at_does_not_wait_without_a_word() -> None:
    content = looking_content(draft_of(), ENGLISH, is_attended=False)
    assert content.text.startswith("No worker is online right now.")
    assert labels(content.keyboard) == [["✖️ Cancel"]]


def test_first_keyboard_cancels_and_later_ones_close() -> None:
    for number, label in ((1, "✖️ Cancel"), (2, "✖️ Close")):
        content = looking_content(draft_of(number=number), ENGLISH)
        assert labels(content.keyboard) == [[label]]


def test_every_button_fits_even_with_the_longest_names() -> None:
    draft = draft_of(number=10**6, lead=FILE, movement=Movement(template="move1"))
    choice = choice_of(30, "fomm", "mesh", shows_all=True)
    longest = choice.templates[0].model_copy(
        update={"name": LONGEST_NAME, "title": {"en": "t" * 200}}
    )
    order = make_order(number=10**6, motion=Movement(templates=(LONGEST_NAME,)))
    many = [
        movement_content(draft, choice, ENGLISH, 2),
        movement_content(draft, Choice(templates=[longest]), ENGLISH),
        grid_content(draft, ENGLISH),
        faces_content(draft_of(number=10**6, findings=look_of(40)), ENGLISH, 8),
        consent_content(draft.draft_id, 24, ENGLISH),
        MessageContent("", numbers_keyboard(order)),
    ]
    for content in many:
        assert len(content.keyboard) <= 11
        for row in content.keyboard:
            assert len(row) <= 8
            assert all(len(button.text) <= 40 for button in row)
        assert all(len(tap.encode().encode()) <= MOST_BYTES for tap in taps(content))


@pytest.mark.parametrize(
    ("count", "begun", "rows"),
    [(2, 0, [2, 2]), (6, 0, [3, 3, 2]), (10, 1, [5, 5, 2]), (3, 3, [])],
)
def test_albums_card(count: int, begun: int, rows: list[int]) -> None:
    parts = tuple(
        AlbumPart(chat_id=7, person_id=7, message_id=number, photo=FILE) for number in range(count)
    )
    album = Album(album_id="a", parts=parts, begun=frozenset(range(begun)))
    content = album_content(album, ENGLISH)
    assert [len(row) for row in content.keyboard] == rows
    assert str(count) in content.text


def test_part_of_a_clip_that_was_chosen_is_not_said_to_be_its_beginning() -> None:
    look = look_of(1, MediaWarning.CLIP_SHORTENED)
    text = movement_content(draft_of(findings=look), choice_of(), ENGLISH).text
    assert text.startswith("⚠️ The clip is longer than the maximum; only its beginning is used.")
    later = draft_of(findings=look, choices=Choices(clip_start_s=5.0))
    assert movement_content(later, choice_of(), ENGLISH).text.startswith("🎬 From 5 s\n\n")
