"""`/history`: the last results, with what can be done with each."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import CardMessage, Messenger
from bot.gateway.updates import IncomingMessage, IncomingTap
from bot.history.pages import PAGE_SIZE, HistoryPages, Verb
from bot.history.store import KEPT_S, MOST_RESULTS, HistoryEntry, cached_as
from bot.orders.media_delivery import MediaOutcome
from jobs.media_tasks import DrawSheet, Form
from jobs.queues.delivery_records import DeliveryRecord, write_record
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.outbox import DeliveryJob
from tests.integration.bot import talk as talks
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.media_maker import made_media
from tests.integration.bot.parts import BotParts, Maker, delivering
from tests.integration.bot.running import BOT, until
from tests.integration.bot.talk import Message, Talk, labels, text_of
from tests.integration.bot.test_delivery import finished, results, settled
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ALICE, BOB, Desk

pytestmark = pytest.mark.local_sockets

newcomers = talks.newcomers
talk = talks.talk


def entry_of(number: int, **changes: Any) -> HistoryEntry:
    facts: dict[str, Any] = {
        "order_id": f"c7-d{number}-1",
        "draft": f"d{number}",
        "number": 1,
        "title": f"😊 Smile {number}",
        "movement": "smile",
        "label": "Made with AI",
        "file_stem": "animato-smile",
        "chat": ALICE,
        "made_s": 1_800_000_000.0 + number,
        "key": f"results/c7-d{number}-1/1.mp4",
        "width": 96,
        "height": 64,
        "duration_s": 1.0,
        "has_sound": False,
        **changes,
    }
    return HistoryEntry(**facts)


async def filled(parts: BotParts, count: int) -> list[HistoryEntry]:
    now_s = parts.clock()
    entries = [entry_of(number, made_s=now_s - 100 + number) for number in range(1, count + 1)]
    for entry in entries:
        await parts.services.history.add(ALICE, entry)
    return entries


async def opened(talk: Talk, expected: str = "Your last videos") -> Message:
    """The history with its sheet."""
    await talk.desk.say("/history", user_id=ALICE, chat_id=ALICE)

    async def has_sheet() -> bool:
        messages = [one for one in await talk.said() if expected in text_of(one)]
        return bool(messages) and "photo" in messages[-1]

    await until(has_sheet)
    return [one for one in await talk.said() if expected in text_of(one)][-1]


async def turned(talk: Talk, message: Message, label: str, phrase: str) -> Message:
    """The message after a tap, as soon as it says this above other buttons."""

    async def now() -> Message:
        found = [one for one in await talk.said() if one["message_id"] == message["message_id"]]
        return found[0] if found else {}

    before = labels(await now())
    await talk.tap(label, message)

    async def says() -> bool:
        shown = await now()
        return labels(shown) != before and phrase in text_of(shown)

    await until(says)
    return await now()


async def test_result_is_shown_sent_again_and_deleted(talk: Talk) -> None:
    talk.worker.thumbnail = media.photo(90, 60, seed=5)
    video = await ordered(talk)
    await talk.shows("done in")
    history = await opened(talk)
    assert labels(history) == [["1"]]
    (job,) = talk.worker.media_jobs
    (entry,) = (await talk.parts.services.history.read(ALICE)).entries
    assert job.task == DrawSheet(pictures=(entry.thumbnail_key,))
    one = await turned(talk, history, "1", "😊 Smile, ")
    assert labels(one) == [
        ["▶️ Send again", "📄 As file"],
        ["🎞 Other forms", "🗑 Delete"],
        ["« Back"],
    ]
    assert (await talk.tap("Send again", one))["text"] == "It is on its way."
    again = (await talk.videos(count=2))[1]
    assert again["animation"]["file_id"] == video["animation"]["file_id"]
    assert text_of(again) == text_of(video)
    await talk.tap("As file", one)
    await until(lambda: _documents(talk))
    (file,) = await _documents(talk)
    assert file["document"]["file_name"] == "animato-smile.mp4"
    forms = await turned(talk, one, "Other forms", "😊 Smile, ")
    await until(lambda: _shows(talk, forms, "Round video"))
    await talk.tap("Back", forms)
    await until(lambda: _shows(talk, forms, "Send again"))
    await check_transcript(talk.desk, "history")
    assert (await talk.tap("Delete", one))["text"] == "Deleted."
    for message in (video, again, file):
        await talk.gone(message)
    store = talk.parts.services.store
    assert [found.key async for found in store.listing("results")] == []
    await talk.shows("You have no videos yet.")


async def _shows(talk: Talk, message: Message, label: str) -> bool:
    found = [one for one in await talk.said() if one["message_id"] == message["message_id"]]
    return label in str(labels(found[0]))


async def _documents(talk: Talk) -> list[Message]:
    return [one for one in await talk.said() if "document" in one and "animation" not in one]


async def test_pages_are_turned_and_each_has_its_sheet(talk: Talk) -> None:
    await filled(talk.parts, PAGE_SIZE + 2)
    first = await opened(talk, "1. 😊 Smile 11")
    assert labels(first)[:3] == [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
    assert labels(first)[3:] == [["»"]]
    second = await turned(talk, first, "»", "11. 😊 Smile 1, ")
    assert labels(second) == [["10", "11"], ["«"]]
    await until(lambda: len(talk.worker.media_jobs) == 2)
    task = talk.worker.media_jobs[1].task
    assert isinstance(task, DrawSheet)
    assert (task.first_number, len(task.pictures)) == (10, 2)
    await until(lambda: _has_other_picture(talk, second))
    one = await turned(talk, second, "11", "😊 Smile 1, ")
    back = await turned(talk, one, "Back", "10. 😊 Smile 2, ")
    assert len(talk.worker.media_jobs) == 2, "the sheet is still there"
    await turned(talk, back, "«", "1. 😊 Smile 11")


async def _has_other_picture(talk: Talk, before: Message) -> bool:
    (now,) = [one for one in await talk.said() if one["message_id"] == before["message_id"]]
    return bool(now["photo"] != before["photo"])


class Held(Messenger):
    """Puts pictures into messages only when the test says so."""

    def __init__(self, bot: Any) -> None:
        super().__init__(bot)
        self.editing, self.go = asyncio.Event(), asyncio.Event()

    async def edit_media(self, *args: Any, **options: Any) -> CardMessage | None:
        self.editing.set()
        await self.go.wait()
        return await super().edit_media(*args, **options)


async def drawn(talk: Talk, pages: HistoryPages) -> tuple[Message, MediaOutcome]:
    """A history's message, and its sheet that has not come yet."""
    opener = (await talk.desk.say("/start", user_id=ALICE, chat_id=ALICE))["message"]
    await pages.show(IncomingMessage(ALICE, ALICE, opener["message_id"]))
    shown = await talk.shows("1. 😊 Smile 1, ")
    await until(lambda: talk.worker.media_jobs)
    (job,) = talk.worker.media_jobs
    return shown, MediaOutcome("d", job, await made_media(job, talk.parts.services.store))


