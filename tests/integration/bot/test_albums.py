"""Several photos at once: one card, whatever dies meanwhile."""

import asyncio
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.conversation.album_store import AlbumPart, AlbumStore, album_id_of
from bot.conversation.draft_cards import DraftCards
from bot.conversation.media_handler import MediaHandler
from bot.drafts.draft import Draft
from bot.drafts.draft_store import draft_id_of
from bot.drafts.intake import Intake
from bot.gateway.messenger import CardMessage
from bot.gateway.updates import IncomingTap, MediaFile
from jobs.queues.keys import DUE_ALBUMS
from sandbox.server import Sandbox
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import local_store
from tests.integration.bot.talk import Message, Talk, data_of, labels
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, BOB, Desk, Part

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

ALBUM = "You sent 3 photos. Which one should I animate?"
LATE = draft_id_of(ALICE, 99)
PHOTO = MediaFile(file_id="x", name="photo.jpg")


async def album_of(talk: Talk, *parts: Part) -> list[Message]:
    sent = await talk.desk.send(*parts)
    messages: list[Message] = sent["messages"]
    return messages


def photos(count: int) -> list[Part]:
    return [Part("photo", media.photo(seed=seed)) for seed in range(count)]


async def test_album_gets_one_card_and_the_chosen_photo_its_own(talk: Talk) -> None:
    messages = await album_of(talk, *photos(3))
    card = await talk.shows(ALBUM)
    assert labels(card) == [["1", "2", "3"], ["Each of them", "✖️ Cancel"]]
    assert card["reply_to_message"]["message_id"] == messages[0]["message_id"]
    assert await talk.desk.calls("getFile") == []
    await asyncio.gather(talk.tap("2", card), talk.tap("2", card))
    chosen = await talk.shows("Which movement?")
    assert chosen["reply_to_message"]["message_id"] == messages[1]["message_id"]
    card = await talk.shows("You sent 3 photos. Another one?")
    assert labels(card)[0] == ["1", "✓ 2", "3"]
    assert len(talk.worker.looks) == 1
    await talk.tap("Close", card)
    await talk.gone(card)


async def test_each_photo_of_an_album_can_be_wanted(talk: Talk) -> None:
    await album_of(talk, *photos(3))
    await talk.tap("Each of them", await talk.shows(ALBUM))
    await talk.shows("Which movement?", count=3)
    assert labels(await talk.shows("I am working on all 3 photos.")) == []


