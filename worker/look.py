"""Look jobs: a photo, and perhaps a clip or a voice, go through the gate and into the store.

Each look is a short-lived child process, under the limits of `inference/media/gate.py`.
"""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from inference.media.gate import (
    ClipPart,
    LookLimits,
    VoicePart,
    start_lead_look,
    start_media_task,
    start_photo_look,
)
from inference.media.limits import ClipLimits
from inference.media.running_look import FILE_NAMES, RunningLook
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.media_tasks import Made, MediaTask
from jobs.orders import LookJob, LookResult
from jobs.queues.assignment import Assignment
from jobs.store.files import FileStore
from jobs.store.keys import clip_key, look_key
from jobs.tasks import end_tasks

FURTHER_LOOK_NICENESS = 10
"""Niceness of a person's further looks; videos are made at 5.

One look of each person takes precedence over videos. If all did, one person could slow down
everybody's videos; if none did, further looks would block other people's for long.
"""

Found = TypeVar("Found", PhotoFindings, ClipFindings, VoiceFindings, Made)


class Looks:
    """Runs a few looks at the same time; others wait. Cancelling a call kills its child.

    All calls raise MediaError if the file cannot be used, GateFailed if the child could not run or
    gave no valid answer, and ProcessKilled if it was killed from outside.

    Args:
        max_concurrent: the most children at a time.
    """

    def __init__(self, max_concurrent: int) -> None:
        self._slots = asyncio.Semaphore(max_concurrent)
        # They only wait for the children.
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix="look")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False)

    async def photo(self, path: Path, folder: Path, limits: LookLimits) -> PhotoFindings:
        """Look at a photo; write `photo.png` and `sheet.png` to `folder`."""
        async with self._slots:
            child = start_photo_look(path, folder, limits)
            return await self._answer(child, PhotoFindings, folder)

    async def clip(self, part: ClipPart, folder: Path, limits: LookLimits) -> ClipFindings:
        """Look at a clip or a part of it; write `clip.mp4` to `folder`."""
        async with self._slots:
            child = start_lead_look(part, folder, limits)
            return await self._answer(child, ClipFindings, folder)

    async def voice(self, part: VoicePart, folder: Path, limits: LookLimits) -> VoiceFindings:
        """Look at a voice message; `voice.m4a` and `voice.npz` go into `folder`."""
        async with self._slots:
            child = start_lead_look(part, folder, limits)
            return await self._answer(child, VoiceFindings, folder)

    async def media(self, task: MediaTask, folder: Path, limits: LookLimits) -> Made:
        """Do a task of the queue `media`, whose files are paths; what it makes is in `folder`."""
        async with self._slots:
            child = start_media_task(task, folder, limits)
            return await self._answer(child, Made, folder)

    async def _answer(self, child: RunningLook, form: type[Found], folder: Path) -> Found:
        """Return the child's answer; the child is gone afterwards in any case."""
        answer: asyncio.Future[Found] | None = None
        try:
            with child:
                loop = asyncio.get_running_loop()
                answer = loop.run_in_executor(self._threads, child.answer, form)
                # A repeated cancellation ends the waiting below; asyncio must not log the outcome.
                answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
                return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # The child is dead, so its thread ends at once; the outcome does not matter.
            if answer is not None:
                await asyncio.wait({answer})
            for name in FILE_NAMES.get(form, {}).values():
                (folder / name).unlink(missing_ok=True)
            raise


class LookRunner:
    """Works on look jobs.

    Args:
        store: source of the files that people sent, target of what the gate wrote.
        looks: runs the gate.
        clip_max_s: longer clips are cut to this, s.
        checkpoints_dir: where the landmark network may lie.
    """

    def __init__(
        self,
        store: FileStore,
        looks: Looks,
        clip_max_s: float,
        checkpoints_dir: Path = Path("checkpoints"),
    ) -> None:
        self._store = store
        self._looks = looks
        self._ahead: set[int] = set()  # people with a look that runs ahead of videos
        limits = LookLimits.for_clips(ClipLimits(max_duration_s=clip_max_s))
        self._limits = replace(limits, checkpoints_dir=checkpoints_dir)

    async def look(self, assignment: Assignment, folder: Path) -> LookResult | None:
        """Return what the gate found; None if the assignment was stopped.

        Args:
            assignment: a `LookJob`.
            folder: for this job's files alone.

        Raises:
            MediaError: the photo, the clip or the voice cannot be used.
            RecordError: the job cannot be read.
            GateFailed, ProcessKilled, StoreError: not the fault of the files.
        """
        job = LookJob.read(assignment.text)
        # The gate's children end with the task.
        return await assignment.unless_stopped(self._look(job, folder))

    async def _look(self, job: LookJob, folder: Path) -> LookResult:
        is_further = job.person in self._ahead
        limits = replace(self._limits, niceness=FURTHER_LOOK_NICENESS if is_further else 0)
        self._ahead.add(job.person)
        looks = (
            asyncio.ensure_future(self._photo(job.photo_key, folder, limits)),
            asyncio.ensure_future(self._clip(job, folder, limits)),
            asyncio.ensure_future(self._voice(job, folder, limits)),
        )
        try:
            photo, clip, voice = await asyncio.gather(*looks)
        finally:
            if not is_further:
                self._ahead.remove(job.person)
            # If one of them cannot be used, the others are not needed.
            await end_tasks(looks)
        files = {
            "file": await self._put_file(job, photo.file, "photo.png"),
            "sheet": await self._put_file(job, photo.sheet, "sheet.png"),
        }
        if clip is not None:
            key = clip_key(job.draft, job.look_id, await asyncio.to_thread(_digest, clip.path))
            await self._store.put(key, clip.path)
            clip = clip.model_copy(update={"file": key})
        if voice is not None:
            of_voice = {
                "file": await self._put_file(job, voice.file, "voice.m4a"),
                "curves": await self._put_file(job, voice.curves, "voice.npz"),
            }
            voice = voice.model_copy(update=of_voice)
        return LookResult(photo=photo.model_copy(update=files), clip=clip, voice=voice)

    async def _photo(self, key: str, folder: Path, limits: LookLimits) -> PhotoFindings:
        source = await self._fetch_file(key, folder / "photo")
        return await self._looks.photo(source, folder, limits)

    async def _clip(self, job: LookJob, folder: Path, limits: LookLimits) -> ClipFindings | None:
        if job.clip_key is None:
            return None
        source = await self._fetch_file(job.clip_key, folder / "clip")
        if job.clip_s is not None:
            most_s = min(job.clip_s, limits.clip.max_duration_s or job.clip_s)
            limits = replace(limits, clip=replace(limits.clip, max_duration_s=most_s))
        return await self._looks.clip(ClipPart(source, job.clip_start_s), folder, limits)

    async def _voice(self, job: LookJob, folder: Path, limits: LookLimits) -> VoiceFindings | None:
        if job.voice_key is None:
            return None
        source = await self._fetch_file(job.voice_key, folder / "voice")
        return await self._looks.voice(VoicePart(source), folder, limits)

    async def _fetch_file(self, key: str, folder: Path) -> Path:
        """Fetch a file, under the name that errors tell the person."""
        folder.mkdir()
        path = folder / key.rpartition("/")[2]
        await self._store.fetch(key, path)
        return path

    async def _put_file(self, job: LookJob, file: str, name: str) -> str:
        """Store a file and return its key."""
        key = look_key(job.draft, f"{job.look_id}-{name}")
        await self._store.put(key, Path(file))
        return key


def _digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
