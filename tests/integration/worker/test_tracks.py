"""The track of a clip is measured by the first render and found by every later one."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from inference.arrays import Picture
from inference.media.video import ClipReader
from inference.mesh.track import read_track, write_track
from jobs.errors import Cancelled
from jobs.orders import LookResult, Order, OrderState, Result
from jobs.queues.order_logs import OrderLogs
from jobs.queues.queues import Queues
from jobs.service_errors import StoreUnavailable
from jobs.store.address import StoreTimeouts, open_address
from jobs.store.files import FileStore
from jobs.store.keys import clip_key, track_key
from jobs.wish import Movement
from tests.integration.worker.conftest import CLIP, PHOTO, look_ordered, ordered, until, working
from tests.wishes import make_clip, make_wish
from worker.order_files import MAX_TRACK_BYTES, order_files
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets

CLIP_FILE = clip_key("7", "look-7-1", "ab" * 32)
TRACK = f"tracks/{'ab' * 32}/track.npz"


@pytest.fixture
async def queues(valkey: str) -> AsyncIterator[Queues]:
    async with Queues(valkey, ["mesh"]) as opened:
        yield opened


@pytest.fixture
def plan(plan: WorkerPlan) -> WorkerPlan:
    return replace(plan, clip_max_s=0.4)


# --- orders ---------------------------------------------------------------------------------------


async def looked_at(queues: Queues, draft: str) -> LookResult:
    """What the gate finds in a draft's photo and clip."""
    look = await look_ordered(queues, f"look-{draft}-1", draft=draft, clip_key=CLIP)
    return LookResult.read((await until(queues, look.ref, OrderState.DONE)).result or "")


async def followed(queues: Queues, person: int, look: LookResult) -> tuple[Order, Result]:
    """A person's order of a photo that follows a clip, and its video."""
    assert look.clip is not None
    order = await ordered(
        queues,
        person,
        "mesh",
        photo_key=look.photo.file,
        face_box=look.faces[0].box,
        motion=Movement.of_clip(look.clip),
    )
    return order, (await until(queues, order.ref, OrderState.DONE)).video()


async def frames_of(result: Result, store: FileStore, folder: Path) -> list[Picture]:
    await store.fetch(result.key, folder / "video.mp4")
    with ClipReader(folder / "video.mp4") as frames:
        return list(frames)


async def tracks(store: FileStore) -> list[str]:
    return [file.key async for file in store.listing("tracks")]


async def test_clip_of_two_drafts_is_measured_once(
    queues: Queues, plan: WorkerPlan, redis: Redis, store: FileStore, tmp_path: Path
) -> None:
    async with working(plan, "mesh"):
        one, other = [await looked_at(queues, draft) for draft in ("7", "8")]
        assert one.clip is not None
        assert other.clip is not None
        key = track_key(one.clip.file)
        assert key == track_key(other.clip.file)
        first, video = await followed(queues, 2, one)
        assert await tracks(store) == [key]

        # A movement that the clip does not show.
        path = tmp_path / "track.npz"
        await store.fetch(str(key), path)
        measured = read_track(path)
        write_track(replace(measured, turn=measured.turn + np.float32(0.3)), path)
        await store.put(str(key), path)
        second, turned = await followed(queues, 3, other)

    shown = await frames_of(video, store, tmp_path)
    moved = await frames_of(turned, store, tmp_path)
    assert len(moved) == len(shown) == measured.frame_count
    assert np.abs(moved[5].astype(int) - shown[5]).mean() > 1
    logs = OrderLogs(redis)
    told = "the clip was measured before"
    assert told not in "\n".join(await logs.last(first.order_id, 1000))
    assert told in "\n".join(await logs.last(second.order_id, 1000))
    assert await store.get(str(key)) == path.read_bytes()


async def test_clips_key_ends_in_the_digest_of_the_file(
    queues: Queues, plan: WorkerPlan, store: FileStore
) -> None:
    async with working(plan, "mesh"):
        look = await looked_at(queues, "7")
    assert look.clip is not None
    digest = hashlib.sha256(await store.get(look.clip.file)).hexdigest()
    assert look.clip.file == clip_key("7", "look-7-1", digest)


