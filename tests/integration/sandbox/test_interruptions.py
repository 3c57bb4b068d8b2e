"""What happens to things under way: outages, resets, and a world that changes meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from sandbox.bot_api import media as bot_media
from sandbox.media.attachments import attach
from sandbox.media.files import Attachment
from sandbox.person_side import messages as person_messages
from sandbox.person_side import places
from sandbox.server import Sandbox
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk, NotPossible, Part
from tests.integration.sandbox.media import photo
from tests.integration.sandbox.raw_bot import Answer, RawBot
from tests.integration.sandbox.test_polling import begun
from tests.integration.sandbox.test_webhook import Receiver, nothing_pends, receiver

__all__ = ["receiver"]  # a fixture

pytestmark = pytest.mark.local_sockets

BUTTON = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}


async def asked(bot: RawBot) -> Any:
    """The first callback query that comes."""
    async with asyncio.timeout(40):
        while True:
            for update in await bot.call("getUpdates"):
                if "callback_query" in update:
                    return update["callback_query"]
            await asyncio.sleep(0.01)


# --- outages --------------------------------------------------------------------------------------


async def test_tap_before_an_outage_is_answered_after_it(
    bot: RawBot, desk: Desk, sandbox: Sandbox
) -> None:
    await desk.say("/start")
    await bot.call("sendMessage", chat_id=ALICE, text="?", reply_markup=BUTTON)
    tapping = asyncio.create_task(desk.tap("Go", wait_s=50))
    query = await asked(bot)
    async with asyncio.timeout(40):
        await sandbox.stop()
        assert (await tapping)["answer"] is None
        await sandbox.start()
    await bot.call("answerCallbackQuery", callback_query_id=query["id"], text="late")
    answer = await bot.ask("answerCallbackQuery", callback_query_id=query["id"])
    assert answer.error.startswith("Bad Request: query is too old")


async def test_webhook_goes_on_after_an_outage(
    bot: RawBot, desk: Desk, sandbox: Sandbox, receiver: Receiver
) -> None:
    await bot.call("setWebhook", url=receiver.url)
    await sandbox.stop()
    await sandbox.start()
    await desk.say("after")
    _, update = await receiver.next()
    assert update["message"]["text"] == "after"
    await nothing_pends(bot)


async def test_webhook_ends_the_poll_that_waits_and_gets_the_update_alone(
    bot: RawBot, desk: Desk, sandbox: Sandbox, receiver: Receiver
) -> None:
    waiting = asyncio.create_task(bot.ask("getUpdates", timeout=50))
    await begun(1, sandbox)
    await bot.call("setWebhook", url=receiver.url)
    async with asyncio.timeout(40):
        answer = await waiting
    assert answer.status == 409
    assert answer.error == "Conflict: terminated by setWebhook request"
    await desk.say("once")
    await receiver.next()
    await nothing_pends(bot)
    assert receiver.received.empty()


async def test_webhook_that_replaces_another_is_the_only_one(
    bot: RawBot, desk: Desk, receiver: Receiver
) -> None:
    await bot.call("setWebhook", url="http://127.0.0.1:9/")
    wishes = [bot.call("setWebhook", url=receiver.url) for _ in range(3)]
    await asyncio.gather(*wishes)
    await desk.say("once")
    await receiver.next()
    await nothing_pends(bot)
    await bot.call("deleteWebhook")
    await desk.say("for nobody")
    await asyncio.sleep(0.3)  # longer than the first pause of a webhook that tries again
    assert (await bot.call("getWebhookInfo"))["pending_update_count"] == 1
    assert receiver.received.empty()


async def test_ordered_outage_answers_nothing_and_ends_the_poll_that_waits(
    bot: RawBot, desk: Desk, sandbox: Sandbox
) -> None:
    await desk.say("/start")
    sent = await desk.send(Part("photo", photo()))
    path = (await bot.call("getFile", file_id=sent["message"]["photo"][0]["file_id"]))["file_path"]
    last = (await bot.call("getUpdates"))[-1]["update_id"]
    waiting = asyncio.create_task(bot.ask("getUpdates", timeout=50, offset=last + 1))
    await begun(2, sandbox)
    await desk.post("outage", seconds=3600)
    async with asyncio.timeout(40):
        with pytest.raises(aiohttp.ClientError):
            await waiting
        for method in ("getUpdates", "sendMessage"):
            with pytest.raises(aiohttp.ClientError):
                await bot.ask(method, chat_id=ALICE, text="x")
        with pytest.raises(aiohttp.ClientError):
            await bot.session.get(f"{sandbox.base_file_url}{sandbox.token}/{path}")
    await desk.say("meanwhile")
    await desk.post("outage", seconds=0)
    (update,) = await bot.call("getUpdates", offset=last + 1)
    assert update["message"]["text"] == "meanwhile"
    assert "Bot: x" not in await desk.transcript()


async def test_sandbox_listens_once(sandbox: Sandbox, bot: RawBot, desk: Desk) -> None:
    waiting = asyncio.create_task(bot.ask("getUpdates", timeout=50))
    await begun(1, sandbox)
    with pytest.raises(RuntimeError, match="already listening"):
        await sandbox.start()
    await desk.say("still here")
    async with asyncio.timeout(40):
        assert len((await waiting).body["result"]) == 1


# --- what changes while a file comes in -----------------------------------------------------------


class Held:
    """Holds the making of media until it is told to go on."""

    def __init__(self, make: Callable[..., Awaitable[Attachment]]) -> None:
        self._make = make
        self.has_come = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __call__(self, *arguments: Any) -> Attachment:
        made = await self._make(*arguments)
        self.has_come.set()
        await self.goes_on.wait()
        return made


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found = Held(attach)
    for module in (bot_media, person_messages, places):
        monkeypatch.setattr(module, "attach", found)
    return found


async def while_held(held: Held, call: Awaitable[Any], meanwhile: Awaitable[Any]) -> Any:
    """The call's result; something else happens after its media were made."""
    async with asyncio.timeout(40):
        calling = asyncio.ensure_future(call)
        await held.has_come.wait()
        await meanwhile
        held.goes_on.set()
        return await calling


