"""Long-running child processes: start, log, kill, and restart with policy.

The embedded Redis server and the programs of `animato up` are run with this.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from jobs import child_guard
from jobs.tasks import end_tasks

_GUARD = (sys.executable, "-I", "-S", child_guard.__file__)
_LINE_LIMIT_BYTES = 1 << 20
_POLL_S = 0.05
_LOG_END_S = 2.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class RestartPolicy:
    """When a child that died is started again.

    Attributes:
        pause_s: the pause before a restart; doubled with each death within the window.
        pause_limit_s: the longest such pause.
        deaths: after this many deaths ...
        window_s: ... within this time, the child is not started again.
    """

    pause_s: float = 0.2
    pause_limit_s: float = 10.0
    deaths: int = 5
    window_s: float = 60.0


async def keep_running(
    run: Callable[[], Awaitable[Result]],
    policy: RestartPolicy,
    *,
    on_restart: Callable[[Result], None] = lambda _: None,
    stopping: asyncio.Event | None = None,
) -> Result:
    """Call `run` again each time it returns, until it has returned too often or is to stop.

    Args:
        run: runs the child once and returns when it has died.
        policy: the pauses, and how many deaths are too many.
        on_restart: called with the result of `run` before the pause that precedes a restart.
        stopping: once set, nothing is started any more.

    Returns:
        The last result of `run`.
    """
    stopping = stopping or asyncio.Event()
    now = asyncio.get_running_loop().time
    deaths: deque[float] = deque(maxlen=policy.deaths)
    while True:
        result = await run()
        deaths.append(now())
        while now() - deaths[0] > policy.window_s and len(deaths) > 1:
            deaths.popleft()
        if stopping.is_set() or len(deaths) >= policy.deaths:
            return result
        on_restart(result)
        pause_s = policy.pause_s * 2 ** min(len(deaths) - 1, 30)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(pause_s, policy.pause_limit_s))
            return result


class ChildProcess:
    """A child that does not outlive this process, and whose output is read line by line."""

    def __init__(self, process: Process, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._on_line = on_line
        self._reading = asyncio.create_task(self._read_output())

    @classmethod
    async def start(
        cls, command: Sequence[str], on_line: Callable[[str], None], **options: Any
    ) -> Self:
        """Start a child in a session of its own: Ctrl-C reaches this process only.

        Args:
            command: the program and its arguments.
            on_line: called with each line of its output.
            **options: of `asyncio.create_subprocess_exec`, such as `env` and `cwd`.

        Raises:
            OSError: it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *_GUARD,
            *command,
            stdin=PIPE,  # the guard ends the child when this is closed, however we end
            stdout=PIPE,
            stderr=STDOUT,
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,
            **options,
        )
        return cls(process, on_line)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Wait for the child to end; return its exit code, or the negative signal number."""
        # Before Python 3.12.4, `Process.wait` also waits for everybody who holds the pipes.
        while self._process.returncode is None:
            await asyncio.sleep(_POLL_S)
        return self._process.returncode

    def terminate(self) -> None:
        """Send SIGTERM, unless it has ended."""
        # `Process.terminate` may reap a child that has just ended; its status would then be 255.
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    async def clear(self) -> None:
        """Kill the child and its process group, and read its output to the end."""
        # PermissionError: on macOS, only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        # A grandchild may have left the group and still hold the output open.
        await asyncio.wait([self._reading], timeout=_LOG_END_S)
        await end_tasks([self._reading])
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self.wait()

    async def _read_output(self) -> None:
        if self._process.stdout is None:
            return
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:
                continue  # longer than any line should be
            if not line:
                return
            self._on_line(line.decode("utf-8", "replace").rstrip())
