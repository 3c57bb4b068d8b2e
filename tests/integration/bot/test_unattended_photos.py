"""The last worker leaves while a photo is looked at."""

import time

import pytest
from redis.asyncio import Redis

from bot.conversation.draft_cards import DraftCards
from bot.drafts.draft import Draft
from bot.gateway.updates import MediaFile
from jobs.queues.heartbeats import WorkerRegistry
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import heartbeat
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk, text_of
from tests.integration.sandbox.desk import ALICE, Desk

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


async def test_card_says_that_the_worker_has_left_while_it_looked(
    talk: Talk, redis: Redis, desk: Desk
) -> None:
    await desk.say("/help", user_id=ALICE, chat_id=ALICE)
    await talk.shows("/cancel")
    services = talk.parts.services
    cards = DraftCards(services)
    photo = MediaFile(file_id="x", name="photo.jpg")
    draft = Draft(draft_id="k3f9a2b1cd", chat_id=ALICE, person_id=ALICE, message_id=1, photo=photo)
    await services.drafts.begin(draft)
    await cards.show(draft.draft_id)
    await cards.tell_unattended()
    card = await talk.shows("Looking at your photo ...")
    await WorkerRegistry(redis).beat(heartbeat("mesh"), time.time() - 60)

    async def is_told() -> bool:
        await cards.tell_unattended()
        return any("No worker is online right now" in text_of(one) for one in await talk.said())

    await until(is_told)
    assert (await talk.shows("No worker is online"))["message_id"] == card["message_id"]
