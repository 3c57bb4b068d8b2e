"""Jobs of the queue `media`: fetch the files, have a child do the task, store what it made."""

from dataclasses import replace
from pathlib import Path

from inference.media.gate import LookLimits
from inference.media.limits import ClipLimits
from jobs.media_jobs import MediaJob, MediaResult
from jobs.media_tasks import DrawSheet, MediaTask
from jobs.queues.assignment import Assignment
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.store.keys import media_key
from worker.look import Looks

# More than any result has.
_LONGEST_S = 120.0
_TIME_S = 300.0


class MediaRunner:
    """Works on the jobs of the queue `media`.

    Args:
        store: source of the files, target of what is made.
        looks: runs the children.
        checkpoints_dir: where the landmark network may lie.
    """

    def __init__(self, store: FileStore, looks: Looks, checkpoints_dir: Path) -> None:
        self._store = store
        self._looks = looks
        limits = LookLimits.for_clips(ClipLimits(max_duration_s=_LONGEST_S))
        self._limits = replace(limits, time_s=_TIME_S, checkpoints_dir=checkpoints_dir)

    async def make(self, assignment: Assignment, folder: Path) -> MediaResult | None:
        """Return what was made and stored; None if the assignment was stopped.

        Args:
            assignment: a `MediaJob`.
            folder: for this job's files alone.

        Raises:
            RecordError: the job cannot be read.
            MediaError: a file cannot be used.
            GateFailed, ProcessKilled, StoreError: not the fault of the files.
        """
        job = MediaJob.read(assignment.text)
        return await assignment.unless_stopped(self._make(job, folder))

    async def _make(self, job: MediaJob, folder: Path) -> MediaResult:
        task = await self._with_files(job.task, folder)
        made = await self._looks.media(task, folder, self._limits)
        for name in made.names:
            await self._store.put(media_key(job.job_id, name), folder / name)
        return MediaResult(job_id=job.job_id, **dict(made))

    async def _with_files(self, task: MediaTask, folder: Path) -> MediaTask:
        """Fetch the task's files and return it with their paths."""
        paths: dict[str, str] = {}
        for number, key in enumerate(task.files):
            path = folder / f"{number}-{key.rpartition('/')[2]}"
            try:
                await self._store.fetch(key, path)
            except FileGone:
                if not isinstance(task, DrawSheet):
                    raise
            else:
                paths[key] = str(path)
        return task.with_files(paths)
