"""Somebody sends very many photos: as many as the limit are looked at, and none is forgotten."""

import asyncio

import pytest

from jobs.queues.admission import MOST_PHOTOS
from jobs.queues.assignment import Assignment
from tests.integration.bot import talk as talks
from tests.integration.bot.talk import Talk, labels
from tests.integration.sandbox.desk import BOB

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

TOO_MANY = f"I am still looking at {MOST_PHOTOS} of your photos"


async def test_photo_too_many_is_kept_and_looked_at_when_it_is_tried_again(talk: Talk) -> None:
    is_free = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await is_free.wait()

    talk.worker.before_look = wait
    for _ in range(MOST_PHOTOS + 1):
        last = await talk.photo()
    card = await talk.shows(TOO_MANY)
    assert card["reply_to_message"]["message_id"] == last["message_id"]
    assert labels(card)[0] == ["↻ Try again"]
    await talk.agree(BOB)
    await talk.photo(BOB)
    await talk.shows("Looking at your photo", BOB)
    is_free.set()
    await talk.shows("Which movement?", BOB)
    await talk.shows("Which movement?", count=MOST_PHOTOS)
    await talk.tap("Try again", card)
    await talk.shows("Which movement?", count=MOST_PHOTOS + 1)


async def test_clip_after_a_photo_too_many_goes_to_no_other_photo(talk: Talk) -> None:
    is_free = asyncio.Event()

    async def wait(_: Assignment) -> None:
        await is_free.wait()

    talk.worker.before_look = wait
    photos = [await talk.photo() for _ in range(MOST_PHOTOS + 1)]
    await talk.shows(TOO_MANY)
    await talk.clip()
    await talk.shows("I have your clip")
    assert [(await talk.draft_of(photo)).lead for photo in photos] == [None] * len(photos)
    is_free.set()


async def test_no_photo_is_forgotten_while_its_person_has_not_agreed(newcomers: Talk) -> None:
    for _ in range(MOST_PHOTOS + 1):
        last = await newcomers.photo()
    card = await newcomers.shows(TOO_MANY)
    assert card["reply_to_message"]["message_id"] == last["message_id"]
    await newcomers.tap("I agree", await newcomers.shows("agree"))
    await newcomers.shows("Which movement?", count=MOST_PHOTOS)
    await newcomers.tap("Try again", card)
    await newcomers.shows("Which movement?", count=MOST_PHOTOS + 1)
