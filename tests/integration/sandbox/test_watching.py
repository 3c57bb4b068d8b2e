"""What people and tests read, and what the server keeps from others."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk, NotPossible, Part
from tests.integration.sandbox.media import clip, photo
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


async def next_event(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """The next event of this kind."""
    while (event := await socket.receive_json(timeout=40))["type"] != kind:
        pass
    return event


# --- chats, calls, events -------------------------------------------------------------------------


async def test_chats_show_everybody_and_everything_at_the_start(bot: RawBot) -> None:
    async with bot.session.get(f"{bot.sandbox.url}/sim/chats") as response:
        seen = await response.json()
    names = [(person["id"], person["first_name"]) for person in seen["persons"]]
    assert names == [(7, "Alice"), (8, "Bob"), (9, "Admin")]
    assert [chat["type"] for chat in seen["chats"]] == [
        *("private", "private", "private", "group", "supergroup"),
    ]
    assert [chat["is_forum"] for chat in seen["chats"][3:]] == [False, True]
    assert seen["settings"]["privacy_mode"] is True
    assert seen["bot"]["username"] == "animato_bot"


async def test_transcript_reads_like_the_chat(bot: RawBot, desk: Desk) -> None:
    said = await desk.send(Part("photo", photo()), caption="me")
    keyboard = {"inline_keyboard": [[{"text": "Smile", "callback_data": "smile"}]]}
    card = await bot.call(
        "sendMessage",
        chat_id=ALICE,
        text="Which one?",
        reply_markup=keyboard,
        reply_parameters={"message_id": said["message"]["message_id"]},
    )
    await bot.call(
        "setMessageReaction",
        chat_id=ALICE,
        message_id=said["message"]["message_id"],
        reaction=[{"type": "emoji", "emoji": "👀"}],
    )
    assert await desk.transcript() == (
        "Alice (reaction 👀): <photo 160x120> me\n"
        "Bot (answers '<photo 160x120> me'): Which one?\n"
        "    [Smile]\n"
    )
    await bot.call("editMessageText", chat_id=ALICE, message_id=card["message_id"], text="Working")
    assert (await desk.transcript()).endswith("<photo 160x120> me', edited): Working\n")


async def test_calls_are_kept_with_what_they_brought(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    await bot.call("getUpdates")
    form = aiohttp.FormData()
    form.add_field("chat_id", str(ALICE))
    form.add_field("reply_markup", '{"inline_keyboard": []}')
    form.add_field("caption", "[1]")
    form.add_field("video", clip(has_sound=True), filename="a.mp4")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendvideo"
    async with bot.session.post(address, data=form) as response:
        result = await response.json()
    await bot.ask("sendMessage", chat_id=1, text="x")
    sent, refused = await desk.calls()
    assert sent["method"] == "sendVideo"
    assert sent["parameters"] == {
        "chat_id": "7",
        "reply_markup": {"inline_keyboard": []},
        "caption": "[1]",
    }
    size = len(clip(has_sound=True))
    assert sent["files"] == [{"name": "video", "file_name": "a.mp4", "size": size}]
    assert (sent["status"], sent["response"]) == (200, result)
    assert refused["status"] == 400
    assert (await desk.get("calls", since=sent["id"]))["calls"] == [refused]
    assert await desk.calls("sendVideo") == [sent]
    assert (await desk.get("calls"))["polls"] == 1


async def test_events_tell_what_happens_as_it_happens(bot: RawBot, desk: Desk) -> None:
    async with bot.session.ws_connect(f"{bot.sandbox.url}/sim/events") as socket:
        await desk.say("/start")
        shown = (await next_event(socket, "message"))["message"]
        assert (shown["text"], shown["sim"]["delivered"]) == ("/start", True)
        await bot.call("sendChatAction", chat_id=ALICE, action="upload_video")
        event = await next_event(socket, "chat_action")
        assert (event["chat_id"], event["action"]) == (ALICE, "upload_video")
        sent = await bot.call("sendMessage", chat_id=ALICE, text="one")
        number = sent["message_id"]
        assert (await next_event(socket, "message"))["message"]["message_id"] == number
        assert (await next_event(socket, "call"))["call"]["method"] == "sendMessage"
        await bot.call("editMessageText", chat_id=ALICE, message_id=number, text="two")
        event = await next_event(socket, "edited")
        assert (event["chat_id"], event["message"]["text"]) == (ALICE, "two")
        await bot.call("deleteMessage", chat_id=ALICE, message_id=number)
        event = await next_event(socket, "deleted")
        assert (event["chat_id"], event["message_ids"]) == (ALICE, [number])
        await bot.call("setMyCommands", commands=[{"command": "help", "description": "Help"}])
        await next_event(socket, "commands")
        await desk.post("reset")
        await next_event(socket, "reset")


async def test_watcher_that_leaves_is_forgotten(bot: RawBot, desk: Desk) -> None:
    telegram = bot.sandbox.telegram
    async with bot.session.ws_connect(f"{bot.sandbox.url}/sim/events") as socket:
        hello = await socket.receive_json(timeout=60)
        assert hello == {"type": "hello", "server": telegram.server_id}
        assert (await desk.get("chats"))["server"] == hello["server"]
        assert len(telegram.events) == 1
    async with asyncio.timeout(40):
        while len(telegram.events):
            await asyncio.sleep(0.01)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await bot.session.ws_connect(
            f"{bot.sandbox.url}/sim/events", headers={"Origin": "http://example.org"}
        )
    with pytest.raises(NotPossible, match="is a WebSocket"):
        await desk.get("events")


async def test_page_that_went_without_a_word_is_noticed(
    bot: RawBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.person_side.watching.HEARTBEAT_S", 0.02)
    address = f"{bot.sandbox.url}/sim/events"
    async with bot.session.ws_connect(address, autoping=False) as socket, asyncio.timeout(40):
        await socket.receive_json()
        assert (await socket.receive()).type == aiohttp.WSMsgType.PING
        while len(bot.sandbox.telegram.events):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_server_ends_though_a_page_listens(
    bot: RawBot, monkeypatch: pytest.MonkeyPatch, *, says_goodbye: bool
) -> None:
    # It waits that long for a page that does not answer, and not at all for one that does.
    monkeypatch.setattr("sandbox.server.SHUTDOWN_S", 60.0 if says_goodbye else 0.05)
    address = f"{bot.sandbox.url}/sim/events"
    async with bot.session.ws_connect(address, autoclose=says_goodbye) as socket:
        await socket.receive_json(timeout=60)
        async with asyncio.timeout(40):
            ended = asyncio.create_task(bot.sandbox.stop())
            farewell = await socket.receive()
            await ended
        assert farewell.type == aiohttp.WSMsgType.CLOSE
        assert farewell.data == aiohttp.WSCloseCode.OK


async def test_answer_of_the_bot_is_an_event(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    keyboard = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    await bot.call("sendMessage", chat_id=ALICE, text="?", reply_markup=keyboard)
    async with bot.session.ws_connect(f"{bot.sandbox.url}/sim/events") as socket:
        tapped = await desk.tap("Go", wait_s=0)
        assert tapped["answer"] is None
        query_id = tapped["query_id"]
        await bot.call("answerCallbackQuery", callback_query_id=query_id, text="yes")
        event = await next_event(socket, "answer")
    assert (event["query_id"], event["kind"]) == (query_id, "callback")
    assert event["answer"] == {"text": "yes", "show_alert": False, "url": None}


async def test_tap_is_answered_in_time_and_with_an_address_of_telegrams(
    bot: RawBot, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.say("/start")
    keyboard = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    await bot.call("sendMessage", chat_id=ALICE, text="?", reply_markup=keyboard)
    wish = {"callback_query_id": (await desk.tap("Go", wait_s=0))["query_id"]}
    answer = await bot.ask("answerCallbackQuery", **wish, url="https://example.org")
    assert answer.error == "Bad Request: URL_INVALID"
    with monkeypatch.context() as late:
        late.setattr("sandbox.world.queries.LIFETIME_S", 0)
        answer = await bot.ask("answerCallbackQuery", **wish, url="t.me/animato_bot?start=x")
    assert answer.error.startswith("Bad Request: query is too old")
    await bot.call("answerCallbackQuery", **wish, url="t.me/animato_bot?start=x")


async def test_unknown_acts_are_refused_with_a_sentence(bot: RawBot) -> None:
    async with bot.session.post(f"{bot.sandbox.url}/sim/foo") as response:
        assert response.status == 404
        assert (await response.json())["error"] == "POST /sim/foo: Not Found. See docs/sandbox.md."
    async with bot.session.get(f"{bot.sandbox.url}/sim/message") as response:
        assert response.status == 405


async def test_commands_are_those_of_the_place_and_the_language(bot: RawBot, desk: Desk) -> None:
    def one(name: str) -> list[dict[str, str]]:
        return [{"command": name, "description": name}]

    await bot.call("setMyCommands", commands=one("everywhere"))
    await bot.call("setMyCommands", commands=one("ueberall"), language_code="de")
    groups = {"type": "all_group_chats"}
    await bot.call("setMyCommands", commands=one("group"), scope=groups)

    async def seen(**place: object) -> str:
        (command,) = (await desk.get("commands", **place))["commands"]
        return str(command["command"])

    assert await seen(user_id=ALICE) == "everywhere"
    assert await seen(user_id=BOB) == "ueberall"
    assert await seen(user_id=ALICE, chat_id=FAMILY) == "group"
    assert await seen(user_id=BOB, chat_id=FAMILY) == "group"


async def test_settings_are_changed_by_name_and_unknown_ones_are_refused(desk: Desk) -> None:
    changed = await desk.post("settings", inline_feedback="false")
    assert changed["settings"]["inline_feedback"] is False
    assert changed["settings"]["privacy_mode"] is True
    with pytest.raises(NotPossible, match="There is no setting 'privacy'"):
        await desk.post("settings", privacy="false")
    with pytest.raises(NotPossible, match="privacy_mode is true or false"):
        await desk.post("settings", privacy_mode="perhaps")


async def test_reset_brings_back_the_start(bot: RawBot, desk: Desk) -> None:
    await desk.say("/start")
    await desk.post("block", user_id=BOB)
    await desk.fault(method="*", code=500)
    await desk.post("settings", privacy_mode="false")
    await bot.call("getUpdates")
    await desk.post("reset")
    assert await desk.messages() == []
    seen = await desk.get("chats")
    assert seen["settings"]["privacy_mode"] is True
    assert not any(person["blocks_bot"] for person in seen["persons"])
    assert (await bot.call("getMe"))["is_bot"]
    assert (await bot.ask("sendMessage", chat_id=ALICE, text="x")).status == 400


@pytest.mark.parametrize(
    ("act", "values", "sentence"),
    [
        ("message", {}, "There is nothing to send"),
        ("message", {"user_id": 99, "text": "x"}, "There is no person 99; known are 7 Alice"),
        ("message", {"chat_id": 99, "text": "x"}, "There is no chat 99."),
        ("message", {"chat_id": BOB, "text": "x"}, "Alice is not in chat 8."),
        ("message", {"text": "x", "reply_to": 5}, "Chat 7 has no message 5."),
        ("message", {"text": "x" * 4097}, "A text has at most 4096 characters."),
        ("message", {"text": "x", "thread_id": 3}, "Chat 7 has no topic 3."),
        ("tap", {"label": "x"}, "No message of chat 7 has buttons."),
        ("chosen", {"result_id": "1"}, "use /sim/inline first"),
        ("delete", {"chat_id": 7, "message_id": 1}, "Chat 7 has no message 1."),
        ("members", {"chat_id": FAMILY, "status": "king"}, "A status is one of"),
        ("upgrade", {"chat_id": ALICE}, "Chat 7 is not a group."),
    ],
)
async def test_what_persons_cannot_do_is_said_in_one_sentence(
    desk: Desk, act: str, values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(NotPossible) as refused:
        await desk.post(act, **values)
    assert sentence in str(refused.value)


# --- files ----------------------------------------------------------------------------------------


async def test_files_are_given_whole_and_in_ranges(bot: RawBot, desk: Desk) -> None:
    content = clip(has_sound=True)
    sent = await desk.send(Part("video", content, "a.mp4"))
    file_id = sent["message"]["video"]["file_id"]
    assert await desk.file(file_id) == content
    address = f"{bot.sandbox.url}/sim/file/{file_id}"
    for asked, expected in (
        ("bytes=0-9", content[:10]),
        ("bytes=10-", content[10:]),
        ("bytes=-5", content[-5:]),
    ):
        async with bot.session.get(address, headers={"Range": asked}) as response:
            assert response.status == 206
            assert response.content_type == "video/mp4"
            assert await response.read() == expected
            assert response.headers["Content-Range"].endswith(f"/{len(content)}")
    async with bot.session.get(address, headers={"Range": f"bytes={len(content)}-"}) as response:
        assert response.status == 416
    with pytest.raises(NotPossible, match="There is no such file"):
        await desk.get("file/nothing")


async def test_uploaded_page_cannot_run_on_the_servers_address(bot: RawBot, desk: Desk) -> None:
    sent = await desk.send(Part("document", b"<script>alert(1)</script>", "page.html"))
    document = sent["message"]["document"]
    assert document["mime_type"] == "text/html"
    async with bot.session.get(f"{bot.sandbox.url}/sim/file/{document['file_id']}") as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"] == "attachment"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# --- who is answered ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "example.org"},
        {"Host": "localhost.example.org"},
        {"Host": "192.0.2.1"},
        {"Host": "[broken"},
    ],
)
@pytest.mark.parametrize("path", ["/sim/chats", "/", "/bot4242:sandbox/getMe"])
async def test_other_web_sites_are_not_answered(
    bot: RawBot, headers: dict[str, str], path: str
) -> None:
    async with bot.session.get(f"{bot.sandbox.url}{path}", headers=headers) as response:
        # A Host that is no host at all is refused by the HTTP library before it comes to us.
        assert response.status in ({400, 403} if headers.get("Host") == "[broken" else {403})
        assert "Alice" not in await response.text()


async def test_page_elsewhere_that_says_no_origin_is_refused_too(bot: RawBot) -> None:
    # What a browser sends for `<img src=...>`: no Origin, but where it comes from.
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        for path in ("/bot4242:sandbox/getUpdates", "/sim/chats", "/"):
            async with bot.session.get(f"{bot.sandbox.url}{path}", headers=headers) as response:
                assert response.status == 403
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with bot.session.get(f"{bot.sandbox.url}/", headers=headers) as response:
        assert response.status == 200
    async with bot.session.get(f"{bot.sandbox.url}/sim/chats", headers=headers) as response:
        assert response.status == 403


async def test_own_page_and_a_tunnel_are_answered(bot: RawBot) -> None:
    for host in ("localhost:9000", "127.0.0.1:9000", "[::1]:9000"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        async with bot.session.get(f"{bot.sandbox.url}/sim/chats", headers=headers) as response:
            assert response.status == 200


async def test_page_may_load_nothing_from_elsewhere(bot: RawBot) -> None:
    async with bot.session.get(f"{bot.sandbox.url}/") as response:
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        page = await response.text()
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "//" not in page.replace("<!--", "").replace("-->", "")
    for name in ("style.css", "app.js"):
        async with bot.session.get(f"{bot.sandbox.url}/page/{name}") as response:
            assert response.status == 200
    async with bot.session.get(f"{bot.sandbox.url}/page/../server.py") as response:
        assert response.status == 404
