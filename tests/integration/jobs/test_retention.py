"""How long files are kept: by a clock that the tests turn."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from jobs.service_errors import StoreFull, StoreUnavailable
from jobs.store.address import StoreTimeouts, open_address
from jobs.store.files import FileStore
from jobs.store.keys import input_key, look_key, result_key
from jobs.store.retention import EXPIRY_KEY, Retention, Swept

pytestmark = pytest.mark.local_sockets

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NOW = 1_800_000_000.0


class Interrupted(Exception):
    """Stands for a kill."""


def allows(_: list[str]) -> None:
    pass


def refuses(_: list[str]) -> None:
    raise StoreUnavailable(place="here", reason="a test")


def dies(_: list[str]) -> None:
    raise Interrupted


class TroubledStore(FileStore):
    """A store where deleting may go wrong.

    Attributes:
        before_delete: called with the keys before they are deleted.
        after_delete: likewise when they are.
        deletions: how often deleting was asked for.
    """

    before_delete: Callable[[list[str]], None] = staticmethod(allows)
    after_delete: Callable[[list[str]], None] = staticmethod(allows)
    deletions = 0

    async def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        self.deletions += 1
        self.before_delete(wanted)
        await super().delete(wanted)
        self.after_delete(wanted)


@pytest.fixture
def troubled(tmp_path_factory: pytest.TempPathFactory) -> TroubledStore:
    return TroubledStore(open_address(str(tmp_path_factory.mktemp("store")), StoreTimeouts()), 0)


def retention_of(redis: Redis, store: FileStore) -> Retention:
    return Retention(redis, store, input_s=24 * HOUR_S, result_s=12 * HOUR_S)


@pytest.fixture
async def retention(redis: Redis, store: FileStore) -> AsyncIterator[Retention]:
    yield retention_of(redis, store)
    # Whatever a test has done, a second sweep finds nothing that the first has left.
    await retention_of(redis, store).sweep(NOW + 1000 * DAY_S)
    assert await retention_of(redis, store).sweep(NOW + 1000 * DAY_S) == Swept()
    assert await redis.zcard(EXPIRY_KEY) == 0


async def fill(store: FileStore, draft: str = "1") -> None:
    """A draft's photo, clip and what the gate made of them."""
    for key in (
        input_key(draft, "photo.jpg"),
        input_key(draft, "clip.mp4"),
        look_key(draft, "sheet"),
    ):
        await store.put(key, b"")


async def keys(store: FileStore) -> list[str]:
    return sorted([file.key async for file in store.listing()])


async def all_known(orders: Sequence[str]) -> list[bool]:
    return [True] * len(orders)


async def test_photo_is_never_in_the_store_without_a_deadline(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    key = await retention.put_input("1", "photo.jpg", b"photo", NOW)
    assert (key, await troubled.get(key)) == (input_key("1", "photo.jpg"), b"photo")
    await troubled.put(look_key("1", "sheet"), b"")
    assert await retention.sweep(NOW + DAY_S - 1) == Swept()
    full = FileStore(open_address(troubled.place, StoreTimeouts()), 1 << 60)
    with pytest.raises(StoreFull):
        await retention_of(redis, full).put_input("2", "photo.jpg", b"photo", NOW)
    assert await redis.zscore(EXPIRY_KEY, "inputs/2") == NOW + DAY_S
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=4, files=2)


async def test_old_result_goes_when_its_order_is_not_known_any_more(
    retention: Retention, store: FileStore
) -> None:
    orders = [f"1-{number}" for number in range(1, 5)]
    for order in orders:
        await store.put(result_key(order, 1), b"")
    await store.put(result_key("1-2", 2), b"")
    await retention.record_delivery("1-3", time.time() + 900 * DAY_S, result_key("1-3", 1))
    asked: list[str] = []

    async def are_known(some: Sequence[str]) -> list[bool]:
        asked.extend(some)
        return [order == "1-1" for order in some]

    assert await retention.sweep_leaks(time.time() + 2 * DAY_S - 60, are_known) == Swept()
    swept = await retention.sweep_leaks(time.time() + 2 * DAY_S + 60, are_known)
    assert (swept, asked) == (Swept(folders=2, files=3), orders)
    assert await keys(store) == [result_key("1-1", 1), result_key("1-3", 1)]


