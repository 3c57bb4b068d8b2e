"""Questions that the bot has to answer: tapped buttons and inline queries."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"

QUERIES_KEPT = 10_000


@dataclass(eq=False)
class Query:
    """One open question, and its answer once there is one."""

    query_id: str
    kind: Literal["callback", "inline"]
    user_id: int
    text: str
    asked_at: float = field(default_factory=time.monotonic)
    answer: JsonObject | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, timeout_s: float) -> JsonObject | None:
        """The answer, or None if there is none after the time or when the server ends."""
        try:
            await asyncio.wait_for(self.settled.wait(), timeout_s)
        except TimeoutError:
            return None
        return self.answer


class Queries:
    """Open and answered queries by id. Each is answered once, and not too late."""

    def __init__(self) -> None:
        self._queries: dict[str, Query] = {}

    def ask(self, kind: Literal["callback", "inline"], user_id: int, text: str) -> Query:
        """A new question."""
        query = Query(str(secrets.randbits(62)), kind, user_id, text)
        self._queries[query.query_id] = query
        if len(self._queries) > QUERIES_KEPT:
            self._queries.pop(next(iter(self._queries)))
        return query

    def find(self, query_id: str) -> Query | None:
        """The question of this id."""
        return self._queries.get(query_id)

    def unanswered(self, query_id: str | None, kind: str, lifetime_s: float) -> Query:
        """The question that the bot is about to answer.

        Raises:
            ApiError: 400 if it does not exist, has been answered, or is older than that.
        """
        query = self._queries.get(query_id or "")
        if query is None or query.kind != kind or query.answer is not None:
            raise bad_request(TOO_OLD)
        if time.monotonic() - query.asked_at > lifetime_s:
            raise bad_request(TOO_OLD)
        return query

    def answer(self, query: Query, answer: JsonObject) -> None:
        """Settles it."""
        query.answer = answer
        query.settled.set()

    def close(self) -> None:
        """Nobody waits for an answer any more; the bot may still give it."""
        for query in self._queries.values():
            query.settled.set()
