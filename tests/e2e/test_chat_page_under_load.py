"""The chat page when answers are late, files are large, windows are many, and servers come anew."""

import re

import aiohttp
import pytest
from playwright.async_api import FilePayload, expect

from sandbox.server import Sandbox, SandboxOptions
from tests.e2e.chat_page import GONE, REFUSED, Desktop, Screen, jpeg
from tests.integration.sandbox.desk import ALICE, FAMILY, Desk
from tests.integration.sandbox.media import clip
from tests.integration.sandbox.raw_bot import RawBot

pytest_plugins = ["tests.e2e.chat_page_fixtures"]

# One browser for all of them, in one event loop.
pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

BAD = FilePayload(name="bad.jpg", mimeType="image/jpeg", buffer=b"no picture")
# What the page makes of addresses.
SAFE_ADDRESSES = """async addresses => {
    const {safeAddress} = await import('/page/addresses.js');
    return addresses.map(safeAddress);
}"""
# Chooses a file of that many bytes, of which a test could not hand so many over.
CHOOSE_LARGE = """(input, size) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(size)], 'large.mp4', {type: 'video/mp4'}));
    input.files = data.files;
    input.dispatchEvent(new Event('change'));
}"""


async def kinds_sent(desk: Desk, chat_id: int = ALICE) -> list[str]:
    """What kind each message is, with its words."""
    found = []
    for message in await desk.messages(chat_id):
        kind = next(k for k in ("photo", "document", "text") if k in message)
        words = message.get("caption") or message.get("text") or ""
        found.append(f"{kind} {words}".strip())
    return found


async def card(bot: RawBot) -> None:
    """A message with a button."""
    keyboard = {"inline_keyboard": [[{"text": "Tap me", "callback_data": "x"}]]}
    await bot.call("sendMessage", chat_id=ALICE, text="card", reply_markup=keyboard)


async def asked(bot: RawBot, kind: str) -> str:
    """The id of the query of that kind that the bot gets next."""
    while True:
        for update in await bot.call("getUpdates", timeout=5):
            if kind in update:
                query_id: str = update[kind]["id"]
                return query_id


async def strip_is_empty(screen: Screen) -> None:
    await expect(screen.at("attachment-strip")).not_to_be_visible()


# --- many windows, answers that are late ----------------------------------------------------------


