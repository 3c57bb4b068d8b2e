"""Updates of all kinds that point at other people's messages: nothing reaches the others.

Alice has drafts and videos in private and in a club. Bob and Carol write in private and in another
group; what they quote, forward and tap names Alice's messages, her drafts and her chats.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from bot.gateway import rate_limiter
from bot.gateway.polling import ALLOWED_UPDATES
from bot.groups import flood_guard
from jobs.queues.keys import OPEN_CARDS
from tests.fuzz import test_updates as updates
from tests.fuzz.rounds import fuzzed
from tests.fuzz.test_updates import AtWork, foreign_buttons
from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, CLUB, FAMILY

valkey_for_all = updates.valkey_for_all
redis = updates.redis
valkey = updates.valkey
machine_has_no_proxy = updates.machine_has_no_proxy
sandbox = updates.sandbox
desk = updates.desk
quick_chats = updates.quick_chats
at_work = updates.at_work

CAROL = 10  # the next person of the sandbox
NAMES = {ALICE: "Alice", BOB: "Bob", CAROL: "Carol"}
TITLES = {FAMILY: "Family", CLUB: "Club"}
ID_OF_BOT = 4242
# What the bot does not ask for, but Telegram may still have from an earlier program.
UNASKED = ("edited_message", "message_reaction", "chat_member", "channel_post")


@dataclass(frozen=True)
class Others:
    """What Bob and Carol try to reach.

    Attributes:
        at_work: the bot.
        messages: Alice's chats, as they are to stay.
        drafts: the ids of her drafts.
        numbers: the ids of the messages there.
        buttons: the data of their buttons.
        secrets: texts that no chat of the others may get: her drafts and files.
        parts: media of messages that the bot got before from somebody else.
        calls: how many calls the bot had made.
    """

    at_work: AtWork
    messages: list[Any]
    drafts: frozenset[str]
    numbers: list[int]
    buttons: list[str]
    secrets: frozenset[str]
    parts: list[dict[str, Any]]
    calls: int


def user(person: int) -> dict[str, Any]:
    return {"id": person, "is_bot": False, "first_name": NAMES[person], "language_code": "en"}


def chat(place: int) -> dict[str, Any]:
    if place > 0:
        return {"id": place, "type": "private", "first_name": NAMES[place]}
    return {"id": place, "type": "supergroup", "title": TITLES[place]}


def buttons_in(messages: list[Any]) -> list[str]:
    return sorted(set(re.findall(r'"callback_data": "(v1\|[^"]*)"', json.dumps(messages))))


def drafts_in(messages: list[Any]) -> frozenset[str]:
    return frozenset(one.split("|")[2] for one in buttons_in(messages)) - {""}


@pytest.fixture
async def others(at_work: AtWork, monkeypatch: pytest.MonkeyPatch) -> Others:
    monkeypatch.setattr(rate_limiter, "_GROUP", (20, 0.1))
    monkeypatch.setattr(flood_guard, "_MOST", 1000)
    bot, desk = at_work.served_bot, at_work.served_bot.desk
    await desk.post("persons", first_name="Carol")
    for person in (BOB, CAROL):
        await bot.people.agree(person)
        await bot.says("/start", person)
        await bot.shows("Hello!", person)
    photo = await bot.photo(ALICE, chat_id=CLUB)
    where = {"chat_id": CLUB, "reply_to": photo["message_id"]}
    await bot.says("/animate@animato_bot smile", ALICE, **where)
    await bot.video(CLUB)
    await bot.shows("done in", CLUB)

    async def is_quiet() -> bool:
        at_work_now = [key async for key in at_work.redis.scan_iter("bull:*:active")]
        return not at_work_now and not await at_work.redis.exists(OPEN_CARDS)

    await until(is_quiet)
    messages = [await desk.messages(place) for place in (ALICE, CLUB)]
    drafts = drafts_in(messages)
    files = frozenset(re.findall(r'"file_id": "([^"]*)"', json.dumps(messages)))
    sent = [one["message"] for one in at_work.samples if "message" in one]
    sent.append(await bot.photo(BOB))
    kinds = ("photo", "document", "voice", "video")
    return Others(
        at_work,
        messages,
        drafts,
        numbers=[one["message_id"] for part in messages for one in part],
        buttons=buttons_in(messages),
        secrets=drafts | files,
        parts=[
            {kind: one[kind] for kind in kinds if kind in one}
            for one in sent
            if one["chat"]["id"] == BOB and set(kinds) & set(one)
        ],
        calls=len(await desk.calls()),
    )


TEXTS = st.sampled_from(
    [
        *("hello", "/start", "/start new", "/start tpl_smile", "/help", "/history", "/cancel"),
        *("/animate@animato_bot", "/animate@animato_bot smile", "/settings@animato_bot"),
        *("/privacy", "/about", "/language", "/delete_me", "/status", "/jobs", "/stats", "/me"),
    ]
)


def written(text: str) -> dict[str, Any]:
    command = {"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}
    return {"text": text, "entities": [command] if text.startswith("/") else []}


@st.composite
def quoted(draw: st.DrawFn, found: Others, place: int) -> dict[str, Any]:
    """What a message says about another one: Alice's, or one with the same number."""
    number, author = draw(st.sampled_from(found.numbers)), draw(st.sampled_from([ALICE, CAROL]))
    part = draw(st.sampled_from(found.parts))
    sender = draw(
        st.sampled_from([user(author), {**user(author), "id": ID_OF_BOT, "is_bot": True}])
    )
    of_alice = {"type": "user", "date": 5, "sender_user": user(ALICE)}
    origins = st.sampled_from(
        [
            of_alice,
            of_alice,
            {"type": "hidden_user", "date": 5, "sender_user_name": "Alice"},
            {"type": "chat", "date": 5, "sender_chat": chat(CLUB)},
        ]
    )
    match draw(st.sampled_from(["reply", "elsewhere", "forward", "forward", "none"])):
        case "reply":
            reply = {"message_id": number, "date": 5, "chat": chat(place), "from": sender, **part}
            return {"reply_to_message": reply}
        case "elsewhere":
            there = {"chat": chat(CLUB), "message_id": number, "origin": draw(origins)}
            return {"external_reply": {**there, **part}}
        case "forward":
            return {"forward_origin": draw(origins)}
    return {}


