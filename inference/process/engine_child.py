"""The engine process as its parent holds it: started, spoken to, listened to, ended for certain."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from inference.process.render_job import END_MARK, LINE_LIMIT_BYTES, EngineSetup
from jobs.child_environment import ENGINE, child_environment

_COMMAND = (sys.executable, "-P", "-m", "inference.process.child")
_LAST_WORDS_S = 1.0  # what a dead process has said is waited for so long
# What it prints is read in such pieces, with a pause after a full one: a flood waits in the pipe.
_CHATTER_BYTES = 1 << 15
_CHATTER_PAUSE_S = 0.02
_LINES_HEARD = 200
_LINE_LIMIT_BYTES = 2000


class EngineChild:
    """A running engine process, in a session of its own: Ctrl-C does not reach it.

    Args:
        process: the process.
        keep: takes what it prints, line by line.
    """

    def __init__(self, process: Process, keep: Callable[[str], None]) -> None:
        self.process = process
        self._keep = keep
        self._last_words = ""
        self._end_marked = asyncio.Event()
        self._chatter = asyncio.create_task(self._listen())
        self._burial = asyncio.create_task(self._bury())

    @classmethod
    async def start(cls, setup: EngineSetup, keep: Callable[[str], None]) -> Self:
        """Starts one.

        Raises:
            OSError: the system refuses.
        """
        ours = str(Path(__file__).resolve().parents[2])
        paths = [ours, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT_BYTES,
            env=child_environment(*ENGINE, PYTHONPATH=os.pathsep.join(filter(None, paths))),
            start_new_session=True,
        )
        child = cls(process, keep)
        child.send(setup.model_dump(mode="json"))
        return child

    @property
    def lives(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self.process.returncode is None

    def send(self, request: dict[str, Any]) -> None:
        """Sends a request; what does not fit into the pipe is sent when there is room."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.write(json.dumps(request).encode() + b"\n")

    async def all_printed(self) -> None:
        """Returns when all is kept that was printed for the last request, or soon."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end_marked.wait(), _LAST_WORDS_S)
        self._end_marked.clear()

    async def read_line(self) -> bytes:
        """The next line of its answers; empty when there are no more.

        Raises:
            ValueError: it is too long.
        """
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return await self.process.stdout.readline()

    def kill(self) -> None:
        """Kills it and what it has started; nothing, if it has ended."""
        # Later, another process may have its number.
        if self.lives:
            self._kill_group()

    async def end(self) -> None:
        """Kills it and returns when it is gone."""
        self.kill()
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.close()
        # Somebody who stops waiting here does not stop the burial.
        await asyncio.wait({self._burial})
        # Read to their ends, the pipes are closed.
        rest = asyncio.create_task(self._read_rest())
        await asyncio.wait({self._chatter, rest}, timeout=_LAST_WORDS_S)
        self._chatter.cancel()
        rest.cancel()

    async def death(self) -> str:
        """How it has ended, once it has; its last words are kept by then."""
        # A process that has closed its pipes and goes on is of no use.
        await asyncio.wait({self._burial}, timeout=_LAST_WORDS_S)
        self.kill()
        status = await self.process.wait()
        await asyncio.wait({self._burial, self._chatter}, timeout=_LAST_WORDS_S)
        if status < 0:
            reason = f"killed by {signal.Signals(-status).name}"
        else:
            reason = f"exit code {status}"
        if status > 0 and self._last_words:
            reason = f"{reason}, {self._last_words}"
        return f"its process ended ({reason})"

    async def _bury(self) -> None:
        """Waits for its end, and ends what it had started."""
        await self.process.wait()
        self._kill_group()

    def _kill_group(self) -> None:
        # PermissionError is how macOS says that only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        """Keeps what it prints; a flood waits in the pipe, not here."""
        assert self.process.stderr is not None  # noqa: S101 - it is a pipe
        rest = b""
        while chunk := await self.process.stderr.read(_CHATTER_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines[-_LINES_HEARD:]:
                self._hear(line)
            rest = rest[-_LINE_LIMIT_BYTES:]
            if len(chunk) == _CHATTER_BYTES:
                await asyncio.sleep(_CHATTER_PAUSE_S)
        if rest:
            self._hear(rest)

    def _hear(self, line: bytes) -> None:
        if line.startswith(END_MARK):
            self._end_marked.set()
            return
        text = line[:_LINE_LIMIT_BYTES].decode(errors="replace").rstrip()
        if text:
            self._last_words = text
            self._keep(text)

    async def _read_rest(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        while await self.process.stdout.read(_CHATTER_BYTES):
            pass
