"""The whole bot in other languages, with the shipped translations."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.history.store import HistoryStore
from bot.texts import speaking
from bot.translations import translated_texts
from inference.engine import find_engine
from jobs.errors import BadSettings, EngineFailed
from jobs.queues.assignment import Assignment
from sandbox.server import Sandbox
from tests.integration.bot.parts import hurry
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB, FAMILY, Desk, Part
from tests.integration.sandbox.media import clip

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
HERE = {"chat_id": FAMILY}
# Names stay as they are, and so does what the test's worker says of its videos.
NAMES = {"Made with AI software: a test", "Telegram", "/privacy", "(mesh)"}


class Served(Protocol):
    """Serves the bot with other settings than the tests' usual ones."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[ServedBot]: ...


@pytest.fixture
def served(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> Served:
    return lambda **settings: serve_bot(sandbox, valkey, desk, tmp_path, **settings)


@pytest.fixture
async def served_bot(served: Served) -> AsyncIterator[ServedBot]:
    async with served() as found, found.working():
        yield found


async def speaks(served_bot: ServedBot, person: int, language: str) -> None:
    """Switches the language of a person's Telegram."""
    await served_bot.desk.post("persons", user_id=person, language_code=language)


async def starts(served_bot: ServedBot, person: int) -> None:
    """A person begins a chat; when this returns, their language is known."""
    await served_bot.says("/start", person)
    await until(lambda: served_bot.said(person))


def buttons(message: Message) -> list[str]:
    """The labels of a message's buttons."""
    return [label for row in labels(message) for label in row]


def latin_in(message: Message) -> list[str]:
    """The words of a message and its buttons that are not in Cyrillic letters."""
    text = " ".join((text_of(message), *buttons(message)))
    for name in NAMES:
        text = text.replace(name, "")
    return re.findall(r"[A-Za-z]{3,}", text)


async def test_russian_gets_cards_and_videos_without_a_word_of_english(
    served_bot: ServedBot,
) -> None:
    await speaks(served_bot, ALICE, "ru")
    await served_bot.photo()
    terms = await served_bot.shows("Прежде чем начать", ALICE)
    await served_bot.tap("Принимаю", terms, ALICE)
    card = await served_bot.shows("Какое движение?", ALICE)
    assert "😊 Улыбка" in buttons(card)
    assert latin_in(card) == []
    await served_bot.tap("Улыбка", card, ALICE)
    video = await served_bot.video(ALICE)
    assert text_of(video).startswith("😊 Улыбка\n")
    assert "🔁 Другое движение" in buttons(video)
    done = await served_bot.shows("готово за", ALICE)
    assert [latin_in(one) for one in (terms, video, done)] == [[], [], []]


async def test_default_language_is_for_those_whose_own_is_not_known(served: Served) -> None:
    async with served(language="de") as served_bot, served_bot.working():
        await speaks(served_bot, ALICE, "fr")
        await served_bot.says("/queue", ALICE)
        await served_bot.shows("Du hast keine offenen Aufträge", ALICE)
        await served_bot.says("/help@animato_bot", BOB, **HERE)
        await served_bot.shows("Antworte auf ein Foto", FAMILY)


async def test_language_that_the_bot_does_not_speak_is_refused(served: Served) -> None:
    with pytest.raises(BadSettings, match="ANIMATO_LANGUAGE is 'xx': choose one of de, en, es"):
        async with served(language="xx"):
            pass


async def test_group_is_answered_in_its_own_language(served_bot: ServedBot) -> None:
    await served_bot.people.agree(BOB)
    await served_bot.says("/language@animato_bot", ALICE, **HERE)
    await served_bot.tap("Español", await served_bot.shows("Which language", FAMILY), ALICE)
    await served_bot.shows("Los ajustes de este grupo", FAMILY)
    photo = await served_bot.photo(ALICE, **HERE)
    await served_bot.says("/animate@animato_bot", BOB, **HERE, reply_to=photo["message_id"])
    card = await served_bot.shows("¿Qué movimiento?", FAMILY)
    await served_bot.tap("Sonreír", card, BOB)
    assert text_of(await served_bot.video(FAMILY)).startswith("😊 Sonreír\n")
    await served_bot.shows("Sonreír: listo en", FAMILY)


async def test_admin_is_told_in_the_admins_language_and_the_person_in_theirs(
    served_bot: ServedBot,
) -> None:
    await served_bot.people.agree(ALICE)
    for person, language in ((ADMIN, "de"), (ALICE, "uk")):
        await speaks(served_bot, person, language)
        await starts(served_bot, person)
    await served_bot.photo()
    card = await served_bot.shows("Який", ALICE)
    served_bot.worker.errors = [EngineFailed(name="mesh", reason="no more paint")] * 9
    await served_bot.tap("Усмішка", card, ALICE)

    async def is_told() -> bool:
        await hurry(served_bot.queues.client, "animate-mesh")
        return any("ist fehlgeschlagen" in text_of(one) for one in await served_bot.said(ADMIN))

    await until(is_told)
    await served_bot.shows("😊 Усмішка: на нашому боці щось пішло не так", ALICE)


async def test_admin_who_cancels_does_not_change_the_language_of_a_card(
    served: Served,
) -> None:
    async with served() as served_bot:
        await served_bot.people.agree(ALICE)
        await speaks(served_bot, ALICE, "pt")
        async with served_bot.working():
            await served_bot.photo()
            card = await served_bot.shows("Qual movimento?", ALICE)
        await served_bot.tap("Sorrir", card, ALICE)
        await served_bot.shows("😊 Sorrir\n", ALICE)
        await speaks(served_bot, ADMIN, "de")
        await served_bot.says(f"/ban {ALICE}", ADMIN)
        await served_bot.shows("Gesperrt: 7", ADMIN)
        await served_bot.shows("😊 Sorrir: cancelado.", ALICE)


async def test_running_order_that_an_admin_cancels_is_stopped_in_the_persons_language(
    served_bot: ServedBot,
) -> None:
    hold = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await hold.wait()

    served_bot.worker.before_video = wait
    await served_bot.people.agree(ALICE)
    await speaks(served_bot, ALICE, "pt")
    await served_bot.photo()
    await served_bot.tap("Sorrir", await served_bot.shows("Qual movimento?", ALICE), ALICE)
    await served_bot.shows("Começando agora", ALICE)
    await speaks(served_bot, ADMIN, "de")
    await served_bot.says(f"/ban {ALICE}", ADMIN)
    await served_bot.shows("😊 Sorrir\nParando ...", ALICE)
    hold.set()
    await served_bot.shows("😊 Sorrir: cancelado.", ALICE)


async def test_message_to_everybody_has_its_button_in_each_language(served: Served) -> None:
    async with served(broadcast=True) as served_bot:
        for person, language in ((ALICE, "de"), (BOB, "es")):
            await speaks(served_bot, person, language)
            await served_bot.people.agree(person)
            await starts(served_bot, person)
        await served_bot.says("/broadcast News!", ADMIN)
        question = await served_bot.shows("Send this message to", ADMIN)
        await served_bot.tap("Send", question, ADMIN)
        for person, language in ((ALICE, "de"), (BOB, "es")):
            with speaking(language):
                label = translated_texts()("🔕 Stop these messages")
            assert buttons(await served_bot.shows("News!", person)) == [label]
        await served_bot.shows("Sent.", ADMIN)


async def test_commands_and_descriptions_are_in_the_language_of_the_reader(
    served: Served,
) -> None:
    lists = 3 * (len(translated_texts().languages) + 1) + 1
    async with served(language="ru", command_lists=True) as served_bot:
        desk = served_bot.desk

        async def are_written() -> bool:
            return len(await desk.calls("setMyCommands")) == lists

        await until(are_written)
        await speaks(served_bot, BOB, "de")
        for person, chat, phrase in (
            (ALICE, ALICE, "Cancel an order"),
            (BOB, BOB, "Einen Auftrag abbrechen"),
            (BOB, FAMILY, "Deine Aufträge abbrechen"),
            (ALICE, FAMILY, "The settings of this group"),
            (ADMIN, ADMIN, "Приостановить новые заказы"),
        ):
            shown = await desk.get("commands", user_id=person, chat_id=chat)
            assert phrase in str(shown)
        await speaks(served_bot, BOB, "fr")
        assert "Отменить заказ" in str(await desk.get("commands", user_id=BOB, chat_id=BOB))


async def test_other_forms_history_and_numbers_are_in_the_language_of_who_asks(
    served_bot: ServedBot,
) -> None:
    await speaks(served_bot, ALICE, "ru")
    await served_bot.people.agree(ALICE)
    await served_bot.photo()
    await served_bot.tap("Улыбка", await served_bot.shows("Какое движение?", ALICE), ALICE)
    video = await served_bot.video(ALICE)
    await served_bot.shows("готово за", ALICE)
    await served_bot.tap("⋯ Ещё", video, ALICE)
    for label in ("🎞 Другие виды", "🖼 Файл GIF"):
        await until(partial(_has_button, served_bot, video, label))
        await served_bot.tap(label, video, ALICE)
    await until(lambda: _has(served_bot, ALICE, "document", "😊 Улыбка\n"))
    await served_bot.says("/history", ALICE)
    await until(lambda: _has(served_bot, ALICE, "photo", "Ваши последние видео."))
    sheet = await served_bot.shows("Ваши последние видео.", ALICE)
    assert latin_in(sheet) == []
    await served_bot.tap("1", sheet, ALICE)
    await until(partial(_has_button, served_bot, sheet, "📄 Файлом"))
    async for file in served_bot.store.listing("results"):
        await served_bot.store.delete([file.key])
    gone = await served_bot.tap("Файлом", sheet, ALICE)
    assert "больше не хранится" in gone["text"]
    await speaks(served_bot, ADMIN, "ru")
    await served_bot.says("/stats", ADMIN)
    await until(lambda: _has(served_bot, ADMIN, "photo", "Каждый день: 🟦 готово"))
    part = Part("video", clip(), "wave.mp4")
    caption = "/add_template boss_wave"
    await served_bot.desk.send(part, user_id=ADMIN, chat_id=ADMIN, caption=caption)
    preview = await served_bot.shows("Опубликовать для всех?", ADMIN)
    assert "✅ Опубликовать" in buttons(preview)


async def _has_button(served_bot: ServedBot, message: Message, label: str) -> bool:
    said, number = await served_bot.said(message["chat"]["id"]), message["message_id"]
    return any(label in buttons(one) for one in said if one["message_id"] == number)


async def _has(served_bot: ServedBot, chat: int, kind: str, phrase: str) -> bool:
    said = await served_bot.said(chat)
    return any(kind in one and phrase in text_of(one) for one in said)


async def test_earlier_results_are_named_in_the_language_that_is_spoken_now(
    served_bot: ServedBot,
) -> None:
    await speaks(served_bot, ALICE, "ru")
    await served_bot.people.agree(ALICE)
    await served_bot.photo()
    await served_bot.tap("Улыбка", await served_bot.shows("Какое движение?", ALICE), ALICE)
    await served_bot.shows("готово за", ALICE)
    await label_as(served_bot, find_engine("mesh").label)
    await served_bot.says("/language", ALICE)
    await served_bot.tap("Deutsch", await served_bot.shows("каком языке", ALICE), ALICE)
    await served_bot.shows("Deutsch", ALICE)
    await served_bot.says("/history", ALICE)
    await until(lambda: _has(served_bot, ALICE, "photo", "1. 😊 Lächeln, "))
    for query in ("улыбка", "lächeln"):
        asked = await served_bot.desk.post("inline", query=query, user_id=ALICE, chat_id=ALICE)
        (result,) = asked["answer"]["results"]
        assert result["title"] == "😊 Lächeln"
        assert result["caption"].startswith("😊 Lächeln\nMit KI gemacht: ")
    history = await served_bot.shows("1. 😊 Lächeln, ", ALICE)
    await served_bot.tap("1", history, ALICE)
    await until(partial(_has_button, served_bot, history, "▶️ Noch einmal schicken"))
    await served_bot.tap("Noch einmal schicken", history, ALICE)
    await until(lambda: _has(served_bot, ALICE, "animation", "😊 Lächeln\nMit KI gemacht: "))


async def label_as(served_bot: ServedBot, label: str) -> None:
    """Labels Alice's result as an engine does."""
    history = HistoryStore(served_bot.queues.client, served_bot.queues.url, time.time)
    (entry,) = (await history.read(ALICE)).entries
    await history.add(ALICE, entry.model_copy(update={"label": label}))
