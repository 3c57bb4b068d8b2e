"""Limits within 24 hours that the queues do not apply: of groups, and of showing all movements.

Orders are counted by id, so that a repeated tap counts once.
"""

from bot.error_text import wait_text
from bot.services import Services
from jobs.connection import queue_errors
from jobs.orders import Lane, Order
from jobs.queues.keys import group_orders_key, show_all_key
from jobs.service_errors import OrderRefused

_DAY_S = 86_400.0


class TooManyShowAlls(OrderRefused):
    """The person has seen all movements as often as the daily limit allows."""

    sentence = (
        "You can see all movements at once {limit} times in 24 hours. Next time in {time}; or "
        "choose one now."
    )


class TooManyGroupOrders(OrderRefused):
    """The group has had as many videos as its daily limit allows."""

    sentence = (
        "This group has reached its limit: {limit} in 24 hours. The next video is possible in "
        "{time}."
    )


class OrderCounts:
    """Counts orders and refuses them.

    Args:
        show_all_per_day: how often a person may see all movements within 24 hours.
    """

    def __init__(self, services: Services, show_all_per_day: int) -> None:
        self._services = services
        self._show_all_per_day = show_all_per_day

    async def take(self, order: Order, chat_id: int) -> None:
        """Count an order, unless it is an admin's.

        Args:
            order: the order.
            chat_id: its chat's current id.

        Raises:
            TooManyGroupOrders, TooManyShowAlls: a limit is reached.
        """
        if order.lane is Lane.EXPRESS:
            return
        try:
            if order.wish.movement.templates:
                key, limit = show_all_key(order.person), self._show_all_per_day
                await self._count(order.order_id, key, limit, TooManyShowAlls)
            if chat_id < 0:
                group = await self._services.group_settings.read(chat_id)
                # The owner's limit is for each group.
                limits = (group.orders_per_day, (await self._services.limits.now()).group_per_day)
                if limit := min(filter(None, limits), default=0):
                    key = group_orders_key(chat_id)
                    await self._count(order.order_id, key, limit, TooManyGroupOrders)
        except OrderRefused:
            await self.give_back(order, chat_id)
            raise

    async def give_back(self, order: Order, chat_id: int) -> None:
        """Take back the count of an order that was refused, or cancelled before it began."""
        with queue_errors(self._services.queues.url):
            async with self._services.queues.client.pipeline(transaction=True) as pipe:
                pipe.zrem(show_all_key(order.person), order.order_id)
                pipe.zrem(group_orders_key(chat_id), order.order_id)
                await pipe.execute()

    async def _count(self, order_id: str, key: str, limit: int, error: type[OrderRefused]) -> None:
        """Count an order under a key; raise the error if its limit is reached."""
        now_s = self._services.clock()
        with queue_errors(self._services.queues.url):
            async with self._services.queues.client.pipeline(transaction=True) as pipe:
                pipe.zremrangebyscore(key, "-inf", now_s - _DAY_S)
                pipe.zadd(key, {order_id: now_s}, nx=True)
                pipe.zrange(key, 0, -1, withscores=True)
                pipe.expire(key, round(_DAY_S))
                _, is_new, taken, _ = await pipe.execute()
        if is_new and len(taken) > limit:
            # The next order is possible when enough of the earlier ones are a day old.
            _, at_s = taken[len(taken) - 1 - limit]
            time = wait_text(at_s + _DAY_S - now_s, self._services.texts)
            raise error(limit=limit, time=time)
