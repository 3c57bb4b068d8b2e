"""Callback queries and inline queries that the bot has to answer."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
LIFETIME_S = 60.0
QUERIES_KEPT = 10_000


@dataclass(eq=False)
class Query:
    """One query, and its answer once there is one."""

    query_id: str
    kind: Literal["callback", "inline"]
    user_id: int
    text: str
    asked_at: float = field(default_factory=time.monotonic)
    answer: JsonObject | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, timeout_s: float) -> JsonObject | None:
        """Return the answer; None after the timeout, or when the server stops."""
        try:
            await asyncio.wait_for(self.settled.wait(), timeout_s)
        except TimeoutError:
            return None
        return self.answer


class Queries:
    """Queries by id. Each can be answered once, within `LIFETIME_S`."""

    def __init__(self) -> None:
        self._queries: dict[str, Query] = {}

    def ask(self, kind: Literal["callback", "inline"], user_id: int, text: str) -> Query:
        """Add a query."""
        query = Query(str(secrets.randbits(62)), kind, user_id, text)
        self._queries[query.query_id] = query
        if len(self._queries) > QUERIES_KEPT:
            self._queries.pop(next(iter(self._queries)))
        return query

    def find(self, query_id: str) -> Query | None:
        """Return the query of an id."""
        return self._queries.get(query_id)

    def unanswered(self, query_id: str | None, kind: str) -> Query:
        """Return the query that the bot is about to answer.

        Raises:
            ApiError: 400 if it does not exist, has been answered, or is too old.
        """
        query = self._queries.get(query_id or "")
        if query is None or query.kind != kind or query.answer is not None:
            raise bad_request(TOO_OLD)
        if time.monotonic() - query.asked_at > LIFETIME_S:
            raise bad_request(TOO_OLD)
        return query

    def answer(self, query: Query, answer: JsonObject) -> None:
        """Answer a query."""
        query.answer = answer
        query.settled.set()

    def close(self) -> None:
        """End all waiting; the bot may still answer."""
        for query in self._queries.values():
            query.settled.set()
