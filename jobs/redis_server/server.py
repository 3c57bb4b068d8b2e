"""A Valkey of our own for the queues, so that one machine needs nothing installed by hand.

    async with RedisServer(data_dir) as server:
        client = connect(server.url, is_worker=True)

It is started in a folder that no other server of ours can use at the same time, answers when the
block begins, is started again when it dies, and has ended when the block ends. It also ends when
this process is killed: see `child.py`. What it has accepted lies in an
append-only file that reaches the disk every second.
"""

import asyncio
import fcntl
import logging
import os
import re
import secrets
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from jobs.child_environment import child_environment
from jobs.connection import check_server, is_loading
from jobs.redis_server.program import find_program
from jobs.service_errors import FolderRefused, QueueFolderBusy, QueueServerFailed

log = logging.getLogger(__name__)

_CHILD = Path(__file__).with_name("child.py")
_LAST_WORDS = 20
_LOG_END_S = 2.0
_LINE_LIMIT_BYTES = 1 << 20
# What stands before the words of a line: "12345:M 23 Nov 2026 06:20:07.123 * "; then its level.
_LINE_HEAD = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ ([.\-*#]) ")
_USUAL = ("overcommit", "bye bye", "scheduling shutdown")  # warnings of every start and end


@dataclass(frozen=True)
class Patience:
    """How long the server is waited for, and how often it is started again.

    Attributes:
        lock_s: until a folder that is in use is refused; the last server may be just ending.
        start_s: until it answers; the time in which it says that it is loading does not count.
        stop_s: from the request to end until it is killed.
        pause_s: before it is started again; doubled with each death.
        pause_limit_s: the longest such pause.
        deaths: so many of them ...
        window_s: ... within this time, and it is given up.
    """

    lock_s: float = 3.0
    start_s: float = 30.0
    stop_s: float = 10.0
    pause_s: float = 0.2
    pause_limit_s: float = 10.0
    deaths: int = 5
    window_s: float = 60.0


@dataclass(frozen=True)
class QueueServer:
    """The server of the queues, ours or another's.

    Attributes:
        url: where it answers.
        watch: waits for as long as it can be used; raises QueueServerFailed if it is given up.
    """

    url: str
    watch: Callable[[], Awaitable[object]]


@asynccontextmanager
async def queue_server(
    redis_url: str, data_dir: Path, *, wait_s: float = 3.0
) -> AsyncIterator[QueueServer]:
    """The server at `redis_url`, checked; without an address one of our own.

    Args:
        redis_url: see `connect`.
        data_dir: where our own keeps its files.
        wait_s: how long another's that does not answer is asked again, s.

    Raises:
        BadSettings, QueueUnavailable: the server at `redis_url` cannot be used.
        QueueError, FolderRefused: our own cannot be started.
    """
    if redis_url:
        await check_server(redis_url, wait_s=wait_s)
        yield QueueServer(redis_url, asyncio.Event().wait)
        return
    async with RedisServer(data_dir) as server:
        yield QueueServer(server.url, server.watch)


class RedisServer:
    """Our own server while the block lasts.

    Args:
        data_dir: its files lie in the folder `redis` there, which is made if need be.
        program: the server program; None: it is looked for.
        patience: the defaults, if left out.

    Attributes:
        url: where it answers; the same for as long as the block lasts.
        pid: its process id, another one after each death.
    """

    def __init__(
        self, data_dir: Path, *, program: Path | None = None, patience: Patience | None = None
    ) -> None:
        self.url = ""
        self._folder = data_dir.absolute() / "redis"
        self._program = program
        self._patience = patience or Patience()
        self._command: list[str] = []
        self._lock_file = -1
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)

    @property
    def pid(self) -> int:
        """The process id of the server.

        Raises:
            LookupError: it does not run.
        """
        if self._process is None:
            raise LookupError
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Starts it.

        Raises:
            QueueServerMissing: there is no program to start.
            QueueFolderBusy, FolderRefused: its folder cannot be used.
            QueueServerFailed: it does not start.
        """
        try:
            await self._take_folder()
            program = self._program or find_program(self._folder)
            self._command = self._prepare(program)
            await self._start()
            await self._answering()
        except BaseException:
            await self._end()
            raise
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end()

    async def watch(self) -> None:
        """Waits for as long as the server can be used.

        Raises:
            QueueServerFailed: it died too often and is not started again.
        """
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)

    # --- before the start -------------------------------------------------------------------------

    async def _take_folder(self) -> None:
        """Makes the folder and locks it; the server and its guard hold the lock with us."""
        deadline = asyncio.get_running_loop().time() + self._patience.lock_s
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._lock_file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            while not _locked(self._lock_file):
                if asyncio.get_running_loop().time() > deadline:
                    raise QueueFolderBusy(folder=str(self._folder))
                await asyncio.sleep(0.05)
        except OSError as exc:
            raise self._refused(exc) from exc

    def _prepare(self, program: Path) -> list[str]:
        """The command line; sets `url`, and writes down the password if there is to be one."""
        listening, password = self._listening()
        options = {
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        words = [
            word for name, value in (listening | options).items() for word in (f"--{name}", value)
        ]
        return [str(program), *password, *words]

    def _listening(self) -> tuple[dict[str, str], list[str]]:
        """The options that say where to listen, and the file with the password; sets `url`."""
        path = self._folder / "redis.sock"
        try:
            path.unlink(missing_ok=True)
            # Some disks take no sockets, and none takes one with a long path.
            with socket.socket(socket.AF_UNIX) as trial:
                trial.bind(str(path))
        except OSError:
            log.info("%s takes no socket: the server of the queues uses TCP", self._folder)
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
            raise self._refused(exc) from exc
        self.url = f"redis://:{password}@127.0.0.1:{port}"
        return {"port": str(port), "bind": "127.0.0.1"}, [str(file)]

    def _refused(self, error: OSError) -> FolderRefused:
        reason = (error.strerror or "it was refused").lower()
        return FolderRefused(folder=str(self._folder), reason=reason)

    # --- running ----------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Starts the process and the reader of its log."""
        self._last_words.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_CHILD), *self._command),
                stdin=PIPE,  # its guard ends it when this is closed, however we end
                stdout=PIPE,
                stderr=STDOUT,
                limit=_LINE_LIMIT_BYTES,
                env=child_environment(),
                # The folder stays locked until the last of us has ended.
                pass_fds=[self._lock_file],
                start_new_session=True,  # Ctrl-C is for us, who stop the workers first
                umask=0o077,
            )
        except OSError as exc:
            reason = (exc.strerror or "it was refused").lower()
            self._last_words.append(reason)
            raise self._failure("cannot be started") from exc
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self._reader = asyncio.create_task(self._read_log(self._process.stdout))

    async def _answering(self) -> None:
        """Waits until the server answers.

        Raises:
            QueueServerFailed: it ends before, or falls silent.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._patience.start_s
        client = Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=2)
        try:
            while True:
                try:
                    await client.ping()
                except RedisError as exc:
                    if is_loading(exc):
                        deadline = now() + self._patience.start_s
                else:
                    return
                if self._process is None or self._process.returncode is not None:
                    await self._clear()
                    raise self._failure("did not start")
                if now() > deadline:
                    raise self._failure("does not answer")
                await asyncio.sleep(0.02)
        finally:
            await client.aclose()

    async def _supervise(self) -> None:
        """Starts the server again whenever it dies.

        Raises:
            QueueServerFailed: it has died too often.
        """
        patience, now = self._patience, asyncio.get_running_loop().time
        deaths: deque[float] = deque(maxlen=patience.deaths)
        pause_s = patience.pause_s
        while True:
            reason = await self._died()
            if deaths and now() - deaths[-1] > patience.window_s:
                pause_s = patience.pause_s
            deaths.append(now())
            log.error("%s", self._failure("died", reason))
            log.error("its last words:\n%s", "\n".join(self._last_words))
            if len(deaths) == patience.deaths and now() - deaths[0] <= patience.window_s:
                failure = self._failure("died too often and is not started again", reason)
                log.critical("%s", failure)
                raise failure
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, patience.pause_limit_s)
            with suppress(QueueServerFailed):
                await self._start()

    async def _died(self) -> str:
        """Waits for the end of the process; why it ended, if a signal did it."""
        process = self._process
        if process is None:
            return ""
        status = await process.wait()
        await self._clear()
        return f"it was killed by signal {-status}" if status < 0 else ""

    async def _read_log(self, said: asyncio.StreamReader) -> None:
        """Hands on what the server says, to its end."""
        while True:
            try:
                line = await said.readline()
            except ValueError:
                continue  # longer than any line is; unread, it would stop the server
            if not line:
                return
            words = line.decode(errors="replace").rstrip()
            self._last_words.append(words)
            level = logging.WARNING if _is_warning(words) else logging.DEBUG
            log.log(level, "server of the queues: %s", words)

    def _failure(self, what: str, reason: str = "") -> QueueServerFailed:
        """What has happened; without a reason, the server's last words are one."""
        warnings = [words for words in self._last_words if _is_warning(words)]
        last = (warnings or list(self._last_words) or ["it said nothing"])[-1]
        return QueueServerFailed(
            program=self._command[0],
            what=what,
            reason=reason or _LINE_HEAD.sub("", last).rstrip("."),
            folder=str(self._folder),
        )

    # --- the end ----------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Ends the server, politely at first, and gives the folder back."""
        try:
            if self._supervisor is not None:
                self._supervisor.cancel()
                await asyncio.gather(self._supervisor, return_exceptions=True)
            if self._process is not None and self._process.returncode is None:
                self._process.terminate()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), self._patience.stop_s)
        finally:
            await self._clear()
            if self._lock_file >= 0:
                # For all who hold it: what we have killed may take a moment to be gone.
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
                os.close(self._lock_file)
                self._lock_file = -1

    async def _clear(self) -> None:
        """Kills what is left of the server, its guard above all, and reads its log to the end."""
        process, self._process = self._process, None
        if process is None:
            return
        # PermissionError is how macOS says that only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if self._reader is not None:
            # What it had started may have left the group and still hold its log open.
            await asyncio.wait([self._reader], timeout=_LOG_END_S)
            self._reader.cancel()
        if process.stdin is not None:
            process.stdin.close()


def _is_warning(words: str) -> bool:
    """Whether a line of the server's log is worth an operator's while."""
    head = _LINE_HEAD.match(words)
    return head is not None and head[1] == "#" and not any(usual in words for usual in _USUAL)


def _locked(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
