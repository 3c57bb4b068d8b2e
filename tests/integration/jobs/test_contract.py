"""What we read of BullMQ's keys, each once: another version of it may lay them out anew.

Our scripts and `Queues.status` build on exactly this.
"""

import json
import time

import pytest
from bullmq import Job, Queue
from bullmq.custom_errors import UnrecoverableError
from redis.asyncio import Redis

from jobs.queues.bullmq_types import CAPPED_BACKOFF
from jobs.queues.failures import STALLED
from jobs.queues.keys import JobRef, prefix_of
from tests.integration.jobs.hand import QUEUE, Hand, members

pytestmark = pytest.mark.local_sockets

PREFIX = prefix_of(QUEUE)
KEPT = {"attempts": 3, "removeOnComplete": False, "removeOnFail": False, "stackTraceLimit": 0}


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(QUEUE, {"connection": redis})


@pytest.fixture
def hand(redis: Redis) -> Hand:
    return Hand(redis)


async def add(queue: Queue, job_id: str, **options: object) -> Job:
    return await queue.add("75 frames", {"person": 2}, {"jobId": job_id, **KEPT, **options})


async def test_priority_0_lies_in_the_list_wait_and_its_last_starts_first(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=0)
    await add(queue, "b", priority=0)
    await add(queue, "c", priority=1)
    assert await redis.lrange(f"{PREFIX}wait", 0, -1) == ["b", "a"]
    assert await hand.work_through() == ["a", "b", "c"]


async def test_priorities_lie_in_prioritized_with_a_score_of_priority_and_counter(
    queue: Queue, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await add(queue, "b", priority=2_000_000)
    await add(queue, "c", priority=7)
    assert await members(redis, f"{PREFIX}prioritized") == [
        ("a", 7 * 2**32 + 1),
        ("c", 7 * 2**32 + 3),
        ("b", 2_000_000 * 2**32 + 2),
    ]
    assert await redis.get(f"{PREFIX}pc") == "3"


async def test_job_is_a_hash_with_name_data_and_priority(queue: Queue, redis: Redis) -> None:
    await add(queue, "a", priority=7)
    stored = await redis.hgetall(JobRef(QUEUE, "a").key)
    assert {name: stored[name] for name in ("name", "data", "priority")} == {
        "name": "75 frames",
        "data": '{"person":2}',
        "priority": "7",
    }
    assert not {"finishedOn", "failedReason", "returnvalue", "progress", "ats"} & stored.keys()


async def test_field_priority_and_not_the_options_decides_on_a_second_try(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.take()
    await redis.hset(JobRef(QUEUE, "a").key, "priority", 3)
    await hand.fail("a", RuntimeError("again"))
    ((_, score),) = await members(redis, f"{PREFIX}prioritized")
    assert score // 2**32 == 3


async def test_job_that_runs_lies_in_the_list_active_under_a_lock(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.take()
    assert await redis.lrange(f"{PREFIX}active", 0, -1) == ["a"]
    assert str(await redis.get(JobRef(QUEUE, "a").lock_key)).startswith("hand:")
    assert await redis.hget(JobRef(QUEUE, "a").key, "ats") == "1"


async def test_job_with_a_pause_lies_in_delayed(queue: Queue, hand: Hand, redis: Redis) -> None:
    await add(queue, "a", priority=7, backoff={"type": "fixed", "delay": 15_000})
    await hand.take()
    before_ms = round(time.time() * 1000)
    await hand.fail("a", RuntimeError("again"))
    ((delayed, score),) = await members(redis, f"{PREFIX}delayed")
    assert delayed == "a"
    assert before_ms <= score // 2**12 - 15_000 <= round(time.time() * 1000)
    assert await redis.hmget(JobRef(QUEUE, "a").key, ["atm", "failedReason"]) == ["1", "again"]


async def test_score_of_a_delayed_job_is_its_time_and_a_counter(queue: Queue, redis: Redis) -> None:
    for job_id in ("a", "b"):
        await add(queue, job_id, priority=7, timestamp=1_800_000_000_000, delay=123)
    assert await members(redis, f"{PREFIX}delayed") == [
        ("a", 1_800_000_000_123 * 2**12),
        ("b", 1_800_000_000_123 * 2**12 + 1),
    ]


async def test_completed_job_has_its_time_as_score_and_its_result_as_json(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.work_through()
    fields = await redis.hgetall(JobRef(QUEUE, "a").key)
    assert await redis.zscore(f"{PREFIX}completed", "a") == int(fields["finishedOn"])
    assert json.loads(fields["returnvalue"])["key"] == "results/a/1.mp4"
    assert len(fields["finishedOn"]) == 13  # unix time in ms


async def test_failed_job_has_its_time_as_score_and_its_reason(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.take()
    await hand.fail("a", UnrecoverableError("cancelled"))
    fields = await redis.hgetall(JobRef(QUEUE, "a").key)
    assert await redis.zscore(f"{PREFIX}failed", "a") == int(fields["finishedOn"])
    assert fields["failedReason"] == "cancelled"
    assert "returnvalue" not in fields


async def test_stalled_job_is_counted_and_fails_with_the_words_we_know(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    for stalls in range(1, 3):
        await hand.drop(await hand.take())
        assert await hand.find_stalled(most=1) == ["a"]
        assert await redis.hget(JobRef(QUEUE, "a").key, "stc") == str(stalls)
        # At the end of the list: it starts before all others, of whatever priority.
        assert await redis.lrange(f"{PREFIX}wait", 0, -1) == ["a"]
    assert await redis.hget(JobRef(QUEUE, "a").key, "defa") == STALLED


async def test_retry_forgets_attempts_and_reason_and_keeps_starts_and_stalls(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.take()
    await hand.fail("a", UnrecoverableError("no"))
    await redis.hset(JobRef(QUEUE, "a").key, "stc", 2)
    job = await Job.fromId(queue, "a")
    assert job is not None
    await job.retry("failed", {"resetAttemptsMade": True})
    fields = await redis.hgetall(JobRef(QUEUE, "a").key)
    assert not {"finishedOn", "failedReason", "atm"} & fields.keys()
    assert (fields["ats"], fields["stc"]) == ("1", "2")
    with pytest.raises(TypeError, match="not in the failed state"):
        await job.retry("failed", {})


async def test_remove_refuses_what_runs_and_frees_the_id_of_what_waits(
    queue: Queue, hand: Hand, redis: Redis
) -> None:
    await add(queue, "a", priority=7)
    await hand.take()
    assert await queue.remove("a") == 0
    await add(queue, "b", priority=7)
    assert await queue.remove("b") == 1
    assert not await redis.exists(JobRef(QUEUE, "b").key)


async def test_adding_a_known_id_changes_nothing(queue: Queue, redis: Redis) -> None:
    await add(queue, "a", priority=7)
    before = await redis.hgetall(JobRef(QUEUE, "a").key)
    await add(queue, "a", priority=1)
    assert await redis.hgetall(JobRef(QUEUE, "a").key) == before
    assert await redis.zcard(f"{PREFIX}prioritized") == 1


async def test_unknown_backoff_is_asked_of_the_worker(queue: Queue) -> None:
    job = await add(queue, "a", priority=7, backoff={"type": CAPPED_BACKOFF, "delay": 5_000})
    stored = await Job.fromId(queue, job.id)
    assert stored is not None
    assert stored.opts["backoff"] == {"type": CAPPED_BACKOFF, "delay": 5_000}
