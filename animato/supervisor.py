"""Keeps the programs of the service running on one machine: bot, workers; one log for all.

Each is started again when it dies, with longer and longer pauses; one that dies again and again, or
cannot even begin, ends the whole service with its own last words on the screen. None of them
outlives the supervisor, not even its kill -9 (`jobs/redis_server/child.py`).
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
from jobs.tasks import end_tasks

_GUARD = (sys.executable, "-I", "-S", child.__file__)
_LINE_LIMIT_BYTES = 1 << 20


class ProgramFailed(OperatorError):
    """A part of the service that does not stay up."""

    sentence = "{name} ended with code {code} {how}: what it said last is above."


@dataclass(frozen=True)
class Program:
    """A part of the service that is a process of its own.

    Attributes:
        name: before its lines in the log.
        command: what is run.
        environment: variables that it gets besides ours.
        stop_s: from the request to end until it is killed.
        folder: where it runs; None: where we do.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_s: float = 60.0
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
    """

    begin_s: float = 5.0
    pause_s: float = 0.5
    pause_limit_s: float = 10.0
    deaths: int = 5
    window_s: float = 60.0


class Supervisor:
    """Runs programs.

    Args:
        programs: in the order in which they are started; they are ended in the opposite one.
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
        self._is_ending = False

    async def run(self, ended: asyncio.Event) -> None:
        """Keeps all programs running until somebody wants the end, and ends them.

        Raises:
            ProgramFailed: one of them does not stay up; the others are ended first.
        """
        keepers = [asyncio.create_task(self._keep(program)) for program in self._programs]
        wish = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait({wish, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_ending = True
            for program in reversed(self._programs):
                await self._end(program)
            # A keeper that has failed keeps its error.
            failed = [task for task in keepers if task.done() and not task.cancelled()]
            await end_tasks([wish, *keepers])
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
            if self._is_ending:
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
            await asyncio.sleep(min(pause_s, self._patience.pause_limit_s))

    async def _run_once(self, program: Program) -> int:
        """The exit code of one run; negative: the signal that ended it."""
        process = await asyncio.create_subprocess_exec(
            *_GUARD,
            *program.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env={**os.environ, **program.environment, "PYTHONUNBUFFERED": "1"},
            cwd=program.folder,
            limit=_LINE_LIMIT_BYTES,
            # Ctrl-C is for the supervisor to answer, which ends its programs in order.
            process_group=0,
        )
        self._running[program.name] = process
        try:
            if self._is_ending:
                await self._end(program)
            await self._pass_on(program, process)
            return await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
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

    async def _end(self, program: Program) -> None:
        """Ends a program, if it runs; when this returns, it is gone."""
        process = self._running.get(program.name)
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), program.stop_s)
        except TimeoutError:
            self._tell(program.name, f"did not end within {program.stop_s:g} s and is killed")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
