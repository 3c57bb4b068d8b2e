"""A worker does the jobs of the queue `media` beside its videos, in children of the gate."""

from io import BytesIO
from pathlib import Path

import av
import pytest
from PIL import Image

from jobs.media_jobs import MediaJob, MediaResult
from jobs.media_tasks import DrawSheet, Form, MakeForm, MediaTask
from jobs.orders import OrderState
from jobs.queues.keys import MEDIA
from jobs.queues.queues import Queues
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.templates import SHIPPED_TEMPLATES
from tests.integration.worker.conftest import ordered, seen, signs, until, working
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets

RESULT = "results/c2-7-1/1.mp4"


async def asked(queues: Queues, task: MediaTask, name: str = "m-1") -> MediaJob:
    job = MediaJob(job_id=name, person=2, chat=2, task=task)
    await queues.send(job.ref, job, job.person)
    return job


async def made(queues: Queues, job: MediaJob) -> MediaResult:
    status = await until(queues, job.ref, OrderState.DONE)
    assert status.result is not None
    return MediaResult.read(status.result)


async def test_form_and_sheet_are_made_while_an_order_runs(
    queues: Queues, plan: WorkerPlan, store: FileStore, word: Path
) -> None:
    await store.put(RESULT, SHIPPED_TEMPLATES / "blink.mp4")
    file = BytesIO()
    Image.new("RGB", (160, 120), (200, 30, 30)).save(file, "JPEG")
    await store.put("results/c2-7-1/1.jpg", file.getvalue())
    pictures = ("results/c2-7-1/1.jpg", None, "results/gone/1.jpg")
    async with working(plan, "waiting"):
        order = await ordered(queues, 3, "waiting")
        await until(queues, order.ref, OrderState.RUNNING)
        sheet = await made(queues, await asked(queues, DrawSheet(pictures=pictures)))
        form = await asked(queues, MakeForm(form=Form.VIDEO, video=RESULT, is_seamless=True), "m-2")
        video = await made(queues, form)
        (heartbeat,) = await signs(queues.client)
        assert heartbeat.media_tasks == {"form", "sheet", "chart", "template"}
        assert heartbeat.job == order.order_id
        word.touch()
        await until(queues, order.ref, OrderState.DONE)
        assert [path.name for path in plan.place.glob("*/*")] == ["lock"]
    with Image.open(BytesIO(await store.get(sheet.key))) as picture:
        assert picture.size == (sheet.width, sheet.height) == (744, 252)
    assert video.names == ("video.mp4", "thumbnail.jpg")
    content = await store.get(video.key)
    assert len(content) == video.size_bytes
    with av.open(BytesIO(content)) as container:
        assert len(container.streams.audio) == 1
    assert video.duration_s >= 8
    with Image.open(BytesIO(await store.get(video.key_of("thumbnail.jpg")))) as thumbnail:
        assert thumbnail.format == "JPEG"


async def test_result_that_is_gone_or_damaged_is_told(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    await store.put(RESULT, b"no video at all")
    async with working(plan, "still"):
        gone = await asked(queues, MakeForm(form=Form.ROUND, video="results/gone/1.mp4"))
        status = await until(queues, gone.ref, OrderState.FAILED)
        assert isinstance(status.error, FileGone)
        damaged = await asked(queues, MakeForm(form=Form.ROUND, video=RESULT), "m-2")
        status = await until(queues, damaged.ref, OrderState.FAILED)
    assert status.error is not None
    assert "1.mp4" in str(status.error)
    assert [file.key async for file in store.listing("media")] == []


async def test_queue_is_among_the_statistics(queues: Queues, plan: WorkerPlan) -> None:
    async with working(plan, "still"):
        await made(queues, await asked(queues, DrawSheet(pictures=(None,))))
        await seen(lambda: _is_counted(queues))
    assert MEDIA in await queues.all_statistics()


async def _is_counted(queues: Queues) -> bool:
    return (await queues.statistics(MEDIA)).counts["completed"] == 1
