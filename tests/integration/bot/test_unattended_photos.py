"""The last worker leaves while a photo is looked at."""

import pytest
from redis.asyncio import Redis

from bot.conversation.draft_cards import DraftCards
from bot.drafts.draft import Draft
from bot.gateway.updates import MediaFile
from jobs.orders import LookResult
from jobs.queues.heartbeats import WorkerRegistry
from tests.integration.bot import talk as talks
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk, text_of
from tests.integration.sandbox.desk import ALICE
from tests.wishes import make_photo

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


async def looked_at(talk: Talk) -> tuple[DraftCards, Draft]:
    """A photo whose card says that a worker looks at it."""
    await talk.desk.say("/help", user_id=ALICE, chat_id=ALICE)
    await talk.shows("/cancel")
    services = talk.parts.services
    cards = DraftCards(services)
    photo = MediaFile(file_id="x", name="photo.jpg")
    draft = Draft(draft_id="k3f9a2b1cd", chat_id=ALICE, person_id=ALICE, message_id=1, photo=photo)
    await services.drafts.begin(draft)
    await cards.show(draft.draft_id)
    await cards.tell_unattended()
    await talk.shows("Looking at your photo ...")
    return cards, draft


async def test_card_says_that_the_worker_has_left_while_it_looked(talk: Talk, redis: Redis) -> None:
    cards, _ = await looked_at(talk)
    card = await talk.shows("Looking at your photo ...")
    await WorkerRegistry(redis).leave("maker-mesh")

    async def is_told() -> bool:
        await cards.tell_unattended()
        return any("No worker is online right now" in text_of(one) for one in await talk.said())

    await until(is_told)
    assert (await talk.shows("No worker is online"))["message_id"] == card["message_id"]


async def test_card_of_a_photo_that_was_looked_at_and_ordered_is_left_alone(
    talk: Talk, redis: Redis
) -> None:
    cards, draft = await looked_at(talk)
    findings = LookResult(photo=make_photo("looks/k3f9a2b1cd/1-photo.png"))
    await talk.parts.services.drafts.update(draft, findings=findings)
    await WorkerRegistry(redis).leave("maker-mesh")

    async def is_alone() -> bool:
        return (await talk.parts.services.offers.now()).is_empty

    await until(is_alone)
    before = await talk.said()
    await cards.tell_unattended()
    assert await talk.said() == before