async def test_photo_and_clip_live_a_day_after_the_last_tap(
    retention: Retention, store: FileStore
) -> None:
    await retention.touch("1", NOW)
    await fill(store)
    assert await retention.sweep(NOW + DAY_S - 1) == Swept()
    await retention.touch("1", NOW + DAY_S - 1)
    assert await retention.sweep(NOW + DAY_S + HOUR_S) == Swept()
    assert len(await keys(store)) == 3
    assert await retention.sweep(NOW + 2 * DAY_S) == Swept(folders=2, files=3)
    assert await keys(store) == []


async def test_only_the_draft_that_is_due_goes(retention: Retention, store: FileStore) -> None:
    for draft, moment in (("1", NOW), ("11", NOW + HOUR_S)):
        await retention.touch(draft, moment)
        await fill(store, draft)
    await retention.sweep(NOW + DAY_S)
    assert await keys(store) == ["inputs/11/clip.mp4", "inputs/11/photo.jpg", "looks/11/sheet"]


async def test_draft_of_an_open_order_lives_as_long_as_that_is_renewed(
    retention: Retention, store: FileStore
) -> None:
    await retention.touch("1", NOW)
    await fill(store)
    await retention.keep("1", NOW + 3 * DAY_S)
    await retention.touch("1", NOW + HOUR_S)
    assert await retention.sweep(NOW + 2 * DAY_S) == Swept()
    await retention.keep("1", NOW + 4 * DAY_S)
    assert await retention.sweep(NOW + 3 * DAY_S) == Swept()
    assert await retention.sweep(NOW + 4 * DAY_S) == Swept(folders=2, files=3)


async def test_delete_is_at_once_even_for_a_kept_draft(
    retention: Retention, store: FileStore
) -> None:
    await fill(store, "2")
    await retention.keep("1", NOW + 3 * DAY_S)
    await fill(store)
    await retention.forget("1", NOW)
    assert await keys(store) == ["inputs/2/clip.mp4", "inputs/2/photo.jpg", "looks/2/sheet"]


async def test_what_a_look_puts_there_after_delete_goes_within_the_hour(
    retention: Retention, store: FileStore, redis: Redis
) -> None:
    await retention.touch("1", NOW)
    await fill(store)
    await retention.forget("1", NOW)
    await store.put(look_key("1", "sheet"), b"")
    assert await retention.sweep(NOW + HOUR_S) == Swept(folders=2, files=1)
    assert await keys(store) == []
    assert await redis.zcard(EXPIRY_KEY) == 0


