"""The track of a clip is kept as long as a draft holds the clip: by a clock that the tests turn."""

import time

import pytest
from redis.asyncio import Redis

from jobs.store.files import FileStore
from jobs.store.keys import clip_key, look_key, track_key
from jobs.store.retention import Retention, Swept
from tests.integration.jobs import test_retention as retentions
from tests.integration.jobs.test_retention import (
    DAY_S,
    HOUR_S,
    NOW,
    Interrupted,
    TroubledStore,
    all_known,
    allows,
    dies,
    keys,
    retention_of,
)

pytestmark = pytest.mark.local_sockets
retention = retentions.retention
troubled = retentions.troubled

DIGEST = "ab" * 32
TRACK = f"tracks/{DIGEST}/track.npz"


async def fill_clip(retention: Retention, store: FileStore, draft: str, now: float = NOW) -> None:
    """A draft whose look found a clip, and the track that a worker has measured."""
    await retention.touch(draft, now)
    clip = clip_key(draft, f"look-{draft}-1", DIGEST)
    await store.put(clip, b"clip")
    await retention.hold(draft, clip, now)
    await store.put(str(track_key(clip)), b"track")


async def test_track_is_deleted_with_the_last_draft_that_holds_the_clip(
    retention: Retention, store: FileStore, redis: Redis
) -> None:
    await fill_clip(retention, store, "1")
    await fill_clip(retention, store, "2")
    await retention.forget("1", NOW)
    assert await keys(store) == [clip_key("2", "look-2-1", DIGEST), TRACK]
    await retention.forget("2", NOW)
    assert await keys(store) == []
    await retention.sweep(NOW + HOUR_S)
    assert await redis.keys("*") == []


async def test_draft_with_two_clips_gives_up_both(retention: Retention, store: FileStore) -> None:
    await fill_clip(retention, store, "1")
    other = clip_key("1", "look-1-2", "cd" * 32)
    await store.put(other, b"clip")
    await retention.hold("1", other, NOW)
    await store.put(str(track_key(other)), b"track")
    await retention.forget("1", NOW)
    assert await keys(store) == []


async def test_draft_that_was_deleted_does_not_count_as_a_holder(
    retention: Retention, store: FileStore
) -> None:
    await fill_clip(retention, store, "1")
    await fill_clip(retention, store, "2", NOW + HOUR_S)
    await retention.forget("1", NOW + HOUR_S)
    # Delivered late, after Delete.
    await retention.hold("1", clip_key("1", "look-1-1", DIGEST), NOW + HOUR_S)
    await retention.sweep(NOW + 2 * HOUR_S)
    assert TRACK in await keys(store)
    await retention.sweep(NOW + DAY_S + HOUR_S)
    assert await keys(store) == []


async def test_track_stays_while_an_open_order_keeps_the_draft(
    retention: Retention, store: FileStore
) -> None:
    await fill_clip(retention, store, "1")
    await retention.keep("1", NOW + 3 * DAY_S)
    assert await retention.sweep(NOW + 2 * DAY_S) == Swept()
    assert TRACK in await keys(store)
    await retention.sweep(NOW + 3 * DAY_S)
    assert await keys(store) == []


async def test_track_expires_with_the_last_draft_whatever_its_own_deadline(
    retention: Retention, store: FileStore
) -> None:
    await fill_clip(retention, store, "1")
    await retention.keep("1", NOW + 3 * DAY_S)
    await fill_clip(retention, store, "2")
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=2, files=1)
    assert await retention.sweep(NOW + 3 * DAY_S - 1) == Swept()
    assert TRACK in await keys(store)
    await retention.sweep(NOW + 3 * DAY_S)
    assert await keys(store) == []


async def test_track_does_not_outlive_its_drafts_because_a_deleted_one_was_kept_longer(
    retention: Retention, store: FileStore
) -> None:
    await fill_clip(retention, store, "1")
    await fill_clip(retention, store, "2")
    await retention.keep("1", NOW + 9 * DAY_S)
    await retention.sweep(NOW + HOUR_S)
    await retention.forget("1", NOW + HOUR_S)
    assert TRACK in await keys(store)
    await retention.sweep(NOW + DAY_S)
    assert await keys(store) == []


async def test_track_that_a_render_stores_after_delete_goes_within_the_hour(
    retention: Retention, store: FileStore
) -> None:
    await fill_clip(retention, store, "1")
    await retention.forget("1", NOW)
    await store.put(TRACK, b"late")
    await retention.sweep(NOW + HOUR_S)
    assert await keys(store) == []


async def test_delete_that_is_killed_at_the_track_is_done_by_the_next_sweep(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    await fill_clip(retention, troubled, "1")
    troubled.before_delete = lambda keys: dies(keys) if TRACK in keys else None
    with pytest.raises(Interrupted):
        await retention.forget("1", NOW)
    assert TRACK in await keys(troubled)
    troubled.before_delete = allows
    await retention.sweep(NOW)
    assert await keys(troubled) == []


async def test_delete_that_is_killed_after_the_track_is_done_by_the_next_sweep(
    redis: Redis, troubled: TroubledStore
) -> None:
    retention = retention_of(redis, troubled)
    await fill_clip(retention, troubled, "1")
    troubled.after_delete = lambda keys: dies(keys) if TRACK in keys else None
    with pytest.raises(Interrupted):
        await retention.forget("1", NOW)
    troubled.after_delete = allows
    await retention.sweep(NOW)
    assert await keys(troubled) == []


async def test_track_without_drafts_goes_at_its_own_deadline(
    retention: Retention, store: FileStore, redis: Redis
) -> None:
    # The look's clip was lost, and so was what tells that the draft holds it.
    await retention.hold("1", clip_key("1", "look-1-1", DIGEST), NOW)
    await store.put(TRACK, b"track")
    assert await retention.sweep(NOW + DAY_S - 1) == Swept()
    assert await retention.sweep(NOW + DAY_S) == Swept(folders=1, files=1)
    assert await redis.keys("*") == []


async def test_track_without_a_deadline_is_a_leak(retention: Retention, store: FileStore) -> None:
    await store.put(TRACK, b"track")
    assert await retention.sweep_leaks(time.time() + 2 * DAY_S - 60, all_known) == Swept()
    swept = await retention.sweep_leaks(time.time() + 2 * DAY_S + 60, all_known)
    assert swept == Swept(folders=1, files=1)


async def test_clip_of_an_earlier_version_has_no_track_to_keep(
    retention: Retention, redis: Redis
) -> None:
    await retention.hold("1", look_key("1", "look-1-1-clip.mp4"), NOW)
    assert await redis.keys("*") == []
