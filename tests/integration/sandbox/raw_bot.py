"""A bot without a library: what goes over the wire, as it is."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from sandbox.server import Sandbox


@dataclass(frozen=True)
class Answer:
    """Status and body of one call."""

    status: int
    body: Any

    @property
    def error(self) -> str:
        """The description of a refusal."""
        assert not self.body["ok"]
        assert self.body["error_code"] == self.status
        text: str = self.body["description"]
        return text


@dataclass(frozen=True)
class RawBot:
    """Calls methods with JSON bodies."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def ask(self, method: str, **parameters: object) -> Answer:
        """One call, however it ends."""
        address = f"{self.sandbox.base_url}{self.sandbox.token}/{method}"
        async with self.session.post(address, json=parameters) as response:
            return Answer(response.status, await response.json())

    async def call(self, method: str, **parameters: object) -> Any:
        """The result of a call that succeeds."""
        answer = await self.ask(method, **parameters)
        assert answer.status == 200, answer.body
        return answer.body["result"]
