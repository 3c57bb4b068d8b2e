"""How it ends: photos, videos and what was measured in clips are deleted, cards are closed."""

import asyncio

import pytest

from bot.callback_data import ButtonAction
from jobs.queues.assignment import Assignment
from jobs.store.keys import track_key
from tests.integration.bot import talk as talks
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, tap_of, text_of
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox.desk import ALICE

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


async def test_cancel_under_a_photo_deletes_it(talk: Talk) -> None:
    photo = await talk.photo()
    card = await talk.shows("Which movement?")
    draft = await talk.draft_of(photo)
    answers = await asyncio.gather(talk.tap("Cancel", card), talk.tap("Cancel", card))
    assert not any(answer.get("show_alert") for answer in answers)
    await talk.shows("The photo is deleted")
    assert await talk.parts.drafts.read(draft.draft_id) is None
    assert draft.findings is not None
    assert not await talk.parts.services.store.exists(draft.findings.photo.file)


async def test_close_after_an_order_leaves_the_photo(talk: Talk) -> None:
    video = await ordered(talk)
    card = await talk.another(video)
    assert labels(card)[-1] == ["⋯ More", "✖️ Close"]
    await talk.tap("Close", card)
    await talk.gone(card)
    await talk.another(video)


async def test_video_comes_as_a_file_and_is_deleted(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.tap("As file", video)
    await until(lambda: _files(talk))
    (file,) = await _files(talk)
    assert text_of(file) == text_of(video)
    await until(lambda: _is_noted(talk, file))
    draft = await talk.draft_of(video["reply_to_message"])
    answer = await talk.tap("Delete", video)
    assert answer["text"].startswith("Deleted")
    await talk.gone(video)
    await talk.gone(file)
    # And what is left of its buttons is nobody's fault.
    delete = tap_of(ButtonAction.DELETE, draft)
    assert not (await talk.tap_data(delete)).get("show_alert")


async def test_card_that_is_too_old_to_be_deleted_stays_and_the_new_one_comes(talk: Talk) -> None:
    await talk.photo()
    await talk.shows("Which movement?")
    # After 48 hours, Telegram lets a bot delete its messages no more.
    reason = "Bad Request: message can't be deleted for everyone"
    await talk.desk.fault(method="deleteMessage", code=400, description=reason, times=9)
    before = len(await talk.desk.messages(ALICE))
    await talk.desk.say("/templates", user_id=ALICE, chat_id=ALICE)

    async def is_shown_below() -> bool:
        below = (await talk.desk.messages(ALICE))[before:]
        return any("Which movement?" in text_of(one) for one in below)

    await until(is_shown_below)


async def test_tap_that_comes_twice_sends_one_file(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.desk.fault(method="answerCallbackQuery", drop=True)
    await talk.tap("As file", video)
    await until(lambda: _files(talk))
    await until(lambda: _are_answered(talk, 3))  # the movement; the file, twice
    await talk.desk.say("/help", user_id=ALICE, chat_id=ALICE)
    await talk.shows("/cancel")
    assert len(await talk.desk.calls("sendDocument")) == 1


async def test_photo_that_stays_for_another_order_is_not_said_to_be_deleted(talk: Talk) -> None:
    video = await ordered(talk)
    hold = asyncio.Event()

    async def wait(_assignment: Assignment) -> None:
        await hold.wait()

    talk.worker.before_video = wait
    await talk.tap("😉", await talk.another(video))
    assert "Its files stay" in (await talk.tap("Delete", video))["text"]
    hold.set()
    await talk.shows("Wink: done in")


async def test_track_is_deleted_with_the_last_photo_that_has_the_clip(talk: Talk) -> None:
    store, cards, clips = talk.parts.services.store, [], []
    for count in (1, 2):
        photo = await talk.photo(seed=count)
        await talk.clip(reply_to=photo["message_id"])
        cards.append(await talk.shows("Your clip, or another movement?", count=count))
        findings = (await talk.draft_of(photo)).findings
        assert findings is not None
        assert findings.clip is not None
        clips.append(findings.clip.file)
    track = str(track_key(clips[0]))
    await store.put(track, b"measured by a worker")

    async def is_gone(key: str) -> bool:
        return not await store.exists(key)

    await talk.tap("Cancel", cards[0])
    await until(lambda: is_gone(clips[0]))
    assert await store.exists(track)
    await talk.tap("Cancel", cards[1])
    await until(lambda: is_gone(clips[1]))
    await until(lambda: is_gone(track))


async def _are_answered(talk: Talk, count: int) -> bool:
    return len(await talk.desk.calls("answerCallbackQuery")) >= count


async def _files(talk: Talk) -> list[Message]:
    return [one for one in await talk.said() if "document" in one and "animation" not in one]


async def _is_noted(talk: Talk, file: Message) -> bool:
    card = await talk.parts.services.order_cards.read(talk.worker.orders[0].order_id)
    return card is not None and file["message_id"] in card.files