async def sent_photo(bot: RawBot, method: str = "sendPhoto", **values: object) -> Answer:
    form = aiohttp.FormData({"photo": "attach://a", **{k: str(v) for k, v in values.items()}})
    form.add_field("a", photo(), filename="a.jpg")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/{method}"
    async with bot.session.post(address, data=form) as response:
        return Answer(response.status, await response.json())


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("block", "Forbidden: bot was blocked by the user"),
        ("reset", "Bad Request: wrong file identifier"),
    ],
)
async def test_bot_cannot_send_into_a_chat_that_closed_meanwhile(
    bot: RawBot, desk: Desk, held: Held, act: str, error: str
) -> None:
    await desk.say("/start")
    answer = await while_held(held, sent_photo(bot, chat_id=ALICE), desk.post(act))
    assert answer.error.startswith(error)
    assert "photo" not in await desk.transcript()


async def test_message_that_was_deleted_meanwhile_is_not_edited(
    bot: RawBot, desk: Desk, held: Held
) -> None:
    await desk.say("/start")
    number = (await bot.call("sendMessage", chat_id=ALICE, text="card"))["message_id"]
    answer = await while_held(
        held,
        sent_photo(
            bot,
            "editMessageMedia",
            chat_id=ALICE,
            message_id=number,
            media='{"type": "photo", "media": "attach://a"}',
        ),
        bot.call("deleteMessage", chat_id=ALICE, message_id=number),
    )
    assert answer.error == "Bad Request: message to edit not found"
    assert await desk.transcript() == "Alice: /start\n"


async def test_person_cannot_send_into_a_world_that_was_reset_meanwhile(
    desk: Desk, held: Held
) -> None:
    with pytest.raises(NotPossible, match="send the file again"):
        await while_held(held, desk.send(Part("photo", photo())), desk.post("reset"))
    assert await desk.messages() == []


async def test_person_who_left_meanwhile_does_not_write(desk: Desk, held: Held) -> None:
    with pytest.raises(NotPossible, match="Bob is not in chat"):
        await while_held(
            held,
            desk.send(Part("photo", photo()), chat_id=FAMILY, user_id=BOB),
            desk.post("members", chat_id=FAMILY, user_id=BOB, status="left"),
        )
    assert "photo" not in await desk.transcript(FAMILY)


async def test_person_with_a_picture_that_is_none_is_not_added(desk: Desk) -> None:
    with pytest.raises(NotPossible, match="not a picture"):
        await desk.post("persons", Part("photo", b"no picture"), first_name="Carol")
    assert len((await desk.get("chats"))["persons"]) == 3


# --- what has gone --------------------------------------------------------------------------------