async def test_seven_tabs_of_one_browser_hear_of_everything_while_no_tap_is_answered(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    await card(bot)
    first = await desktop.open()
    others = [await desktop.open() for _ in range(6)]
    for screen in (first, *others):
        await screen.page.get_by_role("button", name="Tap me").click()
    await others[-1].say("everybody hears this")
    for screen in (first, *others):
        await expect(screen.text("everybody hears this")).to_be_visible()


async def test_answer_that_comes_before_the_tap_has_a_number_is_shown(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    await card(bot)
    screen = await desktop.open()
    held = await screen.hold("/sim/tap", asked=True)
    await screen.page.get_by_role("button", name="Tap me").click()
    query_id = await asked(bot, "callback_query")
    await bot.call("answerCallbackQuery", callback_query_id=query_id, text="Quick!")
    await bot.call("sendMessage", chat_id=ALICE, text="after the answer")
    await expect(screen.text("after the answer")).to_be_visible()
    held.let_go()
    await expect(screen.at("toast")).to_have_text("Quick!")


async def test_messages_of_a_new_group_are_there_though_its_history_comes_late(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    screen = await desktop.open()
    held = await screen.hold("/sim/chat/-1003", asked=True)
    group = (await desk.post("groups", title="Fresh"))["chat"]["id"]
    assert group == -1003
    await held.is_here.wait()
    for text in ("one", "two", "three"):
        await bot.call("sendMessage", chat_id=group, text=text)
    gone = await bot.call("sendMessage", chat_id=group, text="four")
    await bot.call("deleteMessage", chat_id=group, message_id=gone["message_id"])
    held.let_go()
    await screen.page.locator(f"[data-chat-id='{group}']").click()
    await expect(screen.text("one")).to_be_visible()
    await expect(screen.text("three")).to_be_visible()
    await expect(screen.text("four")).to_have_count(0)


async def test_page_forgets_an_earlier_server_on_the_same_port(
    desktop: Desktop, desk: Desk, bot: RawBot, sandbox: Sandbox
) -> None:
    await desk.say("said to the earlier one")
    await desk.say("and in the group", chat_id=FAMILY)
    await bot.call("sendChatAction", chat_id=ALICE, action="typing")
    screen = await desktop.open()
    await expect(screen.text("said to the earlier one")).to_be_visible()
    await screen.at("composer-input").fill("half a")
    await sandbox.stop()
    port = int(sandbox.url.rpartition(":")[2])
    async with (
        Sandbox(SandboxOptions(port=port)) as fresh,
        aiohttp.ClientSession() as session,
    ):
        await Desk(session, fresh.url).say("said to the new one")
        await RawBot(session, fresh).call("sendMessage", chat_id=ALICE, text="hello")
        await expect(screen.text("said to the new one")).to_be_visible()
        await expect(screen.text("said to the earlier one")).to_have_count(0)
        await expect(screen.at("composer-input")).to_have_value("half a")
        await RawBot(session, fresh).call("sendMessage", chat_id=FAMILY, text="1 again")
        await expect(screen.page.locator(f"[data-chat-id='{FAMILY}'] .count")).to_have_text("1")
        await screen.page.goto("about:blank")
    screen.forgive(GONE)


# --- files belong to the message from the press of Send on ----------------------------------------


async def test_second_album_that_is_sent_during_an_upload_survives_a_switch_of_the_chat(
    desktop: Desktop, desk: Desk
) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    held = await screen.hold("/sim/message")
    for seed in (1, 2):
        await screen.at("attach-media").set_input_files(jpeg(seed=seed))
        await screen.say(f"number {seed}")
    await expect(screen.at("under-way")).to_have_text("Sending 2 messages…")
    await screen.page.locator(f"[data-chat-id='{FAMILY}']").click()
    held.let_go()
    await screen.page.locator(f"[data-chat-id='{ALICE}']").click()
    await expect(screen.message(3)).to_contain_text("number 2")
    assert await kinds_sent(desk) == ["text /start", "photo number 1", "photo number 2"]
    assert await desk.messages(FAMILY) == []


async def test_refused_file_comes_back_with_its_words_and_takes_nothing_else_along(
    desktop: Desktop, desk: Desk
) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    held = await screen.hold("/sim/message")
    await screen.at("attach-media").set_input_files(BAD)
    await screen.say("cap")
    await screen.say("second text")
    held.let_go()
    await expect(screen.message(2)).to_contain_text("second text")
    await expect(screen.at("composer-input")).to_have_value("cap")
    await expect(screen.at("waiting-file")).to_have_count(1)
    await expect(screen.at("toast")).to_have_count(1)
    assert await kinds_sent(desk) == ["text /start", "text second text"]
    screen.forgive(REFUSED)


async def test_file_above_the_limit_is_not_even_uploaded(desktop: Desktop, desk: Desk) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    limit = (await desk.get("chats"))["upload_limit_bytes"]
    await screen.at("attach-media").evaluate(CHOOSE_LARGE, limit + 1)
    await expect(screen.at("toast")).to_contain_text("large.mp4 has 50.0 MB")
    await strip_is_empty(screen)
    for _ in range(2):
        await screen.at("attach-media").evaluate(CHOOSE_LARGE, limit)
    # As one album they would be too much.
    await expect(screen.at("attachment-strip")).to_contain_text("2 files, 2 messages")


# --- links, results, faults -----------------------------------------------------------------------


async def test_host_with_a_port_is_a_link_and_other_schemes_are_not(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    await bot.call("sendMessage", chat_id=ALICE, text="See example.com:8080/x there")
    screen = await desktop.open()
    links = screen.message(2).locator("a")
    await expect(links).to_have_attribute("href", "https://example.com:8080/x")
    refused = ["javascript:1", "javascript:alert(1)", "tel:112", "file:///etc/passwd", "a.b:99999"]
    assert await screen.page.evaluate(SAFE_ADDRESSES, refused) == [None] * len(refused)
    taken = ["https://localhost:80/x", "tg://resolve?domain=x"]
    asked = ["localhost:80/x", "tg://resolve?domain=x"]
    assert await screen.page.evaluate(SAFE_ADDRESSES, asked) == taken


async def test_cached_animation_moves_among_the_inline_results(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    form = aiohttp.FormData({"chat_id": str(ALICE)})
    form.add_field("animation", clip(), filename="a.mp4")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendAnimation"
    async with bot.session.post(address, data=form) as response:
        file_id = (await response.json())["result"]["animation"]["file_id"]
    screen = await desktop.open()
    await screen.at("composer-input").fill("@animato_bot sway")
    query_id = await asked(bot, "inline_query")
    result = {"type": "mpeg4_gif", "id": "1", "mpeg4_file_id": file_id, "caption": "Look"}
    await bot.call("answerInlineQuery", inline_query_id=query_id, results=[result])
    await expect(screen.at("suggestions").locator("video")).to_be_visible()
    await expect(screen.at("suggestions")).to_contain_text("Look")
    await screen.at("composer-input").press("Enter")
    await expect(screen.message(3)).to_contain_text("Look")


async def test_limit_of_a_chat_ends_by_itself_and_leaves_other_faults_alone(
    desktop: Desktop, desk: Desk
) -> None:
    await desk.say("/start")
    await desk.fault(method="sendPhoto", code=400)
    screen = await desktop.open()
    await screen.at("controls").click()
    await screen.page.get_by_role("menuitem", name=re.compile("429 here")).click()
    await expect(screen.at("toast")).to_be_visible()
    other, limit = (await desk.get("fault"))["faults"]
    assert (other["method"], other["until"]) == ("sendPhoto", None)
    assert (limit["chat_id"], limit["code"]) == (ALICE, 429)
    assert limit["until"] is not None
