"""How long files are kept: a deadline in Redis for the folder of each draft and each order.

    a photo arrives      put_input        its draft's files are kept for `input_s`
    a tap                touch            they are kept for `input_s` from now
    a clip is looked at  hold             its track is kept as long as a draft with the clip
    an order is open     keep             they are kept while it is open, however long the queue is
    Delete               forget           they are deleted at once
    a result is sent     record_delivery  kept for `result_s`; other attempts' files are deleted
    a media job is sent  touch_media      its files are kept for `input_s` ...
    ... and delivered    forget_media     ... and deleted

A folder without a deadline is kept: a result that was not delivered is never deleted, unless its
order is no longer known (`sweep_leaks`). Deadlines are removed after the files, so that a sweep
that is killed is simply repeated. `jobs/cleaning.py` calls the sweeps, and `keep`.
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
    MEDIA_FILES,
    RESULTS,
    TRACKS,
    draft_folders,
    folder_of,
    input_key,
    media_folder,
    order_of,
    result_folder,
    track_key,
)

log = logging.getLogger(__name__)

EXPIRY_KEY = "animato:expiry"
_HOLDERS = "animato:holders:"  # the drafts that hold the clip of a track; its folder follows
_BATCH = 100
_DAY_S = 86_400.0
_LATE_S = 3600.0
# After this many failures in a row, the store is down: the rest is left to the next sweep.
_FAILURES_IN_A_ROW = 3
# A tap may have come while the files were deleted; then there may be new files.
_FORGET_IF_DUE = """
local deadline = redis.call('ZSCORE', KEYS[1], ARGV[1])
if deadline and tonumber(deadline) <= tonumber(ARGV[2]) then
    return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
