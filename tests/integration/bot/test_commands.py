"""Commands and other texts: each answer says what can be done next."""

import asyncio

import pytest

from jobs.queues.assignment import Assignment
from tests.integration.bot import talk as talks
from tests.integration.bot.talk import Talk, labels
from tests.integration.sandbox.desk import FAMILY

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


ANSWERS = {
    "/help": "Send me a photo, a picture file or a sticker (up to 20 MB)",
    "/privacy": "measured in them: 24 h after your last tap",
    "/about": (
        "The sounds of speech are found with PocketSphinx (Carnegie Mellon University, BSD "
        "2-Clause).\n\n"
        "Every video's caption says how it was made.\n\nThe owner of this bot: @owner"
    ),
    "/privacy ": (
        "whether they were sent: 72 h\n"
        "- your choices, Telegram's ids of your files, the list of your videos, and reports: "
        "30 days\n"
        "- a message that could not be handled, with its text: 7 days"
    ),
    "/privacy  ": "those who run the workers can technically see your photos and videos",
    "/queue": "You have no open orders. Send me a photo.",
    "/cancel": "You have no open orders. Send me a photo at any time.",
    "/templates": "Send a photo to see them on your own face",
    "/start tpl_nonsense": "I do not know this movement.",
    "good morning": "Send me a photo with a face, and",
}


async def test_each_command_has_its_answer_and_so_have_words(talk: Talk) -> None:
    for said, answer in ANSWERS.items():
        await talk.desk.say(said)
        await talk.shows(answer)
    await talk.desk.say("/nonsense")
    await talk.shows(ANSWERS["good morning"], count=2)
    await talk.desk.say("/start anything")
    await talk.shows("Hello!", count=2)


async def test_help_says_how_long_a_clip_may_be(talk: Talk) -> None:
    await talk.desk.say("/help")
    await talk.shows("It may last 60 s; I use the first 15 s and keep its sound.")


async def test_words_in_a_group_are_left_alone(talk: Talk) -> None:
    await talk.desk.say("/help@animato_bot", chat_id=FAMILY)
    await talk.desk.say("/help")
    await talk.shows("Send me a photo, a picture file")
    assert [one for one in await talk.desk.messages(FAMILY) if one["from"]["is_bot"]] == []


async def test_movements_come_with_the_buttons_of_the_photo_at_hand(talk: Talk) -> None:
    await talk.photo()
    earlier = await talk.shows("Which movement?")
    await talk.desk.say("/templates")
    await talk.shows("The movements:")
    await talk.gone(earlier)
    card = await talk.shows("Which movement?")
    await talk.tap("😊", card)
    await talk.videos()


async def test_cancel_without_orders_forgets_what_waits_for_a_photo(talk: Talk) -> None:
    await talk.clip()
    await talk.shows("I have your clip")
    await talk.desk.say("/cancel")
    await talk.shows("You have no open orders")
    await talk.photo()
    await talk.shows("Which movement?")


async def test_one_order_is_cancelled_and_of_several_one_is_chosen(talk: Talk) -> None:
    hold = asyncio.Event()

    async def wait(assignment: Assignment) -> None:
        while assignment.stop_reason is None and not hold.is_set():
            await asyncio.sleep(0.01)

    talk.worker.before_video = wait
    for number, label in enumerate(("😊", "😉"), start=1):
        await talk.photo(seed=number)
        await talk.tap(label, await talk.shows("Which movement?"))
        await talk.shows("Starting now", count=number)
    await talk.desk.say("/queue")
    queue = await talk.shows("being made, 0 %")
    assert labels(queue) == [["✖️ 😊 Smile"], ["✖️ 😉 Wink"]]
    await talk.desk.say("/cancel")
    await talk.tap("Smile", await talk.shows("Which one?"))
    await talk.shows("Smile: cancelled.")
    await talk.desk.say("/cancel")
    await talk.shows("Wink: cancelled.")
    await talk.desk.say("/queue")
    await talk.shows("You have no open orders")
