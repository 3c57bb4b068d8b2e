"""A look order: a photo and perhaps a clip go through the gate, and what it made into the store."""

import asyncio
from dataclasses import replace
from pathlib import Path

from inference.media.gate import ClipWish, LookLimits
from inference.media.limits import ClipLimits, PhotoLimits
from jobs.orders import LookOrder, LookResult
from jobs.queues.assignment import Assignment
from jobs.store.files import FileStore
from jobs.store.keys import look_key
from jobs.tasks import end_tasks
from jobs.wish import ClipFindings, PhotoFindings
from worker.look_children import Looks

# Videos are made at niceness 5. Of each person's looks one at a time goes ahead of them, and
# further ones leave the cores to them. Were all of them behind, they would hold the places of
# other people's looks for long.
FURTHER_LOOK_NICENESS = 10


class LookRunner:
    """Where look orders are worked on.

    Args:
        store: where photos and clips come from, and what the gate made goes to.
        looks: the gate.
        clip_max_s: longer clips are cut to this, s.
    """

    def __init__(self, store: FileStore, looks: Looks, clip_max_s: float) -> None:
        self._store = store
        self._looks = looks
        self._ahead: set[int] = set()  # the persons of whom a look runs ahead of videos
        clip = ClipLimits(max_duration_s=clip_max_s)
        self._limits = LookLimits.of_clip(PhotoLimits(), clip, clip_max_s)

    async def look(self, assignment: Assignment, folder: Path) -> LookResult | None:
        """What the gate found; None if the assignment was stopped.

        Args:
            assignment: a `LookOrder`.
            folder: for this order's files alone.

        Raises:
            MediaError: the photo or the clip cannot be used.
            RecordError: the order cannot be read.
            GateFailed, ProcessKilled, StoreError: ours.
        """
        order = LookOrder.read(assignment.text)
        looking = asyncio.ensure_future(self._look(order, folder))
        stopping = asyncio.ensure_future(assignment.stopped())
        try:
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return looking.result() if looking.done() else None
        finally:
            # The gate's children end with the task.
            await end_tasks([looking, stopping])

    async def _look(self, order: LookOrder, folder: Path) -> LookResult:
        is_further = order.person in self._ahead
        limits = replace(self._limits, niceness=FURTHER_LOOK_NICENESS if is_further else 0)
        self._ahead.add(order.person)
        looks = (
            asyncio.ensure_future(self._photo(order.photo_key, folder, limits)),
            asyncio.ensure_future(self._clip(order, folder, limits)),
        )
        try:
            photo, clip = await asyncio.gather(*looks)
        finally:
            if not is_further:
                self._ahead.remove(order.person)
            # Where one of them is of no use, nobody waits for the other.
            await end_tasks(looks)
        return LookResult(
            photo=photo.model_copy(
                update={
                    "file": await self._stored(order, photo.file, "photo.png"),
                    "sheet": await self._stored(order, photo.sheet, "sheet.png"),
                }
            ),
            clip=clip
            and clip.model_copy(update={"file": await self._stored(order, clip.file, "clip.mp4")}),
        )

    async def _stored(self, order: LookOrder, file: str, name: str) -> str:
        """Store a file and return its key."""
        key = look_key(order.draft, f"{order.look_id}-{name}")
        await self._store.put(key, Path(file))
        return key

    async def _photo(self, key: str, folder: Path, limits: LookLimits) -> PhotoFindings:
        source = await self._fetched(key, folder / "photo")
        return await self._looks.photo(source, folder, limits)

    async def _clip(
        self, order: LookOrder, folder: Path, limits: LookLimits
    ) -> ClipFindings | None:
        if order.clip_key is None:
            return None
        source = await self._fetched(order.clip_key, folder / "clip")
        wish = ClipWish(source, order.clip_start_s, order.clip_duration_s)
        return await self._looks.clip(wish, folder, limits)

    async def _fetched(self, key: str, folder: Path) -> Path:
        """The file, under the name that errors tell the person."""
        folder.mkdir()
        path = folder / key.rpartition("/")[2]
        await self._store.fetch(key, path)
        return path
