"""Groups: what privacy mode hides, who is in them, topics, upgrades."""

from typing import Any

import pytest

from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, CLUB, FAMILY, Desk, NotPossible, Part
from tests.integration.sandbox.media import photo
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


async def heard(bot: RawBot) -> list[Any]:
    """What the bot has been told since it was last asked; each is told once."""
    updates = await bot.call("getUpdates")
    if updates:
        await bot.call("getUpdates", offset=updates[-1]["update_id"] + 1)
    return [content for update in updates for key, content in update.items() if key != "update_id"]


async def delivered(desk: Desk, bot: RawBot, **message: Any) -> bool:
    """Sends into the family's group; true if the bot is told, and the report agrees."""
    parts = [Part("photo", photo())] if message.pop("photo", False) else []
    report = await desk.post("message", *parts, chat_id=FAMILY, **message)
    told = bool(await heard(bot))
    assert report["delivered"] == told
    shown = (await desk.messages(FAMILY))[-1]["sim"]
    assert shown["delivered"] == told
    assert shown["reason"] == report.get("reason") == (None if told else "privacy mode")
    return told


# --- privacy mode ---------------------------------------------------------------------------------

# What is written, and whether the bot is told: under privacy mode before it has written anything,
# after it has, as an admin, without privacy mode.
MATRIX: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "a plain text": ({"text": "hello"}, "no", "no", "yes", "yes"),
    "a mention": ({"text": "hello @animato_bot"}, "no", "no", "yes", "yes"),
    "a command": ({"text": "/animate"}, "no", "yes", "yes", "yes"),
    "a command to it": ({"text": "/animate@Animato_Bot now"}, "yes", "yes", "yes", "yes"),
    "a command to another": ({"text": "/animate@other_bot"}, "no", "no", "yes", "yes"),
    "a command inside": ({"text": "do /animate"}, "no", "yes", "yes", "yes"),
    "a photo": ({"photo": True}, "no", "no", "yes", "yes"),
    "a caption": (
        {"photo": True, "caption": "/animate@animato_bot"},
        *("no", "no", "yes", "yes"),
    ),
}


@pytest.mark.parametrize("name", MATRIX)
async def test_privacy_matrix(bot: RawBot, desk: Desk, name: str) -> None:
    message, silent, spoken, as_admin, without = MATRIX[name]
    assert await delivered(desk, bot, **message) is (silent == "yes")
    await bot.call("sendMessage", chat_id=FAMILY, text="I am here")
    assert await delivered(desk, bot, **message) is (spoken == "yes")
    await desk.post("members", chat_id=FAMILY, status="administrator")
    await heard(bot)
    assert await delivered(desk, bot, **message) is (as_admin == "yes")
    await desk.post("members", chat_id=FAMILY, status="member")
    await desk.post("settings", privacy_mode="false")
    await heard(bot)
    assert await delivered(desk, bot, **message) is (without == "yes")


async def test_answers_to_the_bot_pass_and_answers_to_others_do_not(
    bot: RawBot, desk: Desk
) -> None:
    of_bot = await bot.call("sendMessage", chat_id=FAMILY, text="send me a photo")
    of_bob = await desk.say("hm", chat_id=FAMILY, user_id=BOB)
    assert await delivered(desk, bot, photo=True, reply_to=of_bot["message_id"])
    assert not await delivered(desk, bot, photo=True, reply_to=of_bob["message"]["message_id"])


async def test_answered_photo_comes_with_the_command_that_answers_it(
    bot: RawBot, desk: Desk
) -> None:
    sent = await desk.send(Part("photo", photo()), chat_id=FAMILY, user_id=BOB)
    assert sent["reason"] == "privacy mode"
    number = sent["message"]["message_id"]
    await desk.say("/animate@animato_bot smile", chat_id=FAMILY, reply_to=number)
    (message,) = await heard(bot)
    assert message["reply_to_message"]["message_id"] == number
    assert message["reply_to_message"]["photo"][-1]["width"] == 160
    assert "reply_to_message" not in message["reply_to_message"]


async def test_caption_commands_pass_on_request(bot: RawBot, desk: Desk) -> None:
    await desk.post("settings", caption_commands="true")
    assert await delivered(desk, bot, photo=True, caption="/animate@animato_bot")
    assert not await delivered(desk, bot, photo=True, caption="for you @animato_bot")


async def test_commands_with_wide_characters_before_them_are_found(bot: RawBot, desk: Desk) -> None:
    assert await delivered(desk, bot, text="😀😀 /animate@animato_bot")


async def test_private_chats_hide_nothing(bot: RawBot, desk: Desk) -> None:
    assert (await desk.say("hello"))["delivered"] is True
    assert len(await heard(bot)) == 1


# --- members --------------------------------------------------------------------------------------


async def test_bot_is_told_of_its_own_coming_and_going(bot: RawBot, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, status="kicked", by=ADMIN)
    (change,) = await heard(bot)
    assert change["from"]["id"] == ADMIN
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == (
        "member",
        "kicked",
    )
    answer = await bot.ask("sendMessage", chat_id=FAMILY, text="?")
    assert answer.status == 403
    assert answer.error == "Forbidden: bot was kicked from the group chat"
    said = await desk.say("/animate@animato_bot", chat_id=FAMILY)
    assert said["reason"] == "the bot is not in this group"
    await desk.post("members", chat_id=FAMILY, status="member")
    joined, change = await heard(bot)
    assert joined["new_chat_members"][0]["username"] == "animato_bot"
    assert change["new_chat_member"]["status"] == "member"
    await bot.call("sendMessage", chat_id=FAMILY, text="back")


