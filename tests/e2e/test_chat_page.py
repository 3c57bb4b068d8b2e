"""The sandbox's chat page as somebody uses it, in a real browser, with a real bot behind it."""

import aiohttp
import pytest
from playwright.async_api import FilePayload, expect

from sandbox.server import Sandbox
from tests.e2e.chat_page import (
    DROP,
    GONE,
    NARROW,
    NARROWEST,
    PATIENCE_MS,
    REFUSED,
    WIDE,
    Desktop,
    jpeg,
)
from tests.echo_bot import echo_bot
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk, Part
from tests.integration.sandbox.media import clip, photo, voice
from tests.integration.sandbox.raw_bot import RawBot

pytest_plugins = ["tests.e2e.chat_page_fixtures"]

# One browser for all of them, in one event loop.
pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

# Keeps all that toasts, the status line and messages say, however briefly.
RECORD = """() => {
    window.said = new Set();
    const places = "[data-testid='status-line'], [data-testid='toast'], [data-message-id]";
    const note = () => {
        for (const node of document.querySelectorAll(places)) window.said.add(node.innerText);
    };
    new MutationObserver(note).observe(
        document.body, {subtree: true, childList: true, characterData: true}
    );
}"""
# Counts from now on how often a video is begun anew; a new element in its place counts nothing.
COUNT_BEGINNINGS = """async video => {
    while (video.currentTime === 0) await new Promise(done => setTimeout(done, 20));
    video.loop = false;
    video.before = video.currentTime;
    video.beginnings = 0;
    for (const kind of ['emptied', 'seeking']) {
        video.addEventListener(kind, () => video.beginnings++);
    }
}"""
# 1 when what is shown moves on, and after its end begins again.
LOOPS = """async video => {
    while (!video.duration) await new Promise(done => setTimeout(done, 20));
    video.currentTime = video.duration - 0.4;
    video.playbackRate = 4;
    let before = -1, turns = 0;
    for (let i = 0; i < 400 && turns < 1; i++) {
        if (video.currentTime < before) turns++;
        before = video.currentTime;
        await new Promise(done => setTimeout(done, 25));
    }
    return turns;
}"""


# --- the whole way --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.usefixtures("echo")
async def test_photo_becomes_a_video_that_loops(
    desktop: Desktop, desk: Desk, size: tuple[int, int]
) -> None:
    screen = await desktop.open(size, "/?user=7&chat=7")
    await desktop.photograph(screen, "begin")
    await screen.at("start-button").click()
    await expect(screen.text("Hello Alice!")).to_be_visible()
    picture = FilePayload(name="me.jpg", mimeType="image/jpeg", buffer=photo(480, 360))
    await screen.at("attach-media").set_input_files(picture)
    await expect(screen.at("attachment-strip")).to_be_visible()
    await screen.at("composer-input").fill("a sunny day")
    await screen.at("send-button").click()
    button = screen.page.get_by_role("button", name="Sway")
    await button.wait_for()
    card = [m for m in await desk.messages() if "reply_markup" in m][-1]["message_id"]
    await desktop.photograph(screen, "keyboard")
    bubble = await screen.message(card).element_handle()
    await screen.page.evaluate(RECORD)
    await button.click()
    await expect(screen.message(card)).to_contain_text("Done")
    said = await screen.page.evaluate("[...window.said]")
    for words in ("Sway it is!", "Animating 40 %", "Animating 80 %", "sending a video"):
        assert any(words in text for text in said), words
    # The edit came into the bubble that was there.
    assert bubble is not None
    assert await bubble.evaluate("node => node.isConnected")
    video = screen.page.locator("video").last
    await video.wait_for()
    assert await video.evaluate(LOOPS) == 1
    assert await video.evaluate("video => [video.muted, video.loop, video.paused]") == [
        *(True, True, False),
    ]
    assert await screen.fits()
    await desktop.photograph(screen, "video")
    sent = (await desk.messages())[2]
    assert sent["caption"] == "a sunny day"
    assert sent["photo"][-1]["width"] == 480


