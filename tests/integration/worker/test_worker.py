"""A worker does what waits: looks at once, videos one after the other, and says how it went."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from redis.asyncio import Redis

from inference.engines.still import StillEngine
from inference.media.video import ClipReader
from jobs.engines import MARK, MEDIA_TASKS, PARTS, VOICE
from jobs.errors import NoFaceInBox, UnknownTemplate, UnsupportedMedia, UserError
from jobs.model import MediaWarning, grid_box
from jobs.orders import LookResult, Order, OrderState
from jobs.queues.heartbeats import WorkerRegistry, WorkerState
from jobs.queues.order_logs import OrderLogs
from jobs.queues.queues import Queues
from jobs.service_errors import BrokenRecord, FileGone, OutdatedOrder
from jobs.show_all import work_frames
from jobs.store.files import FileStore
from jobs.templates import Catalogue
from jobs.wish import Movement
from tests.integration.inference.conftest import FACE_BOX
from tests.integration.worker.conftest import (
    CLIP,
    PHOTO,
    WALL,
    look_ordered,
    ordered,
    seen,
    signs,
    until,
    working,
)
from tests.old_records import old_record
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets


# --- videos ---------------------------------------------------------------------------------------


async def test_order_becomes_a_video_in_the_store_and_nothing_else_is_left(
    queues: Queues, plan: WorkerPlan, redis: Redis, store: FileStore
) -> None:
    order = await ordered(queues, 2)
    async with working(plan, "still"):
        status = await until(queues, order.ref, OrderState.DONE)
        video = status.video()
        await seen(lambda: redis.exists("animato:ewma:cpu:still"))
        assert [path.name for path in plan.place.glob("*/*")] == ["lock"]
    assert video.key == f"results/{order.order_id}/1.mp4"
    path = plan.place.parent / "video.mp4"
    await store.fetch(video.key, path)
    with ClipReader(path) as frames:
        sizes = [frame.shape for frame in frames]
    assert sizes == [(200, 200, 3)] * 75
    assert video.size_bytes == path.stat().st_size
    assert (video.duration_s, video.has_sound, video.engine) == (3.0, False, "still")
    assert (video.width, video.height, video.frame_count) == (200, 200, 75)
    assert video.label == StillEngine.label
    assert video.digital_source_type == StillEngine.digital_source_type
    assert list(plan.place.iterdir()) == []
    assert video.thumbnail_key == f"results/{order.order_id}/1.jpg"
    with Image.open(BytesIO(await store.get(video.thumbnail_key))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (200, 200))


async def test_last_words_about_an_order_are_kept_for_a_day(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    good, bad = await ordered(queues, 2), await ordered(queues, 3, motion=Movement(template="no"))
    async with working(plan, "still"):
        await until(queues, good.ref, OrderState.DONE)
        await until(queues, bad.ref, OrderState.FAILED)
    logs = OrderLogs(redis)
    lines = await logs.last(good.order_id, 1000)
    assert "start 1 by" in lines[0]
    assert "200 x 200 px, 75 frames" in lines[-1]
    assert "UnknownTemplate" in (await logs.last(bad.order_id, 1000))[-1]
    await OrderLogs(redis).add(good.order_id, [f"{number} " + "x" * 5000 for number in range(300)])
    lines = await logs.last(good.order_id, 1000)
    assert (len(lines), lines[0][:4], len(lines[0])) == (200, "100 ", 2000)
    assert 86_000 < await redis.ttl(f"animato:log:{good.order_id}") <= 86_400


async def test_order_that_never_reached_the_engine_has_no_log_lines_of_another(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    async with working(plan, "chatty"):
        good = await ordered(queues, 2, "chatty")
        await until(queues, good.ref, OrderState.DONE)
        bad = await ordered(queues, 3, "chatty", photo_key="looks/7/gone.png")
        await until(queues, bad.ref, OrderState.FAILED)
    logs = OrderLogs(redis)
    assert "printed: a word" in await logs.last(good.order_id, 1000)
    _, ended = await logs.last(bad.order_id, 1000)
    assert "FileGone" in ended


async def test_what_the_gate_made_of_photo_and_clip_can_be_ordered(
    queues: Queues, plan: WorkerPlan
) -> None:
    look = await look_ordered(queues, clip_key=CLIP)
    async with working(replace(plan, clip_max_s=0.4), "mesh"):
        found = LookResult.read((await until(queues, look.ref, OrderState.DONE)).result or "")
        clip = found.clip
        assert clip is not None
        assert (clip.frame_count, len(clip.faces), len(clip.later_faces)) == (10, 1, 9)
        assert (clip.duration_s, clip.has_sound, clip.is_complete) == (0.4, False, True)
        order = await ordered(
            queues,
            2,
            "mesh",
            photo_key=found.photo.file,
            face_box=found.faces[0].box,
            motion=Movement.of_clip(clip),
        )
        status = await until(queues, order.ref, OrderState.DONE)
    assert status.video().duration_s == pytest.approx(0.4)


async def test_several_movements_are_shown_in_one_video_of_the_chosen_face(
    queues: Queues, plan: WorkerPlan, redis: Redis, store: FileStore
) -> None:
    names = ("blink", "wink")
    frames = work_frames([Catalogue.load().get(name) for name in names])
    order = await ordered(queues, 2, "mesh", motion=Movement(templates=names), frames=frames)
    async with working(plan, "mesh"):
        video = (await until(queues, order.ref, OrderState.DONE)).video()
        await seen(lambda: redis.exists("animato:ewma:cpu:mesh"))
    assert (video.width, video.height, video.frame_count) == (478, 236, 80)
    assert (video.duration_s, video.has_sound, video.engine) == (3.2, False, "mesh")
    await store.fetch(video.key, plan.place.parent / "video.mp4")
    with ClipReader(plan.place.parent / "video.mp4") as shown:
        pictures = list(shown)
    assert len(pictures) == 80
    # Both blink at once, and only one of them with both eyes.
    rest, moved = (pictures[index].astype(int) for index in (0, 17))
    left, right = (np.abs(moved - rest)[70:, part].mean() for part in np.s_[:236, 242:])
    assert min(left, right) > 0.5
    assert left != right


async def test_order_that_waits_under_the_engines_former_name_is_made(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    order = await ordered(queues, 2, "flow", face_box=FACE_BOX)
    assert order.ref.queue == "animate-flow"
    plain = json.loads(order.to_json()) | {"engine": "flow"}
    del plain["queue"]
    await redis.hset(order.ref.key, "data", json.dumps(plain))
    async with working(plan, "still", "mesh"):
        video = (await until(queues, order.ref, OrderState.DONE)).video()
    assert (video.engine, video.frame_count) == ("mesh", 75)


async def test_cell_of_the_grid_can_be_ordered_if_it_has_a_face(
    queues: Queues, plan: WorkerPlan
) -> None:
    order = await ordered(queues, 2, "mesh", face_box=grid_box(200, 200, 5))
    empty = await ordered(queues, 3, "mesh", photo_key=WALL, face_box=grid_box(512, 512, 6))
    async with working(plan, "mesh"):
        video = (await until(queues, order.ref, OrderState.DONE)).video()
        refused = await until(queues, empty.ref, OrderState.FAILED)
    assert (video.width, video.height, video.frame_count) == (200, 200, 75)
    assert isinstance(refused.error, NoFaceInBox)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"motion": Movement(template="no_such")}, UnknownTemplate),
        ({"photo_key": "looks/7/gone.png"}, FileGone),
        ({"options": {"checkpoint": "/etc/passwd"}}, BrokenRecord),
    ],
)
async def test_input_that_cannot_be_used_fails_once(
    queues: Queues, plan: WorkerPlan, changes: dict[str, Any], error: type[Exception]
) -> None:
    order = await ordered(queues, 2, **changes)
    async with working(plan, "still"):
        status = await until(queues, order.ref, OrderState.FAILED)
    assert (type(status.error), status.starts) == (error, 1)


async def test_engines_of_one_device_take_turns(
    queues: Queues, plan: WorkerPlan, word: Path
) -> None:
    word.touch()
    orders = [await ordered(queues, 2 + number) for number in range(3)]
    orders += [await ordered(queues, 12 + number, "waiting") for number in range(3)]
    ends = []
    async with working(plan, "still", "waiting"):
        for order in orders:
            status = await until(queues, order.ref, OrderState.DONE)
            ends.append((status.finished_s or 0, order.engine))
            assert status.starts == 1
    engines = [engine for _, engine in sorted(ends)]
    assert engines in (["still", "waiting"] * 3, ["waiting", "still"] * 3)


async def test_two_workers_share_a_queue(
    queues: Queues, plan: WorkerPlan, redis: Redis, word: Path
) -> None:
    orders = [await ordered(queues, 2 + number, "waiting") for number in range(4)]

    async def both_work() -> bool:
        states = [sign.state for sign in await signs(redis)]
        return states == [WorkerState.WORKING] * 2

    async with working(plan, "waiting"), working(plan, "waiting"):
        await seen(both_work)
        counts = (await queues.statistics("animate-waiting")).counts
        assert (counts["active"], counts["prioritized"]) == (2, 2)
        word.touch()
        for order in orders:
            assert (await until(queues, order.ref, OrderState.DONE)).starts == 1


# --- looks ----------------------------------------------------------------------------------------


async def test_look_tells_the_faces_and_stores_photo_and_sheet(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    look, bare = await look_ordered(queues), await look_ordered(queues, "look-2", photo_key=WALL)
    async with working(plan, "still"):
        found = LookResult.read((await until(queues, look.ref, OrderState.DONE)).result or "")
        nothing = LookResult.read((await until(queues, bare.ref, OrderState.DONE)).result or "")
    assert (len(found.faces), found.photo.width, found.photo.height, found.clip) == (
        1,
        200,
        200,
        None,
    )
    assert found.photo.file.startswith("looks/7/look-1-")
    assert await store.get(found.photo.file)
    assert await store.get(found.photo.sheet) != await store.get(found.photo.file)
    assert nothing.faces == ()
    assert await store.get(nothing.photo.sheet) != await store.get(nothing.photo.file)
    assert list(plan.place.iterdir()) == []


async def test_owners_limit_on_clips_shortens_them_but_lengthens_none(
    queues: Queues, plan: WorkerPlan
) -> None:
    async with working(replace(plan, clip_max_s=0.8), "still"):
        for number, (limit_s, frames) in enumerate([(0.4, 10), (60.0, 20)], start=1):
            name = f"look-{number}"
            look = await look_ordered(queues, name, clip_key=CLIP, clip_s=limit_s)
            status = await until(queues, look.ref, OrderState.DONE)
            clip = LookResult.read(status.result or "").clip
            assert clip is not None
            assert clip.frame_count == frames
            assert MediaWarning.CLIP_SHORTENED in clip.warnings


async def test_file_that_is_no_picture_is_told_once(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    await store.put("inputs/8/letter.txt", b"no picture at all")
    look = await look_ordered(queues, photo_key="inputs/8/letter.txt", clip_key=CLIP)
    async with working(plan, "still"):
        status = await until(queues, look.ref, OrderState.FAILED)
    assert (type(status.error), status.starts) == (UnsupportedMedia, 1)
    assert "letter.txt" in str(status.error)


async def test_look_goes_ahead_of_videos_that_wait(queues: Queues, plan: WorkerPlan) -> None:
    orders = [await ordered(queues, 2 + number, "waiting") for number in range(3)]
    async with working(plan, "waiting"):
        await until(queues, orders[0].ref, OrderState.RUNNING)
        look = await look_ordered(queues)
        await until(queues, look.ref, OrderState.DONE)
        counts = (await queues.statistics("animate-waiting")).counts
        assert (counts["active"], counts["prioritized"]) == (1, 2)


# --- the worker itself ----------------------------------------------------------------------------


async def test_signs_of_life_say_what_it_is_and_does(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    async def state() -> WorkerState | None:
        return next((sign.state for sign in await signs(redis)), None)

    async def is_idle() -> bool:
        return await state() is WorkerState.IDLE

    async def is_working() -> bool:
        return await state() is WorkerState.WORKING

    async with working(plan, "steady", "still"):
        await seen(is_idle)
        order = await ordered(queues, 2, "steady")
        await seen(is_working)
        (sign,) = await signs(redis)
        assert (sign.job, sign.device, sign.engine_names) == (
            order.order_id,
            "cpu",
            ("steady", "still"),
        )
        assert [engine.options for engine in sign.engines] == [
            (MARK, PARTS, VOICE, *MEDIA_TASKS)
        ] * 2
        assert sign.free_bytes is not None

        async def tells_its_speed() -> bool:
            return (await signs(redis))[0].frames_per_second is not None

        await seen(tells_its_speed)
        await queues.cancel(order.ref)
        await seen(is_idle)
    assert await WorkerRegistry(redis).living() == []


async def test_worker_is_idle_as_soon_as_a_look_has_ended(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    async def is_idle() -> bool:
        return [sign.state for sign in await signs(redis)] == [WorkerState.IDLE]

    # Only changes are told, and the sign is not renewed in time.
    async with working(replace(plan, beat_s=3600), "still"):
        look = await look_ordered(queues)
        await until(queues, look.ref, OrderState.DONE)
        await seen(is_idle)


async def test_once_ends_when_nothing_waits_any_more(queues: Queues, plan: WorkerPlan) -> None:
    orders = [await ordered(queues, 2 + number) for number in range(2)]
    look = await look_ordered(queues)
    async with working(replace(plan, is_once=True), "still") as worker:
        await worker.ended()
    for ref in (orders[0].ref, orders[1].ref, look.ref):
        status = await queues.status(ref)
        assert status is not None
        assert status.state is OrderState.DONE


async def test_ends_before_it_has_begun(plan: WorkerPlan) -> None:
    async with working(plan, "still") as worker:
        worker.ending.ask()
        await worker.ended()


async def made_old(redis: Redis, order: Order, **changes: Any) -> None:
    """Replaces a waiting order by one as version 1 wrote it."""
    ids = ("order_id", "person", "chat", "draft", "number", "engine")
    same = {name: getattr(order, name) for name in ids}
    plain = old_record("order_of_clip", **same, photo_key=PHOTO, **changes)
    await redis.hset(order.ref.key, "data", json.dumps(plain))


async def test_order_of_an_earlier_version_is_made_or_refused_for_its_person(
    queues: Queues, plan: WorkerPlan, redis: Redis
) -> None:
    box = FACE_BOX.model_dump()
    template, clip = await ordered(queues, 2, "mesh"), await ordered(queues, 3, "mesh")
    motion: dict[str, Any] = {"template": "blink", "clip_key": None, "templates": []}
    await made_old(redis, template, motion=motion, face_box=box, options={})
    await made_old(redis, clip, face_box=box, options={})
    async with working(plan, "mesh"):
        done = await until(queues, template.ref, OrderState.DONE)
        refused = await until(queues, clip.ref, OrderState.FAILED)
    assert done.video().width == 200
    assert (type(refused.error), refused.starts) == (OutdatedOrder, 1)
    assert isinstance(refused.error, UserError)
