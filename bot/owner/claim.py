"""The link by which the first admin takes the bot over; it works once, and not for long."""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis
from redis.exceptions import WatchError
from telegram.helpers import create_deep_linked_url

from bot.people import People
from bot.texts import Texts
from jobs.connection import queue_errors
from jobs.queues.keys import CLAIM_KEY, PEOPLE_ADMINS_KEY

CLAIM_LINK = "claim_"
CLAIM_KEPT_S = 86_400
_SECRET_BYTES = 24


class Claims:
    """The link's secret, of which only a hash is stored.

    All methods raise QueueUnavailable if the server does not answer.

    Args:
        redis: the server of the queues.
        url: its address.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    async def new(self) -> str:
        """Another secret; the one before it opens nothing any more."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with queue_errors(self._url):
            await self._redis.set(CLAIM_KEY, _hash(secret), ex=CLAIM_KEPT_S)
        return secret

    async def redeem(self, secret: str, person: int) -> bool:
        """Makes the first person with the secret an admin; whether this one is it."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                await pipe.watch(CLAIM_KEY)
                stored = await pipe.get(CLAIM_KEY)
                if stored is None or not hmac.compare_digest(str(stored), _hash(secret)):
                    return False
                pipe.multi()  # type: ignore[no-untyped-call]  # redis-py
                pipe.sadd(PEOPLE_ADMINS_KEY, str(person))
                pipe.delete(CLAIM_KEY)
                try:
                    await pipe.execute()
                except WatchError:
                    return False  # somebody was quicker
        return True


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


def claim_words(link: str, _: Texts) -> str:
    """What the owner reads on the screen."""
    return _(
        "Nobody watches over this bot yet. Open {link} within 24 hours: whoever opens it first "
        "becomes its admin, so show it to nobody.",
        link=link,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
