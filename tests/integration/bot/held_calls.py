"""Calls of the bot that a test holds back, as a slow connection does."""

import asyncio
from typing import Any

from bot.gateway.rate_limiter import Callback, ChatRateLimiter


class Held:
    """A call that is held back; `is_here` is set once it has its turn."""

    def __init__(self) -> None:
        self.is_here = asyncio.Event()
        self._go = asyncio.Event()

    def let_go(self) -> None:
        self._go.set()

    async def made(self, call: Callback, *args: Any, **kwargs: Any) -> Any:
        self.is_here.set()
        await self._go.wait()
        return await call(*args, **kwargs)


class HoldingLimiter(ChatRateLimiter):
    """A rate limiter whose calls can be held back when they have their turn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: dict[str, Held] = {}

    def hold(self, endpoint: str) -> Held:
        """Holds the next call of this method back."""
        self._held[endpoint] = held = Held()
        return held

    async def process_request(
        self,
        callback: Callback,
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: dict[str, Any] | None,
    ) -> Any:
        call, held = callback, self._held.pop(endpoint, None)
        if held is not None:

            async def call(*args: Any, **kwargs: Any) -> Any:
                return await held.made(callback, *args, **kwargs)

        return await super().process_request(call, args, kwargs, endpoint, data, rate_limit_args)