async def test_persons_leave_and_come_back(bot: RawBot, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, user_id=BOB, status="left")
    with pytest.raises(NotPossible, match="Bob is not in chat"):
        await desk.say("hello", chat_id=FAMILY, user_id=BOB)
    member = await bot.call("getChatMember", chat_id=FAMILY, user_id=BOB)
    assert member["status"] == "left"
    await desk.post("members", chat_id=FAMILY, user_id=BOB, status="member")
    assert (await desk.say("hello", chat_id=FAMILY, user_id=BOB))["message"]["text"] == "hello"
    with pytest.raises(NotPossible, match="Alice is the owner of the group"):
        await desk.post("members", chat_id=FAMILY, user_id=ALICE, status="left")


async def test_only_an_administrator_hears_of_other_members(bot: RawBot, desk: Desk) -> None:
    await bot.call("getUpdates", allowed_updates=["chat_member", "my_chat_member"])
    await desk.post("members", chat_id=FAMILY, user_id=BOB, status="left")
    assert await heard(bot) == []
    await desk.post("members", chat_id=FAMILY, status="administrator")
    await heard(bot)
    await desk.post("members", chat_id=FAMILY, user_id=BOB, status="member")
    (change,) = await heard(bot)
    assert change["new_chat_member"]["user"]["id"] == BOB


async def test_blocking_shuts_the_bot_out_and_is_told(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    await heard(bot)
    await desk.post("block", user_id=ALICE)
    (change,) = await heard(bot)
    assert change["chat"]["id"] == ALICE
    assert change["new_chat_member"]["status"] == "kicked"
    for method, more in (("sendMessage", {"text": "?"}), ("sendChatAction", {"action": "typing"})):
        answer = await bot.ask(method, chat_id=ALICE, **more)
        assert answer.status == 403
        assert answer.error == "Forbidden: bot was blocked by the user"
    with pytest.raises(NotPossible, match="unblock it first"):
        await desk.say("hello")
    await desk.post("unblock", user_id=ALICE)
    await bot.call("sendMessage", chat_id=ALICE, text="thank you")
    (change,) = await heard(bot)
    assert change["new_chat_member"]["status"] == "member"


# --- topics and upgrades --------------------------------------------------------------------------


async def test_topics_keep_their_messages_together(bot: RawBot, desk: Desk) -> None:
    made = await desk.post("topics", chat_id=CLUB, name="Paintings")
    thread_id = made["message_thread_id"]
    (opened,) = await heard(bot)
    assert opened["forum_topic_created"]["name"] == "Paintings"
    assert "reply_to_message" not in opened
    await desk.say("/animate@animato_bot", chat_id=CLUB, thread_id=thread_id)
    (message,) = await heard(bot)
    assert message["message_thread_id"] == thread_id
    assert message["is_topic_message"] is True
    # On the real server too, whatever is said in a topic answers the message that opened it.
    assert message["reply_to_message"]["forum_topic_created"]["name"] == "Paintings"
    sent = await bot.call("sendMessage", chat_id=CLUB, text="in", message_thread_id=thread_id)
    assert sent["message_thread_id"] == thread_id
    outside = await bot.call("sendMessage", chat_id=CLUB, text="out")
    assert "message_thread_id" not in outside
    answer = await bot.ask("sendMessage", chat_id=CLUB, text="?", message_thread_id=999)
    assert answer.error == "Bad Request: message thread not found"
    with pytest.raises(NotPossible, match="has no topics"):
        await desk.post("topics", chat_id=FAMILY, name="x")


async def test_upgraded_group_names_its_successor(bot: RawBot, desk: Desk) -> None:
    await bot.call("sendMessage", chat_id=FAMILY, text="before")
    upgraded = (await desk.post("upgrade", chat_id=FAMILY))["chat_id"]
    assert upgraded < -1_000_000_000_000
    away, here = await heard(bot)
    assert (away["chat"]["id"], away["migrate_to_chat_id"]) == (FAMILY, upgraded)
    assert (here["chat"]["id"], here["migrate_from_chat_id"]) == (upgraded, FAMILY)
    answer = await bot.ask("sendMessage", chat_id=FAMILY, text="?")
    assert answer.error == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer.body["parameters"] == {"migrate_to_chat_id": upgraded}
    await bot.call("sendMessage", chat_id=upgraded, text="after")
    with pytest.raises(NotPossible, match="was upgraded"):
        await desk.say("hello", chat_id=FAMILY)
    with pytest.raises(NotPossible, match="only once"):
        await desk.post("upgrade", chat_id=FAMILY)


async def test_bot_outside_hears_nothing_of_an_upgrade(bot: RawBot, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, status="left")
    await heard(bot)
    await desk.post("upgrade", chat_id=FAMILY)
    assert await heard(bot) == []


async def test_new_groups_and_new_persons(bot: RawBot, desk: Desk) -> None:
    carol = (await desk.post("persons", first_name="Carol", language_code="es"))["person"]
    chat = (await desk.post("groups", title="Friends", is_forum="true"))["chat"]
    assert chat["members"][str(carol["id"])] == "member"
    await desk.say("/hi@animato_bot", chat_id=chat["id"], user_id=carol["id"])
    (message,) = await heard(bot)
    assert message["from"] == carol
    assert carol["language_code"] == "es"
    assert message["chat"] == {
        "id": chat["id"],
        "type": "supergroup",
        "title": "Friends",
        "is_forum": True,
    }
    with pytest.raises(NotPossible, match="first_name of a new one"):
        await desk.post("persons")
