"""The bot's delivery in a process of its own, which tests kill at one point of its work.

python -m tests.integration.bot.delivery_process REDIS_URL BOT_API_URL TOKEN STORE POINT

POINT is `before` sending, `after` sending, or `noted`: after the receipt was noted.
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from bot.gateway.messenger import ChatTarget, MessageContent, Messenger
from bot.gateway.outgoing import OutgoingVideo, SentVideo
from bot.orders.order_cards import FinalMessage, OrderCards
from jobs.store.files import FileStore
from tests.integration.bot.parts import bot_parts, delivering


async def hang() -> None:
    print("here", flush=True)  # noqa: T201 - the test waits for it
    await asyncio.Event().wait()


class Dying(Messenger):
    """Stops at a point of a sending."""

    point = ""

    async def send_video(
        self, target: ChatTarget, video: OutgoingVideo, content: MessageContent
    ) -> SentVideo:
        if self.point == "before":
            await hang()
        sent = await super().send_video(target, video, content)
        if self.point == "after":
            await hang()
        return sent


class Stopping(OrderCards):
    """Stops before it is written down that an order came to its end."""

    async def end(self, order_id: str, message: FinalMessage) -> None:
        _ = order_id, message
        await hang()


async def main(redis_url: str, server: Any, store: str, point: str) -> None:
    Dying.point = point
    files = FileStore.open(store, min_free_bytes=0)
    async with bot_parts(server, redis_url, files, messenger=Dying) as parts:
        if point == "noted":
            cards = Stopping(parts.services.queues.client, redis_url)
            object.__setattr__(parts.services, "order_cards", cards)
        async with delivering(parts):
            await asyncio.Event().wait()


if __name__ == "__main__":
    redis, url, token, folder, moment = sys.argv[1:]
    asyncio.run(
        main(
            redis,
            SimpleNamespace(token=token, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot"),
            folder,
            moment,
        )
    )
