"""Taps on buttons that nobody was shown: what they carry names others' drafts, orders and results.

Telegram says truthfully who taps and in which chat; the data of a button may be anything.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.callback_data import ButtonAction, ButtonData
from bot.drafts.draft_store import draft_id_of
from bot.groups import flood_guard
from bot.owner.buttons import OwnerAction
from jobs.orders import order_id
from jobs.queues.keys import card_key
from sandbox.server import Sandbox
from tests.integration.bot.running import left_in_inbox, until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk, NotPossible, Part
from tests.integration.sandbox.raw_bot import RawBot

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]

# Keys that change by themselves, or whenever somebody taps.
PASSING = (
    *("animato:inbox", "animato:seen", "animato:worker", "animato:bot:", "animato:claim"),
    *("animato:ewma", "animato:alert", "animato:statistics", "animato:refused"),
    "animato:taking",
)
FORGED = "forged"
# Words of others' things.
OTHERS = re.compile(r"Smile|Alice|-1001|\b7\b|queue|Worker")
# Of an order's card, what is written whenever its place in the queue is shown anew.
DISPLAY = ("shown", "edit")


@dataclass
class Scene:
    """Alice's things in private and in the family's group, and the owner's; Bob is a stranger.

    Attributes:
        bot: the bot at work.
        raw: writes messages with forged buttons, in the bot's name.
        result: the draft of a delivered video of hers, in private.
        waiting: the draft of an order of hers that waits.
        open: a draft of hers with its card.
        album: an album of hers.
        shared: the draft of a delivered video of hers in the group.
        reported: a report of it that the owner has.
        shown: what the owner's buttons carry.
    """

    bot: ServedBot
    raw: RawBot
    result: str = ""
    waiting: str = ""
    open: str = ""
    album: str = ""
    shared: str = ""
    reported: str = ""
    shown: set[str] = field(default_factory=set)

    async def state(self) -> dict[str, Any]:
        """All that is stored, but for what is Bob's own and what changes by itself."""
        client = self.bot.queues.client
        found: dict[str, Any] = {}
        async for key in client.scan_iter("*"):
            name = str(key)
            if name.startswith(PASSING) or re.search(rf":{BOB}(:|$)", name):
                continue
            if name.startswith(card_key("")):
                card = json.loads(str(await client.get(name)))
                found[name] = {what: card[what] for what in card if not what.startswith(DISPLAY)}
            elif name.startswith("animato:"):
                found[name] = await client.dump(name)
            elif re.fullmatch(r"bull:[\w-]+:[\w.-]*\d[\w.-]*", name):
                found[name] = "a job"
        for file in [one async for one in self.bot.store.listing("")]:
            found[file.key] = "a file"
        return found

    async def seen(self, chat: int) -> list[tuple[int, str, str]]:
        """A chat's messages of the bot as a person sees them, but for a waiting order's place."""
        found = []
        for one in await self.bot.said(chat):
            buttons = str(one.get("reply_markup"))
            is_place = self.waiting in buttons and text_of(one) != FORGED
            text = "" if is_place else text_of(one)
            found.append((one["message_id"], text, buttons))
        return found


def button_data(message: Message) -> list[str]:
    """What the buttons of a message carry."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [one["callback_data"] for row in rows for one in row if "callback_data" in one]


async def new_card(bot: ServedBot, number: int, **where: Any) -> Message:
    """The card of a new photo of Alice's, which is her card of that number."""
    chat = where.get("chat_id", ALICE)

    async def cards() -> list[Message]:
        return [one for one in await bot.said(chat) if "Which movement?" in text_of(one)]

    async def is_there() -> bool:
        return len(await cards()) >= number

    await bot.photo(ALICE, **where)
    await until(is_there)
    return (await cards())[-1]


