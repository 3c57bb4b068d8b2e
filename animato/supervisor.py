"""Keeps the programs of the service (bot and workers) running on one machine, with a shared log.

A program that dies is started again after a growing pause. One that dies too often, or fails as
soon as it is started, ends the whole service. No program outlives the supervisor, not even when it
is killed with -9 (`jobs/child_guard.py`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from jobs.child_process import ChildProcess, RestartPolicy, keep_running
from jobs.errors import OperatorError
from jobs.tasks import Shutdown, end_tasks, run_shielded


class ProgramFailed(OperatorError):
    """A program of the service keeps failing."""

    sentence = "{name} ended with code {code} {how}: check its last log lines above."


@dataclass(frozen=True)
class Program:
    """A program of the service, run as a process.

    Attributes:
        name: written before its lines in the log.
        command: the program and its arguments.
        environment: all variables that it gets.
        folder: its working directory; None: ours.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class ProgramTimeouts(RestartPolicy):
    """When programs are restarted, given up and killed.

    Attributes:
        begin_s: a program that fails within this time of its first start is not started again.
        stop_s: from the request to end until programs are killed.
    """

    pause_s: float = 0.5
    begin_s: float = 5.0
    stop_s: float = 60.0


class Supervisor:
    """Runs programs.

    Args:
        programs: what to run.
        tell: called with a program's name and each line of its output.
        timeouts: when programs are restarted, given up and killed.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        tell: Callable[[str, str], None],
        timeouts: ProgramTimeouts | None = None,
    ) -> None:
        self._programs = tuple(programs)
        self._tell = tell
        self._timeouts = timeouts or ProgramTimeouts()
        self._started: set[str] = set()
        self._running: dict[str, ChildProcess] = {}
        self._ending = asyncio.Event()

    async def run(self, ending: Shutdown) -> None:
        """Keep all programs running until `ending` is asked for, then end them all at once.

        They get SIGTERM, and once more when it becomes urgent. When cancelled, kill them.

        Raises:
            ProgramFailed: a program keeps failing; the others are stopped first.
        """
        keepers = [asyncio.create_task(self._keep(program)) for program in self._programs]
        asked = asyncio.create_task(ending.asked.wait())
        hurry = asyncio.create_task(self._hurry(ending))
        try:
            await asyncio.wait({asked, *keepers}, return_when=asyncio.FIRST_COMPLETED)
            self._ending.set()
            self._terminate_all()
            stop_s = self._timeouts.stop_s
            await asyncio.wait(keepers, timeout=stop_s)
            for name in self._running:
                self._tell(name, f"did not end within {stop_s:g} s and is killed")
        finally:
            self._ending.set()
            # Keep the errors of those that have failed.
            failed = [task for task in keepers if task.done() and not task.cancelled()]
            await end_tasks([asked, hurry, *keepers])
        for task in failed:
            task.result()

    async def _keep(self, program: Program) -> None:
        """Run a program again and again, until all are to end.

        Raises:
            ProgramFailed: it keeps failing.
        """

        def tell(code: int) -> None:
            self._tell(program.name, f"ended with code {code} and is started again")

        run = partial(self._run_once, program)
        code = await keep_running(run, self._timeouts, on_restart=tell, stopping=self._ending)
        if not self._ending.is_set():
            raise ProgramFailed(name=program.name, code=code, how="repeatedly")

    async def _run_once(self, program: Program) -> int:
        """Run a program and return its exit code; negative: the signal that ended it.

        Raises:
            ProgramFailed: it failed as soon as it was started for the first time.
        """
        begun_s = time.monotonic()
        process = await ChildProcess.start(
            program.command,
            partial(self._tell, program.name),
            env={**program.environment, "PYTHONUNBUFFERED": "1"},
            cwd=program.folder,
        )
        self._running[program.name] = process
        try:
            if self._ending.is_set():
                process.terminate()
            code = await process.wait()
        finally:
            await run_shielded(process.clear())
            del self._running[program.name]
        is_first = program.name not in self._started
        self._started.add(program.name)
        is_early = time.monotonic() - begun_s < self._timeouts.begin_s
        # A signal comes from outside and says nothing about the program.
        if is_first and is_early and code > 0 and not self._ending.is_set():
            raise ProgramFailed(name=program.name, code=code, how="as soon as it was started")
        return code

    async def _hurry(self, ending: Shutdown) -> None:
        """Send SIGTERM a second time when the end becomes urgent."""
        await ending.is_urgent.wait()
        self._terminate_all()

    def _terminate_all(self) -> None:
        for process in self._running.values():
            process.terminate()
