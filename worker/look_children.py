"""The gate for a program that has other things to do meanwhile: looks that are awaited.

    async with Looks(at_once=2) as looks:
        photo = await looks.photo(path, folder)

Each look is the short-lived child of `inference/media/gate.py`, under the same limits, and loads no
model. Whoever cancels the task kills the child.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from inference.media.gate import (
    FILE_NAMES,
    ClipWish,
    LookLimits,
    RunningLook,
    start_clip_look,
    start_photo_look,
)
from jobs.wish import ClipFindings, PhotoFindings

Look = TypeVar("Look", PhotoFindings, ClipFindings)


class Looks:
    """A few looks at once; further ones wait for their turn.

    Args:
        at_once: how many children there are at a time.
    """

    def __init__(self, at_once: int = 2) -> None:
        self._room = asyncio.Semaphore(at_once)
        # They do nothing but wait for the children.
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="look")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False)

    async def photo(
        self,
        path: Path,
        folder: Path,
        limits: LookLimits | None = None,
        *,
        find_faces: bool = True,
    ) -> PhotoFindings:
        """What there is to say of a photo; `photo.png` and `sheet.png` are in `folder` then.

        Args:
            path: the photo as it came.
            folder: for the results; it exists, and no other look uses it at the same time.
            limits: the defaults, if left out.
            find_faces: whether faces are looked for.

        Raises:
            MediaError: it cannot be used; then nothing is left in `folder`.
            GateFailed: the child could not run, or did not answer as it should.
            ProcessKilled: it was killed from outside.
        """
        async with self._room:
            child = start_photo_look(path, folder, limits or LookLimits(), find_faces=find_faces)
            return await self._answer(child, PhotoFindings, folder)

    async def clip(
        self, wish: ClipWish, folder: Path, limits: LookLimits | None = None
    ) -> ClipFindings:
        """What there is to say of a clip or a part of it; `clip.mp4` is in `folder` then.

        Args:
            wish: the clip as it came, and which part of it is wanted.
            folder: for the result; it exists, and no other look at a clip uses it meanwhile.
            limits: the defaults, if left out.

        Raises:
            MediaError: it cannot be used; then nothing is left in `folder`.
            GateFailed: the child could not run, or did not answer as it should.
            ProcessKilled: it was killed from outside.
        """
        async with self._room:
            child = start_clip_look(wish, folder, limits or LookLimits())
            return await self._answer(child, ClipFindings, folder)

    async def _answer(self, child: RunningLook, form: type[Look], folder: Path) -> Look:
        """The child's answer; the child is gone afterwards, however that ends."""
        answer: asyncio.Future[Look] | None = None
        try:
            with child:
                loop = asyncio.get_running_loop()
                answer = loop.run_in_executor(self._threads, child.answer, form)
                return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # Its child is dead, so the thread ends at once; what it finds has no meaning.
            if answer is not None:
                await asyncio.wait({answer})
                answer.exception()
            for name in FILE_NAMES[form].values():
                (folder / name).unlink(missing_ok=True)
            raise
