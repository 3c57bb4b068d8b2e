"""A result in another form: made by a worker once, then sent by Telegram's file id."""

import pytest
from redis.asyncio import Redis

from bot.callback_data import ButtonAction
from bot.drafts.draft import Draft
from bot.gateway.updates import MediaFile
from bot.history.store import cached_as
from bot.orders.media_delivery import MediaOutcome
from jobs.media_jobs import MediaJob
from jobs.media_tasks import Form, MakeForm
from jobs.queues.keys import DELIVER
from jobs.queues.outbox import Resend
from tests.integration.bot import talk as talks
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.media_maker import made_media
from tests.integration.bot.parts import FACE, hurry
from tests.integration.bot.running import BOT, until
from tests.integration.bot.talk import Message, Talk, labels, tap_of, text_of
from tests.integration.bot.test_history import entry_of, turned
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY

pytestmark = pytest.mark.local_sockets

newcomers = talks.newcomers
talk = talks.talk
LABEL = "Made with AI software: a test"


async def delivered(talk: Talk) -> Message:
    """A result whose order has come to its end."""
    video = await ordered(talk)
    await talk.shows("done in")
    return video


async def asked(talk: Talk, video: Message, label: str) -> str:
    """Taps "Other forms" and a form; what the person is told."""
    await talk.tap("Other forms", video)
    await until(lambda: _offers(talk, video, label))
    return str((await talk.tap(label, video))["text"])


async def _offers(talk: Talk, video: Message, label: str) -> bool:
    messages = [one for one in await talk.said() if one["message_id"] == video["message_id"]]
    return label in str(labels(messages[0]))


async def came(talk: Talk, kind: str, count: int = 1) -> Message:
    """The last message of this kind, as soon as there are so many."""

    async def found() -> list[Message]:
        return [one for one in await talk.said() if kind in one and "animation" not in one]

    async def are_there() -> bool:
        return len(await found()) >= count

    await until(are_there)
    return (await found())[-1]


async def test_each_form_arrives_with_the_label(talk: Talk) -> None:
    video = await delivered(talk)
    assert await asked(talk, video, "Round video") == "It is on its way."
    await came(talk, "video_note")
    await talk.shows(LABEL, count=2)
    await talk.tap("Sticker", video)
    sticker = await came(talk, "sticker")
    label = await talk.shows(LABEL, count=3)
    assert label["reply_to_message"]["message_id"] == sticker["message_id"]
    await talk.tap("GIF file", video)
    gif = await came(talk, "document")
    assert gif["document"]["file_name"] == "animato-smile.gif"
    assert LABEL in text_of(gif)
    await talk.tap("Video", video)
    longer = await came(talk, "video")
    assert (longer["video"]["file_name"], longer["video"]["duration"]) == ("animato-smile.mp4", 8)
    assert LABEL in text_of(longer)
    tasks = [job.task for job in talk.worker.media_jobs]
    assert [task.form for task in tasks if isinstance(task, MakeForm)] == [
        Form.ROUND,
        Form.STICKER,
        Form.GIF,
        Form.VIDEO,
    ]
    (task, *_) = tasks
    assert isinstance(task, MakeForm)
    assert task.is_seamless
    # The photo is 160 px wide, the video 96.
    assert task.face_box == FACE.box.scaled(96 / 160)
    assert task.other_faces == ()
    await check_transcript(talk.desk, "other_forms")
    (entry,) = (await talk.parts.services.history.read(ALICE)).entries

    async def are_noted() -> bool:
        card = await talk.parts.services.order_cards.read(entry.order_id)
        return card is not None and len(card.files) == 6  # four forms, two labels

    await until(are_noted)
    await talk.tap("Delete", video)
    await until(lambda: _has_no_label(talk))


async def _has_no_label(talk: Talk) -> bool:
    return not any(LABEL in text_of(one) or "sticker" in one for one in await talk.said())


async def test_button_of_an_earlier_version_sends_a_file(talk: Talk) -> None:
    video = await delivered(talk)
    draft = await talk.draft_of(video["reply_to_message"])
    answer = await talk.tap_data(tap_of(ButtonAction.AS_FILE, draft))
    assert answer["text"] == "It is on its way."
    file = await came(talk, "document")
    assert file["document"]["file_name"] == "animato-smile.mp4"


async def test_form_that_telegram_knows_needs_no_worker(talk: Talk) -> None:
    video = await delivered(talk)
    await asked(talk, video, "Round video")
    first = await came(talk, "video_note")
    await talk.shows(LABEL, count=2)
    await talk.tap("Round video", video)
    second = await came(talk, "video_note", count=2)
    await talk.shows(LABEL, count=3)
    assert second["video_note"]["file_id"] == first["video_note"]["file_id"]
    assert len(talk.worker.media_jobs) == 1
    calls = await talk.desk.calls("sendVideoNote")
    assert calls[1]["parameters"]["video_note"] == first["video_note"]["file_id"]


async def test_lost_file_id_is_made_again_while_the_result_is_kept(talk: Talk) -> None:
    video = await delivered(talk)
    await asked(talk, video, "Round video")
    await came(talk, "video_note")
    await talk.shows(LABEL, count=2)  # it is sent after the file id was stored
    history = talk.parts.services.history
    (entry,) = (await history.read(ALICE)).entries
    await history.cache(ALICE, entry, cached_as(BOT, Form.ROUND), "lost")
    await talk.tap("Round video", video)
    await came(talk, "video_note", count=2)
    assert len(talk.worker.media_jobs) == 2

    async def is_cached() -> bool:
        (entry,) = (await history.read(ALICE)).entries
        return entry.file_id(BOT, Form.ROUND) not in (None, "lost")

    await until(is_cached)


