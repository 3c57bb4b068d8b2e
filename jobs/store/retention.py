"""How long files are kept: a deadline for each draft's and each order's folder, in Redis.

    a photo comes        put_input    it lives for `input_s`
    a tap                touch        its draft's photo and clip live on for as long
    an order is open     keep         and at least as long as that, however long the queue is
    Delete               forget       they go at once
    a result is sent     delivered    it goes after `result_s`, and what other attempts left at once

A folder without a deadline is kept: a result that was never delivered is never swept. Only photos,
clips and results that are nobody's any more are looked for without one (`sweep_leaks`). Redis is
asked before anything is deleted and told afterwards, so that a sweep that is killed is simply done
again. `jobs/cleaning.py` calls the sweeps, and `keep`.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from redis.asyncio import Redis

from jobs.service_errors import StoreError
from jobs.store.files import FileStore
from jobs.store.keys import (
    INPUTS,
    LOOKS,
    RESULTS,
    draft_folders,
    folder_of,
    input_key,
    order_of,
    result_folder,
)

log = logging.getLogger(__name__)

EXPIRY_KEY = "animato:expiry"
_BATCH = 100
_DAY_S = 86_400.0
_LATE_S = 3600.0
# A store that refuses so many folders in a row is down, and the rest is left for the next sweep.
_FAILURES_IN_A_ROW = 3
# A tap may have come while the files were deleted; then there may be new ones.
_FORGET_IF_DUE = """
local deadline = redis.call('ZSCORE', KEYS[1], ARGV[1])
if deadline and tonumber(deadline) <= tonumber(ARGV[2]) then
    return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
