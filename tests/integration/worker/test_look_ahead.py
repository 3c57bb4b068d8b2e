"""Somebody who sends a photo hears of it at once, however many videos wait."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from inference.media.gate import LookLimits
from inference.process.setup import EngineSetup
from jobs.errors import UnsupportedMedia
from jobs.findings import PhotoFindings
from jobs.model import CropBox
from jobs.orders import LookJob, LookResult, OrderState
from jobs.queues.assignment import Assignment
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from tests.integration.worker.conftest import (
    LIMIT_S,
    PHOTO,
    WALL,
    engine_processes,
    look_ordered,
    ordered,
    until,
    working,
)
from worker.look import FURTHER_LOOK_NICENESS, LookRunner, Looks
from worker.plan import WorkerPlan

pytestmark = [
    pytest.mark.local_sockets,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc"),
]

VIDEOS = 200
# Somewhat more than are made on a quick machine while a slow one looks at a photo.
FEW = 20
ASTRONAUT, HER_FACE = "looks/8/photo.png", CropBox(left=170, upper=55, right=276, lower=161)


async def waiting(queues: Queues) -> int:
    counts = [
        (await queues.statistics(queue)).counts for queue in ("animate-mesh", "animate-still")
    ]
    return sum(one["wait"] + one["prioritized"] for one in counts)


async def test_photo_without_a_face_is_told_while_two_hundred_videos_wait(
    queues: Queues, plan: WorkerPlan, store: FileStore, tmp_path: Path
) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.png")
    await store.put(ASTRONAUT, tmp_path / "astronaut.png")
    orders = [
        await ordered(queues, 2 + person, engine, photo_key=ASTRONAUT, face_box=HER_FACE, draft="8")
        for person in range(VIDEOS // 2)
        for engine in ("still", "mesh")
    ]
    async with working(plan, "mesh", "still"):
        await until(queues, orders[0].ref, OrderState.DONE)
        engines = engine_processes(os.getpid())
        before = await waiting(queues)
        look = await look_ordered(queues, photo_key=WALL)
        found = LookResult.read((await until(queues, look.ref, OrderState.DONE)).result or "")
        after = await waiting(queues)
        assert found.faces == ()
        assert before - after <= FEW < after
        assert engine_processes(os.getpid()) == engines
        assert len(engines) == 1


async def test_look_needs_no_engine(queues: Queues, plan: WorkerPlan) -> None:
    look = await look_ordered(queues)
    async with working(plan, "mesh", "still"):
        await until(queues, look.ref, OrderState.DONE)
        assert engine_processes(os.getpid()) == []


class HeldLooks(Looks):
    """Looks that note how far they stand back, and hold until the test lets one go."""

    def __init__(self) -> None:
        super().__init__(2)
        self.niceness: list[int] = []
        self.held: list[asyncio.Future[None]] = []

    async def photo(
        self,
        path: Path,
        folder: Path,
        limits: LookLimits,
    ) -> PhotoFindings:
        assert folder.is_dir()
        self.niceness.append(limits.niceness)
        self.held.append(asyncio.get_running_loop().create_future())
        await self.held[-1]
        raise UnsupportedMedia(name=path.name)


async def test_further_looks_of_a_person_stand_back_behind_videos(
    store: FileStore, tmp_path: Path
) -> None:
    looks = HeldLooks()
    desk = LookRunner(store, looks, clip_max_s=1)
    tasks: list[asyncio.Task[LookResult | None]] = []

    async def begun(person: int) -> int:
        number = len(tasks)
        order = LookJob(look_id=f"look-{number}", person=person, draft="7", photo_key=PHOTO)
        folder = tmp_path / str(number)
        folder.mkdir()
        assignment = Assignment(order.ref, 1, order.to_json())
        tasks.append(asyncio.create_task(desk.look(assignment, folder)))
        async with asyncio.timeout(LIMIT_S):
            while len(looks.niceness) == number:
                await asyncio.sleep(0.01)
        return looks.niceness[number]

    async def ended(number: int) -> None:
        looks.held[number].set_result(None)
        with pytest.raises(UnsupportedMedia):
            await tasks[number]

    behind_videos = FURTHER_LOOK_NICENESS
    assert EngineSetup.model_fields["niceness"].default < behind_videos
    assert [await begun(2), await begun(2), await begun(3)] == [0, behind_videos, 0]
    await ended(1)
    assert await begun(2) == behind_videos
    await ended(0)
    assert await begun(2) == 0  # one goes on, so that all places are not held for long
    for number in (2, 3, 4):
        await ended(number)
