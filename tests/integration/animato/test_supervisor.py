"""The supervisor: its programs live while it does, start again when they die, and end together."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from animato.supervisor import Program, ProgramFailed, ProgramTimeouts, Supervisor
from jobs.tasks import Shutdown
from tests.conftest import survivors

pytestmark = pytest.mark.local_sockets

LIMIT_S = 60
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
QUICK = ProgramTimeouts(begin_s=0.2, pause_s=0.01, deaths=3)
SLEEPS = "print('up', flush=True); import time; time.sleep(600)"
# Ends once all programs that are named in ALL were asked to.
ENDS_WITH_ALL = """
import os, pathlib, signal, time
folder = pathlib.Path(os.environ["FOLDER"])
signal.signal(signal.SIGTERM, lambda *_: (folder / os.environ["WHO"]).touch())
print("up", flush=True)
while not all((folder / name).exists() for name in os.environ["ALL"].split()):
    time.sleep(0.01)
"""
ENDS_THE_SECOND_TIME = """
import signal, time
count = 0
def hear(*_):
    global count
    count += 1
    print("asked", flush=True)
signal.signal(signal.SIGTERM, hear)
print("up", flush=True)
while count < 2:
    time.sleep(0.01)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
# Leaves a child behind that ignores SIGTERM and holds its log open.
WITH_CHILD = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
print("pid", os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
OWNER = """
import asyncio, os, sys
from animato.supervisor import Program, Supervisor
from jobs.tasks import Shutdown
programs = [Program("sleeper", (sys.executable, "-c", sys.argv[1]), os.environ)]
tell = lambda name, line: print(name, line, flush=True)
asyncio.run(Supervisor(programs, tell).run(Shutdown()))
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


def program(name: str, code: str, **environment: str) -> Program:
    return Program(name, (sys.executable, "-c", code), {**environment, "WHO": name})


def are_up(count: int) -> Callable[[list[str]], bool]:
    return lambda lines: sum(line.endswith(": up") for line in lines) == count


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    """Returns when a process that was killed has ended."""
    async with asyncio.timeout(LIMIT_S):
        while lives(pid):
            await asyncio.sleep(0.01)


async def test_all_programs_are_asked_to_end_at_the_same_time(tmp_path: Path) -> None:
    log, ending = Log(), Shutdown()
    names = ("bot", "worker-1", "worker-2")
    shared = {"FOLDER": str(tmp_path), "ALL": " ".join(names)}
    programs = [program(name, ENDS_WITH_ALL, **shared) for name in names]
    running = asyncio.create_task(Supervisor(programs, log.tell).run(ending))
    await log.until(are_up(3))
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)
    assert [line for line in log.lines if "killed" in line] == []


async def test_programs_are_asked_once_more_when_it_becomes_urgent() -> None:
    log, ending = Log(), Shutdown()
    programs = [program(name, ENDS_THE_SECOND_TIME) for name in ("bot", "worker")]
    running = asyncio.create_task(Supervisor(programs, log.tell).run(ending))
    await log.until(are_up(2))
    ending.ask()
    await log.until(lambda lines: sum("asked" in line for line in lines) == 2)
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)
    assert [line for line in log.lines if "killed" in line] == []


async def test_cancelled_supervisor_kills_its_programs() -> None:
    log, ending = Log(), Shutdown()
    programs = [program(name, "import os; print(os.getpid())\n" + STUBBORN) for name in ("a", "b")]
    running = asyncio.create_task(Supervisor(programs, log.tell).run(ending))
    await log.until(are_up(2))
    ending.ask()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, LIMIT_S)
    pids = [int(line.split()[-1]) for line in log.lines if line[-1].isdigit()]
    assert len(pids) == 2
    for pid in pids:
        await gone(pid)


async def test_service_ends_at_once_while_a_program_waits_to_be_started_again() -> None:
    log, ending = Log(), Shutdown()
    timeouts = ProgramTimeouts(begin_s=0, pause_s=3600, pause_limit_s=3600)
    supervisor = Supervisor([program("bot", "import sys; sys.exit(4)")], log.tell, timeouts)
    running = asyncio.create_task(supervisor.run(ending))
    await log.until(lambda lines: "bot: ended with code 4 and is started again" in lines)
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)


@ON_LINUX
async def test_what_a_program_has_started_ends_with_it() -> None:
    log, ending = Log(), Shutdown()
    running = asyncio.create_task(Supervisor([program("a", WITH_CHILD)], log.tell).run(ending))
    await log.until(lambda lines: any("pid" in line for line in lines))
    (line,) = [line for line in log.lines if "pid" in line]
    child = int(line.split()[-1])
    assert lives(child)
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)
    await gone(child)


@ON_LINUX
async def test_program_is_started_again_although_its_child_holds_its_log_open() -> None:
    log, ending = Log(), Shutdown()
    supervisor = Supervisor([program("a", WITH_CHILD)], log.tell, QUICK)
    running = asyncio.create_task(supervisor.run(ending))
    await log.until(lambda lines: any("pid" in line for line in lines))
    (line,) = [line for line in log.lines if "pid" in line]
    pid, child = map(int, line.split()[-2:])
    os.kill(pid, signal.SIGKILL)
    await log.until(lambda lines: sum("pid" in line for line in lines) == 2)
    await gone(child)
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)


async def test_program_runs_in_its_folder(tmp_path: Path) -> None:
    log, ending = Log(), Shutdown()
    command = (sys.executable, "-c", "import os; print(os.getcwd(), flush=True)\n" + SLEEPS)
    there = Program("bot", command, folder=tmp_path)
    running = asyncio.create_task(Supervisor([there], log.tell).run(ending))
    await log.until(lambda lines: "bot: up" in lines)
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)
    assert log.lines[0] == f"bot: {tmp_path.resolve()}"


async def test_program_that_is_killed_is_started_again() -> None:
    log, ending = Log(), Shutdown()
    code = "import os; print(os.environ['WHO'], os.getpid(), flush=True)\n" + SLEEPS
    running = asyncio.create_task(Supervisor([program("bot", code)], log.tell, QUICK).run(ending))
    await log.until(lambda lines: lines.count("bot: up") == 1)
    os.kill(int(log.lines[0].split()[-1]), signal.SIGKILL)
    await log.until(lambda lines: lines.count("bot: up") == 2)
    assert "bot: ended with code -9 and is started again" in log.lines
    assert log.lines[0].startswith("bot: bot ")
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)


async def test_program_that_cannot_begin_ends_the_service_at_once() -> None:
    log = Log()
    broken = "import sys; print('no token'); sys.exit(3)"
    programs = [program("worker", SLEEPS), program("bot", broken)]
    timeouts = ProgramTimeouts(begin_s=LIMIT_S)
    with pytest.raises(ProgramFailed, match=r"bot ended with code 3 as soon as it was started"):
        await asyncio.wait_for(Supervisor(programs, log.tell, timeouts).run(Shutdown()), LIMIT_S)
    assert log.lines.count("bot: no token") == 1


async def test_program_that_dies_again_and_again_ends_the_service() -> None:
    log = Log()
    timeouts = ProgramTimeouts(begin_s=0, pause_s=0.01, deaths=3)
    supervisor = Supervisor([program("bot", "import sys; sys.exit(4)")], log.tell, timeouts)
    with pytest.raises(ProgramFailed, match="code 4 repeatedly"):
        await asyncio.wait_for(supervisor.run(Shutdown()), LIMIT_S)
    assert log.lines.count("bot: ended with code 4 and is started again") == 2


async def test_programs_that_do_not_end_are_killed_after_one_deadline() -> None:
    log, ending = Log(), Shutdown()
    programs = [program("bot", STUBBORN), program("worker", STUBBORN)]
    timeouts = ProgramTimeouts(stop_s=0.05)
    running = asyncio.create_task(Supervisor(programs, log.tell, timeouts).run(ending))
    await log.until(are_up(2))
    ending.ask()
    await asyncio.wait_for(running, LIMIT_S)
    assert log.lines[-2:] == [
        f"{name}: did not end within 0.05 s and is killed" for name in ("bot", "worker")
    ]


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
