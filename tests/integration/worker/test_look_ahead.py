"""Somebody who sends a photo hears of it at once, however many videos wait."""

import os
import sys
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from inference.worker.plan import WorkerPlan
from jobs.model import CropBox
from jobs.orders import LookResult, OrderState
from jobs.queues.queues import Queues
from jobs.store.files import FileStore
from tests.integration.worker.conftest import (
    WALL,
    engine_processes,
    look_ordered,
    ordered,
    until,
    working,
)

pytestmark = [
    pytest.mark.local_sockets,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc"),
]

VIDEOS = 200
# Somewhat more than are made on a quick machine while a slow one looks at a photo.
FEW = 20
ASTRONAUT, HER_FACE = "looks/8/photo.png", CropBox(left=170, upper=55, right=276, lower=161)


async def waiting(queues: Queues) -> int:
    counts = [await queues.counts(queue) for queue in ("animate-flow", "animate-still")]
    return sum(one["wait"] + one["prioritized"] for one in counts)


async def test_photo_without_a_face_is_told_while_two_hundred_videos_wait(
    queues: Queues, plan: WorkerPlan, store: FileStore, tmp_path: Path
) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.png")
    await store.put(ASTRONAUT, tmp_path / "astronaut.png")
    orders = [
        await ordered(queues, 2 + person, engine, photo_key=ASTRONAUT, face_box=HER_FACE, draft="8")
        for person in range(VIDEOS // 2)
        for engine in ("still", "flow")
    ]
    async with working(plan, "flow", "still"):
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
    async with working(plan, "flow", "still"):
        await until(queues, look.ref, OrderState.DONE)
        assert engine_processes(os.getpid()) == []
