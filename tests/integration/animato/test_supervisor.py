"""The supervisor: its programs live while it does, start again when they die, and end in order."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from animato.supervisor import Patience, Program, ProgramFailed, Supervisor
from tests.conftest import survivors

pytestmark = pytest.mark.local_sockets

LIMIT_S = 60
QUICK = Patience(begin_s=0.2, pause_s=0.01, deaths=3)
SLEEPS = "print('up', flush=True); import time; time.sleep(600)"
# Says which ending it was asked for, and ends.
ENDS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), sys.exit(0)))
print("up", flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
OWNER = """
import asyncio, sys
from animato.supervisor import Program, Supervisor
programs = [Program("sleeper", (sys.executable, "-c", sys.argv[1]))]
tell = lambda name, line: print(name, line, flush=True)
asyncio.run(Supervisor(programs, tell).run(asyncio.Event()))
"""


class Log:
    """What the supervisor tells, and whether something has been told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def tell(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")
        self._news.set()

    async def until(self, holds: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds(self.lines):
                self._news.clear()
                await self._news.wait()


def program(name: str, code: str, stop_s: float = 20) -> Program:
    return Program(name, (sys.executable, "-c", code), {"WHO": name}, stop_s)


async def test_programs_end_in_the_opposite_order_of_their_beginning() -> None:
    log, ended = Log(), asyncio.Event()
    programs = [program("bot", ENDS), program("worker", ENDS)]
    running = asyncio.create_task(Supervisor(programs, log.tell).run(ended))
    await log.until(lambda lines: sum(line.endswith(": up") for line in lines) == 2)
    ended.set()
    await asyncio.wait_for(running, LIMIT_S)
    assert [line for line in log.lines if "asked" in line] == ["worker: asked", "bot: asked"]


async def test_program_runs_in_its_folder(tmp_path: Path) -> None:
    log, ended = Log(), asyncio.Event()
    command = (sys.executable, "-c", "import os; print(os.getcwd(), flush=True)\n" + SLEEPS)
    there = Program("bot", command, folder=tmp_path)
    running = asyncio.create_task(Supervisor([there], log.tell).run(ended))
    await log.until(lambda lines: "bot: up" in lines)
    ended.set()
    await asyncio.wait_for(running, LIMIT_S)
    assert log.lines[0] == f"bot: {tmp_path.resolve()}"


async def test_program_that_is_killed_is_started_again() -> None:
    log, ended = Log(), asyncio.Event()
    code = "import os; print(os.environ['WHO'], os.getpid(), flush=True)\n" + SLEEPS
    running = asyncio.create_task(Supervisor([program("bot", code)], log.tell, QUICK).run(ended))
    await log.until(lambda lines: lines.count("bot: up") == 1)
    os.kill(int(log.lines[0].split()[-1]), signal.SIGKILL)
    await log.until(lambda lines: lines.count("bot: up") == 2)
    assert "bot: ended with code -9 and is started again" in log.lines
    assert log.lines[0].startswith("bot: bot ")
    ended.set()
    await asyncio.wait_for(running, LIMIT_S)


async def test_program_that_cannot_begin_ends_the_service_at_once() -> None:
    log = Log()
    broken = "import sys; print('no token'); sys.exit(3)"
    programs = [program("worker", SLEEPS), program("bot", broken)]
    patience = Patience(begin_s=LIMIT_S)
    with pytest.raises(ProgramFailed, match=r"bot ended with code 3 as soon as it was started"):
        await asyncio.wait_for(
            Supervisor(programs, log.tell, patience).run(asyncio.Event()), LIMIT_S
        )
    assert log.lines.count("bot: no token") == 1


async def test_program_that_dies_again_and_again_ends_the_service() -> None:
    log = Log()
    patience = Patience(begin_s=0, pause_s=0.01, deaths=3)
    supervisor = Supervisor([program("bot", "import sys; sys.exit(4)")], log.tell, patience)
    with pytest.raises(ProgramFailed, match="code 4 again and again"):
        await asyncio.wait_for(supervisor.run(asyncio.Event()), LIMIT_S)
    assert log.lines.count("bot: ended with code 4 and is started again") == 2


async def test_program_that_does_not_end_is_killed() -> None:
    log, ended = Log(), asyncio.Event()
    stubborn = program("bot", STUBBORN, stop_s=0.05)
    running = asyncio.create_task(Supervisor([stubborn], log.tell).run(ended))
    await log.until(lambda lines: "bot: up" in lines)
    ended.set()
    await asyncio.wait_for(running, LIMIT_S)
    assert log.lines[-1] == "bot: did not end within 0.05 s and is killed"


def test_no_program_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    mark = f"SUPERVISED={tmp_path.name}"
    environment = {**os.environ, "SUPERVISED": tmp_path.name}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, SLEEPS], env=environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "sleeper up\n"
        owner.kill()
    # The guard ends it as soon as it hears of that.
    for _ in range(LIMIT_S * 20):
        left = [line for line in survivors(mark) if "SUPERVISED" not in line]
        if not any(SLEEPS in line for line in left):
            break
        asyncio.run(asyncio.sleep(0.05))
    else:
        pytest.fail("\n".join(left))