async def opening(pages: HistoryPages, message: Message, entry: HistoryEntry) -> None:
    data = ButtonData(ButtonAction.HISTORY, entry.draft, entry.number, Verb.OPEN).encode()
    answer = await pages.tap(IncomingTap(ALICE, ALICE, message["message_id"], None, data, "q"))
    assert answer.then is not None
    await answer.then()


async def test_sheet_on_its_way_does_not_hide_what_a_later_tap_shows(talk: Talk) -> None:
    (entry,) = await filled(talk.parts, 1)
    held = Held(talk.parts.services.messenger.bot)
    pages = HistoryPages(replace(talk.parts.services, messenger=held), talk.parts.history.taps)
    shown, sheet = await drawn(talk, pages)
    receiving = asyncio.create_task(pages.receive(sheet))
    await held.editing.wait()
    tapped = asyncio.create_task(opening(pages, shown, entry))
    await asyncio.wait([tapped], timeout=0.2)
    held.go.set()
    await asyncio.gather(receiving, tapped)
    (now,) = [one for one in await talk.said() if one["message_id"] == shown["message_id"]]
    assert text_of(now).startswith("😊 Smile 1, ")
    assert "photo" in now


async def test_sheet_that_comes_after_a_tap_is_dropped(talk: Talk) -> None:
    (entry,) = await filled(talk.parts, 1)
    pages = HistoryPages(talk.parts.services, talk.parts.history.taps)
    shown, sheet = await drawn(talk, pages)
    await opening(pages, shown, entry)
    await pages.receive(sheet)
    (now,) = [one for one in await talk.said() if one["message_id"] == shown["message_id"]]
    assert text_of(now).startswith("😊 Smile 1, ")
    assert "photo" not in now


