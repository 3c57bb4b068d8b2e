"""The HTTP surface: tokens, names, bodies, sizes, outages, flood limits."""

import asyncio
import json
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from sandbox.parameters import BODY_LIMIT_BYTES
from sandbox.server import Sandbox, SandboxOptions
from sandbox.world.telegram import Settings
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk, NotPossible, Part
from tests.integration.sandbox.media import photo
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = pytest.mark.local_sockets


@pytest.fixture
async def started(desk: Desk) -> Desk:
    """A desk where Alice and Bob have pressed START."""
    await desk.say("/start")
    await desk.say("/start", user_id=BOB)
    return desk


# --- tokens and names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "method", "status", "description"),
    [
        ("4242:wrong", "getMe", 401, "Unauthorized"),
        ("9999:sandbox", "getMe", 401, "Unauthorized"),
        ("nonsense", "getMe", 404, "Not Found"),
        ("", "getMe", 404, "Not Found"),
        ("4242:a b", "getMe", 404, "Not Found"),
        ("4242:sandbox", "getYou", 404, "Not Found: method not found"),
        ("4242:sandbox", "", 404, "Not Found: method not found"),
    ],
)
async def test_wrong_tokens_and_methods(
    bot: RawBot, token: str, method: str, status: int, description: str
) -> None:
    async with bot.session.get(f"{bot.sandbox.base_url}{token}/{method}") as response:
        assert response.status == status
        body = await response.json()
    assert body == {"ok": False, "error_code": status, "description": description}


@pytest.mark.parametrize("name", ["getMe", "getme", "GETME"])
@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_methods_are_found_in_any_case_by_get_and_post(
    bot: RawBot, name: str, verb: str
) -> None:
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/{name}"
    async with bot.session.request(verb, address) as response:
        assert (await response.json())["result"]["username"] == "animato_bot"


# --- bodies ---------------------------------------------------------------------------------------

KEYBOARD = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}


@pytest.mark.parametrize("way", ["query", "form", "json", "json with text", "multipart"])
async def test_parameters_are_read_from_address_form_json_and_parts(
    bot: RawBot, started: Desk, way: str
) -> None:
    values = {"chat_id": str(ALICE), "text": "ä <b>bold</b>", "parse_mode": "HTML"}
    as_text = {**values, "reply_markup": json.dumps(KEYBOARD)}
    bodies: dict[str, dict[str, Any]] = {
        "query": {"params": as_text},
        "form": {"data": as_text},
        "json": {"json": {**values, "chat_id": ALICE, "reply_markup": KEYBOARD}},
        "json with text": {"json": as_text},
        "multipart": {"data": aiohttp.FormData(as_text, default_to_multipart=True)},
    }
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendMessage"
    async with bot.session.post(address, **bodies[way]) as response:
        assert response.status == 200, await response.text()
    message = (await started.messages())[-1]
    assert message["text"] == "ä bold"
    assert message["entities"] == [{"type": "bold", "offset": 2, "length": 4}]
    assert message["reply_markup"] == KEYBOARD


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        (b"{broken", "application/json", "can't parse the body: expected a JSON Object"),
        (b"[1, 2]", "application/json", "can't parse the body: expected a JSON Object"),
        (
            b'{"text": "\\ud800"}',
            "application/json",
            "can't parse the body: expected a JSON Object",
        ),
        (b"[" * 100_000, "application/json", "can't parse the body: expected a JSON Object"),
        (b"text=\xff", "application/x-www-form-urlencoded", "can't parse the body"),
        (b"a=1", "application/x-www-form-urlencoded; charset=x", "can't parse the body"),
        (b"no parts", "multipart/form-data", "can't parse the body"),
        (b"no parts", "multipart/form-data; boundary=x", "can't parse the body"),
    ],
)
async def test_broken_bodies_are_refused(
    bot: RawBot, content: bytes, kind: str, error: str
) -> None:
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendMessage"
    headers = {"Content-Type": kind}
    async with bot.session.post(address, data=content, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["description"] == f"Bad Request: {error}"


@pytest.mark.parametrize("is_announced", [True, False])
async def test_body_over_the_limit_is_too_large(
    bot: RawBot, started: Desk, is_announced: bool
) -> None:
    async def piecewise() -> Any:
        for _ in range(BODY_LIMIT_BYTES // 2**20 + 2):
            yield bytes(2**20)

    content = BytesIO(bytes(BODY_LIMIT_BYTES + 1)) if is_announced else piecewise()
    form = aiohttp.FormData()
    form.add_field("chat_id", str(ALICE))
    form.add_field("document", content, filename="a.bin")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendDocument"
    async with bot.session.post(address, data=form) as response:
        assert response.status == 413
        assert (await response.json())["description"] == "Request Entity Too Large"
    assert len(await started.messages()) == 1
    assert (await bot.call("getMe"))["is_bot"]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, "chat_id is empty"),
        ({"chat_id": "x", "text": "a"}, "chat not found"),
        ({"chat_id": 12345, "text": "a"}, "chat not found"),
        ({"chat_id": 9, "text": "Admin has not pressed START"}, "chat not found"),
        ({"chat_id": ALICE}, "message text is empty"),
        ({"chat_id": ALICE, "text": " \n "}, "message text is empty"),
        ({"chat_id": ALICE, "text": "a" * 4097}, "message is too long"),
        (
            {"chat_id": ALICE, "text": "<b>a</b><i>b</i>" * 40_000, "parse_mode": "HTML"},
            "message is too long",
        ),
        ({"chat_id": ALICE, "text": "a", "reply_markup": "{"}, "can't parse reply_markup"),
        ({"chat_id": ALICE, "text": "a", "reply_markup": []}, "can't parse reply_markup"),
        (
            {"chat_id": ALICE, "text": "a", "reply_parameters": {"message_id": 99}},
            "message to be replied not found",
        ),
        ({"chat_id": ALICE, "text": "a", "message_thread_id": "x"}, "must be an integer"),
        ({"chat_id": FAMILY, "text": "a", "message_thread_id": 3}, "message thread not found"),
    ],
)
async def test_messages_that_cannot_be_sent(
    bot: RawBot, started: Desk, parameters: dict[str, Any], error: str
) -> None:
    answer = await bot.ask("sendMessage", **parameters)
    assert answer.status == 400
    assert answer.error.startswith("Bad Request: ")
    assert error in answer.error
    assert len(await started.messages()) == 1


