"""`/settings` and `/language`: what is chosen takes effect with the next message."""

import asyncio
import gettext
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.texts import Texts
from jobs.queues.assignment import Assignment
from sandbox.server import Sandbox
from tests.integration.bot.parts import local_store
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, talking, text_of
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY, Desk

pytestmark = pytest.mark.local_sockets


class Marked(gettext.NullTranslations):
    """English sentences behind a language's name."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self._mark = f"[{language}] "

    def gettext(self, message: str) -> str:
        return self._mark + message

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self._mark + (one if count == 1 else many)


@pytest.fixture
async def talk(
    sandbox: Sandbox, valkey: str, redis: Redis, desk: Desk, tmp_path: Path
) -> AsyncIterator[Talk]:
    """A talk with a bot that speaks English, German and Spanish; Alice's Telegram is English."""
    texts = Texts({language: Marked(language) for language in ("de", "es")})
    async with talking(sandbox, valkey, redis, local_store(tmp_path), desk, texts) as found:
        await found.agree()
        yield found


async def chosen(talk: Talk, name: str, person: int = ALICE) -> None:
    """Chooses a language, and waits until the settings are shown in it."""
    await talk.desk.say("/language", user_id=person, chat_id=person)
    page = await talk.shows("Which language", person)
    await talk.tap(name, page, person)
    await talk.shows("Your settings", person)


async def test_person_is_answered_in_the_language_of_their_telegram(talk: Talk) -> None:
    answers = {"de": "[de] Hello!", "es-MX": "[es] Hello!", "fr": "Hello!"}
    for count, (code, answer) in enumerate(answers.items(), start=1):
        await talk.desk.post("persons", user_id=BOB, language_code=code)
        await talk.desk.say("/start", user_id=BOB, chat_id=BOB)
        assert text_of(await talk.shows("Hello!", BOB, count)).startswith(answer)
    assert (await talk.parts.services.people.person(BOB)).client_language == "fr"


async def test_language_is_chosen_by_its_own_name_and_settings_lead_there(talk: Talk) -> None:
    await talk.desk.say("/settings")
    overview = await talk.shows("Your settings")
    assert text_of(overview) == "Your settings\n🌐 Language: As in Telegram"
    await talk.tap("Language", overview)
    page = await talk.shows("Which language should I speak here?")
    assert labels(page) == [
        ["✓ As in Telegram", "Deutsch"],
        ["English", "Español"],
        ["◀️ All settings"],
    ]
    await talk.tap("Deutsch", page)
    overview = await talk.shows("[de] Your settings")
    assert "[de] 🌐 Language: Deutsch" in text_of(overview)
    await talk.desk.say("/queue")
    await talk.shows("[de] You have no open orders.")
    await talk.tap("Language", overview)
    await talk.tap("As in Telegram", await talk.shows("[de] Which language"))
    overview = await talk.shows("Your settings")
    assert text_of(overview) == "Your settings\n🌐 Language: As in Telegram"
    await talk.desk.say("/queue")
    assert "[de]" not in text_of(await talk.shows("You have no open orders.", count=2))


async def test_command_menu_follows_the_chosen_language(talk: Talk) -> None:
    async def is_shown(phrase: str) -> bool:
        shown = await talk.desk.get("commands", user_id=ALICE, chat_id=ALICE)
        return phrase in str(shown["commands"])

    await chosen(talk, "Deutsch")
    await until(lambda: is_shown("[de] Cancel an order"))
    await chosen(talk, "As in Telegram")
    await until(lambda: is_shown("[]"))  # here no list is set for everybody


async def test_order_is_delivered_in_the_language_that_was_chosen_meanwhile(talk: Talk) -> None:
    hold = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await hold.wait()

    talk.worker.before_video = wait
    await talk.photo()
    await talk.tap("Smile", await talk.shows("Which movement?"))
    await talk.shows("😊 Smile")
    await chosen(talk, "Deutsch")
    await talk.desk.say("/queue")
    queue = await talk.shows("being made")
    assert "😊 Lächeln" in text_of(queue)
    hold.set()
    (video,) = await talk.videos()
    assert text_of(video).startswith("😊 Lächeln\n[de] ")
    await talk.shows("[de] 😊 Lächeln: done")


async def test_result_is_sent_again_in_the_language_of_who_asks(talk: Talk) -> None:
    await talk.photo()
    await talk.tap("Smile", await talk.shows("Which movement?"))
    await talk.shows("done in")
    await chosen(talk, "Deutsch")
    await talk.desk.say("/history")
    await talk.tap("1", await talk.shows("[de] Your last videos"))
    again: list[Message] = []

    async def is_shown() -> bool:
        again[:] = [one for one in await talk.said() if "[de] ▶️ Send again" in str(labels(one))]
        return bool(again)

    await until(is_shown)
    await talk.tap("Send again", again[0])
    sent = (await talk.videos(count=2))[1]
    assert text_of(sent).partition("\n")[2].startswith("[de] ")


async def test_photo_is_looked_at_and_refused_in_the_persons_language(talk: Talk) -> None:
    await talk.agree(BOB)
    talk.worker.faces = ()
    await talk.photo(BOB)
    assert labels(await talk.shows("[de] I found no face here", BOB))[-1] == ["[de] ✖️ Cancel"]


async def test_only_admins_change_the_settings_of_a_group(talk: Talk) -> None:
    await talk.desk.say("/language@animato_bot", user_id=BOB, chat_id=FAMILY)
    await talk.shows("Only the admins of this group", FAMILY)
    await talk.desk.say("/settings@animato_bot", chat_id=FAMILY)
    overview = await talk.shows("The settings of this group", FAMILY)
    assert text_of(overview).endswith("🌐 Language: English")
    refused = await talk.tap("Language", overview, BOB, FAMILY)
    assert refused["text"] == "Only the admins of this group can change its settings."
    await talk.tap("Language", overview, ALICE, FAMILY)
    await talk.tap("Español", await talk.shows("Which language", FAMILY), ALICE, FAMILY)
    await talk.shows("[es] The settings of this group", FAMILY)
    assert (await talk.parts.services.group_settings.read(FAMILY)).language == "es"
    # The members' own languages do not matter there.
    await talk.desk.say("/language@animato_bot", user_id=BOB, chat_id=FAMILY)
    await talk.shows("[es] Only the admins of this group", FAMILY)
