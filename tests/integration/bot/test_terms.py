"""Questions about the terms: none stays once their person has agreed, whenever the tap comes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.callback_data import ButtonAction
from bot.conversation.draft_cards import DraftCards
from bot.conversation.media_handler import MediaHandler
from bot.drafts.intake import Intake
from bot.gateway.messenger import ChatTarget, MessageContent, Messenger
from bot.gateway.updates import IncomingMessage, IncomingTap, LeadMedia, MediaFile
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import card_sender_of
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk, tap_of
from tests.integration.sandbox.desk import ALICE

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
YOUR_CLIP = "Your clip, or another movement?"


class Held(Messenger):
    """Asks for the terms only when the test says so."""

    def __init__(self, bot: Any) -> None:
        super().__init__(bot)
        self.asking, self.go = asyncio.Event(), asyncio.Event()

    async def send_text(
        self, target: ChatTarget, content: MessageContent, *, droppable: bool = False
    ) -> int:
        if "Before we begin" in content.text:
            self.asking.set()
            await self.go.wait()
        return await super().send_text(target, content, droppable=droppable)


async def test_no_question_stays_when_the_one_before_is_agreed_to_while_a_clip_comes(
    newcomers: Talk,
) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    photo = await talk.photo()
    first = await talk.shows("Before we begin")
    held = Held(talk.parts.services.messenger.bot)
    services, queues = talk.parts.services, talk.parts.services.queues
    sender = card_sender_of(queues.client, queues.url, held)
    services = replace(services, messenger=held, card_sender=sender)
    cards = DraftCards(services)
    media_handler = MediaHandler(services, Intake(services), cards, talk.media_handler.terms)
    clip = MediaFile(file_id=photo["photo"][-1]["file_id"], name="clip.mp4")
    incoming = IncomingMessage(chat_id=ALICE, person_id=ALICE, message_id=photo["message_id"] + 1)
    taking = asyncio.create_task(media_handler.take(incoming, LeadMedia(clip)))
    await held.asking.wait()
    await media_handler.accept_terms(IncomingTap(ALICE, ALICE, first["message_id"], None, "", ""))
    held.go.set()
    await taking
    await talk.shows(YOUR_CLIP)
    shown = await talk.desk.transcript()
    assert "Before we begin" not in shown
    assert shown.count(YOUR_CLIP) == 1


async def test_question_that_is_left_over_goes_away_with_its_tap(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    photo = await talk.photo()
    first = await talk.shows("Before we begin")
    await talk.tap("I agree", first)
    card = await talk.shows("Which movement?")
    await talk.tap_data(tap_of(ButtonAction.CONSENT, await talk.draft_of(photo)))
    await talk.shows("Thank you. Now send me a photo with a face.")
    assert (await talk.shows("Which movement?"))["message_id"] == card["message_id"]


async def test_all_questions_go_away_when_one_is_agreed_to(newcomers: Talk) -> None:
    talk = newcomers
    await talk.desk.say("/start")
    await talk.photo()
    last = await talk.shows("Before we begin")
    bot = talk.parts.services.messenger.bot
    left = await bot.send_message(ALICE, "Before we begin, as asked earlier")
    questions = (left.message_id, last["message_id"])
    await talk.parts.drafts.update_conversation(
        IncomingMessage(ALICE, ALICE, left.message_id), questions=questions
    )
    await talk.tap("I agree", last)
    await talk.shows("Which movement?")
    await until(lambda: _nothing_asks(talk))


async def _nothing_asks(talk: Talk) -> bool:
    return "Before we begin" not in await talk.desk.transcript()
