"""Fetches photos, clips and recordings from Telegram into the file store, and has them looked at.

    Intake.begin -> queue `intake` -> Intake.work -> store -> queue `look` (any worker)

It needs only Telegram's file ids, so that deleted files can be fetched again.
"""

import asyncio
import re
from pathlib import PurePosixPath

from pydantic import Field
from telegram.error import BadRequest, NetworkError, RetryAfter

from bot.drafts.draft import Draft
from bot.gateway.rate_limiter import seconds
from bot.gateway.updates import MediaFile
from bot.record_store import BotRecord
from bot.services import Services
from jobs.connection import queue_errors
from jobs.errors import MediaTooLarge
from jobs.orders import DraftId, LookJob
from jobs.queues.admission import PHOTO_LIMITS
from jobs.queues.assignment import Assignment, Later
from jobs.queues.keys import INTAKE, LOOK
from jobs.queues.queue_worker import WorkRules
from jobs.service_errors import FileLost, TelegramSilent
from jobs.tasks import end_tasks
from jobs.wish import Seconds

INTAKE_RULES = WorkRules(max_concurrent=4, most_stalls=1000)

_MB = 1_000_000
# The limit of Telegram's cloud server.
CLOUD_LIMIT_BYTES = 20 * _MB
# A local server has no limit, but several files are in memory at the same time.
LOCAL_LIMIT_BYTES = 200 * _MB
# The names of files in the store; the revision is added, and the suffix may be another one.
_PHOTO, _CLIP, _VOICE = "photo.jpg", "clip.mp4", "voice.ogg"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_TOO_BIG = "file is too big"
_LONGEST_PAUSE_S = 60.0
_MOST_STARTS = 200  # some hours


class IntakeJob(BotRecord):
    """A request to fetch files.

    Attributes:
        draft_id: the files' draft.
        revision: of the draft; if it has changed since, the files are not needed.
        chat_id: where they were sent.
        person_id: who sent them.
        photo: the photo.
        lead: the clip or the recording, or None.
        clip_start_s: where the part of the clip that is used begins, s.
    """

    draft_id: DraftId
    revision: int
    chat_id: int
    person_id: int
    photo: MediaFile
    lead: MediaFile | None = None
    clip_start_s: Seconds = Field(default=0.0, exclude_if=lambda start_s: not start_s)


class Intake:
    """Fetches files.

    Args:
        limit_bytes: larger files are refused.
    """

    def __init__(self, services: Services, limit_bytes: int = CLOUD_LIMIT_BYTES) -> None:
        self._services = services
        self._limit_bytes = limit_bytes

    async def begin(self, draft: Draft) -> None:
        """Request a draft's files, once for each revision.

        Raises:
            TooManyPhotos: too many photos of this person are waiting.
            QueueUnavailable: Redis does not answer.
        """
        job = IntakeJob(
            draft_id=draft.draft_id,
            revision=draft.revision,
            chat_id=draft.chat_id,
            person_id=draft.person_id,
            photo=draft.photo,
            lead=draft.lead,
            clip_start_s=draft.choices.clip_start_s,
        )
        await self._services.queues.send(draft.job(INTAKE), job, draft.person_id, PHOTO_LIMITS)

    async def work(self, assignment: Assignment) -> None:
        """Fetch the files of one draft.

        Raises:
            Later: Telegram does not answer.
            MediaError: a file is too large or gone.
            StoreError: it cannot be stored.
        """
        job = IntakeJob.read(assignment.text)
        draft = await self._services.drafts.read(job.draft_id)
        if draft is None or draft.revision != job.revision:
            return
        wanted = [(job.photo, _PHOTO)]
        if job.lead is not None:
            wanted.append((job.lead, _VOICE if job.lead.is_voice else _CLIP))
        fetching = [
            asyncio.ensure_future(self._fetch_and_store(job, file, default, assignment))
            for file, default in wanted
        ]
        try:
            photo_key, *further_keys = await asyncio.gather(*fetching)
        finally:
            # If one fails, the other is not awaited.
            await end_tasks(fetching)
        further_key = next(iter(further_keys), None)
        is_voice = job.lead is not None and job.lead.is_voice
        look = LookJob(
            look_id=draft.job(LOOK).job_id,
            person=job.person_id,
            draft=job.draft_id,
            photo_key=photo_key,
            clip_key=None if is_voice else further_key,
            voice_key=further_key if is_voice else None,
            clip_s=(await self._services.limits.changed()).clip_s if job.lead else None,
            clip_start_s=0.0 if is_voice else job.clip_start_s,
        )
        await self._services.queues.send(look.ref, look, job.person_id, follows=assignment.ref)

    async def _fetch_and_store(
        self, job: IntakeJob, file: MediaFile, default: str, assignment: Assignment
    ) -> str:
        """Fetch and store a file; return its key."""
        check_size(file, file.size_bytes or 0, self._limit_bytes)
        try:
            content = await self._services.messenger.download(file.file_id)
        except BadRequest as error:
            if _TOO_BIG in str(error).lower():
                raise _too_large(file, file.size_bytes or 0, self._limit_bytes) from error
            raise FileLost(name=file.name) from error
        except RetryAfter as error:
            raise Later(seconds(error.retry_after)) from error
        except NetworkError as error:
            if assignment.start_number >= _MOST_STARTS:
                raise TelegramSilent(name=file.name) from error
            raise Later(min(_LONGEST_PAUSE_S, 2.0**assignment.start_number)) from error
        check_size(file, len(content), self._limit_bytes)
        name = name_in_store(file.name, default, job.revision)
        services = self._services
        with queue_errors(services.queues.url):
            return await services.retention.put_input(job.draft_id, name, content, services.clock())


def check_size(file: MediaFile, size_bytes: int, limit_bytes: int) -> None:
    """Raise if a file is too large.

    Raises:
        MediaTooLarge: it is.
    """
    if size_bytes > limit_bytes:
        raise _too_large(file, size_bytes, limit_bytes)


def _too_large(file: MediaFile, size_bytes: int, limit_bytes: int) -> MediaTooLarge:
    size_mb = max(size_bytes, limit_bytes + _MB // 10) / _MB
    return MediaTooLarge(name=file.name, size_mb=round(size_mb, 1), limit_mb=limit_bytes // _MB)


def name_in_store(name: str, default: str, revision: int) -> str:
    """Return a file's name in the store, such as `photo-1.png`.

    Args:
        name: the person's name for it; only a valid suffix is used.
        default: `photo.jpg`, `clip.mp4` or `voice.ogg`.
        revision: of the draft, so that the files of different revisions never mix.
    """
    ours = PurePosixPath(default)
    suffix = PurePosixPath(name).suffix
    return f"{ours.stem}-{revision}{suffix if _SUFFIX.fullmatch(suffix) else ours.suffix}"


def is_lead_in_store(name: str) -> bool:
    """Whether `name_in_store` returned a name for a clip or a recording."""
    return name.startswith(tuple(f"{PurePosixPath(default).stem}-" for default in (_CLIP, _VOICE)))
