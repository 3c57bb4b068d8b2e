"""An embedded Valkey or Redis server, so that a single machine needs nothing installed by hand.

    async with RedisServer(data_dir) as server:
        client = connect(server.url, is_worker=True)

The server locks its folder against a second one, answers when the block begins, is restarted when
it dies, and has ended when the block ends, or when this process is killed. What it has accepted is
in an append-only file that is synced to disk every second.
"""

import asyncio
import fcntl
import logging
import os
import re
import secrets
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from jobs.child_environment import child_environment
from jobs.child_process import ChildProcess, RestartPolicy, keep_running
from jobs.connection import check_server, is_loading
from jobs.errors import os_reason
from jobs.redis_server.program import find_program
from jobs.service_errors import FolderRefused, QueueFolderBusy, QueueServerFailed
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

_KEPT_LINES = 20
# The start of a log line: "12345:M 23 Nov 2026 06:20:07.123 * ", whose last character is the level.
_LINE_HEAD = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ ([.\-*#]) ")
_USUAL = ("overcommit", "bye bye", "scheduling shutdown")  # warnings of every start and end


@dataclass(frozen=True)
class ServerTimeouts(RestartPolicy):
    """How long to wait for the server, and when to restart it.

    Attributes:
        lock_s: until a folder that is in use is refused; the last server may still be ending.
        start_s: until the server answers, not counting the time while it is loading its data.
        stop_s: from the request to end until it is killed.
    """

    lock_s: float = 3.0
    start_s: float = 30.0
    stop_s: float = 10.0


@dataclass(frozen=True)
class QueueServer:
    """The Redis server to use, embedded or not.

    Attributes:
        url: its address.
        watch: waits while it can be used; raises QueueServerFailed if it is given up.
    """

    url: str
    watch: Callable[[], Awaitable[object]]


@asynccontextmanager
async def queue_server(
    redis_url: str, data_dir: Path, *, wait_s: float = 3.0
) -> AsyncIterator[QueueServer]:
    """Check the server at `redis_url`; without an address, run an embedded one.

    Args:
        redis_url: see `connect`.
        data_dir: where the embedded server keeps its files.
        wait_s: how long to retry a server at `redis_url` that does not answer, s.

    Raises:
        BadSettings, QueueUnavailable: the server at `redis_url` cannot be used.
        QueueError, FolderRefused: the embedded one cannot be started.
    """
    if redis_url:
        await check_server(redis_url, wait_s=wait_s)
        yield QueueServer(redis_url, asyncio.Event().wait)
        return
    async with RedisServer(data_dir) as server:
        yield QueueServer(server.url, server.watch)


class RedisServer:
    """An embedded server, running while the block lasts.

    Args:
        data_dir: its files are in the folder `redis` there, which is created if necessary.
        program: the server program; None: find one.
        timeouts: how long to wait for it.

    Attributes:
        url: its address, which stays the same over restarts.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        program: Path | None = None,
        timeouts: ServerTimeouts | None = None,
    ) -> None:
        self.url = ""
        self._folder = data_dir.absolute() / "redis"
        self._program = program
        self._timeouts = timeouts or ServerTimeouts()
        self._command: list[str] = []
        self._lock_file = -1
        self._process: ChildProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)

    @property
    def pid(self) -> int:
        """The process id of the server, which changes with each restart.

        Raises:
            LookupError: it does not run.
        """
        if self._process is None:
            raise LookupError
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            QueueServerMissing: there is no program to start.
            QueueFolderBusy, FolderRefused: its folder cannot be used.
            QueueServerFailed: it does not start.
        """
        try:
            await self._lock_folder()
            program = self._program or find_program(self._folder)
            self._command = self._prepare(program)
            await self._start()
            await self._wait_until_ready()
        except BaseException:
            await self._stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def watch(self) -> None:
        """Wait while the server can be used.

        Raises:
            QueueServerFailed: it died too often and is not restarted.
        """
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    # --- before the start -------------------------------------------------------------------------

    async def _lock_folder(self) -> None:
        """Create the folder and lock it; the server inherits the lock."""
        deadline = asyncio.get_running_loop().time() + self._timeouts.lock_s
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._lock_file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            while not _try_lock(self._lock_file):
                if asyncio.get_running_loop().time() > deadline:
                    raise QueueFolderBusy(folder=str(self._folder))
                await asyncio.sleep(0.05)
        except OSError as exc:
            raise self._folder_error(exc) from exc

    def _prepare(self, program: Path) -> list[str]:
        """Return the command line; set `url`, and write the password file if TCP is used."""
        listening, password = self._listening()
        options = listening | {
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(program), *password, *arguments]

    def _listening(self) -> tuple[dict[str, str], list[str]]:
        """Return the options for listening, and the password file if there is one; set `url`."""
        path = self._folder / "redis.sock"
        try:
            path.unlink(missing_ok=True)
            # Some file systems have no sockets, and long paths are refused everywhere.
            with socket.socket(socket.AF_UNIX) as trial:
                trial.bind(str(path))
        except OSError:
            log.info("%s takes no socket: the embedded Redis server uses TCP", self._folder)
        else:
            self.url = f"unix://{quote(str(path))}"
            return {"port": "0", "unixsocket": str(path), "unixsocketperm": "700"}, []
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = trial.getsockname()[1]
        # Not on the command line, which everybody on this machine can read.
        password, file = secrets.token_hex(32), self._folder / "password.conf"
        try:
            file.unlink(missing_ok=True)
            file.touch(0o600, exist_ok=False)
            file.write_text(f"requirepass {password}\n", "utf-8")
        except OSError as exc:
            raise self._folder_error(exc) from exc
        self.url = f"redis://:{password}@127.0.0.1:{port}"
        return {"port": str(port), "bind": "127.0.0.1"}, [str(file)]

    def _folder_error(self, error: OSError) -> FolderRefused:
        return FolderRefused(folder=str(self._folder), reason=os_reason(error))

    # --- running ----------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._last_lines.clear()
        try:
            self._process = await ChildProcess.start(
                self._command,
                self._log_line,
                env=child_environment(),
                umask=0o077,
                # The folder stays locked until the server and its guard have ended.
                pass_fds=[self._lock_file],
            )
        except OSError as exc:
            self._last_lines.append(os_reason(exc))
            raise self._failure("cannot be started") from exc

    async def _wait_until_ready(self) -> None:
        """Wait until the server answers.

        Raises:
            QueueServerFailed: it ends before, or does not answer in time.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._timeouts.start_s
        client = Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=2)
        try:
            while True:
                try:
                    await client.ping()
                except RedisError as exc:
                    if is_loading(exc):
                        deadline = now() + self._timeouts.start_s
                else:
                    return
                if self._process is None or self._process.has_ended:
                    await self._clear()
                    raise self._failure("did not start")
                if now() > deadline:
                    raise self._failure("does not answer")
                await asyncio.sleep(0.02)
        finally:
            await client.aclose()

    async def _supervise(self) -> None:
        """Restart the server whenever it dies.

        Raises:
            QueueServerFailed: it has died too often.
        """
        reason = await keep_running(self._run_once, self._timeouts)
        failure = self._failure("died too often and is not started again", reason)
        log.critical("%s", failure)
        raise failure

    async def _run_once(self) -> str:
        """Wait until the server dies, starting it first if it does not run; return why it died."""
        if self._process is None:
            with suppress(QueueServerFailed):
                await self._start()
        status = 0 if self._process is None else await self._process.wait()
        await self._clear()
        reason = f"it was killed by signal {-status}" if status < 0 else ""
        log.error("%s", self._failure("died", reason))
        log.error("its last lines:\n%s", "\n".join(self._last_lines))
        return reason

    def _log_line(self, line: str) -> None:
        self._last_lines.append(line)
        log.log(logging.WARNING if _is_warning(line) else logging.DEBUG, "redis: %s", line)

    def _failure(self, what: str, reason: str = "") -> QueueServerFailed:
        """Describe what happened; without a reason, quote the server's last warning or line."""
        warnings = [line for line in self._last_lines if _is_warning(line)]
        last = (warnings or list(self._last_lines) or ["it said nothing"])[-1]
        return QueueServerFailed(
            program=self._command[0],
            what=what,
            reason=reason or _LINE_HEAD.sub("", last).rstrip("."),
            folder=str(self._folder),
        )

    # --- the end ----------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """Terminate the server, kill it if need be, and unlock the folder."""
        try:
            if self._supervisor is not None:
                await end_tasks([self._supervisor])
            if self._process is not None:
                self._process.terminate()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), self._timeouts.stop_s)
        finally:
            await self._clear()
            if self._lock_file >= 0:
                # For everybody who holds it: a killed process may take a moment to be gone.
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
                os.close(self._lock_file)
                self._lock_file = -1

    async def _clear(self) -> None:
        """Kill what is left of the server and read its log to the end."""
        process, self._process = self._process, None
        if process is not None:
            await process.clear()


def _is_warning(line: str) -> bool:
    """Whether an operator should see a line of the server's log."""
    head = _LINE_HEAD.match(line)
    return head is not None and head[1] == "#" and not any(usual in line for usual in _USUAL)


def _try_lock(lock: int) -> bool:
    """Try to take the lock; return whether it is ours."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
