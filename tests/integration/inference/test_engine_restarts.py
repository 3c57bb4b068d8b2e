"""Each engine process that is given up is told of once, with the reason."""

import asyncio
import os
import signal

import pytest

from inference.process.engine_process import RESTART_REASONS, EngineLimits, EngineProcess
from inference.process.setup import EngineSetup
from jobs.errors import Cancelled, EngineDied, EngineFailed, EngineHung, UnknownTemplate
from jobs.wish import Movement, Video
from tests.integration.inference.conftest import Job, MakeJob
from tests.integration.inference.test_engine_process import until_reaped

pytestmark = pytest.mark.local_sockets


async def stuck(engine: EngineProcess, job: Job) -> "asyncio.Task[Video]":
    """The rendering of a job that hears nothing any more."""
    task = asyncio.create_task(engine.render(*job))
    while not any("stuck" in line for line in engine.log_lines):
        assert not task.done()
        await asyncio.sleep(0.01)
    return task


@pytest.mark.parametrize(
    ("name", "error", "reason", "limits"),
    [
        ("leaving", EngineDied, "died", EngineLimits()),
        ("hanging", EngineHung, "hung", EngineLimits(frame_s=1)),
        ("failing", EngineFailed, "failed", EngineLimits()),
    ],
)
async def test_reason_of_a_restart_is_told(
    setup: EngineSetup,
    make_job: MakeJob,
    name: str,
    error: type[Exception],
    reason: str,
    limits: EngineLimits,
) -> None:
    told: list[str] = []
    async with EngineProcess(setup, limits, told.append) as engine:
        with pytest.raises(error):
            await engine.render(*make_job(name))
    assert told == [reason]
    assert reason in RESTART_REASONS


async def test_engine_that_has_to_be_killed_to_stop_is_told_of(
    setup: EngineSetup, make_job: MakeJob
) -> None:
    told: list[str] = []
    async with EngineProcess(setup, EngineLimits(cancel_s=0.1), told.append) as engine:
        task = await stuck(engine, make_job("hanging"))
        engine.cancel()
        with pytest.raises(Cancelled):
            await task
    assert told == ["cancelled"]


async def test_process_that_dies_between_two_jobs_is_told_of(
    setup: EngineSetup, make_job: MakeJob
) -> None:
    told: list[str] = []
    async with EngineProcess(setup, on_restart=told.append) as engine:
        await engine.render(*make_job("still"))
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        await until_reaped(engine)
        await engine.render(*make_job("still"))
        assert told == ["died"]


async def test_mistake_of_a_person_and_the_end_of_the_worker_are_no_restarts(
    setup: EngineSetup, make_job: MakeJob
) -> None:
    told: list[str] = []
    async with EngineProcess(setup, EngineLimits(cancel_s=0.1), told.append) as engine:
        with pytest.raises(UnknownTemplate):
            await engine.render(*make_job("still", movement=Movement(template="nowhere")))
        task = await stuck(engine, make_job("hanging"))
    with pytest.raises(Cancelled):
        await task
    assert told == []
