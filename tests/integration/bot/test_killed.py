"""A bot that is killed while it has updates that Telegram has forgotten already."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sandbox.server import Sandbox
from tests.integration.bot.running import (
    PATIENCE_S,
    Heard,
    built,
    left_in_inbox,
    running,
    until,
)
from tests.integration.sandbox.desk import Desk

pytestmark = pytest.mark.local_sockets

ROOT = Path(__file__).parents[3]
PROGRAM = "tests.integration.bot.bot_process"


async def test_updates_of_a_killed_bot_are_handled_after_the_restart_and_once(
    sandbox: Sandbox, redis: Redis, valkey: str, desk: Desk
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", PROGRAM, valkey, sandbox.url, sandbox.token),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await desk.say("in a handler")
        await desk.say("before its handler")
        async with asyncio.timeout(2 * PATIENCE_S):
            assert await process.stdout.readline() == b"began\n"
        await until(lambda: len(sandbox.telegram.updates) == 0)
        assert await left_in_inbox(redis) == 2
    finally:
        process.kill()
        await process.communicate()
    answered = Heard()
    async with running(built(sandbox, redis, answered)):
        await desk.say("new")
        await until(lambda: len(answered.texts) >= 3)
    assert answered.texts == ["in a handler", "before its handler", "new"]
    assert await left_in_inbox(redis) == 0