async def test_album_before_the_terms_goes_on_after_the_tap(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await album_of(talk, *photos(3))
    await talk.tap("Each of them", await talk.shows(ALBUM))
    await talk.shows("all 3 photos")
    terms = await talk.shows("Before we begin")
    assert len([one for one in await talk.said() if "Before we" in talks.text_of(one)]) == 1
    await talk.tap("I agree", terms)
    await talk.shows("Which movement?", count=3)


class BusyIntake(Intake):
    """While the first draft begins, an album's photo comes to wait for the same person's word."""

    async def begin(self, draft: Draft) -> None:
        await super().begin(draft)
        if draft.draft_id != LATE:
            drafts = self._services.drafts
            await drafts.begin(draft.model_copy(update={"draft_id": LATE, "card": None}))
            waiting = (draft.draft_id, LATE)
            await drafts.update_conversation(draft, unagreed=waiting, questions=(99,))


async def test_photo_that_comes_to_wait_while_its_person_agrees_goes_on_too(
    newcomers: Talk,
) -> None:
    services = newcomers.parts.services
    await newcomers.desk.say("/start")
    await newcomers.photo()
    terms = (await newcomers.shows("Before we begin"))["message_id"]
    cards = DraftCards(services)
    tap = IncomingTap(ALICE, ALICE, terms, None, "", "")
    await MediaHandler(services, BusyIntake(services), cards, talks.TERMS).accept_terms(tap)
    conversation = await services.drafts.conversation(tap)
    assert (conversation.unagreed, conversation.questions) == ((), ())
    await newcomers.shows("Which movement?", count=2)


async def test_album_of_a_photo_and_a_clip_is_that_photo_with_that_clip(talk: Talk) -> None:
    await album_of(talk, Part("video", media.clip(), "a.mp4"), *photos(1))
    card = await talk.shows("Your clip, or another movement?")
    assert labels(card)[0] == ["🎬 Follow my clip"]


async def test_photo_of_an_album_whose_card_could_not_be_sent_is_begun_again(
    talk: Talk, redis: Redis
) -> None:
    await talk.desk.fault(method="sendMessage", code=502)
    await album_of(talk, Part("video", media.clip(), "a.mp4"), *photos(1))
    await talk.shows("Your clip, or another movement?")
    assert len(talk.worker.looks) == 1
    assert await redis.exists(DUE_ALBUMS) == 0


async def test_clip_of_an_album_goes_with_the_photo_that_is_chosen(talk: Talk) -> None:
    await album_of(talk, *photos(2), Part("video", media.clip(), "a.mp4"))
    await talk.tap("1", await talk.shows("You sent 2 photos"))
    await talk.shows("Your clip, or another movement?")


async def test_album_without_photos_is_a_clip_or_refused_once(talk: Talk) -> None:
    await album_of(talk, *[Part("document", b"words", f"{one}.txt") for one in "ab"])
    await talk.shows("a.txt is neither")
    assert "b.txt is neither" not in await talk.desk.transcript()
    clip = Part("video", media.clip(), "a.mp4")
    await album_of(talk, clip, clip)
    await talk.shows("I have your clip")


async def test_photo_that_comes_late_changes_the_card(talk: Talk) -> None:
    await talk.desk.send(*photos(2), media_group="77")
    card = await talk.shows("You sent 2 photos")
    await talk.desk.send(Part("photo", media.photo(seed=9)), media_group="77")
    same = await talk.shows(ALBUM)
    assert same["message_id"] == card["message_id"]


async def test_photo_that_comes_late_to_a_single_one_is_taken_too(talk: Talk) -> None:
    for seed in (1, 2):
        await talk.desk.send(Part("photo", media.photo(seed=seed)), media_group="77")
        await talk.shows("Which movement?", count=seed)


async def test_buttons_of_an_album_are_for_its_chat_and_for_a_while(
    talk: Talk, redis: Redis
) -> None:
    await album_of(talk, *photos(3))
    card = await talk.shows(ALBUM)
    data = data_of(card, "1")
    await talk.agree(BOB)
    assert (await talk.tap_data(data, BOB))["show_alert"]
    await redis.delete(*await redis.keys("animato:album:*"))
    answer = await talk.tap("1", card)
    assert answer["show_alert"]
    assert "Send them again" in answer["text"]
    assert talk.worker.looks == []


async def test_album_is_asked_about_when_the_chat_has_room_again(talk: Talk) -> None:
    await talk.desk.fault(method="sendMessage", code=502)
    await album_of(talk, *photos(3))
    await talk.shows(ALBUM)


async def test_album_that_was_noted_before_the_bot_died_is_asked_about(
    redis: Redis, valkey: str, sandbox: Sandbox, desk: Desk, tmp_path: Path
) -> None:
    store = AlbumStore(redis, valkey)
    for number in (1, 2):
        part = AlbumPart(chat_id=7, person_id=7, message_id=number, photo=PHOTO)
        await store.add("k3f9a2b1cd", part, time.time())
    await desk.say("/start")
    async with talks.talking(sandbox, valkey, redis, local_store(tmp_path), desk) as talk:
        await talk.shows("You sent 2 photos")


async def test_album_that_grew_meanwhile_is_not_settled(redis: Redis, valkey: str) -> None:
    store = AlbumStore(redis, valkey)
    part = AlbumPart(chat_id=7, person_id=7, message_id=1, photo=PHOTO)
    await store.add("a", part, 1.0)
    await store.add("a", part.model_copy(update={"message_id": 2}), 2.0)
    await store.settle("a", 1.0)
    assert await store.waiting() == {"a": 2.0}
    await store.settle("a", 2.0)
    assert await redis.exists(DUE_ALBUMS) == 0


async def test_parts_stand_as_in_the_chat_however_they_came(redis: Redis, valkey: str) -> None:
    store = AlbumStore(redis, valkey)
    for number in (10, 9, 10):
        part = AlbumPart(chat_id=7, person_id=7, message_id=number, photo=PHOTO)
        await store.add("a", part, 1.0)
    await store.note_card("a", CardMessage(message_id=5))
    await store.note_begun("a", 10)
    album = await store.read("a")
    assert album is not None
    assert [one.message_id for one in album.photos] == [9, 10]
    assert [one.message_id for one in album.not_begun] == [9]
    assert album.card == CardMessage(message_id=5)
    assert await store.read("b") is None


def test_album_is_no_draft_and_no_other_chats_album() -> None:
    assert (
        len({album_id_of(7, "1"), album_id_of(8, "1"), album_id_of(7, "2"), draft_id_of(7, 1)}) == 4
    )
