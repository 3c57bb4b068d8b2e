"""The link by which the first admin takes the bot over; it works once, and not for long."""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from telegram.helpers import create_deep_linked_url

from bot.people import People
from bot.texts import Texts
from jobs.connection import reaching
from jobs.queues.keys import CLAIM_KEY, PEOPLE_ADMINS_KEY

CLAIM_LINK = "claim_"
CLAIM_KEPT_S = 86_400
_SECRET_BYTES = 24


class Claims:
    """The link's secret, of which only a hash is stored.

    All methods raise QueueUnavailable if the server does not answer.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def new(self) -> str:
        """Another secret; the one before it opens nothing any more."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with reaching(self._url):
            await self._redis.set(CLAIM_KEY, _hash(secret), ex=CLAIM_KEPT_S)
        return secret

    async def redeem(self, secret: str, person: int) -> bool:
        """Makes the first person with the secret an admin; whether this one is it."""

        async def attempt(pipe: Pipeline) -> bool:
            stored = await pipe.get(CLAIM_KEY)
            is_right = stored is not None and hmac.compare_digest(str(stored), _hash(secret))
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
            if is_right:
                pipe.sadd(PEOPLE_ADMINS_KEY, str(person))
                pipe.delete(CLAIM_KEY)
            return is_right

        with reaching(self._url):
            is_first: bool = await self._redis.transaction(
                attempt, CLAIM_KEY, value_from_callable=True
            )
        return is_first


async def first_link(claims: Claims, people: People, bot_name: str) -> str | None:
    """The link that makes an admin of whoever opens it first; None if there is an admin.

    Args:
        claims: the secret.
        people: the admins.
        bot_name: the bot's name on Telegram.
    """
    if await people.admins():
        return None
    return create_deep_linked_url(bot_name, CLAIM_LINK + await claims.new())


def claim_text(link: str, _: Texts) -> str:
    """What the owner reads on the screen."""
    return _(
        "Nobody watches over this bot yet. Open {link} within 24 hours: whoever opens it first "
        "becomes its admin, so show it to nobody.",
        link=link,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
