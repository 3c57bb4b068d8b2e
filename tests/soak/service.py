"""The programs of a soak test: sandbox, Valkey, bot and workers, on a disk of their own."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from jobs.redis_server.server import RedisServer, ServerTimeouts
from sandbox.server import Sandbox, SandboxOptions
from sandbox.world.telegram import Settings
from tests.integration.sandbox.desk import Desk
from tests.integration.worker.chaos_programs import Program
from tests.integration.worker.conftest import engine_processes

MARK = "ANIMATED_SOAK"
WORKERS = 2
DISK_MB = 1024
_UNTIRING = ServerTimeouts(pause_limit_s=1.0, deaths=100_000)
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Service:
    """The running service.

    Attributes:
        desk: the person side of the sandbox.
        redis: the server.
        bot: the bot's program.
        workers: the workers' programs.
        disk: the folder of everything that it stores.
        has_own_disk: whether `disk` is a file system of its own, which may be filled.
    """

    desk: Desk
    redis: RedisServer
    bot: Program
    workers: list[Program]
    disk: Path
    has_own_disk: bool
    memory_mb: dict[str, list[float]] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """The file store."""
        return self.disk / "files"

    @property
    def scratch(self) -> Path:
        """The folder for temporary files."""
        return self.disk / "tmp"

    def engines(self) -> list[int]:
        """The process ids of the engine processes."""
        return [pid for worker in self.workers for pid in engine_processes(worker.pid)]

    def note_memory(self) -> None:
        """Note how much memory each kind of program has now, MB."""
        with suppress(LookupError):
            self._note("server", [self.redis.pid])
        self._note("bot", [self.bot.pid])
        self._note("worker", [worker.pid for worker in self.workers])
        self._note("engine", self.engines())

    def _note(self, kind: str, pids: list[int]) -> None:
        found = []
        for pid in pids:
            with suppress(OSError):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                found.append(resident * _PAGE / 1e6)
        if found:
            self.memory_mb.setdefault(kind, []).append(max(found))

    async def close_programs(self) -> None:
        """Stop bot and workers, as an owner would."""
        await asyncio.gather(*(one.end() for one in (self.bot, *self.workers)))


@contextmanager
def _disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system at `folder` if this user may; yields whether it is there."""
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={DISK_MB}m", "animato-soak", str(folder))
    mount = subprocess.run(("mount", *options), check=False, capture_output=True)  # noqa: S607
    is_mounted = mount.returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(("umount", "--lazy", str(folder)), check=True)  # noqa: S607


@asynccontextmanager
async def running(folder: Path, retain_h: float) -> AsyncIterator[Service]:
    """Run the service during the block; files are kept for `retain_h`."""
    async with AsyncExitStack() as stack:
        disk = folder / "disk"
        has_own_disk = stack.enter_context(_disk(disk))
        (disk / "tmp").mkdir()
        options = SandboxOptions(settings=Settings(enforce_limits=True))
        sandbox = await stack.enter_async_context(Sandbox(options))
        redis = await stack.enter_async_context(RedisServer(disk, timeouts=_UNTIRING))
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("ANIMATO_")},
            "TMPDIR": str(disk / "tmp"),
            "ANIMATO_REDIS_URL": redis.url,
            "ANIMATO_STORE_URL": str(disk / "files"),
            "ANIMATO_DATA_DIR": str(disk),
            "ANIMATO_BOT_TOKEN": sandbox.token,
            "ANIMATO_BOT_API_URL": sandbox.url,
            "ANIMATO_OPEN": "true",
            "ANIMATO_OFFLINE": "true",
            "ANIMATO_MIN_FREE_GB": "0",
            "ANIMATO_ORDERS_PER_DAY": "100000",
            "ANIMATO_RETAIN_INPUT_H": str(retain_h),
            "ANIMATO_RETAIN_RESULT_H": str(retain_h),
        }
        connections = aiohttp.TCPConnector(limit=0)  # a tap's request lasts until its answer
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connections))
        bot = Program(("animato", "bot"), folder / "bot.log", environment)
        worker = ("animato", "worker", "--device", "cpu")
        workers = [
            Program(worker, folder / f"worker-{number}.log", environment)
            for number in range(1, WORKERS + 1)
        ]
        service = Service(Desk(session, sandbox.url), redis, bot, workers, disk, has_own_disk)
        for one in (bot, *workers):
            await one.start()
            stack.push_async_callback(one.end)
        yield service
