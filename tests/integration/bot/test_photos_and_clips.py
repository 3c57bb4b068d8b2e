"""What people send, in whatever order: each photo has a card, each clip finds its photo."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from bot.gateway.updates import IncomingMessage, LeadMedia, MediaFile, PhotoMedia
from jobs.errors import MediaDamaged, NoFaceInClip
from jobs.model import MediaWarning
from jobs.queues.assignment import Assignment
from jobs.queues.keys import LOOK
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import hurry
from tests.integration.bot.talk import Talk, labels, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, BOB, Part

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

YOUR_CLIP = "Your clip, or another movement?"


async def test_photo_gets_one_card_with_movements_and_the_tap_a_video(talk: Talk) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    assert card["reply_to_message"]["message_id"] == photo["message_id"]
    await talk.tap("😊", card)
    (video,) = await talk.videos()
    assert video["reply_to_message"]["message_id"] == photo["message_id"]
    await talk.shows("done in")
    assert len(await talk.said()) == 3


async def test_every_kind_of_picture_is_a_photo(talk: Talk) -> None:
    await talk.sent(Part("photo", media.photo()))
    await talk.sent(Part("document", media.photo(), "me.jpg"))
    await talk.sent(Part("sticker", media.webp(), "me.webp"))
    await talk.shows("Which movement?", count=3)


async def test_every_kind_of_clip_finds_the_photo_before_it(talk: Talk) -> None:
    for count, kind in enumerate(("video", "video_note", "document"), start=1):
        photo = await talk.photo(seed=count)
        await talk.clip(kind=kind, reply_to=photo["message_id"])
        card = await talk.shows(YOUR_CLIP, count=count)
        assert labels(card)[0] == ["🎬 Follow my clip"]
        assert (await talk.draft_of(photo)).lead is not None


async def test_clip_after_its_photo_is_followed(talk: Talk) -> None:
    await talk.photo()
    await talk.shows("Which movement?")
    await talk.clip()
    await talk.tap("Follow my clip", await talk.shows(YOUR_CLIP))
    await talk.videos()
    (order,) = talk.worker.orders
    assert order.wish.clip is not None


async def test_gif_is_a_clip(talk: Talk) -> None:
    await talk.sent(Part("animation", media.gif(), "wave.gif"))
    await talk.shows("I have your clip")


async def test_live_photo_is_a_photo_and_where_a_clip_is_asked_for_a_clip(talk: Talk) -> None:
    sent = await talk.photo()
    clip = (await talk.clip(reply_to=sent["message_id"]))["animation"]
    await talk.shows(YOUR_CLIP)
    photo = sent["photo"]
    live = {**clip, "photo": photo}
    content = json.dumps({"photo": photo, "live_photo": live})
    await talk.desk.post("message", content=content)
    card = await talk.shows("Which movement?")
    await talk.tap("My own clip", card)
    await talk.shows("Send me the clip")
    await talk.desk.post("message", content=content)
    await talk.videos()
    assert talk.worker.orders[0].wish.clip is not None


UNUSABLE: dict[str, dict[str, object]] = {
    "cannot open stories": {"story": {"id": 1, "chat": {"id": 5, "type": "private"}}},
    "cannot open paid media": {"paid_media": {"star_count": 1, "paid_media": []}},
    "Send me a photo with a face": {"contact": {"phone_number": "1", "first_name": "A"}},
}


async def test_what_cannot_be_used_is_told_and_what_can(talk: Talk) -> None:
    for answer, content in UNUSABLE.items():
        await talk.desk.post("message", content=json.dumps(content))
        await talk.shows(answer)


async def test_text_file_is_told_by_its_name(talk: Talk) -> None:
    file = {"file_id": "x", "file_unique_id": "y", "file_name": "a {letter}.txt"}
    await talk.desk.post("message", content=json.dumps({"document": file}))
    await talk.shows("a {letter}.txt is neither a picture nor a video")


async def test_photo_that_is_quoted_from_another_chat_is_taken(talk: Talk) -> None:
    photo = (await talk.photo())["photo"]
    await talk.shows("Which movement?")
    quoted = {"origin": {"type": "hidden_user", "date": 1, "sender_user_name": "C"}, "photo": photo}
    await talk.desk.post("message", content=json.dumps({"text": "this", "external_reply": quoted}))
    await talk.shows("Which movement?", count=2)


async def test_two_photos_have_two_cards_and_both_work(talk: Talk) -> None:
    first, second = await talk.photo(seed=1), await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    cards = {
        card["reply_to_message"]["message_id"]: card
        for card in await talk.said()
        if "Which" in text_of(card)
    }
    await talk.tap("😉", cards[first["message_id"]])
    await talk.tap("😊", cards[second["message_id"]])
    videos = await talk.videos(count=2)
    answered = {video["reply_to_message"]["message_id"] for video in videos}
    assert answered == {first["message_id"], second["message_id"]}
    wanted = {order.draft: order.wish.movement.template for order in talk.worker.orders}
    names = {
        (await talk.draft_of(first)).draft_id: "wink",
        (await talk.draft_of(second)).draft_id: "smile",
    }
    assert wanted == names


async def test_photo_whose_update_comes_twice_has_one_card(talk: Talk) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    incoming = IncomingMessage(ALICE, ALICE, photo["message_id"])
    again = PhotoMedia(MediaFile(file_id=photo["photo"][-1]["file_id"], name="photo.jpg"))
    await talk.media_handler.take(incoming, again)
    await talk.tap("😊", card)
    await talk.videos()
    await talk.media_handler.take(incoming, again)
    assert len(talk.worker.looks) == 1
    assert len([one for one in await talk.said() if "Which" in text_of(one)]) == 1


async def test_update_that_comes_while_its_order_is_open_leaves_the_status_alone(
    talk: Talk,
) -> None:
    hold = asyncio.Event()

    async def wait(_assignment: Assignment) -> None:
        await hold.wait()

    talk.worker.before_video = wait
    photo = await talk.photo()
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.shows("Starting now")
    file = MediaFile(file_id=photo["photo"][-1]["file_id"], name="photo.jpg")
    await talk.media_handler.take(
        IncomingMessage(ALICE, ALICE, photo["message_id"]), PhotoMedia(file)
    )
    assert "Which movement?" not in await talk.desk.transcript()
    hold.set()
    await talk.videos()


async def test_card_that_telegram_did_not_take_is_sent_again(talk: Talk) -> None:
    await talk.desk.fault(method="sendMessage", code=502, times=2)
    await talk.photo()
    await talk.shows("Which movement?")
    assert len(await talk.said()) == 2


async def test_clip_whose_update_comes_twice_is_looked_at_once(talk: Talk) -> None:
    photo = await talk.photo()
    clip = await talk.clip(reply_to=photo["message_id"])
    await talk.shows(YOUR_CLIP)
    file = (await talk.draft_of(photo)).lead
    assert file is not None
    looks = len(talk.worker.looks)
    incoming = IncomingMessage(ALICE, ALICE, clip["message_id"], reply_to=photo["message_id"])
    await talk.media_handler.take(incoming, LeadMedia(file))
    assert (len(talk.worker.looks), len(await talk.said())) == (looks, 2)


# --- clips ----------------------------------------------------------------------------------------


async def test_clip_before_its_photo_waits_for_it(talk: Talk) -> None:
    await talk.clip()
    waiting = await talk.shows("Now send me the photo that should follow it")
    assert labels(waiting) == []
    await talk.photo()
    await talk.shows(YOUR_CLIP)
    await talk.photo(seed=3)
    await talk.shows("Which movement?")


async def test_clip_that_answers_an_older_photo_belongs_to_it(talk: Talk) -> None:
    first = await talk.photo(seed=1)
    await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    await talk.clip(reply_to=first["message_id"])
    card = await talk.shows(YOUR_CLIP)
    assert card["reply_to_message"]["message_id"] == first["message_id"]


async def test_clip_that_answers_a_card_belongs_to_its_photo(talk: Talk) -> None:
    await talk.photo(seed=1)
    card = await talk.shows("Which movement?")
    second = await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    await talk.clip(reply_to=card["message_id"])
    await talk.shows(YOUR_CLIP)
    assert (await talk.draft_of(second)).lead is None


async def test_clip_goes_to_the_card_that_asked_for_it(talk: Talk) -> None:
    first = await talk.photo(seed=1)
    card = await talk.shows("Which movement?")
    await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    await talk.tap("My own clip", card)
    await talk.shows("Send me the clip")
    await talk.clip()
    await talk.videos()
    assert talk.worker.orders[0].draft == (await talk.draft_of(first)).draft_id


async def test_clip_long_after_the_last_photo_waits_or_is_given_to_it_by_a_button(
    talk: Talk,
) -> None:
    photo = await talk.photo()
    await talk.shows("Which movement?")
    talk.parts.clock.ahead_s = 3600
    await talk.clip()
    waiting = await talk.shows("I have your clip")
    assert (await talk.draft_of(photo)).lead is None
    await talk.tap("Use the last photo", waiting)
    card = await talk.shows(YOUR_CLIP)
    assert card["reply_to_message"]["message_id"] == photo["message_id"]
    answer = await talk.tap("Use the last photo", waiting)
    assert "Send it again" in answer["text"]


async def test_clip_after_an_order_waits_for_the_next_photo(talk: Talk) -> None:
    await talk.photo()
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()
    await talk.clip()
    await talk.shows("I have your clip")
    await talk.photo(seed=2)
    await talk.shows(YOUR_CLIP)


async def test_clip_shortly_before_its_photo_serves_both_photos(talk: Talk) -> None:
    first = await talk.photo(seed=1)
    await talk.shows("Which movement?")
    await talk.clip()
    await talk.shows(YOUR_CLIP)
    second = await talk.photo(seed=2)
    await talk.shows(YOUR_CLIP, count=2)
    assert (await talk.draft_of(first)).lead == (await talk.draft_of(second)).lead


async def test_clip_whose_photo_was_animated_serves_no_other(talk: Talk) -> None:
    await talk.photo(seed=1)
    await talk.shows("Which movement?")
    await talk.clip()
    await talk.tap("Follow my clip", await talk.shows(YOUR_CLIP))
    await talk.videos()
    await talk.photo(seed=2)
    await talk.shows("Which movement?")


async def test_clip_waits_on_if_the_photo_that_follows_cannot_be_used(talk: Talk) -> None:
    good = await talk.photo(seed=1)
    await talk.shows("Which movement?")
    talk.parts.clock.ahead_s = 3600
    await talk.clip()
    waiting = await talk.shows("I have your clip")
    talk.worker.errors = [MediaDamaged(name="photo-1.jpg")]
    await talk.photo(seed=2)
    await talk.shows("cut off or damaged")
    await talk.tap("Use the last photo", waiting)
    card = await talk.shows(YOUR_CLIP)
    assert card["reply_to_message"]["message_id"] == good["message_id"]


async def test_good_photo_after_a_bad_one_gets_the_clip_and_is_the_last_one(talk: Talk) -> None:
    await talk.clip()
    await talk.shows("I have your clip")
    talk.worker.errors = [MediaDamaged(name="photo-1.jpg")]
    await talk.photo(seed=1)
    await talk.shows("cut off or damaged")
    await talk.photo(seed=2)
    await talk.tap("Follow my clip", await talk.shows(YOUR_CLIP))
    await talk.videos()


async def test_last_photo_is_the_last_one_that_can_be_used(talk: Talk) -> None:
    good = await talk.photo(seed=1)
    await talk.shows("Which movement?")
    for seed in (2, 3):
        talk.worker.errors = [MediaDamaged(name="photo-1.jpg")]
        await talk.photo(seed=seed)
        await talk.shows("cut off or damaged", count=seed - 1)
    await talk.clip()
    await talk.tap("Use the last photo", await talk.shows("I have your clip"))
    card = await talk.shows(YOUR_CLIP)
    assert card["reply_to_message"]["message_id"] == good["message_id"]


async def test_clip_that_is_refused_leaves_the_photo_alone(talk: Talk) -> None:
    talk.worker.errors = []
    await talk.photo()
    await talk.shows("Which movement?")
    talk.worker.errors = [NoFaceInClip(name="clip-2.mp4")]
    await talk.clip()
    trouble = await talk.shows("no face in your clip")
    await talk.tap("Without the clip", trouble)
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()


async def test_photo_that_is_damaged_is_told(talk: Talk) -> None:
    talk.worker.errors = [MediaDamaged(name="photo-1.jpg")]
    await talk.photo()
    trouble = await talk.shows("photo.jpg is cut off or damaged")
    assert labels(trouble) == [["OK"]]


async def test_what_is_our_fault_can_be_tried_again(talk: Talk, redis: Redis) -> None:
    talk.worker.errors = [RuntimeError("a secret")] * 3
    await talk.photo()
    while talk.worker.errors:
        await hurry(redis, LOOK)
        await asyncio.sleep(0.02)
    trouble = await talk.shows("Something went wrong on our side")
    assert "secret" not in await talk.desk.transcript()
    talk.worker.errors.clear()
    await talk.tap("Try again", trouble)
    await talk.shows("Which movement?")


async def test_clip_over_the_limit_is_refused_before_it_is_fetched(talk: Talk) -> None:
    clip = (await talk.clip())["animation"]
    await talk.shows("I have your clip")
    large = {**clip, "file_size": 21_000_000, "file_name": "party.mp4"}
    await talk.desk.post("message", content=json.dumps({"video": large}))
    told = await talk.shows("party.mp4 is 21.0 MB, but I can accept at most 20 MB")
    assert "Send a shorter clip" in text_of(told)
    assert await talk.desk.calls("getFile") == []


async def test_warnings_come_before_any_order_even_from_a_link(talk: Talk) -> None:
    talk.worker.warnings = (MediaWarning.VERY_DARK,)
    await talk.desk.say("/start tpl_smile")
    await talk.shows("Smile. Now send me a photo for it")
    await talk.photo()
    card = await talk.shows("very dark")
    assert labels(card)[0] == ["▶️ Continue: 😊 Smile"]
    assert talk.worker.orders == []
    await talk.tap("Continue", card)
    await talk.videos()


async def test_link_to_a_movement_then_a_photo_is_an_order(talk: Talk) -> None:
    await talk.desk.say("/start tpl_wink")
    await talk.shows("Wink. Now send me a photo for it")
    await talk.photo()
    await talk.videos()
    assert [order.wish.movement.template for order in talk.worker.orders] == ["wink"]
    await talk.photo(seed=2)
    await talk.shows("Which movement?")


# --- the terms ------------------------------------------------------------------------------------


async def test_photo_before_the_terms_goes_on_after_the_tap(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await talk.photo()
    terms = await talk.shows("Before we begin")
    assert await talk.desk.calls("getFile") == []
    assert (await talk.tap("I agree", terms))["text"] == "Thank you."
    card = await talk.shows("Which movement?")
    assert card["message_id"] == terms["message_id"]
    assert (await talk.parts.services.people.person(ALICE)).has_agreed


async def test_terms_are_asked_once_for_all_that_waits(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await talk.clip()
    await talk.photo(seed=1)
    first = await talk.shows("Before we begin")
    await talk.photo(seed=2)
    await talk.gone(first)
    terms = await talk.shows("Before we begin")
    await asyncio.gather(talk.tap("I agree", terms), talk.tap("I agree", terms))
    await talk.shows(YOUR_CLIP)
    await talk.shows("Which movement?")
    assert len(await talk.said()) == 4  # the greeting, one about the clip, two cards


async def test_terms_without_a_photo_ask_for_one(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await talk.shows("Hello!")
    assert (await talk.tap_data("v1|y||0|"))["text"] == "Thank you."
    await talk.shows("Thank you. Now send me a photo with a face.")


async def test_terms_can_be_agreed_to_by_their_person_alone(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await talk.photo()
    terms = await talk.shows("Before we begin")
    people = talk.parts.services.people
    data = talks.data_of(terms, "I agree")
    await talk.agree(BOB)
    answer = await talk.tap_data(data, BOB)
    assert answer["show_alert"]
    assert not (await people.person(ALICE)).has_agreed