@st.composite
def theirs(draw: st.DrawFn, found: Others) -> dict[str, Any]:
    """An update by Bob or Carol, in their private chat or in the family's group."""
    person = draw(st.sampled_from([BOB, CAROL]))
    place = draw(st.sampled_from([person, FAMILY]))
    number = draw(st.one_of(st.sampled_from(found.numbers), st.integers(1000, 9999)))
    base = {"message_id": number, "date": 1_700_000_000, "chat": chat(place), "from": user(person)}
    inline = {"from": user(person), "query": draw(st.sampled_from(["", "smile"]))}
    member = {"chat": chat(place), "from": user(person), "date": 5}
    kind = draw(st.sampled_from([*ALLOWED_UPDATES * 2, *["message"] * 8, *UNASKED]))
    content: dict[str, Any] = {}
    match kind:
        case "message" | "edited_message" | "channel_post":
            what = st.one_of(TEXTS.map(written), st.sampled_from(found.parts))
            content = base | draw(what) | draw(quoted(found, place))
        case "callback_query":
            under: dict[str, Any] = {"message": base | {"text": "card"}}
            where = draw(st.sampled_from([under, under, {"inline_message_id": "AAAA"}]))
            content = {"id": str(number), "from": user(person), "chat_instance": "1", **where}
            content["data"] = draw(foreign_buttons(found.buttons))
        case "inline_query":
            content = inline | {"id": str(number), "offset": "", "chat_type": "supergroup"}
        case "chosen_inline_result":
            content = inline | {"result_id": f"{draw(st.sampled_from(sorted(found.drafts)))}-1"}
        case "my_chat_member" | "chat_member":
            statuses = st.sampled_from(["member", "left"])
            bot = {"id": ID_OF_BOT, "is_bot": True, "first_name": "Animato"}
            states = {
                name: {"status": draw(statuses), "user": bot}
                for name in ("old_chat_member", "new_chat_member")
            }
            content = member | states
        case "message_reaction":
            heart = [{"type": "emoji", "emoji": "❤"}]
            content = {"chat": chat(place), "message_id": number, "user": user(person), "date": 5}
            content |= {"old_reaction": [], "new_reaction": heart}
    return {kind: content}


@pytest.mark.local_sockets
@pytest.mark.usefixtures("quick_chats")
@fuzzed(40, data=st.data())
def test_what_people_do_reaches_no_chat_of_others(others: Others, data: st.DataObject) -> None:
    at_work = others.at_work
    stored = at_work.stored(others.drafts, (ALICE, CLUB))
    for person in (BOB, CAROL):  # who may have deleted all that is stored about them
        at_work.loop.run_until_complete(at_work.served_bot.people.agree(person))
    found = data.draw(st.lists(theirs(others), min_size=3, max_size=8))
    at_work.handle(found)
    calls = at_work.sandbox.telegram.calls.since(others.calls)
    for call in calls:
        place = int(call["parameters"].get("chat_id", BOB))
        assert place in {BOB, CAROL, FAMILY, ADMIN}, (call, found)
        said = json.dumps(call["parameters"])
        assert not [secret for secret in others.secrets if secret in said], (call, found)
    assert at_work.stored(others.drafts, (ALICE, CLUB)) == stored, found
    assert [at_work.messages(place) for place in (ALICE, CLUB)] == others.messages, found
    shown = [drafts_in(at_work.messages(place)) for place in (BOB, CAROL)]
    assert not shown[0] & shown[1], found