async def test_delete_that_the_store_refuses_is_done_by_the_next_sweep(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    await retention.touch("1", NOW)
    await fill(troubled)
    troubled.before_delete = refuses
    with pytest.raises(StoreUnavailable):
        await retention.forget("1", NOW)
    assert len(await keys(troubled)) == 3
    troubled.before_delete = allows
    assert await retention.sweep(NOW) == Swept(folders=2, files=3)


async def test_result_that_was_not_delivered_is_never_swept(
    retention: Retention, store: FileStore
) -> None:
    await store.put(result_key("1-1", 1), b"")
    assert await retention.sweep(NOW + 900 * DAY_S) == Swept()
    assert await retention.sweep_leaks(time.time() + 900 * DAY_S, all_known) == Swept()
    assert await keys(store) == ["results/1-1/1.mp4"]


async def test_delivered_result_lives_on_and_other_attempts_go_at_once(
    retention: Retention, store: FileStore
) -> None:
    for attempt in (1, 2, 3):
        await store.put(result_key("1-1", attempt), b"")
    await store.put(result_key("1-2", 1), b"")
    await retention.record_delivery("1-1", NOW, result_key("1-1", 2))
    assert await keys(store) == ["results/1-1/2.mp4", "results/1-2/1.mp4"]
    # A worker that was thought dead comes late.
    await store.put(result_key("1-1", 3), b"")
    assert await retention.sweep(NOW + 12 * HOUR_S - 1) == Swept()
    assert await retention.sweep(NOW + 12 * HOUR_S) == Swept(folders=1, files=2)
    assert await keys(store) == ["results/1-2/1.mp4"]


async def test_order_that_failed_for_good_leaves_no_result(
    retention: Retention, store: FileStore
) -> None:
    await store.put(result_key("1-1", 1), b"")
    await retention.record_delivery("1-1", NOW)
    assert await keys(store) == []
    await store.put(result_key("1-1", 2), b"")
    await retention.sweep(NOW + 12 * HOUR_S)
    assert await keys(store) == []


async def test_sweep_that_is_killed_before_it_tells_redis_is_done_again(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    await retention.touch("1", NOW)
    await fill(troubled)
    troubled.after_delete = dies
    with pytest.raises(Interrupted):
        await retention.sweep(NOW + DAY_S)
    assert await redis.zcard(EXPIRY_KEY) == 2
    troubled.after_delete = allows
    assert (await retention.sweep(NOW + DAY_S)).folders == 2
    assert await keys(troubled) == []
    assert await redis.zcard(EXPIRY_KEY) == 0


async def test_sweep_that_is_killed_before_it_deletes_is_done_again(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    await retention.touch("1", NOW)
    await fill(troubled)
    troubled.before_delete = dies
    with pytest.raises(Interrupted):
        await retention.sweep(NOW + DAY_S)
    troubled.before_delete = allows
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=2, files=3)


async def test_tap_in_the_middle_of_a_sweep_keeps_its_deadline(
    redis: Redis, troubled: TroubledStore, valkey: str
) -> None:
    retention = retention_of(redis, troubled)
    await retention.touch("1", NOW)
    await fill(troubled)
    with SyncRedis.from_url(valkey) as other:

        def tap(deleted: list[str]) -> None:
            if "inputs/1/photo.jpg" in deleted:
                other.zadd(EXPIRY_KEY, {"inputs/1": NOW + 2 * DAY_S})

        troubled.after_delete = tap
        await retention.sweep(NOW + DAY_S)
    assert await redis.zrange(EXPIRY_KEY, 0, -1) == ["inputs/1"]


async def test_sweep_takes_any_number(redis: Redis, local_store: FileStore) -> None:
    retention = retention_of(redis, local_store)
    for draft in range(120):
        await retention.touch(str(draft), NOW)
    for draft in range(0, 120, 4):
        await local_store.put(input_key(str(draft), "photo"), b"")
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=240, files=30)
    assert await keys(local_store) == []


async def test_folder_that_cannot_be_deleted_does_not_stop_the_others(
    redis: Redis, troubled: TroubledStore, caplog: pytest.LogCaptureFixture
) -> None:
    retention = retention_of(redis, troubled)
    for draft in range(60):
        await retention.touch(f"{draft:02}", NOW)
        await fill(troubled, f"{draft:02}")
    troubled.before_delete = lambda keys: refuses(keys) if "1/" in keys[0] else None
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=108, files=162, failed=12)
    assert len(await keys(troubled)) == 18
    assert "inputs/31 is due and could not be deleted: The file store" in caplog.text
    troubled.before_delete = allows
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=12, files=18)


async def test_disk_that_is_not_there_costs_no_deadline(
    redis: Redis, local_store: FileStore, tmp_path: Path
) -> None:
    retention = retention_of(redis, local_store)
    await retention.put_input("1", "photo", b"", NOW)
    Path(local_store.place).rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable):
        await retention.sweep(NOW + DAY_S)
    (tmp_path / "away").rename(local_store.place)
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=2, files=1)


async def test_store_that_is_down_is_not_asked_for_every_folder(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    for draft in range(20):
        await retention.touch(str(draft), NOW)
    troubled.before_delete = refuses
    assert await retention.sweep(NOW + DAY_S) == Swept(failed=3)
    assert troubled.deletions == 3
    assert await redis.zcard(EXPIRY_KEY) == 40


async def test_photos_without_a_deadline_are_found_when_they_are_old_enough(
    retention: Retention, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(store, "1")
    await fill(store, "2")
    await store.put("templates/some.mp4", b"")
    now = time.time()
    await retention.keep("2", now + 900 * DAY_S)
    # The longest life is a day, and a day is added.
    assert await retention.sweep_leaks(now + 2 * DAY_S - 60, all_known) == Swept()
    assert "without a deadline" not in caplog.text
    swept = await retention.sweep_leaks(now + 2 * DAY_S + 60, all_known)
    assert swept == Swept(folders=2, files=3)
    assert [key for key in await keys(store) if "/1/" in key] == []
    assert len(await keys(store)) == 4
    assert "3 files without a deadline were found" in caplog.text


async def test_sweep_for_leaks_clears_what_was_left_half_written(
    redis: Redis, local_store: FileStore
) -> None:
    assert local_store.place
    half = FileStore.open(local_store.place, min_free_bytes=0)
    await half.put("a", b"")
    incoming = Path(local_store.place) / ".incoming" / "part"
    incoming.write_bytes(b"half")
    retention = retention_of(redis, local_store)
    swept = await retention.sweep_leaks(time.time() + 3 * DAY_S, all_known)
    assert swept == Swept(files=1)
    assert not incoming.exists()
