"""Who is where: the bot itself, chats, members, commands, and refusals, through both libraries."""

import asyncio

import aiogram
import pytest
from telegram import Update

from sandbox.server import Sandbox
from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, connected, heard, refused, seconds, strays
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, CLUB, FAMILY, Desk, Part

pytestmark = pytest.mark.local_sockets

BOT = 4242


async def test_bot_knows_itself(client: Client) -> None:
    me = await client.bot.get_me()
    assert (me.id, me.is_bot, me.username) == (BOT, True, "animato_bot")
    assert me.can_join_groups
    assert me.supports_inline_queries
    assert me.can_read_all_group_messages is False


async def test_bot_without_privacy_mode_reads_all(client: Client, desk: Desk) -> None:
    await desk.post("settings", privacy_mode=False)
    assert (await client.bot.get_me()).can_read_all_group_messages is True


def test_misspelt_field_would_be_found_however_deep() -> None:
    chat = {"id": 1, "type": "private", "first_nam": "Alice"}
    quoted = {"message_id": 1, "date": 1, "chat": chat, "entities": [{"type": "url", "offset": 0}]}
    quoted["entities"][0] |= {"length": 1, "langth": 1}  # type: ignore[index]
    update = {"update_id": 1, "edited_message": quoted}
    where = ".Update.Message"
    for parsed in (aiogram.types.Update.model_validate(update), Update.de_json(update)):
        found = set(strays(parsed))
        assert found == {f"{where}.Chat.first_nam", f"{where}.MessageEntity.langth"}


# --- chats ----------------------------------------------------------------------------------------


async def test_every_standing_in_a_group_is_told(client: Client, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, user_id=BOB, status="kicked")
    newcomer = (await desk.post("persons", first_name="Carol"))["person"]["id"]
    await desk.post("members", chat_id=CLUB, user_id=newcomer, status="left")
    people = {
        (FAMILY, ALICE): "creator",
        (FAMILY, ADMIN): "administrator",
        (FAMILY, newcomer): "member",
        (CLUB, newcomer): "left",
        (CLUB, BOB): "member",
        (FAMILY, BOT): "member",
    }
    for (chat_id, user_id), status in people.items():
        member = await client.bot.get_chat_member(chat_id=chat_id, user_id=user_id)
        assert (member.user.id, member.status) == (user_id, status)
    banned = await client.bot.get_chat_member(chat_id=FAMILY, user_id=BOB)
    assert banned.status == "kicked"


async def test_admins_have_rights(client: Client, desk: Desk) -> None:
    await desk.post("members", chat_id=FAMILY, status="administrator")
    me = await client.bot.get_chat_member(chat_id=FAMILY, user_id=BOT)
    assert (me.status, me.can_delete_messages) == ("administrator", True)


async def test_profile_picture_can_be_fetched(client: Client, desk: Desk) -> None:
    await desk.post("persons", Part("photo", media.photo()), user_id=ALICE)
    photos = await client.bot.get_user_profile_photos(user_id=ALICE, limit=1)
    assert photos.total_count == 1
    largest = photos.photos[0][-1]
    content = await client.download(largest.file_id)
    assert content.startswith(b"\xff\xd8")
    assert len(content) == largest.file_size
    assert (await client.bot.get_user_profile_photos(user_id=BOT)).total_count == 0


# --- what the bot says of itself ------------------------------------------------------------------


