"""One look at a stranger's file: a child process under limits, and the answer that it gives.

`inference/media/gate.py` starts looks, and `inference/media/gate_child.py` is the child.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from inference.exit_status import outside_signal
from jobs.child_environment import PYTHON, child_environment, python_path
from jobs.errors import (
    AnimatoError,
    DecoderFailed,
    DiskFull,
    FfmpegMissing,
    GateFailed,
    LandmarkLibraryMissing,
    MediaError,
    ProcessKilled,
)
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.media_tasks import Made
from jobs.model import Value
from jobs.service_errors import error_from_dict
from jobs.weights_errors import WeightsError

log = logging.getLogger(__name__)

_ANSWER_LIMIT_BYTES = 1_000_000
_TOO_LONG = "it took too long"
# The errors that a child may report; the last two: the landmark network is missing.
_REPORTED = (
    *(MediaError, DiskFull, FfmpegMissing, ProcessKilled),
    *(LandmarkLibraryMissing, WeightsError),
)

# The names under which the child writes its files.
FILE_NAMES: dict[type[Value], dict[str, str]] = {
    PhotoFindings: {"file": "photo.png", "sheet": "sheet.png"},
    ClipFindings: {"file": "clip.mp4"},
    VoiceFindings: {"file": "voice.m4a", "curves": "voice.npz"},
}

Found = TypeVar("Found", bound=Value)


@dataclass(frozen=True, kw_only=True)
class ChildLimits:
    """What a look may cost.

    Attributes:
        memory_bytes: address space of the child and of each process it starts (on Linux).
        cpu_s: processor time of the child and the processes it starts.
        time_s: wall-clock time until the child is killed; for a child that hangs.
        file_bytes: the largest file that it may write.
        niceness: priority of the child, 0 to 19.
        checkpoints_dir: where the landmark network may lie, besides installed packages.
    """

    memory_bytes: int = 3 << 30
    cpu_s: float = 120.0
    time_s: float = 600.0
    file_bytes: int = 1 << 30
    niceness: int = 0
    checkpoints_dir: Path = Path("checkpoints")


class RunningLook:
    """One look in a process group of its own, which ends with the `with` block.

    Request and answers are passed in unnamed files, so that neither side can block the other.

    Args:
        source: the file to look at.
        folder: where `answer` puts the results.
        limits: of memory and time.
        request: the request as JSON data.
        command: the command line of the child.
    """

    def __init__(
        self,
        source: Path,
        folder: Path,
        limits: ChildLimits,
        request: dict[str, Any],
        command: Sequence[str],
    ) -> None:
        self._name = source.name
        self._folder = folder
        self._limits = limits
        self._files = ExitStack()
        try:
            work = tempfile.mkdtemp(prefix="look-", dir=folder)
        except OSError as exc:
            raise GateFailed(reason=f"no folder for its files ({exc.strerror})") from exc
        self._work = Path(work).resolve()
        self._files.callback(shutil.rmtree, self._work, ignore_errors=True)
        try:
            self._stdout = self._open_file()
            self._stderr = self._open_file()
            self._process = self._start(
                {
                    **request,
                    "source": str(source.resolve()),
                    "folder": str(self._work),
                    "memory_bytes": limits.memory_bytes,
                    "cpu_s": limits.cpu_s,
                    "file_bytes": limits.file_bytes,
                    "niceness": limits.niceness,
                    "checkpoints_dir": str(limits.checkpoints_dir.absolute()),
                    "parent": os.getpid(),
                },
                command,
            )
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._kill()
        self._files.close()

    def answer(self, form: type[Found]) -> Found:
        """Wait for the child's answer and move its files into the folder.

        Raises:
            MediaError: the file cannot be used, or the child crashed, hung or reached a limit.
            GateFailed: the child failed before decoding, or its answer is invalid.
            ProcessKilled: it was killed from outside.
        """
        remaining_s = self._started + self._limits.time_s - time.monotonic()
        is_late = threading.Event()
        # `wait` with a limit would look for the end 20 times a second.
        limit = threading.Timer(max(0.01, remaining_s), self._end_late, (is_late,))
        limit.start()
        try:
            status = self._process.wait()
        finally:
            limit.cancel()
            # Also on Ctrl-C; processes that the child started may have outlived it.
            self._kill()
        if is_late.is_set():
            raise DecoderFailed(name=self._name, reason=_TOO_LONG)
        # Not by `splitlines`: a file's name may hold other separators.
        lines = list(filter(None, _text(self._stdout).split("\n")))
        if status != 0 or len(lines) < 2:
            raise self._failure(status, is_ready=bool(lines))
        try:
            answer = json.loads(lines[1])
            if "error" in answer:
                raise _reported(answer)
            return self._take(form.model_validate_json(lines[1]))
        except (ValueError, KeyError, TypeError, OSError, RecursionError) as exc:
            raise GateFailed(reason="its answer is invalid") from exc

    def _start(self, request: dict[str, Any], command: Sequence[str]) -> "subprocess.Popen[bytes]":
        environment = child_environment(
            *PYTHON,
            PYTHONPATH=python_path(),
            TMPDIR=str(self._work),
            LC_ALL="C.UTF-8",
            # Each thread of these libraries reserves address space, which is limited.
            OMP_NUM_THREADS="2",
            OPENBLAS_NUM_THREADS="1",
        )
        stdin = self._open_file()
        stdin.write(json.dumps(request).encode())
        stdin.seek(0)
        self._started = time.monotonic()
        try:
            return subprocess.Popen(  # noqa: S603 - our own program, no shell
                command,
                stdin=stdin,
                stdout=self._stdout,
                stderr=self._stderr,
                env=environment,
                cwd=self._work,
                # A process group that can be killed as a whole and does not get Ctrl-C.
                start_new_session=True,
            )
        except OSError as exc:
            raise GateFailed(reason=f"it cannot be started ({exc.strerror})") from exc

    def _open_file(self) -> IO[bytes]:
        return self._files.enter_context(tempfile.TemporaryFile(dir=self._work))

    def _end_late(self, is_late: threading.Event) -> None:
        is_late.set()
        self._kill()

    def _kill(self) -> None:
        # macOS raises PermissionError if only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _failure(self, status: int, *, is_ready: bool) -> AnimatoError:
        """The error for a child that ended without an answer."""
        messages = _text(self._stderr)[-2000:].strip()
        log.info("the look at a file ended with %s: %s", status, messages)
        if status == -signal.SIGXCPU:
            return DecoderFailed(name=self._name, reason=_TOO_LONG)
        if (name := outside_signal(status)) is not None:
            return ProcessKilled(what="The check of the input", signal=name)
        if not is_ready:
            last_line = messages.splitlines()[-1] if messages else f"it ended with {status}"
            return GateFailed(reason=last_line)
        return DecoderFailed(name=self._name, reason="it crashed")

    def _take(self, found: Found) -> Found:
        """What was found, its files moved out of the child's folder.

        Raises:
            ValueError: a path is not the expected one, or not a regular file.
        """
        if isinstance(found, Made):
            for file_name in found.names:
                self._check_plain(file_name)
                (self._work / file_name).replace(self._folder / file_name)
            return found
        names = FILE_NAMES[type(found)]
        for name, file_name in names.items():
            self._check_plain(file_name)
            if getattr(found, name) != str(self._work / file_name):
                message = f"{name} is not where it should have been written"
                raise ValueError(message)
        moved = {
            name: str((self._work / file_name).replace(self._folder / file_name))
            for name, file_name in names.items()
        }
        return found.model_copy(update=moved)

    def _check_plain(self, file_name: str) -> None:
        expected = self._work / file_name
        # A link could point to any file on this machine.
        if not expected.is_file() or expected.is_symlink():
            message = f"{file_name} is not where it should have been written"
            raise ValueError(message)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_ANSWER_LIMIT_BYTES).decode(errors="replace")


def _reported(answer: dict[str, Any]) -> AnimatoError:
    """The error that the child reports.

    Raises:
        ValueError: it is none that looking at a file may raise.
    """
    error = error_from_dict(answer)
    if not isinstance(error, _REPORTED):
        message = f"unexpected {type(error).__name__}"
        raise ValueError(message)
    return error