async def test_refused_media_leaves_no_file_behind(bot: RawBot, started: Desk) -> None:
    count = len(bot.sandbox.telegram.files)
    form = aiohttp.FormData()
    form.add_field("chat_id", str(ALICE))
    form.add_field("caption", "x" * 1025)
    form.add_field("photo", photo(), filename="a.jpg")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendPhoto"
    async with bot.session.post(address, data=form) as response:
        assert (await response.json())["description"] == "Bad Request: message caption is too long"
    assert len(bot.sandbox.telegram.files) == count
    assert len(await started.messages()) == 1


# --- outages --------------------------------------------------------------------------------------


async def test_429_on_one_chat_while_another_is_served(bot: RawBot, started: Desk) -> None:
    await started.fault(method="sendMessage", chat_id=ALICE, retry_after=7, times=2)
    for _ in range(2):
        answer = await bot.ask("sendMessage", chat_id=ALICE, text="no")
        assert answer.status == 429
        assert answer.error == "Too Many Requests: retry after 7"
        assert answer.body["parameters"] == {"retry_after": 7}
        await bot.call("sendMessage", chat_id=BOB, text="yes")
    await bot.call("sendMessage", chat_id=ALICE, text="again")
    assert await started.transcript() == "Alice: /start\nBot: again\n"
    assert await started.transcript(BOB) == "Bob: /start\nBot: yes\nBot: yes\n"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 500, 502])
async def test_any_code_can_be_ordered(bot: RawBot, started: Desk, code: int) -> None:
    await started.fault(method="*", code=code)
    answer = await bot.ask("sendMessage", chat_id=ALICE, text="no")
    assert answer.status == code
    assert answer.error
    await bot.call("sendMessage", chat_id=ALICE, text="yes")


async def test_fault_waits_for_the_text_that_it_names(bot: RawBot, started: Desk) -> None:
    await started.fault(contains="poison", code=400, description="Bad Request: poison")
    await bot.call("sendMessage", chat_id=ALICE, text="water")
    answer = await bot.ask("sendMessage", chat_id=ALICE, text="some poison here")
    assert answer.error == "Bad Request: poison"