async def test_commands_go_by_scope_and_language(client: Client, desk: Desk) -> None:
    bot, types = client.bot, client.types
    scopes = [
        (types.BotCommandScopeDefault(), "", "start"),
        (types.BotCommandScopeDefault(), "de", "anfang"),
        (types.BotCommandScopeAllPrivateChats(), "", "animate"),
        (types.BotCommandScopeAllGroupChats(), "", "group"),
        (types.BotCommandScopeAllChatAdministrators(), "", "admins"),
        (types.BotCommandScopeChat(chat_id=ADMIN), "", "status"),
        (types.BotCommandScopeChat(chat_id=FAMILY), "de", "familie"),
    ]
    for scope, language, name in scopes:
        command = types.BotCommand(command=name, description=f"about {name}")
        wish = {"scope": scope, "language_code": language or None}
        assert await bot.set_my_commands(commands=[command], **wish) is True
        (kept,) = await bot.get_my_commands(**wish)
        assert (kept.command, kept.description) == (name, f"about {name}")
    for chat_id, user_id, name in [
        (ALICE, ALICE, "animate"),
        (BOB, BOB, "animate"),
        (ADMIN, ADMIN, "status"),
        (FAMILY, ALICE, "admins"),
        (FAMILY, BOB, "familie"),
        (CLUB, BOB, "group"),
        (CLUB, ADMIN, "admins"),
    ]:
        seen = await desk.get("commands", chat_id=chat_id, user_id=user_id)
        assert [command["command"] for command in seen["commands"]] == [name]
    assert await bot.delete_my_commands(scope=types.BotCommandScopeAllPrivateChats())
    assert list(await bot.get_my_commands(scope=types.BotCommandScopeAllPrivateChats())) == []
    seen = await desk.get("commands", chat_id=BOB, user_id=BOB)
    assert [command["command"] for command in seen["commands"]] == ["anfang"]


async def test_bad_command_is_refused(client: Client) -> None:
    command = client.types.BotCommand(command="no-hyphens", description="about it")
    with refused(client, 400, "BOT_COMMAND_INVALID"):
        await client.bot.set_my_commands(commands=[command])


@pytest.mark.parametrize("kind", ["description", "short_description"])
async def test_texts_about_the_bot_go_by_language(client: Client, kind: str) -> None:
    write = getattr(client.bot, f"set_my_{kind}")
    read = getattr(client.bot, f"get_my_{kind}")
    assert await write(**{kind: "For all"})
    assert await write(**{kind: "Für Deutsche"}, language_code="de")
    assert getattr(await read(), kind) == "For all"
    assert getattr(await read(language_code="de"), kind) == "Für Deutsche"
    assert getattr(await read(language_code="ru"), kind) == "For all"