"""

AreKnown = Callable[[Sequence[str]], Awaitable[list[bool]]]
"""Called with orders; whether anything is still stored of each."""


@dataclass(frozen=True)
class Swept:
    """What a sweep has done.

    Attributes:
        folders: how many of them were deleted.
        files: how many files were in them.
        failed: how many folders the store would not delete; they are tried again by the next one.
    """

    folders: int = 0
    files: int = 0
    failed: int = 0


class Retention:
    """The deadlines, and the sweeps that keep them. Moments are Unix times, given by the caller.

    Args:
        redis: where the deadlines are; its errors are not translated here.
        store: where the files are.
        input_s: a photo and a clip live so long after the last tap of their draft, s.
        result_s: a result lives so long after its delivery, s.
    """

    def __init__(self, redis: Redis, store: FileStore, *, input_s: float, result_s: float) -> None:
        self._redis = redis
        self._store = store
        self._input_s = input_s
        self._result_s = result_s
        self._forget_if_due = redis.register_script(_FORGET_IF_DUE)

    # --- deadlines --------------------------------------------------------------------------------

    async def put_input(self, draft: str, name: str, content: Path | bytes, now: float) -> str:
        """Stores a photo or a clip as it came, with a deadline from the first moment; its key.

        What the gate makes of it has the same deadline.

        Raises:
            OSError: the file at the path `content` cannot be read.
            StoreError: it cannot be stored.
            ValueError: `draft` or `name` cannot be a part of a key.
        """
        key = input_key(draft, name)
        await self.touch(draft, now)
        await self._store.put(key, content)
        return key

    async def touch(self, draft: str, now: float) -> None:
        """A tap: the draft's files live on for `input_s`. A longer life is not shortened."""
        await self._live_until(draft_folders(draft), now + self._input_s)

    async def keep(self, draft: str, until: float) -> None:
        """The draft's files live at least until then: an order that needs them is still open.

        Whoever sees to the open orders renews this for as long as there is one, so that nothing is
        kept for ever because of an order that has vanished.
        """
        await self._live_until(draft_folders(draft), until)

    async def delivered(self, order: str, now: float, result: str = "") -> None:
        """The order is done with: its result lives for `result_s`, other attempts' go at once.

        Args:
            order: the order, delivered or failed for good.
            now: this moment.
            result: the key of the result; empty: there is none, and all go at once.

        Raises:
            StoreUnavailable: the store does not answer or refuses; the deadline holds all the same.
        """
        folder = result_folder(order)
        await self._redis.zadd(EXPIRY_KEY, {folder: now + self._result_s})
        found = [file.key async for file in self._store.listing(folder)]
        await self._store.delete(key for key in found if key != result)

    async def forget(self, draft: str, now: float) -> None:
        """Delete: the draft's files go at once.

        Raises:
            StoreUnavailable: the store does not answer or refuses; the next sweep tries again.
        """
        folders = draft_folders(draft)
        # First of all, so that it is done even when we are killed meanwhile.
        await self._redis.zadd(EXPIRY_KEY, dict.fromkeys(folders, 0))
        for folder in folders:
            await self._delete(folder, now)
        # A look may be under way that puts its files there in a moment: the next sweeps take them.
        await self._live_until(folders, now + _LATE_S)

    # --- sweeps -----------------------------------------------------------------------------------

    async def sweep(self, now: float) -> Swept:
        """Deletes every folder whose deadline has passed, and then the deadline.

        Folders that the store would not delete are told in the result and in the log.

        Raises:
            StoreUnavailable: the store's own folder is gone.
        """
        # On a disk that is not there, nothing is found: the deadlines would go and the files stay.
        self._store.free_bytes()
        swept, failures_in_a_row = Swept(), 0
        while failures_in_a_row < _FAILURES_IN_A_ROW:
            found = await self._redis.zrangebyscore(
                EXPIRY_KEY, "-inf", now, start=swept.failed, num=_BATCH
            )
            due = [str(folder) for folder in found]
            if not due:
                break
            for folder in due:
                try:
                    files = await self._delete(folder, now)
                except StoreError as exc:
                    log.warning("%s is due and could not be deleted: %s", folder, exc)
                    swept = Swept(swept.folders, swept.files, swept.failed + 1)
                    failures_in_a_row += 1
                    if failures_in_a_row == _FAILURES_IN_A_ROW:
                        break
                else:
                    swept = Swept(swept.folders + 1, swept.files + files, swept.failed)
                    failures_in_a_row = 0
        return swept

    async def sweep_leaks(self, now: float, are_known: AreKnown) -> Swept:
        """Deletes files that are too old to be anybody's and have no deadline.

        They are older than the longest deadline and a day. Of the results, only those go whose
        order is not known any more: it was cancelled after a start, or its delivery was the last
        thing that the bot did. To be called now and then: all that is in the store is listed.

        Args:
            now: this moment.
            are_known: asked about the orders of old results.

        Raises:
            StoreUnavailable: the store does not answer or refuses.
        """
        before = now - max(self._input_s, self._result_s) - _DAY_S
        swept = Swept(files=await self._store.clear_unfinished(before))
        for room in (INPUTS, LOOKS, RESULTS):
            old = [file.key async for file in self._store.listing(room) if file.modified_s < before]
            for folders in _batches(sorted(old)):
                if room == RESULTS:
                    known = await are_known([order_of(folder) for folder in folders])
                    for folder, is_known in zip(tuple(folders), known, strict=True):
                        if is_known:
                            del folders[folder]
                deleted = await self._delete_leaks(folders)
                swept = Swept(swept.folders + deleted.folders, swept.files + deleted.files)
        if swept.files:
            log.warning("%d files without a deadline were found and deleted", swept.files)
        return swept

    # --- inside -----------------------------------------------------------------------------------

    async def _live_until(self, folders: Iterable[str], deadline: float) -> None:
        await self._redis.zadd(EXPIRY_KEY, dict.fromkeys(folders, deadline), gt=True)

    async def _delete(self, folder: str, now: float) -> int:
        """Deletes a folder and then its deadline, if that still is over; the number of files."""
        keys = [file.key async for file in self._store.listing(folder)]
        await self._store.delete(keys)
        await self._forget_if_due(keys=[EXPIRY_KEY], args=[folder, now])
        return len(keys)

    async def _delete_leaks(self, folders: dict[str, list[str]]) -> Swept:
        """Deletes the given files of those folders that have no deadline."""
        if not folders:
            return Swept()
        deadlines = await self._redis.zmscore(EXPIRY_KEY, list(folders))
        leaks = [
            folder for folder, deadline in zip(folders, deadlines, strict=True) if deadline is None
        ]
        keys = [key for folder in leaks for key in folders[folder]]
        await self._store.delete(keys)
        return Swept(len(leaks), len(keys))


def _batches(keys: list[str]) -> list[dict[str, list[str]]]:
    """Sorted keys by their folders, so many folders at a time."""
    folders = [(folder, list(files)) for folder, files in groupby(keys, folder_of)]
    return [dict(folders[start : start + _BATCH]) for start in range(0, len(folders), _BATCH)]