async def test_stored_file_that_is_no_track_is_replaced(
    queues: Queues, plan: WorkerPlan, store: FileStore, tmp_path: Path
) -> None:
    async with working(plan, "mesh"):
        look = await looked_at(queues, "7")
        assert look.clip is not None
        key = str(track_key(look.clip.file))
        contents = b"PK\x03\x04 no archive", b"", bytes(MAX_TRACK_BYTES + 1)
        for person, content in enumerate(contents, start=2):
            await store.put(key, content)
            await followed(queues, person, look)
            await store.fetch(key, tmp_path / "track.npz")
            assert read_track(tmp_path / "track.npz").frame_count == look.clip.frame_count


# --- the store ------------------------------------------------------------------------------------


class BrokenStore(FileStore):
    """A store that goes away when tracks are asked for."""

    async def fetch(self, key: str, path: Path) -> None:
        if key == TRACK:
            raise StoreUnavailable(place=key, reason=str(path))
        await super().fetch(key, path)

    async def put(self, key: str, content: Path | bytes) -> None:
        raise StoreUnavailable(place=key, reason=repr(content))


async def rendered(
    store: FileStore,
    folder: Path,
    track: bytes | None,
    clip: str = CLIP_FILE,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> bytes | None:
    """Acts as an engine that writes a track or none; returns what was there before."""
    wish = make_wish(PHOTO, Movement.of_clip(make_clip(clip)))
    async with order_files(wish, store, folder) as local:
        assert local.clip is not None
        path = local.clip.path.with_suffix(".npz")
        before = path.read_bytes() if path.exists() else None
        if track is not None:
            part = path.with_suffix(".part")
            part.write_bytes(track)
            part.replace(path)
        if meanwhile is not None:
            await meanwhile()
    return before


async def test_track_is_fetched_and_not_stored_again(store: FileStore, tmp_path: Path) -> None:
    await store.put(CLIP_FILE, b"clip")
    await store.put(TRACK, b"track")
    stored = Path(store.place, TRACK).stat()
    assert await rendered(store, tmp_path, None) == b"track"
    assert Path(store.place, TRACK).stat() == stored


async def test_track_that_was_written_is_stored(store: FileStore, tmp_path: Path) -> None:
    await store.put(CLIP_FILE, b"clip")
    assert await rendered(store, tmp_path, b"new") is None
    assert await store.get(TRACK) == b"new"


async def test_track_of_a_clip_that_was_deleted_meanwhile_is_not_stored(
    store: FileStore, tmp_path: Path
) -> None:
    await store.put(CLIP_FILE, b"clip")
    await rendered(store, tmp_path, b"new", meanwhile=lambda: store.delete([CLIP_FILE]))
    assert await tracks(store) == []


async def test_track_of_a_failed_render_is_not_stored(store: FileStore, tmp_path: Path) -> None:
    await store.put(CLIP_FILE, b"clip")

    async def fail() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        await rendered(store, tmp_path, b"new", meanwhile=fail)
    assert (tmp_path / "clip.npz").read_bytes() == b"new"
    assert await tracks(store) == []


async def test_track_that_is_too_large_is_neither_stored_nor_fetched(
    store: FileStore, tmp_path: Path
) -> None:
    await store.put(CLIP_FILE, b"clip")
    await rendered(store, tmp_path, bytes(MAX_TRACK_BYTES + 1))
    assert await tracks(store) == []
    (tmp_path / "clip.npz").unlink()
    await store.put(TRACK, bytes(MAX_TRACK_BYTES + 1))
    assert await rendered(store, tmp_path, None) is None


async def test_clip_of_an_earlier_version_is_measured_each_time(
    store: FileStore, tmp_path: Path
) -> None:
    await store.put("looks/7/look-7-1-clip.mp4", b"clip")
    assert await rendered(store, tmp_path, b"new", "looks/7/look-7-1-clip.mp4") is None
    assert await tracks(store) == []


async def test_store_that_fails_fails_no_order(store: FileStore, tmp_path: Path) -> None:
    await store.put(CLIP_FILE, b"clip")
    await store.put(TRACK, b"track")
    broken = BrokenStore(open_address(store.place, StoreTimeouts()), 0)
    assert await rendered(broken, tmp_path, b"new") is None
    assert await store.get(TRACK) == b"track"