async def test_star_leaves_polling_alone_and_its_name_does_not(bot: RawBot, started: Desk) -> None:
    await started.fault(method="*", code=502)
    assert len(await bot.call("getUpdates")) == 2
    await started.fault(method="getUpdates", code=502)
    assert (await bot.ask("getUpdates")).status == 502
    assert (await bot.ask("getMe")).status == 502
    assert (await started.get("fault"))["faults"] == []


async def test_held_answer_comes_late_and_the_message_was_sent(bot: RawBot, started: Desk) -> None:
    await started.fault(method="sendMessage", timeout=60)
    asking = asyncio.create_task(bot.ask("sendMessage", chat_id=ALICE, text="arrives"))
    async with asyncio.timeout(40):
        while await started.transcript() != "Alice: /start\nBot: arrives\n":
            await asyncio.sleep(0.01)
    assert not asking.done()
    asking.cancel()
    await asyncio.wait({asking})
    assert len(await started.calls("sendMessage")) == 1


async def test_dropped_connection_has_no_answer(bot: RawBot, started: Desk) -> None:
    await started.fault(method="sendMessage", drop="true")
    with pytest.raises(aiohttp.ClientError):
        await bot.ask("sendMessage", chat_id=ALICE, text="arrives")
    assert await started.transcript() == "Alice: /start\nBot: arrives\n"


async def test_faults_meet_downloads_and_are_cleared(bot: RawBot, started: Desk) -> None:
    sent = await started.send(Part("photo", photo()))
    found = await bot.call("getFile", file_id=sent["message"]["photo"][-1]["file_id"])
    address = f"{bot.sandbox.base_file_url}{bot.sandbox.token}/{found['file_path']}"
    await started.fault(method="download", code=502)
    async with bot.session.get(address) as response:
        assert response.status == 502
    async with bot.session.get(address) as response:
        assert response.status == 200
    await started.fault(method="*", code=500, times=100)
    await bot.session.delete(f"{bot.sandbox.url}/sim/fault")
    assert (await bot.call("getMe"))["is_bot"]


async def test_fault_ends_by_its_number_and_by_its_time(bot: RawBot, started: Desk) -> None:
    await started.post("fault", method="getMe", code=500, times=99)
    other = (await started.post("fault", method="getWebhookInfo", code=500, times=99))["fault"]
    await started.post("fault", method="sendMessage", code=500, times=99, seconds=0)
    await bot.call("sendMessage", chat_id=ALICE, text="its time is over")
    async with bot.session.delete(f"{bot.sandbox.url}/sim/fault?number={other}") as response:
        (left,) = (await response.json())["faults"]
    assert left["method"] == "getMe"
    await bot.call("getWebhookInfo")
    assert (await bot.ask("getMe")).status == 500


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"method": "getMe"},
        {"code": 200},
        {"code": 502, "times": 0},
        {"timeout": -1},
        {"method": "sendVideoo", "code": 502},
        {"code": 502, "tiems": 3},
    ],
)
async def test_faults_that_make_no_sense_are_refused(
    started: Desk, order: dict[str, object]
) -> None:
    with pytest.raises(NotPossible, match=r"fault|There is no method"):
        await started.fault(**order)


# --- flood limits ---------------------------------------------------------------------------------


async def test_limits_are_enforced_on_request_only(bot: RawBot, started: Desk) -> None:
    for number in range(25):
        await bot.call("sendMessage", chat_id=FAMILY, text=str(number))
    await started.post("settings", enforce_limits="true")
    answers = [await bot.ask("sendMessage", chat_id=FAMILY, text="x") for _ in range(21)]
    assert [answer.status for answer in answers] == [200] * 20 + [429]
    assert 1 <= answers[-1].body["parameters"]["retry_after"] <= 60
    # Another chat, and calls that are no messages, go on.
    await bot.call("sendMessage", chat_id=ALICE, text="yes")
    await bot.call("sendChatAction", chat_id=FAMILY, action="typing")


async def test_limits_can_be_on_from_the_start() -> None:
    options = SandboxOptions(settings=Settings(enforce_limits=True))
    async with Sandbox(options) as sandbox, aiohttp.ClientSession() as session:
        desk, bot = Desk(session, sandbox.url), RawBot(session, sandbox)
        await desk.say("/start")
        statuses = [
            (await bot.ask("sendMessage", chat_id=ALICE, text="x")).status for _ in range(10)
        ]
    assert 429 in statuses
    assert statuses[0] == 200