async def test_edit_leaves_a_video_playing_and_a_deletion_takes_the_message_away(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    form = aiohttp.FormData({"chat_id": str(ALICE), "caption": "before"})
    form.add_field("animation", clip(), filename="a.mp4")
    address = f"{bot.sandbox.base_url}{bot.sandbox.token}/sendAnimation"
    async with bot.session.post(address, data=form) as response:
        number = (await response.json())["result"]["message_id"]
    screen = await desktop.open()
    video = screen.message(number).locator("video")
    # A loop that is never begun anew never loads anew, and its clock only goes on.
    await video.evaluate(COUNT_BEGINNINGS)
    await bot.call("editMessageCaption", chat_id=ALICE, message_id=number, caption="after")
    await expect(screen.message(number)).to_contain_text("after")
    assert await video.evaluate("video => video.beginnings") == 0
    assert await video.evaluate("video => !video.paused && video.currentTime > video.before")
    await bot.call("deleteMessage", chat_id=ALICE, message_id=number)
    await expect(screen.message(number)).to_have_count(0)


async def test_page_says_how_a_bot_gets_here_until_one_listens(
    desktop: Desktop, sandbox: Sandbox
) -> None:
    screen = await desktop.open(path="/?user=7&chat=7")
    await expect(screen.at("nobody-listens")).to_have_count(0)
    await screen.at("start-button").click()
    await expect(screen.at("nobody-listens")).to_contain_text("No bot listens yet")
    await expect(screen.at("nobody-listens")).to_contain_text(sandbox.base_url)
    await desktop.photograph(screen, "nobody-listens")
    async with echo_bot(sandbox):
        await expect(screen.text("Hello Alice!")).to_be_visible()
        await expect(screen.at("nobody-listens")).to_have_count(0)


async def test_file_that_is_no_picture_is_refused_with_a_sentence(
    desktop: Desktop, desk: Desk
) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    nothing = FilePayload(name="me.jpg", mimeType="image/jpeg", buffer=b"no picture")
    await screen.at("attach-media").set_input_files(nothing)
    await screen.at("send-button").click()
    await expect(screen.at("toast")).to_contain_text("send it as a file")
    assert len(await desk.messages()) == 1
    # The browser reports the refusal by itself.
    screen.forgive(REFUSED)


async def test_alert_waits_for_its_button(desktop: Desktop, desk: Desk, bot: RawBot) -> None:
    await desk.say("/start")
    keyboard = {"inline_keyboard": [[{"text": "Whose?", "callback_data": "x"}]]}
    await bot.call("sendMessage", chat_id=ALICE, text="card", reply_markup=keyboard)
    screen = await desktop.open()
    await screen.page.get_by_role("button", name="Whose?").click()
    query = None
    while query is None:
        updates = await bot.call("getUpdates", timeout=5)
        query = next((u["callback_query"] for u in updates if "callback_query" in u), None)
    await bot.call(
        "answerCallbackQuery", callback_query_id=query["id"], text="Not yours.", show_alert=True
    )
    await expect(screen.at("alert")).to_contain_text("Not yours.")
    await screen.at("alert-ok").click()
    await expect(screen.at("alert")).to_have_count(0)


# --- ways in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["photo", "document"])
async def test_picture_is_sent_as_a_photo_when_dropped_or_as_a_file(
    desktop: Desktop, desk: Desk, kind: str
) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    if kind == "document":
        await screen.at("attach-file").set_input_files(jpeg())
    else:
        await screen.page.evaluate(DROP, [list(photo()), "me.jpg", "image/jpeg"])
        await expect(screen.at("drop")).not_to_be_visible()
    await screen.at("send-button").click()
    await expect(screen.page.locator("[data-message-id='2']")).to_be_visible()
    sent = (await desk.messages())[-1]
    assert kind in sent
    assert sent["sim"]["delivered"] is True


async def test_round_video_is_round_and_a_silent_clip_loops(desktop: Desktop, desk: Desk) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    video = FilePayload(name="a.mp4", mimeType="video/mp4", buffer=clip(96, 96))
    await screen.at("attach-round").set_input_files(video)
    await screen.at("send-button").click()
    shown = screen.message(2).locator("video")
    await shown.wait_for()
    assert (await desk.messages())[-1]["video_note"]["length"] == 96
    corner, box = await shown.evaluate(
        """video => {
            const round = [video, video.parentElement].map(n => getComputedStyle(n).borderRadius);
            const {width, height} = video.getBoundingClientRect();
            return [round.join(' '), Math.abs(width - height)];
        }"""
    )
    assert "50%" in corner or "999" in corner
    assert box < 1


async def test_audio_file_is_attached_and_can_be_played(desktop: Desktop, desk: Desk) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    song = FilePayload(name="song.ogg", mimeType="audio/ogg", buffer=voice())
    await screen.at("attach-audio").set_input_files(song)
    await screen.at("send-button").click()
    player = screen.message(2).locator("audio")
    await player.wait_for()
    await expect(screen.message(2)).to_contain_text("song.ogg")
    assert (await desk.messages())[-1]["audio"]["file_name"] == "song.ogg"
    await screen.page.wait_for_function("document.querySelector('audio').duration > 0.9")


async def test_voice_is_recorded_with_the_microphone(desktop: Desktop, desk: Desk) -> None:
    await desk.say("/start")
    screen = await desktop.open()
    button = screen.at("record-button")
    await button.click()
    await expect(button).to_have_attribute("title", "Send the voice message")
    await screen.page.wait_for_timeout(500)  # what is recorded
    await button.click()
    await screen.message(2).locator("audio").wait_for()
    voice_message = (await desk.messages())[-1]["voice"]
    assert (await desk.file(voice_message["file_id"])).startswith(b"OggS")
    await screen.at("composer-input").fill("text")
    await expect(button).not_to_be_visible()


async def test_reply_commands_and_links_are_typed_for_the_person(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    await desk.say("/start")
    commands = [{"command": "help", "description": "What I can do"}]
    await bot.call("setMyCommands", commands=commands)
    first = await bot.call("sendMessage", chat_id=ALICE, text="Try /help")
    screen = await desktop.open()
    await screen.at("composer-input").fill("/")
    await expect(screen.at("suggestions")).to_contain_text("What I can do")
    await screen.at("composer-input").fill("")
    await screen.message(first["message_id"]).dblclick()
    await expect(screen.at("context")).to_be_visible()
    await screen.say("an answer")
    await expect(screen.text("an answer")).to_be_visible()
    said = (await desk.messages())[-1]
    assert said["reply_to_message"]["message_id"] == first["message_id"]
    await screen.message(first["message_id"]).get_by_text("/help").click()
    await expect(screen.page.locator("[data-message-id='4']")).to_contain_text("/help")


# --- persons, groups, languages -------------------------------------------------------------------


async def test_persons_have_their_own_chats_and_groups_tell_what_was_not_delivered(
    desktop: Desktop, desk: Desk
) -> None:
    await desk.say("/start secret")
    screen = await desktop.open()
    await screen.at("person-switch").get_by_text("Bob").click()
    await expect(screen.at("start-button")).to_be_visible()
    await expect(screen.text("secret")).to_have_count(0)
    await screen.page.locator(f"[data-chat-id='{FAMILY}']").click()
    await screen.say("does anybody read this?")
    await expect(screen.at("not-delivered")).to_be_visible()
    (message,) = await desk.messages(FAMILY)
    assert message["from"]["id"] == BOB
    assert message["sim"]["reason"] == "privacy mode"
    await screen.page.reload()
    await expect(screen.text("does anybody read this?")).to_be_visible()


async def test_deep_link_is_sent_by_start(desktop: Desktop, desk: Desk) -> None:
    screen = await desktop.open(path="/?user=8&chat=8&start=tpl_smile")
    await screen.at("start-button").click()
    await expect(screen.page.locator("[data-message-id='1']")).to_contain_text("/start tpl_smile")
    (message,) = await desk.messages(BOB)
    assert message["text"] == "/start tpl_smile"


async def test_language_switch_is_the_language_of_the_persons_telegram(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    command = {"command": "language", "description": "Язык"}
    await bot.call("setMyCommands", commands=[command], language_code="ru")
    screen = await desktop.open()
    switch = await screen.hold("/sim/persons")
    async with screen.page.expect_request("**/sim/persons"):
        await screen.at("language").select_option("ru")
    await screen.at("start-button").click()
    await expect(screen.text("/start")).to_be_visible()
    (message,) = await desk.messages(ALICE)
    assert message["from"]["language_code"] == "ru", "a message carries the language, too"
    switch.let_go()
    await screen.at("composer-input").fill("/")
    await expect(screen.page.get_by_text("Язык")).to_be_visible()


@pytest.mark.parametrize("size", [NARROW, NARROWEST], ids=["390", "320"])
async def test_narrow_window_shows_list_or_chat_and_never_scrolls_sideways(
    desktop: Desktop, desk: Desk, bot: RawBot, size: tuple[int, int]
) -> None:
    await desk.say("x" * 300)
    await desk.send(Part("photo", photo(1200, 90)))
    labels = [[{"text": f"Number {n}", "callback_data": str(n)} for n in range(8)]] * 2
    wide = {"inline_keyboard": labels}
    await bot.call("sendMessage", chat_id=ALICE, text="w" * 200, reply_markup=wide)
    screen = await desktop.open(size, "/?user=7&chat=7")
    await screen.page.get_by_role("button", name="Number 7").first.wait_for()
    assert await screen.fits()
    await desktop.photograph(screen, f"crowded-{size[0]}")
    await screen.at("back").click()
    await expect(screen.page.locator(f"[data-chat-id='{FAMILY}']")).to_be_visible()
    await expect(screen.at("composer-input")).not_to_be_visible()
    assert await screen.fits()
    await screen.page.locator(f"[data-chat-id='{FAMILY}']").click()
    await expect(screen.at("composer-input")).to_be_visible()


# --- behind the chat ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_menu_of_the_sandbox_changes_what_happens_to_the_bot(
    desktop: Desktop, desk: Desk, bot: RawBot, size: tuple[int, int]
) -> None:
    await desk.say("/start")
    screen = await desktop.open(size, f"/?user=7&chat={FAMILY}")
    await screen.at("controls").click()
    await desktop.photograph(screen, "controls")
    assert await screen.fits()
    await screen.page.get_by_role("menuitem", name="Privacy mode: on").click()
    await expect(screen.at("toast")).to_contain_text("Privacy mode is off now")
    await screen.at("controls").click()
    await screen.page.get_by_role("menuitem", name="Make the bot an administrator").click()
    await expect(screen.at("status-line")).to_contain_text("administrator")
    await screen.at("controls").click()
    await screen.page.get_by_role("menuitem", name="Block the bot").click()
    await expect(screen.at("toast").last).to_contain_text("The bot is blocked")
    assert (await bot.ask("sendMessage", chat_id=ALICE, text="x")).status == 403


async def test_page_comes_back_after_an_outage_with_what_it_missed(
    desktop: Desktop, desk: Desk, bot: RawBot, sandbox: Sandbox
) -> None:
    await desk.say("before")
    screen = await desktop.open()
    await expect(screen.text("before")).to_be_visible()
    await sandbox.stop()
    await expect(screen.at("banner")).to_be_visible(timeout=PATIENCE_MS)
    await sandbox.start()
    await bot.call("sendMessage", chat_id=ALICE, text="meanwhile")
    await expect(screen.message(2)).to_contain_text("meanwhile", timeout=PATIENCE_MS)
    await expect(screen.at("banner")).not_to_be_visible()
    await expect(screen.message(1)).to_have_count(1)
    screen.forgive(GONE)


async def test_markup_in_texts_and_names_stays_text(
    desktop: Desktop, desk: Desk, bot: RawBot
) -> None:
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    await desk.post("persons", user_id=ALICE, first_name=evil)
    await desk.say(evil)
    await bot.call(
        "sendMessage",
        chat_id=ALICE,
        text=evil,
        reply_markup={"inline_keyboard": [[{"text": evil, "callback_data": "x"}]]},
    )
    screen = await desktop.open()
    await expect(screen.message(2)).to_contain_text(evil)
    assert await screen.page.locator("img[src='x']").count() == 0
    assert await screen.page.locator("#timeline b").count() == 0
