"""The engine process as a child of this one: start it, exchange lines with it, kill it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from inference.process.setup import END_MARK, LINE_LIMIT_BYTES, EngineSetup
from jobs.child_environment import ENGINE, child_environment, python_path

_COMMAND = (sys.executable, "-P", "-m", "inference.process.engine_main")
_DRAIN_S = 1.0  # for reading the rest of a dead process's output
# Its stderr is read in such chunks, with a pause after a full one: a flood waits in the pipe.
_CHUNK_BYTES = 1 << 15
_PAUSE_S = 0.02
_LINES_PER_CHUNK = 200
_LINE_LIMIT_BYTES = 2000


class ChildHandle:
    """A running engine process, in a session of its own: Ctrl-C does not reach it.

    Args:
        process: the process.
        keep: called with each line that it prints.
    """

    def __init__(self, process: Process, keep: Callable[[str], None]) -> None:
        self.process = process
        self._keep = keep
        self._last_line = ""
        self._end_marked = asyncio.Event()
        self._printing = asyncio.create_task(self._read_printed())
        self._reaped = asyncio.create_task(self._reap())

    @classmethod
    async def start(cls, setup: EngineSetup, keep: Callable[[str], None]) -> Self:
        """Start one.

        Raises:
            OSError: the system refuses.
        """
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT_BYTES,
            env=child_environment(*ENGINE, PYTHONPATH=python_path()),
            start_new_session=True,
        )
        child = cls(process, keep)
        child.send(setup.model_dump(mode="json"))
        return child

    @property
    def lives(self) -> bool:
        """Whether it is running, as far as is known."""
        return self.process.returncode is None

    def send(self, request: dict[str, Any]) -> None:
        """Send a request; what the pipe cannot take yet is sent later."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.write(json.dumps(request).encode() + b"\n")

    async def wait_for_output(self) -> None:
        """Wait, not for long, until everything printed for the last request is kept."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end_marked.wait(), _DRAIN_S)
        self._end_marked.clear()

    async def read_line(self) -> bytes:
        """Return its next response; empty at the end.

        Raises:
            ValueError: it is too long.
        """
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return await self.process.stdout.readline()

    def kill(self) -> None:
        """Kill it and what it has started, if it runs."""
        # Later, another process may have its number.
        if self.lives:
            self._kill_group()

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.close()
        # Cancelling this call must not cancel the reaping.
        await asyncio.wait({self._reaped})
        # Reading the pipes to their ends closes them.
        rest = asyncio.create_task(self._read_rest())
        await asyncio.wait({self._printing, rest}, timeout=_DRAIN_S)
        self._printing.cancel()
        rest.cancel()

    async def death(self) -> str:
        """Wait for its end and return how it ended; its output is kept by then."""
        # A process that has closed its pipes and goes on is of no use.
        await asyncio.wait({self._reaped}, timeout=_DRAIN_S)
        self.kill()
        status = await self.process.wait()
        await asyncio.wait({self._reaped, self._printing}, timeout=_DRAIN_S)
        if status < 0:
            reason = f"killed by {signal.Signals(-status).name}"
        else:
            reason = f"exit code {status}"
        if status > 0 and self._last_line:
            reason = f"{reason}, {self._last_line}"
        return f"its process ended ({reason})"

    async def _reap(self) -> None:
        """Wait for its end, then kill what it had started."""
        await self.process.wait()
        self._kill_group()

    def _kill_group(self) -> None:
        # PermissionError is how macOS says that only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def _read_printed(self) -> None:
        """Keep what it prints; a flood waits in the pipe, not here."""
        assert self.process.stderr is not None  # noqa: S101 - it is a pipe
        rest = b""
        while chunk := await self.process.stderr.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines[-_LINES_PER_CHUNK:]:
                self._keep_line(line)
            rest = rest[-_LINE_LIMIT_BYTES:]
            if len(chunk) == _CHUNK_BYTES:
                await asyncio.sleep(_PAUSE_S)
        if rest:
            self._keep_line(rest)

    def _keep_line(self, line: bytes) -> None:
        if line.startswith(END_MARK):
            self._end_marked.set()
            return
        text = line[:_LINE_LIMIT_BYTES].decode(errors="replace").rstrip()
        if text:
            self._last_line = text
            self._keep(text)

    async def _read_rest(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        while await self.process.stdout.read(_CHUNK_BYTES):
            pass