async def test_webhook_is_told_and_stands_in_the_way_of_polling(client: Client) -> None:
    bot = client.bot
    assert (await bot.get_webhook_info()).url == ""
    url = "http://127.0.0.1:9/hook"
    assert await bot.set_webhook(url=url, secret_token="abc", allowed_updates=["message"])  # noqa: S106
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == (url, 0)
    assert list(info.allowed_updates) == ["message"]
    with refused(client, 409, "can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    assert await bot.delete_webhook(drop_pending_updates=True)
    assert (await bot.get_webhook_info()).url == ""
    assert list(await bot.get_updates()) == []


async def test_pending_updates_are_counted_and_can_be_dropped(client: Client, desk: Desk) -> None:
    await desk.say("one")
    await desk.say("two")
    assert (await client.bot.get_webhook_info()).pending_update_count == 2
    assert await client.bot.delete_webhook(drop_pending_updates=True)
    assert list(await client.bot.get_updates()) == []


# --- refusals -------------------------------------------------------------------------------------


async def test_person_who_never_wrote_cannot_be_written_to(client: Client, desk: Desk) -> None:
    with refused(client, 400, "chat not found"):
        await client.bot.send_message(chat_id=BOB, text="hello?")
    await desk.say("/start", user_id=BOB)
    assert (await client.bot.send_message(chat_id=BOB, text="hello!")).chat.id == BOB


async def test_person_who_blocks_the_bot_is_forbidden_to_it(client: Client, alice: Desk) -> None:
    await alice.post("block", user_id=ALICE)
    with refused(client, 403, "bot was blocked by the user"):
        await client.bot.send_message(chat_id=ALICE, text="hello")
    await alice.post("unblock", user_id=ALICE)
    await client.bot.send_message(chat_id=ALICE, text="hello again")
    await alice.post("members", chat_id=FAMILY, status="kicked")
    with refused(client, 403, "bot was kicked from the group chat"):
        await client.bot.send_message(chat_id=FAMILY, text="hello")


async def test_wrong_tokens_are_told_apart(client: Client, sandbox: Sandbox) -> None:
    for token, code in (("4242:somebody-elses", 401), ("4242:not.well.formed", 404)):
        other = connected(client.name, sandbox, token)
        with refused(other, code):
            await other.bot.get_me()
        await other.close()


@pytest.mark.usefixtures("alice")
async def test_method_that_the_server_lacks_is_not_found(client: Client) -> None:
    with refused(client, 404):
        await client.bot.send_dice(chat_id=ALICE)


async def test_second_poller_ends_the_first_one(client: Client, sandbox: Sandbox) -> None:
    other = connected(client.name, sandbox)
    older = asyncio.create_task(client.bot.get_updates(timeout=20))
    while sandbox.telegram.calls.polls == 0:
        await asyncio.sleep(0.001)
    assert list(await other.bot.get_updates(timeout=0)) == []
    with refused(client, 409, "terminated by other getUpdates request"):
        await older
    await other.close()


async def test_flood_in_one_chat_leaves_others_alone(client: Client, alice: Desk) -> None:
    await alice.fault(method="sendMessage", chat_id=ALICE, retry_after=37, times=2)
    for _ in range(2):
        with pytest.raises(client.refusal(429)) as caught:
            await client.bot.send_message(chat_id=ALICE, text="too fast")
        assert seconds(caught.value.retry_after) == 37  # type: ignore[attr-defined]
        await client.bot.send_message(chat_id=FAMILY, text="as ever")
    await client.bot.send_message(chat_id=ALICE, text="slowly")
    assert (await alice.transcript()).endswith("Bot: slowly\n")


async def test_upgraded_group_names_its_successor(client: Client, desk: Desk) -> None:
    new = (await desk.post("upgrade", chat_id=FAMILY))["chat_id"]
    kind, attribute = client.migration()
    with pytest.raises(kind) as caught:
        await client.bot.send_message(chat_id=FAMILY, text="hello")
    assert getattr(caught.value, attribute) == new
    assert (await client.bot.send_message(chat_id=new, text="hello")).chat.type == "supergroup"


async def test_enforced_limits_hold_one_group_back_and_nobody_else(
    client: Client, alice: Desk
) -> None:
    await alice.post("settings", enforce_limits=True)
    for _ in range(20):
        await client.bot.send_message(chat_id=FAMILY, text="twenty a minute")
    with pytest.raises(client.refusal(429)) as caught:
        await client.bot.send_message(chat_id=FAMILY, text="and one more")
    assert 50 < seconds(caught.value.retry_after) <= 60  # type: ignore[attr-defined]
    await client.bot.send_message(chat_id=ALICE, text="as ever")
    assert await client.bot.get_me()


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 500, 502])
async def test_ordered_outage_is_what_the_library_makes_of_it(
    client: Client, desk: Desk, code: int
) -> None:
    await desk.fault(method="getMe", code=code)
    with refused(client, code):
        await client.bot.get_me()
    assert (await client.bot.get_me()).id == BOT


async def test_too_large_a_body_is_refused(client: Client, alice: Desk) -> None:
    content = bytes(50 * 2**20 + 1)
    with refused(client, 413):
        await client.bot.send_document(chat_id=ALICE, document=client.file(content, "a.bin"))
    assert (await alice.transcript()).count("Bot:") == 0


async def test_nothing_is_heard_twice(client: Client, desk: Desk) -> None:
    await desk.say("one")
    assert [update.message.text for update in await heard(client)] == ["one"]
    assert await heard(client) == []
