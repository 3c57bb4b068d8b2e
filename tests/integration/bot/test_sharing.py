"""Inline mode: a person's own results in any chat, and nobody else's."""

from typing import Any

import pytest

from bot.orders.card_text import TitleParts
from jobs.media_tasks import Form
from jobs.queues.keys import history_key
from tests.integration.bot import talk as talks
from tests.integration.bot.golden import check_transcript
from tests.integration.bot.running import BOT, until
from tests.integration.bot.talk import Talk
from tests.integration.bot.test_history import entry_of
from tests.integration.bot.test_taps import ordered
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY

pytestmark = pytest.mark.local_sockets

newcomers = talks.newcomers
talk = talks.talk


async def asked(talk: Talk, query: str = "", person: int = ALICE, chat: int = 0) -> Any:
    where = {"user_id": person, "chat_id": chat or person}
    return await talk.desk.post("inline", query=query, **where)


async def test_result_is_shared_to_a_group_and_counted(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    (share,) = [
        button
        for row in video["reply_markup"]["inline_keyboard"]
        for button in row
        if "Share" in button["text"]
    ]
    query = share["switch_inline_query_chosen_chat"]["query"]
    assert query == "Smile"
    told = await asked(talk, query, chat=FAMILY)
    answer = told["answer"]
    assert (answer["is_personal"], answer["cache_time"]) == (True, 5)
    assert answer["button"] == {"text": "Make a new one", "start_parameter": "new"}
    (result,) = answer["results"]
    assert (result["type"], result["mpeg4_file_id"]) == (
        "mpeg4_gif",
        video["animation"]["file_id"],
    )
    chosen = {"inline_query_id": told["inline_query_id"], "result_id": result["id"]}
    await talk.desk.post("chosen", **chosen, user_id=ALICE, chat_id=FAMILY)
    await until(lambda: talk.parts.metrics.shared == 1)
    await check_transcript(talk.desk, "shared_to_a_group", FAMILY)


async def test_results_are_newest_first_and_found_by_their_titles(talk: Talk) -> None:
    video = await ordered(talk)
    await talk.shows("done in")
    history = talk.parts.services.history
    await talk.parts.services.queues.client.delete(history_key(ALICE))
    file_id = {f"{BOT}:{Form.LOOP}": video["animation"]["file_id"]}
    now_s = talk.parts.clock()
    known = TitleParts(template="smile", face_count=2)
    for number, (title, parts) in enumerate(
        (("🙅 Nein", None), ("😊 Lächeln", known), ("🎬 Dein Clip", TitleParts())), start=1
    ):
        facts = {"title": title, "title_parts": parts, "file_ids": file_id}
        await history.add(ALICE, entry_of(number, made_s=now_s + number, **facts))
    await history.add(ALICE, entry_of(9, made_s=now_s + 9))  # its file is not known

    async def titles(query: str) -> list[str]:
        results = (await asked(talk, query))["answer"]["results"]
        return [one["title"] for one in results]

    assert await titles("") == ["🎬 Your clip", "😊 Smile, 2 faces", "🙅 Nein"]
    assert await titles("nein") == ["🙅 Nein"]
    assert await titles("SMILE 2") == ["😊 Smile, 2 faces"]
    assert await titles("your clip") == ["🎬 Your clip"]
    assert await titles("dance") == []


async def test_result_with_sound_is_a_video_with_the_label(talk: Talk) -> None:
    talk.worker.has_sound = True
    await ordered(talk)
    await talk.shows("done in")
    (result,) = (await asked(talk))["answer"]["results"]
    assert result["type"] == "video"
    assert result["caption"] == "😊 Smile\nMade with AI software: a test"


async def test_only_the_persons_own_results_are_offered(talk: Talk) -> None:
    await ordered(talk)
    await talk.shows("done in")
    answer = (await asked(talk, person=BOB))["answer"]
    assert answer["results"] == []
    assert answer["button"]["start_parameter"] == "new"


async def test_strangers_and_banned_people_get_nothing(talk: Talk) -> None:
    await ordered(talk)
    await talk.shows("done in")
    people = talk.parts.services.people
    await people.change(ALICE, is_banned=True)
    answer = (await asked(talk))["answer"]
    assert (answer["results"], answer["button"]) == ([], None)
    object.__setattr__(people, "_is_open", False)
    await people.change(ALICE, is_banned=False)
    answer = (await asked(talk))["answer"]
    assert (answer["results"], answer["button"]) == ([], None)
    await people.change(ALICE, is_allowed=True)
    assert len((await asked(talk))["answer"]["results"]) == 1
    assert (await asked(talk, person=ADMIN))["answer"]["button"] is not None


async def test_results_shared_to_groups_invite_others_if_the_owner_wants(talk: Talk) -> None:
    await ordered(talk)
    await talk.shows("done in")
    (in_private,) = (await asked(talk))["answer"]["results"]
    assert "reply_markup" not in in_private
    (in_group,) = (await asked(talk, chat=FAMILY))["answer"]["results"]
    ((button,),) = in_group["reply_markup"]["inline_keyboard"]
    assert button == {
        "text": "✨ Try it yourself",
        "url": "https://t.me/animato_bot?start=tpl_smile",
    }
    await talk.desk.say("/start tpl_smile", user_id=BOB, chat_id=BOB)
    await talk.shows("Now send me a photo for it.", BOB)
    object.__setattr__(talk.parts.history.inline, "_invites", False)
    (result,) = (await asked(talk, chat=FAMILY))["answer"]["results"]
    assert "reply_markup" not in result
