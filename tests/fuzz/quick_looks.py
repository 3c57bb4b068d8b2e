"""Looks at files by the gate's own code, whose child is a fork instead of a new interpreter.

A new child spends half a second to load its libraries. Limits, folder, variables, process group,
answer and end are those of the gate; only its `Popen` is replaced.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).parents[2]


class ForkServer:
    """The process that forks, see `tests/fuzz/fork_server.py`.

    Attributes:
        most_memory_kb: the largest memory of any child so far, KB.
        last_messages: what the last child wrote to its stderr.
    """

    def __init__(self) -> None:
        self.most_memory_kb = 0
        self.last_messages = ""
        self._process = subprocess.Popen(
            (sys.executable, "-P", "-m", "tests.fuzz.fork_server"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def popen(self, command: Sequence[str], **how: Any) -> "ForkedChild":
        """Start a child as `subprocess.Popen` does."""
        stdin, stdout, stderr = how["stdin"], how["stdout"], how["stderr"]
        assert command[-1] == "inference.media.gate_child"
        assert how["start_new_session"]
        # The child ends when its parent does, and that is the fork server.
        request = json.loads(stdin.read()) | {"parent": self._process.pid}
        stdin.seek(0)
        stdin.truncate()
        stdin.write(json.dumps(request).encode())
        stdin.flush()
        here = f"/proc/{os.getpid()}/fd"
        files = [f"{here}/{file.fileno()}" for file in (stdin, stdout, stderr)]
        self.ask({"files": files, "folder": str(how["cwd"]), "environment": how["env"]})
        return ForkedChild(self, int(self.answer()[0]), stderr)

    def ask(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()


class ForkedChild:
    """What the gate uses of a `Popen`."""

    def __init__(self, server: ForkServer, pid: int, stderr: IO[bytes]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._stderr = stderr

    def wait(self) -> int:
        if self.returncode is None:
            status, memory_kb = self._server.answer()
            self.returncode = int(status)
            self._server.most_memory_kb = max(self._server.most_memory_kb, int(memory_kb))
            self._stderr.seek(0)
            self._server.last_messages = self._stderr.read().decode(errors="replace")
        return self.returncode
