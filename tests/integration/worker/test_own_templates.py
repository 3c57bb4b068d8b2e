"""A movement of the owner's: one worker checks it, and another one, in its own folder, shows it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from inference.media.video import ClipReader
from jobs.errors import FaceNotFollowed
from jobs.findings import ClipFindings
from jobs.media_jobs import MediaJob, MediaResult
from jobs.media_tasks import CheckTemplate
from jobs.orders import OrderState
from jobs.queues.order_logs import OrderLogs
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from jobs.store.keys import media_key, template_key
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement
from tests.integration.sandbox import media
from tests.integration.worker.conftest import ordered, until, working
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets


async def asked(queues: Queues, name: str) -> MediaJob:
    task = CheckTemplate(clip=media_key(name, "clip.mp4"), clip_s=0.4)
    job = MediaJob(job_id=name, person=2, chat=2, task=task)
    await queues.send(job.ref, job, job.person)
    return job


async def test_one_worker_checks_a_movement_and_another_shows_it(
    queues: Queues, plan: WorkerPlan, store: FileStore, redis: Redis, tmp_path: Path
) -> None:
    await store.put(media_key("tpl-1", "clip.mp4"), SHIPPED_TEMPLATES / "smile.mp4")
    async with working(plan, "still"):
        status = await until(queues, (await asked(queues, "tpl-1")).ref, OrderState.DONE)
    made = MediaResult.read(status.result or "")
    assert made.names == ("preview.mp4", "clip.mp4", "track.npz")
    clip = ClipFindings.model_validate(made.facts["clip"])
    assert (clip.width, clip.frame_count, clip.has_sound) == (clip.height, 10, False)
    # As the bot stores them once the owner has the preview.
    digest = hashlib.sha256(await store.get(made.key_of("clip.mp4"))).hexdigest()
    for name in made.names:
        await store.put(template_key(digest, name), await store.get(made.key_of(name)))
    clip = clip.model_copy(update={"file": template_key(digest, "clip.mp4")})
    movement = Movement(template="boss_smile", clip=clip, frames=10)
    other = replace(plan, place=tmp_path / "another machine")
    async with working(other, "mesh"):
        order = await ordered(queues, 3, "mesh", motion=movement)
        result = (await until(queues, order.ref, OrderState.DONE)).video()
    assert "the clip was measured before" in "\n".join(
        await OrderLogs(redis).last(order.order_id, 1000)
    )
    await store.fetch(result.key, tmp_path / "video.mp4")
    with ClipReader(tmp_path / "video.mp4") as frames:
        shown = list(frames)
    assert len(shown) == 10
    assert np.abs(shown[-1].astype(int) - shown[0]).max() > 10
    assert not result.has_sound


async def test_clip_without_a_face_is_refused(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    await store.put(media_key("tpl-2", "clip.mp4"), media.clip())
    async with working(plan, "still"):
        job = await asked(queues, "tpl-2")
        status = await until(queues, job.ref, OrderState.FAILED)
    assert isinstance(status.error, FaceNotFollowed)