async def test_history_without_a_worker_is_a_text(talk: Talk) -> None:
    await filled(talk.parts, 1)
    await WorkerRegistry(talk.parts.services.queues.client).leave("maker-mesh")
    await talk.desk.say("/history", user_id=ALICE, chat_id=ALICE)
    shown = await talk.shows("1. 😊 Smile 1, ")
    one = await turned(talk, shown, "1", "😊 Smile 1, ")
    await turned(talk, one, "Back", "Your last videos")
    assert talk.worker.media_jobs == []


async def test_empty_history_says_what_to_do(talk: Talk) -> None:
    await talk.desk.say("/history", user_id=ALICE, chat_id=ALICE)
    await talk.shows("You have no videos yet. Send me a photo and choose a movement.")
    await check_transcript(talk.desk, "empty_history")


async def test_lost_result_is_uploaded_again_and_one_that_is_gone_is_told(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    history = talk.parts.services.history
    (entry,) = (await history.read(ALICE)).entries
    await history.cache(ALICE, entry, cached_as(BOT, Form.LOOP), "lost")
    shown = await opened(talk)
    one = await turned(talk, shown, "1", "😊 Smile, ")
    await talk.tap("Send again", one)
    again = (await talk.videos(count=2))[1]
    assert again["animation"]["file_unique_id"] == video["animation"]["file_unique_id"]
    assert again["animation"]["file_id"] != video["animation"]["file_id"]

    async def is_cached() -> bool:
        (entry,) = (await history.read(ALICE)).entries
        return bool(entry.file_id(BOT, Form.LOOP) == again["animation"]["file_id"])

    await until(is_cached)
    await history.cache(ALICE, entry, cached_as(BOT, Form.LOOP), "lost")
    await talk.parts.services.store.delete([entry.key])
    await talk.tap("Send again", one)
    await talk.shows("The file of this video is not stored any more")
    answer = await talk.tap("Send again", one)
    assert "not stored any more" in answer["text"], "its id is forgotten"


async def test_file_ids_of_another_bot_are_not_used(talk: Talk) -> None:
    await ordered(talk)
    await talk.shows("done in")
    (entry,) = (await talk.parts.services.history.read(ALICE)).entries
    assert list(entry.file_ids) == [f"{BOT}:loop"]
    assert entry.file_id(BOT + 1, Form.LOOP) is None


async def test_history_keeps_the_last_results_for_a_month(parts: BotParts) -> None:
    history = parts.services.history
    await filled(parts, MOST_RESULTS + 2)
    kept = (await history.read(ALICE)).entries
    assert len(kept) == MOST_RESULTS
    assert (kept[0].title, kept[-1].title) == ("😊 Smile 3", "😊 Smile 52")
    assert (await history.read(BOB)).entries == ()
    parts.clock.ahead_s = KEPT_S - 50
    assert 0 < len((await history.read(ALICE)).entries) < MOST_RESULTS
    parts.clock.ahead_s = KEPT_S + 1
    assert (await history.read(ALICE)).entries == ()


async def test_result_noted_twice_keeps_its_file_id(parts: BotParts) -> None:
    history = parts.services.history
    entry = entry_of(1, made_s=parts.clock(), file_ids={"4242:loop": "a"})
    await history.add(ALICE, entry)
    await history.add(ALICE, entry.model_copy(update={"file_ids": {}}))
    assert (await history.read(ALICE)).entries == (entry,)


async def test_deleted_result_leaves_the_history(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    await talk.tap("Delete", video)
    await talk.gone(video)
    assert (await talk.parts.services.history.read(ALICE)).entries == ()


async def test_button_of_a_deleted_entry_says_so(talk: Talk) -> None:
    (entry,) = await filled(talk.parts, 1)
    shown = await opened(talk, "1. 😊 Smile 1, ")
    await talk.parts.services.history.remove(ALICE, entry.order_id)
    answer = await talk.tap("1", shown)
    assert answer["text"] == "This video is not in your history any more."


async def test_result_that_arrived_before_the_bot_died_is_in_the_history(
    parts: BotParts, maker: Maker, desk: Desk
) -> None:
    (draft,) = await finished(parts, maker, desk, ALICE)
    queues = parts.services.queues
    (ended,) = await queues.finished_since(0, queues.engine_queues)
    record = DeliveryRecord().begun(parts.clock()).arrived(77)
    await write_record(queues, DeliveryJob.of(ended).delivery_id, record)
    async with delivering(parts):
        await settled(parts)
    (entry,) = (await parts.services.history.read(ALICE)).entries
    assert (entry.order_id, entry.message_id, entry.file_ids) == (draft.order_id, 77, {})
    assert await results(desk) == []