@pytest.fixture
async def scene(
    sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    monkeypatch.setattr(flood_guard, "_MOST", 1000)
    async with (
        serve_bot(sandbox, valkey, desk, tmp_path, broadcast=True) as bot,
        aiohttp.ClientSession() as session,
    ):
        found = Scene(bot, RawBot(session, sandbox))
        for person in (ALICE, BOB, ADMIN):
            await bot.people.agree(person)
            await bot.says("/start", person)
            await bot.shows("Hello!", person)
        async with bot.working():
            await _make_things(found, desk)
        waiting = next(one for one in await bot.said(ALICE) if found.waiting in str(one))
        await bot.tap("😊", waiting, ALICE)
        await bot.says("/status", ADMIN)
        await bot.shows("Workers", ADMIN)
        await bot.says("/broadcast news", ADMIN)
        await bot.shows("news", ADMIN)
        for message in await bot.said(ADMIN):
            found.shown.update(button_data(message))
        (report,) = {
            match[1] for one in found.shown if (match := re.search(r"\|dismiss:(\w+)$", one))
        }
        found.reported = report
        await until(partial(_is_all_handled, bot))
        yield found


async def _make_things(scene: Scene, desk: Desk) -> None:
    bot = scene.bot

    def draft_of(message: Message) -> str:
        button = ButtonData.decode(button_data(message)[0])
        assert button is not None
        return button.draft_id

    card = await new_card(bot, 1)
    scene.result = draft_of(card)
    await bot.tap("😊", card, ALICE)
    await bot.video(ALICE)
    await bot.shows("done in", ALICE)
    scene.waiting = draft_of(await new_card(bot, 1))
    scene.open = draft_of(await new_card(bot, 2))
    parts = [Part("photo", media.photo(seed=one)) for one in (1, 2)]
    await desk.send(*parts, user_id=ALICE, chat_id=ALICE)
    scene.album = draft_of(await bot.shows("You sent 2 photos", ALICE))

    photo = await bot.photo(ALICE, chat_id=FAMILY)
    where = {"chat_id": FAMILY, "reply_to": photo["message_id"]}
    await bot.says("/animate@animato_bot smile", ALICE, **where)
    video = await bot.video(FAMILY)
    scene.shared = draft_id_of(FAMILY, photo["message_id"])
    await bot.tap("Report", video, ALICE)
    await bot.tap("Something else", await bot.shows("Report this video", FAMILY), ALICE)
    await bot.shows("Report from", ADMIN)
    await bot.says("/settings@animato_bot", ALICE, chat_id=FAMILY)
    await bot.shows("The settings of this group", FAMILY)


# Arguments that make an action do the most. Every action is here: a new one needs its line.
ARGUMENTS: dict[ButtonAction, tuple[str, ...]] = {
    ButtonAction.CONSENT: ("",),
    ButtonAction.PROFILE_PHOTO: ("",),
    ButtonAction.FACE: ("1", "all"),
    ButtonAction.CELL: ("5", "0"),
    ButtonAction.PAGE: ("0",),
    ButtonAction.TEMPLATE: ("smile",),
    ButtonAction.ONE_OF_ALL: ("smile",),
    ButtonAction.OWN_LEAD: ("", "follow", "voice", "waiting"),
    ButtonAction.SHOW_ALL: ("0",),
    ButtonAction.ENGINE: ("mesh",),
    ButtonAction.CONTINUE: ("", "without"),
    ButtonAction.ALBUM: ("1", "each", ""),
    ButtonAction.DROP: ("",),
    ButtonAction.CANCEL: ("",),
    ButtonAction.AGAIN: ("", "face"),
    ButtonAction.BEST_FRAME: ("",),
    ButtonAction.STRENGTH: ("1.5",),
    ButtonAction.AS_FILE: ("",),
    ButtonAction.DELETE: ("",),
    ButtonAction.RETRY: ("",),
    ButtonAction.MORE: ("more", "forms", ""),
    ButtonAction.OPTION: ("page", "s1.5"),
    ButtonAction.FORM: ("file", "video", "loop"),
    ButtonAction.HISTORY: ("page", "open", "forms", "send", "file", "delete+"),
    ButtonAction.SETTINGS: ("", "language", "language=de", "on=no", "who=admins"),
    ButtonAction.REPORT: (f"me:{ALICE}", "block:{report}", "ban:{report}", "dismiss:{report}"),
    ButtonAction.NEWS: ("off",),
    ButtonAction.FORGET: ("yes", "no"),
    ButtonAction.OWNER: tuple(f"{action}:{{order}}" for action in OwnerAction),
}
# What is everybody's own to do, whatever else the button says.
OWN = {ButtonAction.CONSENT, ButtonAction.NEWS, ButtonAction.FORGET, ButtonAction.PROFILE_PHOTO}


def forged(scene: Scene, drafts: tuple[str, ...]) -> list[str]:
    """What forged buttons carry that name these drafts; and all of the owner's real ones."""
    found = set(scene.shown)
    for action, arguments in ARGUMENTS.items():
        for text in arguments:
            argument = text.format(report=scene.reported, order=order_id(ALICE, scene.waiting, 1))
            for draft in (scene.album,) if action is ButtonAction.ALBUM else drafts:
                try:
                    found.add(ButtonData(action, draft, 1, argument).encode())
                except ValueError:  # too long with a draft, which it does not need
                    found.add(ButtonData(action, "", 1, argument).encode())
    return sorted(found)


async def taps(scene: Scene, chat: int, datas: list[str]) -> dict[str, str]:
    """Bob taps forged buttons in a chat; what he is told each time."""
    told: dict[str, str] = {}
    bot, sent = scene.bot, Message()
    shown: list[str] = []
    for data in datas:
        if data not in shown:
            at = datas.index(data)
            sent, shown = await _show(scene, chat, datas[at : at + 50]), datas[at : at + 50]
        where = {"user_id": BOB, "chat_id": chat, "message_id": sent["message_id"]}
        try:
            answer = await bot.desk.post("tap", data=data, **where)
        except NotPossible:  # the bot has shown something else in its place
            sent, shown = await _show(scene, chat, [data]), [data]
            answer = await bot.desk.post(
                "tap", data=data, **where | {"message_id": sent["message_id"]}
            )
        told[data] = str((answer["answer"] or {}).get("text") or "")
    await until(partial(_is_all_handled, bot))
    return told


async def _show(scene: Scene, chat: int, datas: list[str]) -> Message:
    rows = [[{"text": data, "callback_data": data}] for data in datas]
    sent: Message = await scene.raw.call(
        "sendMessage", chat_id=chat, text=FORGED, reply_markup={"inline_keyboard": rows}
    )
    return sent


async def _is_all_handled(bot: ServedBot) -> bool:
    return not await left_in_inbox(bot.queues.client)


def test_every_action_of_a_button_is_forged_here() -> None:
    assert set(ARGUMENTS) == set(ButtonAction)


async def test_forged_taps_in_a_chat_of_ones_own_reach_nothing_of_others(scene: Scene) -> None:
    drafts = (scene.result, scene.waiting, scene.open, scene.shared)
    datas = [
        data
        for data in forged(scene, drafts)
        if ButtonAction(data.split("|")[1]) not in OWN - {ButtonAction.CONSENT}
    ]
    before = await scene.state(), await scene.seen(ALICE), await scene.seen(FAMILY)
    admin, own = await scene.seen(ADMIN), await scene.seen(BOB)
    told = await taps(scene, BOB, datas)
    after = await scene.state(), await scene.seen(ALICE), await scene.seen(FAMILY)
    assert changes(before[0], after[0]) == {}
    assert after[1:] == before[1:]
    assert await scene.seen(ADMIN) == admin
    check_words(told)
    new = [text for _, text, _ in (await scene.seen(BOB))[len(own) :]]
    assert [text for text in new if OTHERS.search(text)] == []


async def test_forged_taps_in_a_group_reach_nothing_of_its_members(scene: Scene) -> None:
    drafts = (scene.shared, scene.result, scene.waiting)
    datas = [
        data
        for data in forged(scene, drafts)
        if ButtonAction(data.split("|")[1]) not in OWN - {ButtonAction.PROFILE_PHOTO}
    ]
    before = await scene.state(), await scene.seen(ALICE), await scene.seen(ADMIN)
    group = await scene.seen(FAMILY)
    told = await taps(scene, FAMILY, datas)
    after = await scene.state(), await scene.seen(ALICE), await scene.seen(ADMIN)
    assert changes(before[0], after[0]) == {}
    assert after[1:] == before[1:]
    check_words(told)
    assert (await scene.seen(FAMILY))[: len(group)] == group
    new = [text for _, text, _ in (await scene.seen(FAMILY))[len(group) :]]
    assert [text for text in new if not text.startswith((FORGED, "You have no videos"))] == []


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """What is stored otherwise than before."""
    gone = dict.fromkeys(before.keys() - after.keys(), "gone")
    new = dict.fromkeys(after.keys() - before.keys(), "new")
    other = {key: "changed" for key in before.keys() & after.keys() if before[key] != after[key]}
    return gone | new | other


def check_words(told: dict[str, str]) -> None:
    """Whoever taps is told one short sentence or two, and nothing about others."""
    for data, text in told.items():
        assert len(text) < 120, (data, text)
        assert not OTHERS.search(text), (data, text)
