"""The book of people and the first link, on a real server."""

import asyncio

import pytest
from redis.asyncio import Redis

from bot.owner.claim import CLAIM_KEPT_S, Claims, first_link
from bot.people import People, Person
from jobs.queues.keys import CLAIM_KEY
from tests.integration.sandbox.desk import ADMIN, ALICE, BOB

pytestmark = pytest.mark.local_sockets


@pytest.fixture
def people(redis: Redis, valkey: str) -> People:
    return People(redis, valkey, frozenset(), is_open=False)


@pytest.fixture
def claims(redis: Redis, valkey: str) -> Claims:
    return Claims(redis, valkey)


async def test_ban_and_consent_of_the_same_moment_are_both_kept(people: People) -> None:
    for person in range(1, 30):
        await asyncio.gather(people.agree(person), people.change(person, is_banned=True))
        known = await people.person(person)
        assert known.has_agreed
        assert known.is_banned


async def test_list_holds_those_whom_admins_have_dealt_with(people: People) -> None:
    await people.agree(ADMIN)
    await people.change(-1001, is_allowed=True)
    await people.change(BOB, is_banned=True)
    found = await people.allowed_or_banned()
    assert found == {-1001: Person(is_allowed=True), BOB: Person(is_banned=True)}


async def test_of_many_who_open_the_link_at_once_one_becomes_admin(
    people: People, claims: Claims
) -> None:
    secret = await claims.new()
    opened = await asyncio.gather(*(claims.redeem(secret, person) for person in range(1, 20)))
    assert opened.count(True) == 1
    assert await people.admins() == {opened.index(True) + 1}


async def test_newer_link_ends_the_older_one(people: People, claims: Claims) -> None:
    older = await claims.new()
    newer = await claims.new()
    assert not await claims.redeem(older, ALICE)
    assert await claims.redeem(newer, ALICE)
    assert await first_link(claims, people, "animato_bot") is None


async def test_of_the_link_only_a_hash_is_kept_and_not_for_long(
    redis: Redis, people: People, claims: Claims
) -> None:
    link = await first_link(claims, people, "animato_bot")
    assert link is not None
    secret = link.partition("claim_")[2]
    assert len(secret) >= 32
    assert secret not in str(await redis.get(CLAIM_KEY))
    assert 0 < await redis.ttl(CLAIM_KEY) <= CLAIM_KEPT_S
