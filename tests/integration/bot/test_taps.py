"""Buttons: each tap does its work once, for the person whose it is, and is answered at once."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from bot.callback_data import ButtonAction
from bot.drafts.draft import Draft
from bot.gateway.messenger import CardMessage
from jobs.engines import EngineInfo
from jobs.errors import NoFaceInBox
from jobs.model import CropBox, Face, MediaWarning, grid_box, whole_box
from jobs.queues.assignment import Assignment
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.keys import draft_key
from jobs.templates import Catalogue
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import FACE, heartbeat
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, data_of, labels, tap_of, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Part

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

SECOND = Face(number=2, box=CropBox(left=80, upper=10, right=120, lower=50), votes=3)


async def card_of(talk: Talk) -> Message:
    """The card of a photo that has just been sent."""
    await talk.photo()
    return await talk.shows("Which movement?")


async def ordered(talk: Talk, label: str = "😊") -> Message:
    """The video of a photo that has just been sent."""
    await talk.tap(label, await card_of(talk))
    (video,) = await talk.videos()
    await talk.shows("done in")  # from then on, its card has no movements
    return video


# --- what is to be seen ---------------------------------------------------------------------------


async def test_several_faces_are_numbered_and_one_is_chosen(talk: Talk) -> None:
    talk.worker.faces = (FACE, SECOND)
    talk.worker.warnings = (MediaWarning.SMALL_FACE,)
    photo = await talk.photo()
    card = await talk.shows("I found 2 faces. Which one should I animate?")
    assert card["photo"]
    assert "The face is small" in card["caption"]
    assert labels(card) == [["1", "2"], ["👥 All of them"], ["✖️ Cancel"]]
    await talk.tap("2", card)
    card = await talk.shows("Which movement?")
    assert card["photo"]
    assert (await talk.draft_of(photo)).face_boxes == (SECOND.box,)
    await talk.tap("😊", card)
    await talk.videos()
    assert talk.worker.orders[0].wish.face_boxes == (SECOND.box,)


async def test_face_is_chosen_though_the_answer_to_its_picture_was_lost(talk: Talk) -> None:
    talk.worker.faces = (FACE, SECOND)
    await talk.desk.fault(method="editMessageMedia", drop=True)
    photo = await talk.photo()
    card = await talk.shows("Which one should I animate?")
    assert card["photo"]
    assert (await talk.draft_of(photo)).card == CardMessage(message_id=card["message_id"])
    await talk.tap("2", card)
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()
    await talk.shows("done in")


async def test_everybody_moves_in_one_video(talk: Talk) -> None:
    talk.worker.faces = (FACE, SECOND)
    photo = await talk.photo()
    await talk.tap("All of them", await talk.shows("Which one should I animate?"))
    card = await talk.shows("2 faces will move: 2 times the work of one.\nWhich movement?")
    assert (await talk.draft_of(photo)).face_boxes == (FACE.box, SECOND.box)
    await talk.tap("😊", card)
    (video,) = await talk.videos()
    assert text_of(video).startswith("😊 Smile, 2 faces\n")
    (order,) = talk.worker.orders
    assert order.wish.face_boxes == (FACE.box, SECOND.box)
    assert order.wish.cost_frames == 2 * order.wish.movement.frames
    # Another movement is for everybody, too.
    await talk.tap("😉", await talk.another(video))
    await talk.videos(count=2)
    assert talk.worker.orders[1].wish.face_boxes == (FACE.box, SECOND.box)


async def test_everybody_is_not_offered_where_no_engine_can_move_them(talk: Talk) -> None:
    workers = WorkerRegistry(talk.parts.services.queues.client)
    alone = heartbeat("mesh").model_copy(update={"engines": (EngineInfo(name="mesh"),)})
    await workers.beat(alone, time.time())
    talk.worker.faces = (FACE, SECOND)
    photo = await talk.photo()
    card = await talk.shows("Which one should I animate?")
    assert labels(card) == [["1", "2"], ["✖️ Cancel"]]
    draft = await talk.draft_of(photo)
    answer = await talk.tap_data(tap_of(ButtonAction.FACE, draft, "all"))
    assert "No worker can make this yet" in answer["text"]


@pytest.mark.parametrize(
    ("label", "box"), [("5", grid_box(160, 120, 5)), ("Whole picture", whole_box(160, 120))]
)
async def test_photo_without_a_face_is_no_dead_end(talk: Talk, label: str, box: CropBox) -> None:
    talk.worker.faces = ()
    photo = await talk.photo()
    card = await talk.shows("I found no face")
    assert labels(card)[:3] == [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
    await talk.tap(label, card)
    await talk.shows("Which movement?")
    assert (await talk.draft_of(photo)).face_boxes == (box,)


async def test_part_without_a_face_is_no_dead_end(talk: Talk) -> None:
    talk.worker.faces = ()
    await talk.photo()
    await talk.tap("5", await talk.shows("I found no face"))
    talk.worker.errors = [NoFaceInBox()]
    await talk.tap("😊", await talk.shows("Which movement?"))
    failed = await talk.shows("I see no face in this part")
    await talk.tap("Another part", failed)
    await talk.tap("2", await talk.shows("I found no face"))
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()
    assert talk.worker.orders[-1].wish.face_boxes == (grid_box(160, 120, 2),)


async def test_movement_of_a_link_is_ordered_when_the_face_is_chosen(talk: Talk) -> None:
    talk.worker.faces = (FACE, SECOND)
    await talk.desk.say("/start tpl_wink")
    await talk.photo()
    await talk.tap("1", await talk.shows("Which one should I animate?"))
    await talk.videos()


async def test_engine_is_chosen_where_there_are_several(talk: Talk) -> None:
    card = await card_of(talk)
    assert "(mesh)" not in str(labels(card))
    draft = await talk.parts.drafts.draft_of_message(ALICE, card["message_id"])
    assert draft is not None
    await talk.tap_data(tap_of(ButtonAction.ENGINE, draft, "fomm"))
    await until(lambda: _has_engine(talk, draft, "fomm"))


async def test_engine_is_chosen_by_a_button_of_the_version_before(talk: Talk) -> None:
    card = await card_of(talk)
    draft = await talk.parts.drafts.draft_of_message(ALICE, card["message_id"])
    assert draft is not None
    await talk.tap_data(tap_of(ButtonAction.ENGINE, draft, "flow"))
    await until(lambda: _has_engine(talk, draft, "mesh"))


async def test_order_is_moved_by_a_button_of_the_version_before(talk: Talk) -> None:
    card = await card_of(talk)
    draft = await talk.parts.drafts.draft_of_message(ALICE, card["message_id"])
    assert draft is not None
    await talk.tap_data(tap_of(ButtonAction.ENGINE, draft, "fomm"))
    await until(lambda: _has_engine(talk, draft, "fomm"))
    await talk.tap("Back", await talk.shows("These choices apply"))
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.shows("Another engine is available")
    await talk.tap_data(tap_of(ButtonAction.ENGINE, draft, "flow"))
    await talk.videos()
    assert [order.engine for order in talk.worker.orders] == ["mesh"]


async def _has_engine(talk: Talk, draft: Draft, engine: str) -> bool:
    return (await talk.parts.draft(draft.draft_id)).engine == engine


# --- a little more, a little less -----------------------------------------------------------------


async def test_a_result_is_made_again_stronger_once_for_each_button(talk: Talk) -> None:
    video = await ordered(talk)
    assert ["🔽 Less movement", "🔼 More movement"] in await talk.more(video)
    first, second = await asyncio.gather(
        talk.tap("More movement", video), talk.tap("More movement", video)
    )
    assert sorted(one.get("text") or "" for one in (first, second)) == [
        "",
        "You have ordered this already.",
    ]
    stronger = (await talk.videos(count=2))[1]
    assert text_of(stronger).startswith("😊 Smile, strength 125 %\n")
    await talk.tap("More movement", stronger)
    most = (await talk.videos(count=3))[2]
    assert ["🔽 Less movement"] in await talk.more(most)
    assert "More movement" not in str(await talk.more(most))
    await talk.tap("Less movement", video)
    await talk.videos(count=4)
    assert [order.wish.options for order in talk.worker.orders] == [
        {},
        {"strength": 1.25},
        {"strength": 1.5},
        {"strength": 0.8},
    ]
    wishes = [order.wish.model_copy(update={"options": {}}) for order in talk.worker.orders]
    assert wishes == [wishes[0]] * 4


async def test_files_that_are_gone_are_fetched_again_for_a_stronger_video_only(talk: Talk) -> None:
    video = await ordered(talk)
    (order,) = talk.worker.orders
    await talk.parts.services.store.delete([order.wish.photo.file])
    answer = await talk.tap("More movement", video)
    assert "fetching the photo again" in answer["text"]
    stronger = (await talk.videos(count=2))[1]
    assert talk.worker.orders[1].wish.options == {"strength": 1.25}
    await talk.tap("😉", await talk.another(stronger))
    await talk.videos(count=3)
    assert talk.worker.orders[2].wish.options == {}


async def test_button_of_an_earlier_version_makes_it_stronger(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()
    await talk.tap_data(tap_of(ButtonAction.STRENGTH, await talk.draft_of(photo), "more"))
    await talk.videos(count=2)
    assert talk.worker.orders[1].wish.options == {"strength": 1.25}


# --- whose, how old -------------------------------------------------------------------------------


async def test_double_tap_is_one_order(talk: Talk) -> None:
    card = await card_of(talk)
    first, second = await asyncio.gather(talk.tap("😊", card), talk.tap("😊", card))
    assert sorted(one.get("text") or "" for one in (first, second)) == [
        "",
        "You have ordered this already.",
    ]
    await talk.videos()
    assert len(talk.worker.orders) == 1


async def test_buttons_of_somebody_else_say_whose_they_are(talk: Talk) -> None:
    card = await card_of(talk)
    draft = await talk.parts.drafts.draft_of_message(ALICE, card["message_id"])
    assert draft is not None
    await talk.desk.post("members", chat_id=FAMILY, status="member")
    shared = draft.model_copy(update={"draft_id": "familydraft"[:10], "chat_id": FAMILY})
    await talk.parts.drafts.begin(shared)
    data = tap_of(ButtonAction.TEMPLATE, shared, "smile")
    answer = await talk.tap_data(data, BOB, chat=FAMILY)
    assert answer == {**answer, "show_alert": True}
    assert "Only the person who asked, or an admin of this group" in answer["text"]
    assert talk.worker.orders == []
    agreed = await talk.tap_data(tap_of(ButtonAction.CONSENT, shared), ADMIN, chat=FAMILY)
    assert agreed["show_alert"], "nobody agrees for somebody else"
    assert "admin" not in agreed["text"]
    await talk.tap_data(data, ADMIN, chat=FAMILY)
    await until(lambda: talk.worker.orders)


async def test_button_of_another_chats_draft_does_nothing(talk: Talk) -> None:
    data = data_of(await card_of(talk), "😊")
    await talk.desk.post("members", chat_id=FAMILY, status="member")
    answer = await talk.tap_data(data, chat=FAMILY)
    assert answer["show_alert"]
    assert talk.worker.orders == []


async def test_expired_draft_says_to_send_the_photo_again(talk: Talk, redis: Redis) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    await redis.delete(draft_key((await talk.draft_of(photo)).draft_id))
    answer = await talk.tap("😊", card)
    assert answer["show_alert"]
    assert "Send it again" in answer["text"]


async def test_draft_of_another_version_is_an_expired_one(talk: Talk, redis: Redis) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    await redis.set(draft_key((await talk.draft_of(photo)).draft_id), '{"schema_version": 99}')
    assert "Send it again" in (await talk.tap("😊", card))["text"]


async def test_unknown_button_is_too_old(talk: Talk) -> None:
    for data in ("v0|t|k3f9a2b1cd|1|smile", "nonsense", "v1|w|||", "v1|?|||"):
        answer = await talk.tap_data(data)
        assert answer["show_alert"]
        assert "too old" in answer["text"]


async def test_button_of_an_older_keyboard_orders_nothing_new(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.tap("😊", await talk.shows("Which movement?"))
    (video,) = await talk.videos()
    draft = await talk.draft_of(photo)
    assert draft.number == 2
    again = await talk.tap_data(tap_of(ButtonAction.TEMPLATE, draft, "wink"))
    assert again["text"] == "You have ordered this already."
    old = await talk.tap_data(tap_of(ButtonAction.SHOW_ALL, draft))
    assert old["show_alert"]
    assert len(talk.worker.orders) == 1
    await talk.tap("😊", await talk.another(video))
    await talk.videos(count=2)
    assert len(talk.worker.looks) == 1


async def test_button_under_a_message_that_telegram_has_forgotten_works(talk: Talk) -> None:
    card = await card_of(talk)
    await talk.tap("😊", card, inaccessible="true")
    await talk.videos()


async def test_tap_is_answered_before_anything_is_sent(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    begun = len(await talk.desk.calls())
    await talk.tap("Another movement", video)
    await talk.shows("Which movement?")
    names = [call["method"] for call in (await talk.desk.calls())[begun:]]
    assert names.index("answerCallbackQuery") < names.index("sendMessage")


# --- orders ---------------------------------------------------------------------------------------


async def test_all_movements_then_several_numbers_are_several_orders(talk: Talk) -> None:
    await talk.tap("Show me all", await card_of(talk))
    (sheet,) = await talk.videos()
    assert labels(sheet)[:3] == [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
    await talk.tap("3", sheet)
    await talk.tap("6", sheet)
    assert (await talk.tap("6", sheet))["text"] in ("You have ordered this already.", None)
    await talk.videos(count=3)
    names = [order.wish.movement.template for order in talk.worker.orders[1:]]
    assert sorted(str(name) for name in names[:2]) == ["surprise", "wink"]


async def test_all_movements_of_another_page_are_shown(talk: Talk) -> None:
    async def is_turned() -> bool:
        return ["◀️", "2/2", "▶️"] in labels(await talk.shows("Which movement?"))

    await talk.tap("▶️", await card_of(talk))
    await until(is_turned)
    await talk.tap("Show me all", await talk.shows("Which movement?"))
    await talk.videos()
    (order,) = talk.worker.orders
    names = [template.name for template in Catalogue.load()]
    assert list(order.wish.movement.templates) == names[9:18]


async def test_open_keyboard_stays_usable_when_a_number_is_tapped_above_it(talk: Talk) -> None:
    await talk.tap("Show me all", await card_of(talk))
    (sheet,) = await talk.videos()
    keyboard = await talk.another(sheet)
    await talk.tap("3", sheet)
    await talk.videos(count=2)
    await talk.tap("😉", keyboard)
    await talk.videos(count=3)
    again = await talk.tap_data(data_of(keyboard, "😉"))
    assert again["text"] == "You have ordered this already."
    assert (await talk.tap("3", sheet))["text"] == "You have ordered this already."
    assert len(talk.worker.orders) == 3
    # An order that ends before its card was shown has none.
    done = [one for one in await talk.said() if "done in" in text_of(one)]
    assert len(done) in (2, 3)


async def test_order_is_cancelled_and_another_movement_offered(talk: Talk) -> None:
    hold = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        while assignment.stop_reason is None and not hold.is_set():
            await asyncio.sleep(0.01)

    talk.worker.before_video = wait
    await talk.tap("😊", await card_of(talk))
    status = await talk.shows("Starting now")
    assert (await talk.tap("Cancel", status))["text"] in ("It stops in a moment.", "Cancelled.")
    hold.set()
    ended = await talk.shows("Smile: cancelled.")
    await talk.tap("😉", await talk.another(ended))
    await talk.videos()


async def test_wish_that_is_refused_says_why_in_a_window(talk: Talk) -> None:
    await talk.parts.services.people.pause(is_paused=True)
    card = await card_of(talk)
    answer = await talk.tap("😊", card)
    assert answer["show_alert"]
    assert "paused" in answer["text"]
    await talk.parts.services.people.pause(is_paused=False)
    await talk.tap("😊", card)
    await talk.videos()


async def test_photo_that_was_swept_is_fetched_again(talk: Talk) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    draft = await talk.draft_of(photo)
    assert draft.findings is not None
    await talk.parts.services.store.delete([draft.findings.photo.file])
    answer = await talk.tap("😊", card)
    assert "fetching the photo again" in answer["text"]
    await talk.videos()
    assert talk.worker.orders[0].wish.movement.template == "smile"


async def test_profile_picture_is_a_photo(talk: Talk) -> None:
    await talk.desk.post("persons", Part("photo", media.photo()), user_id=ALICE)
    (hello,) = await talk.said()
    await talk.tap("Use my profile picture", hello)
    first = await talk.shows("Which movement?")
    await talk.tap("Use my profile picture", hello)
    await talk.gone(first)
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()
    assert len(talk.worker.looks) == 1
