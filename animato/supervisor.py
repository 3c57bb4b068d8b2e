"""Keeps the programs of the service running on one machine: bot, workers; one log for all.

Each is started again when it dies, with longer and longer pauses; one that dies again and again, or
cannot even begin, ends the whole service with its own last words on the screen. None of them
outlives the supervisor, not even its kill -9 (`jobs/redis_server/child.py`). They end all at once.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jobs.errors import OperatorError
from jobs.redis_server import child
from jobs.tasks import Shutdown, end_tasks, to_the_end

_GUARD = (sys.executable, "-I", "-S", child.__file__)
_LINE_LIMIT_BYTES = 1 << 20
_POLL_S = 0.1
_LOG_END_S = 2.0


class ProgramFailed(OperatorError):
    """A part of the service that does not stay up."""

    sentence = "{name} ended with code {code} {how}: what it said last is above."


@dataclass(frozen=True)
class Program:
    """A part of the service that is a process of its own.

    Attributes:
        name: before its lines in the log.
        command: what is run.
        environment: all variables that it gets.
        folder: where it runs; None: where we do.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class Patience:
    """How long programs are believed in.

    Attributes:
        begin_s: one that ends by itself in this time, the first time, cannot begin at all.
        pause_s: before it is started again; doubled with each death in the window.
        pause_limit_s: the longest such pause.
        deaths: so many of them ...
        window_s: ... within this time, and the service is given up.
        stop_s: all programs have so long to end, once they are asked to; then they are killed.
    """

    begin_s: float = 5.0
    pause_s: float = 0.5
    pause_limit_s: float = 10.0
    deaths: int = 5
    window_s: float = 60.0
    stop_s: float = 60.0


class Supervisor:
    """Runs programs.

    Args:
        programs: what to run.
        tell: told each line with its program's name.
        patience: the defaults, if left out.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        tell: Callable[[str, str], None],
        patience: Patience | None = None,
    ) -> None:
        self._programs = tuple(programs)
        self._tell = tell
        self._patience = patience or Patience()
        self._running: dict[str, Process] = {}
        self._ending = asyncio.Event()

    async def run(self, ending: Shutdown) -> None:
        """Keep all programs running until `ending` is asked for, then end them all at once.

        They get SIGTERM, and once more when it becomes urgent. When cancelled, kill them.

        Raises:
            ProgramFailed: one of them does not stay up; the others are ended first.
        """
        keepers = [asyncio.create_task(self._keep(program)) for program in self._programs]
        asked = asyncio.create_task(ending.asked.wait())
        hurry = asyncio.create_task(self._hurry(ending))
        try:
            await asyncio.wait({asked, *keepers}, return_when=asyncio.FIRST_COMPLETED)
            self._ending.set()
            self._ask_all()
            await asyncio.wait(keepers, timeout=self._patience.stop_s)
            for name in self._running:
                stop_s = self._patience.stop_s
                self._tell(name, f"did not end within {stop_s:g} s and is killed")
        finally:
            self._ending.set()
            # A keeper that has failed keeps its error.
            failed = [task for task in keepers if task.done() and not task.cancelled()]
            await end_tasks([asked, hurry, *keepers])
        for task in failed:
            task.result()

    async def _keep(self, program: Program) -> None:
        """Starts a program again and again; returns when all is to end.

        Raises:
            ProgramFailed: it does not stay up.
        """
        deaths: deque[float] = deque()
        is_first = True
        while True:
            begun_s = time.monotonic()
            code = await self._run_once(program)
            if self._ending.is_set():
                return
            now_s = time.monotonic()
            # A signal is somebody's or the system's doing, and says nothing about the program.
            if is_first and code > 0 and now_s - begun_s < self._patience.begin_s:
                raise ProgramFailed(name=program.name, code=code, how="as soon as it was started")
            is_first = False
            deaths.append(now_s)
            while now_s - deaths[0] > self._patience.window_s:
                deaths.popleft()
            if len(deaths) >= self._patience.deaths:
                raise ProgramFailed(name=program.name, code=code, how="again and again")
            pause_s = self._patience.pause_s * 2 ** (len(deaths) - 1)
            self._tell(program.name, f"ended with code {code} and is started again")
            with suppress(TimeoutError):
                limit_s = self._patience.pause_limit_s
                await asyncio.wait_for(self._ending.wait(), min(pause_s, limit_s))
                return

    async def _run_once(self, program: Program) -> int:
        """The exit code of one run; negative: the signal that ended it."""
        process = await asyncio.create_subprocess_exec(
            *_GUARD,
            *program.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env={**program.environment, "PYTHONUNBUFFERED": "1"},
            cwd=program.folder,
            limit=_LINE_LIMIT_BYTES,
            # Ctrl-C is for the supervisor to answer, which ends its programs in good order.
            process_group=0,
        )
        self._running[program.name] = process
        log = asyncio.create_task(self._pass_on(program, process))
        try:
            if self._ending.is_set():
                _ask(process)
            # Not `wait`, which before Python 3.12.4 also waits for all who hold the pipes.
            while process.returncode is None:
                await asyncio.sleep(_POLL_S)
            return process.returncode
        finally:
            await to_the_end(_clear(process, log))
            del self._running[program.name]

    async def _pass_on(self, program: Program, process: Process) -> None:
        """Tells what a program says, until it says no more."""
        if process.stdout is None:
            return
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # longer than any line should be
            if not line:
                return
            self._tell(program.name, line.decode("utf-8", "replace").rstrip())

    async def _hurry(self, ending: Shutdown) -> None:
        """Ask the programs a second time to end as soon as it is urgent."""
        await ending.is_urgent.wait()
        self._ask_all()

    def _ask_all(self) -> None:
        for process in self._running.values():
            _ask(process)


def _ask(process: Process) -> None:
    """Ask a program to end, unless it has ended."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)


async def _clear(process: Process, log: "asyncio.Task[None]") -> None:
    """Kill a program and what is left of its process group; read its log to the end."""
    # PermissionError is how macOS says that only zombies are left in the group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # What it has started may have left the group and still hold its log open.
    await asyncio.wait([log], timeout=_LOG_END_S)
    await end_tasks([log])
    if process.stdin is not None:
        process.stdin.close()
    while process.returncode is None:
        await asyncio.sleep(_POLL_S)
