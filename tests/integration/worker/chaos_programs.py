"""Programs that a test kills and starts again, and the certainty that none is left."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[3]


class Program:
    """A program of ours that is started again after each kill.

    Args:
        words: the module's name, and the words of its command line.
        log: the file for its output.
        environment: instead of ours.
    """

    def __init__(
        self, words: tuple[str, ...], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._words = words
        self._log = log
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._is_killed = False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def check(self) -> None:
        """Raise if it has ended though nobody killed it."""
        if self._process is not None and not self._is_killed:
            code = self._process.returncode
            assert code is None, f"{self._words} ended with {code}: {self._log.read_text()[-2000:]}"

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._words),
                cwd=ROOT,
                env={**(self._environment or os.environ), "PYTHONPATH": str(ROOT)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._is_killed = False

    async def kill(self) -> None:
        assert self._process is not None
        self._is_killed = True
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def end(self) -> int:
        """Its exit code, once it has ended because it was told to."""
        assert self._process is not None
        self._is_killed = True
        with suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()


def program_of(name: str, facts: dict[str, object], log: Path) -> Program:
    """A program of this folder that is told `facts`."""
    return Program((f"tests.integration.worker.{name}", json.dumps(facts)), log)


async def nothing_runs(mark: str) -> None:
    """Returns when no process with this in its environment is left; told from /proc."""
    left: list[Path] = []
    for _ in range(100):
        left = [folder for folder in Path("/proc").glob("[0-9]*") if _carries(folder, mark)]
        if not left:
            return
        await asyncio.sleep(0.1)
    message = f"processes are left: {[(path / 'cmdline').read_text() for path in left]}"
    raise AssertionError(message)


def _carries(folder: Path, mark: str) -> bool:
    try:
        is_dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not is_dead and mark.encode() in (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has ended meanwhile, or belongs to somebody else
