"""The link that makes the first admin; it works once, within a day."""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from telegram.helpers import create_deep_linked_url

from bot.people import People
from bot.texts import Texts
from jobs.connection import queue_errors
from jobs.queues.keys import CLAIM_KEY, PEOPLE_ADMINS_KEY

CLAIM_LINK = "claim_"
CLAIM_KEPT_S = 86_400
_SECRET_BYTES = 24


class Claims:
    """The link's secret; only its hash is stored.

    All methods raise QueueUnavailable if Redis does not answer.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def new(self) -> str:
        """Create a secret, which replaces the earlier one."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with queue_errors(self._url):
            await self._redis.set(CLAIM_KEY, _hash(secret), ex=CLAIM_KEPT_S)
        return secret

    async def redeem(self, secret: str, person_id: int) -> bool:
        """Make the first person with the secret an admin. Return whether it is this one."""

        async def attempt(pipe: Pipeline) -> bool:
            stored = await pipe.get(CLAIM_KEY)
            is_right = stored is not None and hmac.compare_digest(str(stored), _hash(secret))
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
            if is_right:
                pipe.sadd(PEOPLE_ADMINS_KEY, str(person_id))
                pipe.delete(CLAIM_KEY)
            return is_right

        with queue_errors(self._url):
            is_first: bool = await self._redis.transaction(
                attempt, CLAIM_KEY, value_from_callable=True
            )
        return is_first


async def first_link(claims: Claims, people: People, bot_name: str) -> str | None:
    """Create the link for the first admin; return None if there is an admin.

    Args:
        claims: stores the secret.
        people: knows the admins.
        bot_name: the bot's username.
    """
    if await people.admins():
        return None
    return create_deep_linked_url(bot_name, CLAIM_LINK + await claims.new())


def claim_text(link: str, _: Texts) -> str:
    """Return what the owner reads on the screen."""
    return _(
        "This bot has no admin yet. Open {link} within 24 hours: whoever opens it first becomes "
        "its admin, so show it to nobody.",
        link=link,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