"""

AreKnown = Callable[[Sequence[str]], Awaitable[list[bool]]]
"""Called with orders; returns for each whether it is still in a queue."""


@dataclass(frozen=True)
class Swept:
    """What a sweep deleted.

    Attributes:
        folders: the number of deleted folders.
        files: the number of files in them.
        failed: the number of folders that the store refused to delete; the next sweep retries.
    """

    folders: int = 0
    files: int = 0
    failed: int = 0


class Retention:
    """The deadlines, and the sweeps that enforce them. All times are unix times.

    Args:
        redis: keeps the deadlines; its errors are not translated here.
        store: keeps the files.
        input_s: how long a draft's files are kept after its last tap, s.
        result_s: how long a result is kept after its delivery, s.
    """

    def __init__(self, redis: Redis, store: FileStore, *, input_s: float, result_s: float) -> None:
        self._redis = redis
        self._store = store
        self._input_s = input_s
        self._result_s = result_s
        self._forget_if_due = redis.register_script(_FORGET_IF_DUE)

    # --- deadlines --------------------------------------------------------------------------------

    async def put_input(self, draft: str, name: str, content: Path | bytes, now: float) -> str:
        """Set the deadline of a draft, store a photo or a clip as it was sent, return its key.

        Raises:
            OSError: the file at the path `content` cannot be read.
            StoreError: it cannot be stored.
            ValueError: `draft` or `name` is not valid in a key.
        """
        key = input_key(draft, name)
        await self.touch(draft, now)
        await self._store.put(key, content)
        return key

    async def touch(self, draft: str, now: float) -> None:
        """Keep the draft's files for `input_s` from now. A later deadline is not moved."""
        await self._live_until(draft_folders(draft), now + self._input_s)

    async def keep(self, draft: str, until: float) -> None:
        """Keep the draft's files at least until `until`, because an order needs them.

        The caller repeats this while the order is open, so that an order that has vanished does
        not keep files forever.
        """
        await self._live_until(draft_folders(draft), until)

    async def hold(self, draft: str, clip: str, now: float) -> None:
        """Keep a clip's track as long as the draft, and as long as other drafts with that clip.

        Call this before a worker can store the track.

        Args:
            draft: it has the clip.
            clip: the key of the normalised clip.
            now: unix time.
        """
        track = track_key(clip)
        if track is not None:
            # First, so that the track has a deadline whatever happens.
            await self._live_until([folder_of(track)], now + self._input_s)
            await self._redis.sadd(_HOLDERS + folder_of(track), draft)

    async def touch_media(self, job: str, now: float) -> None:
        """Keep the files of a job of the queue `media` for `input_s` from now."""
        await self._live_until([media_folder(job)], now + self._input_s)

    async def forget_media(self, job: str, now: float) -> None:
        """Delete the files of a job of the queue `media` at once.

        Raises:
            StoreUnavailable: the store does not answer or refuses; the next sweep retries.
        """
        await self._redis.zadd(EXPIRY_KEY, {media_folder(job): 0})
        await self._delete(media_folder(job), now)

    async def record_delivery(self, order: str, now: float, *kept: str) -> None:
        """Keep the result of an order for `result_s`; delete other attempts' files at once.

        Args:
            order: the order, delivered or failed for good.
            now: unix time.
            kept: the keys of the result and its thumbnail; without any, all files are deleted.

        Raises:
            StoreUnavailable: the store does not answer or refuses; the deadline is set anyway.
        """
        folder = result_folder(order)
        await self._redis.zadd(EXPIRY_KEY, {folder: now + self._result_s})
        found = [file.key async for file in self._store.listing(folder)]
        await self._store.delete(key for key in found if key not in kept)

    async def forget(self, draft: str, now: float) -> None:
        """Delete the draft's files at once.

        Raises:
            StoreUnavailable: the store does not answer or refuses; the next sweep retries.
        """
        folders = draft_folders(draft)
        # First, so that the next sweep deletes them if we are killed meanwhile.
        await self._redis.zadd(EXPIRY_KEY, dict.fromkeys(folders, 0))
        for folder in folders:
            await self._delete(folder, now)
        # A look in progress may still store files there: later sweeps delete them.
        await self._live_until(folders, now + _LATE_S)

    # --- sweeps -----------------------------------------------------------------------------------

    async def sweep(self, now: float) -> Swept:
        """Delete every folder whose deadline has passed, and then the deadline.

        Folders that the store refuses to delete are counted in the result and logged.

        Raises:
            StoreUnavailable: the store's folder is gone.
        """
        # On an unmounted disk no files are found: the deadlines would go and the files stay.
        self._store.free_bytes()
        folders = files = failed = failures_in_a_row = 0
        while failures_in_a_row < _FAILURES_IN_A_ROW:
            # One at a time: those that could not be deleted are skipped.
            due = await self._redis.zrangebyscore(EXPIRY_KEY, "-inf", now, start=failed, num=1)
            if not due:
                break
            folder = str(due[0])
            if folder.startswith(f"{TRACKS}/") and await self._is_held(folder, now):
                continue
            try:
                files += await self._delete(folder, now)
            except StoreError as exc:
                log.warning("%s is due and could not be deleted: %s", folder, exc)
                failed, failures_in_a_row = failed + 1, failures_in_a_row + 1
            else:
                folders, failures_in_a_row = folders + 1, 0
        return Swept(folders, files, failed)

    async def sweep_leaks(self, now: float, are_known: AreKnown) -> Swept:
        """Delete files without a deadline that are a day older than the longest deadline.

        Results are deleted only if their order is no longer known: it was cancelled after a start,
        or the bot was killed right after the delivery. This lists the whole store, so call it
        rarely.

        Args:
            now: unix time.
            are_known: called with the orders of old results.

        Raises:
            StoreUnavailable: the store does not answer or refuses.
        """
        before = now - max(self._input_s, self._result_s) - _DAY_S
        swept = Swept(files=await self._store.clear_unfinished(before))
        for top in (INPUTS, LOOKS, TRACKS, MEDIA_FILES, RESULTS):
            old = [file.key async for file in self._store.listing(top) if file.modified_s < before]
            for folders in _batches(sorted(old)):
                if top == RESULTS:
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
        """Delete a folder, then its deadline if it is still past; return the number of files."""
        keys = [file.key async for file in self._store.listing(folder)]
        # First, so that after a kill the clips' keys still tell which tracks are to be released.
        for track in {folder_of(key) for key in map(track_key, keys) if key}:
            await self._release(track, folder.split("/")[1], now)
        await self._store.delete(keys)
        await self._forget_if_due(keys=[EXPIRY_KEY], args=[folder, now])
        return len(keys)

    async def _release(self, track: str, draft: str, now: float) -> None:
        """Delete the track of a deleted draft's clip, unless other drafts hold that clip."""
        await self._redis.srem(_HOLDERS + track, draft)
        if not await self._is_held(track, now):
            await self._store.delete([file.key async for file in self._store.listing(track)])
            # A render in progress may still store it.
            await self._redis.zadd(EXPIRY_KEY, {track: now + _LATE_S})

    async def _is_held(self, track: str, now: float) -> bool:
        """Whether a draft still holds the clip of a track.

        Then the track gets the deadline of that draft, which may have been moved since `hold`.
        """
        drafts = await self._redis.smembers(_HOLDERS + track)
        folders = [draft_folders(str(draft))[1] for draft in drafts]
        deadlines = await self._redis.zmscore(EXPIRY_KEY, folders) if folders else []
        latest = max((deadline for deadline in deadlines if deadline), default=0.0)
        if latest > now:
            await self._redis.zadd(EXPIRY_KEY, {track: latest})
            return True
        await self._redis.delete(_HOLDERS + track)
        return False

    async def _delete_leaks(self, folders: dict[str, list[str]]) -> Swept:
        """Delete the given files of folders that have no deadline."""
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
    """Group sorted keys by folder, in batches of folders."""
    folders = [(folder, list(files)) for folder, files in groupby(keys, folder_of)]
    return [dict(folders[start : start + _BATCH]) for start in range(0, len(folders), _BATCH)]