async def test_form_of_a_result_that_is_gone_says_so(talk: Talk) -> None:
    video = await delivered(talk)
    (entry,) = (await talk.parts.services.history.read(ALICE)).entries
    await talk.parts.services.store.delete([entry.key])
    gone = "The file of this video is not stored any more. Send the photo again to make a new one."
    assert await asked(talk, video, "GIF file") == gone
    assert (await talk.tap("As file", video))["text"] == gone
    assert talk.worker.media_jobs == []
    await talk.desk.say("/history")
    history = await talk.shows("Your last videos")
    one = await turned(talk, history, "1", "😊 Smile, ")
    forms = await turned(talk, one, "Other forms", "😊 Smile, ")
    assert (await talk.tap("GIF file", forms))["text"] == gone
    # Telegram still has the video itself.
    back = await turned(talk, forms, "Back", "😊 Smile, ")
    assert (await talk.tap("As file", back))["text"] == gone
    await talk.tap("Send again", back)
    await talk.videos(count=2)


async def test_form_whose_file_was_deleted_before_it_was_sent_says_so(talk: Talk) -> None:
    await delivered(talk)
    services = talk.parts.services
    (entry,) = (await services.history.read(ALICE)).entries
    resend = Resend(person=ALICE, draft=entry.draft, number=1, form=Form.GIF, chat=ALICE)
    job = MediaJob(
        job_id="form-1",
        person=ALICE,
        chat=ALICE,
        reference=resend.model_dump_json(),
        task=MakeForm(form=Form.GIF, video=entry.key),
    )
    outcome = MediaOutcome("d-form-1", job, await made_media(job, services.store))
    assert outcome.result is not None
    await services.store.delete([outcome.result.key])
    for _ in range(2):  # its delivery is repeated
        await talk.parts.history.forms.receive(outcome)
    await talk.shows("The file of this video is not stored any more")
    assert (await talk.desk.transcript()).count("not stored any more") == 1


async def test_two_taps_are_two_messages_and_a_repeated_one_is_one(
    talk: Talk, redis: Redis
) -> None:
    video = await delivered(talk)
    await talk.desk.fault(method="answerCallbackQuery", drop=True)
    await asked(talk, video, "GIF file")
    await came(talk, "document")
    await hurry(redis, DELIVER)
    await talk.tap("GIF file", video)
    await came(talk, "document", count=2)
    assert len(await talk.desk.calls("sendDocument")) == 2


async def test_nobody_else_uses_the_buttons_of_a_result(talk: Talk) -> None:
    video = await delivered(talk)
    draft = await talk.draft_of(video["reply_to_message"])
    await talk.agree(BOB)
    for action, argument in ((ButtonAction.FORM, "gif"), (ButtonAction.MORE, "more")):
        answer = await talk.tap_data(tap_of(action, draft, argument), BOB)
        assert answer["show_alert"]
    assert talk.worker.media_jobs == []


async def test_button_of_an_unknown_result_says_so(talk: Talk) -> None:
    video = await delivered(talk)
    draft = await talk.draft_of(video["reply_to_message"])
    for action, argument, number in (
        (ButtonAction.FORM, "gif", 7),
        (ButtonAction.FORM, "painting", 1),
        (ButtonAction.MORE, "more", 7),
        (ButtonAction.MORE, "everything", 1),
    ):
        answer = await talk.tap_data(tap_of(action, draft, argument, number))
        assert "too old" in answer["text"]


async def test_in_a_group_the_asker_and_admins_use_the_forms(talk: Talk) -> None:
    services = talk.parts.services
    draft = Draft(
        draft_id="d1",
        chat_id=FAMILY,
        person_id=ALICE,
        message_id=1,
        photo=MediaFile(file_id="photo", name="photo.jpg"),
    )
    await talk.parts.drafts.begin(draft)
    entry = entry_of(1, chat=FAMILY, made_s=talk.parts.clock())
    await services.history.add(ALICE, entry)
    await services.store.put(entry.key, media.clip())
    data = tap_of(ButtonAction.FORM, draft, "gif")
    answer = await talk.tap_data(data, BOB, FAMILY)
    assert "Only the person who asked, or an admin of this group" in answer["text"]
    for count, person in enumerate((ALICE, ADMIN), start=1):
        assert (await talk.tap_data(data, person, FAMILY))["text"] == "It is on its way."
        await until(lambda count=count: _documents_in_group(talk, count))  # type: ignore[misc]
    (job,) = talk.worker.media_jobs
    assert (job.person, job.chat) == (ALICE, FAMILY)


async def _documents_in_group(talk: Talk, count: int) -> bool:
    messages = await talk.desk.messages(FAMILY)
    return sum("document" in one for one in messages) == count


async def test_chat_that_refuses_a_form_is_told_why(talk: Talk) -> None:
    video = await delivered(talk)
    reason = "Bad Request: user restricted receiving of video note messages"
    await talk.desk.fault(method="sendVideoNote", code=400, description=reason)
    await asked(talk, video, "Round video")
    await talk.shows("Telegram does not allow me to send this here. Try another form.")
    await talk.desk.fault(method="sendVideo", code=413, description="Request Entity Too Large")
    await talk.tap("Video", video)
    await talk.shows("This is too large to be sent here. Try another form.")
    assert talk.parts.admins.notes == []