async def test_deleted_message_is_quoted_no_more(bot: RawBot, desk: Desk) -> None:
    said = await desk.say("my photo")
    number = said["message"]["message_id"]
    await bot.call(
        "sendMessage",
        chat_id=ALICE,
        text="card",
        reply_markup=BUTTON,
        reply_parameters={"message_id": number},
    )
    await bot.call("getUpdates", offset=-1)
    await desk.post("delete", chat_id=ALICE, message_id=number)
    await desk.tap("Go", wait_s=0)
    query = await asked(bot)
    assert query["message"]["text"] == "card"
    assert "reply_to_message" not in query["message"]


async def test_topic_that_was_deleted_takes_no_answers(bot: RawBot, desk: Desk) -> None:
    club = (await desk.post("groups", title="Club", is_forum="true"))["chat"]["id"]
    thread_id = (await desk.post("topics", chat_id=club, name="x"))["message_thread_id"]
    said = await desk.say("hello", chat_id=club, thread_id=thread_id)
    await desk.post("delete", chat_id=club, message_id=thread_id)
    wish = {"message_id": said["message"]["message_id"]}
    sent = await bot.call("sendMessage", chat_id=club, text="x", reply_parameters=wish)
    assert "is_topic_message" not in sent


async def test_tap_on_a_message_that_is_too_old_shows_little_of_it(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    await bot.call("sendMessage", chat_id=ALICE, text="?", reply_markup=BUTTON)
    await desk.tap("Go", wait_s=0, inaccessible="true")
    query = await asked(bot)
    assert query["message"]["date"] == 0
    assert query["message"].keys() == {"chat", "message_id", "date"}


# --- whom the bot knows ---------------------------------------------------------------------------


async def test_bot_cannot_begin_a_conversation(bot: RawBot, desk: Desk) -> None:
    answer = await bot.ask("sendMessage", chat_id=BOB, text="hello")
    assert answer.error == "Bad Request: chat not found"
    await desk.say("hidden by privacy mode", chat_id=FAMILY, user_id=BOB)
    answer = await bot.ask("sendMessage", chat_id=BOB, text="hello")
    assert answer.error == "Bad Request: chat not found"
    await desk.say("/animate@animato_bot", chat_id=FAMILY, user_id=BOB)
    answer = await bot.ask("sendMessage", chat_id=BOB, text="hello")
    assert answer.status == 403
    assert answer.error == "Forbidden: bot can't initiate conversation with a user"
    await desk.say("/start", user_id=BOB)
    await bot.call("sendMessage", chat_id=BOB, text="hello")


async def test_profile_picture_can_be_sent_and_be_missing(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    found = await bot.call("getUserProfilePhotos", user_id=ALICE)
    assert found == {"total_count": 0, "photos": []}
    await desk.post("persons", Part("photo", photo()), user_id=ALICE)
    found = await bot.call("getUserProfilePhotos", user_id=ALICE)
    (sizes,) = found["photos"]
    sent = await bot.call("sendPhoto", chat_id=ALICE, photo=sizes[-1]["file_id"])
    assert sent["photo"] == sizes


async def test_somebody_writes_in_a_group_as_a_channel(bot: RawBot, desk: Desk) -> None:
    await desk.say("/help@animato_bot", chat_id=FAMILY, user_id=BOB, channel="Bob's news")
    (update,) = await bot.call("getUpdates")
    sender = update["message"]["sender_chat"]
    assert (sender["type"], sender["title"]) == ("channel", "Bob's news")
    assert update["message"]["from"]["username"] == "Channel_Bot"
    with pytest.raises(NotPossible, match="only in groups"):
        await desk.say("x", user_id=BOB, channel="Bob's news")


async def test_anonymous_admin_writes_as_the_group(bot: RawBot, desk: Desk) -> None:
    await desk.say("/animate@animato_bot", chat_id=FAMILY, anonymous="true")
    (update,) = await bot.call("getUpdates")
    message = update["message"]
    assert message["from"]["username"] == "GroupAnonymousBot"
    assert message["sender_chat"]["id"] == FAMILY
    with pytest.raises(NotPossible, match="Bob is not an administrator"):
        await desk.say("x", chat_id=FAMILY, user_id=BOB, anonymous="true")


async def test_content_of_any_other_kind_can_be_sent(bot: RawBot, desk: Desk) -> None:
    await desk.post("message", content='{"story": {"id": 1, "chat": {"id": 7, "type": "private"}}}')
    (update,) = await bot.call("getUpdates")
    assert update["message"]["story"]["id"] == 1
