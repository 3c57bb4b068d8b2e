"""The gate: a stranger's photo or clip is decoded in a short-lived, limited child process.

    start_photo_look, start_clip_look -> check the file -> start `inference.media.gate_child`
    RunningLook.answer -> wait, or kill it -> check its answer -> move the files it wrote to the
                          caller's folder

`look_at` does all of it and waits; workers use the parts.

Whatever the bytes do to a decoder happens in the child, which has limits on memory, time and files,
no secrets in its environment and a folder of its own. Only its normalised photo and clip are used
afterwards. The protocol is described in `inference/media/gate_child.py`.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from inference.exit_status import outside_signal
from inference.media.file import check_file
from inference.media.limits import ClipLimits, PhotoLimits
from jobs.child_environment import PYTHON, child_environment
from jobs.errors import (
    AnimatoError,
    DecoderFailed,
    DiskFull,
    FfmpegMissing,
    GateFailed,
    LandmarkLibraryMissing,
    MediaError,
    ProcessKilled,
    WeightsError,
)
from jobs.findings import ClipFindings, PhotoFindings
from jobs.service_errors import error_from_dict

log = logging.getLogger(__name__)

CHILD = (sys.executable, "-P", "-m", "inference.media.gate_child")
_ANSWER_LIMIT_BYTES = 1_000_000
_TOO_LONG = "it took too long"
# The errors that a child may report; the last two: the landmark network is missing.
_REPORTED = (
    *(MediaError, DiskFull, FfmpegMissing, ProcessKilled),
    *(LandmarkLibraryMissing, WeightsError),
)
# A look whose process is killed from outside is attempted this many times.
_ATTEMPTS = 3

# The names under which the child writes its files.
FILE_NAMES: dict[type[PhotoFindings | ClipFindings], dict[str, str]] = {
    PhotoFindings: {"file": "photo.png", "sheet": "sheet.png"},
    ClipFindings: {"file": "clip.mp4"},
}

Found = TypeVar("Found", PhotoFindings, ClipFindings)
Result = TypeVar("Result")


@dataclass(frozen=True)
class LookLimits:
    """What a photo and a clip may be, and what looking at one of them may cost.

    Attributes:
        photo: limits of the photo.
        clip: limits of the clip.
        memory_bytes: address space of the child and of each process it starts (on Linux).
        cpu_s: processor time of the child and the processes it starts.
        time_s: wall-clock time until the child is killed; for a child that hangs.
        file_bytes: the largest file that it may write.
        niceness: priority of the child, 0 to 19.
        checkpoints_dir: where the landmark network may lie, besides installed packages.
    """

    photo: PhotoLimits = field(default_factory=PhotoLimits)
    clip: ClipLimits = field(default_factory=ClipLimits)
    memory_bytes: int = 3 << 30
    cpu_s: float = 120.0
    time_s: float = 600.0
    file_bytes: int = 1 << 30
    niceness: int = 0
    checkpoints_dir: Path = Path("checkpoints")

    @classmethod
    def of_clip(cls, photo: PhotoLimits, clip: ClipLimits) -> Self:
        """Return limits with enough processor time for the longest clip that `clip` allows."""
        if clip.max_duration_s is None:
            raise ValueError("clips of any length need explicit limits")
        # A phone's clip in 4K at 60 frames per second and 10 bits takes 7 s per second.
        cpu_s = 120.0 + 14.0 * clip.max_duration_s
        return cls(photo, clip, cpu_s=cpu_s, time_s=5 * cpu_s)


@dataclass(frozen=True)
class ClipPart:
    """A clip and the part of it that is used.

    Attributes:
        path: the original clip.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all that the limits allow.
        find_face: whether to look for the face that leads.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    find_face: bool = True


def look_at(
    photo: Path,
    clip: ClipPart | None,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    find_faces: bool = True,
) -> tuple[PhotoFindings, ClipFindings | None]:
    """Look at a photo and, if there is one, at a clip; both at the same time.

    Args:
        photo: the original photo.
        clip: the wanted part of a clip, or None.
        folder: where `photo.png`, `sheet.png` and `clip.mp4` are put; it exists.
        limits: the defaults if None.
        find_faces: whether to look for faces in the photo.

    Raises:
        MediaError: one of the two cannot be used; then nothing is left in `folder`.
        GateFailed: the child could not run, or its answer was invalid.
        LandmarkLibraryMissing, WeightsError: it could not load the landmark network.
        ProcessKilled: it was killed from outside each time.
    """
    limits = limits or LookLimits()

    def both() -> tuple[PhotoFindings, ClipFindings | None]:
        with start_photo_look(photo, folder, limits, find_faces=find_faces) as photo_child:
            if clip is None:
                return photo_child.answer(PhotoFindings), None
            with start_clip_look(clip, folder, limits) as clip_child:
                photo_found = photo_child.answer(PhotoFindings)
                try:
                    return photo_found, clip_child.answer(ClipFindings)
                except BaseException:
                    photo_found.path.unlink(missing_ok=True)
                    Path(photo_found.sheet).unlink(missing_ok=True)
                    raise

    return _retried(both)


def look_at_photo(
    path: Path,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    child: Sequence[str] = CHILD,
) -> PhotoFindings:
    """Look at a photo alone; see `look_at`. `child` is the child's command line, for tests."""

    def one() -> PhotoFindings:
        with start_photo_look(path, folder, limits or LookLimits(), command=child) as looking:
            return looking.answer(PhotoFindings)

    return _retried(one)


def look_at_clip(part: ClipPart, folder: Path, limits: LookLimits | None = None) -> ClipFindings:
    """Look at a clip alone; see `look_at`."""

    def one() -> ClipFindings:
        with start_clip_look(part, folder, limits or LookLimits()) as looking:
            return looking.answer(ClipFindings)

    return _retried(one)


def _retried(look: Callable[[], Result]) -> Result:
    """The result of `look`, repeated if its process is killed from outside."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(ProcessKilled):
            return look()
    return look()


def start_photo_look(
    path: Path,
    folder: Path,
    limits: LookLimits,
    *,
    find_faces: bool = True,
    command: Sequence[str] = CHILD,
) -> "RunningLook":
    """Start looking at a photo; see `look_at`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    check_file(path, limits.photo.max_bytes)
    request = {"kind": "photo", "limits": asdict(limits.photo), "find_faces": find_faces}
    return RunningLook(path, folder, limits, request, command)


def start_clip_look(part: ClipPart, folder: Path, limits: LookLimits) -> "RunningLook":
    """Start looking at a clip; see `look_at`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    check_file(part.path, limits.clip.max_bytes)
    request = {
        "kind": "clip",
        "limits": asdict(limits.clip),
        "start_s": part.start_s,
        "duration_s": part.duration_s,
        "find_faces": part.find_face,
    }
    return RunningLook(part.path, folder, limits, request, CHILD)


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
        limits: LookLimits,
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
        try:
            status = self._process.wait(max(0.01, remaining_s))
        except subprocess.TimeoutExpired:
            raise DecoderFailed(name=self._name, reason=_TOO_LONG) from None
        finally:
            # Also on Ctrl-C; processes that the child started may have outlived it.
            self._kill()
        lines = _text(self._stdout).splitlines()
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
        ours = str(Path(__file__).resolve().parents[2])
        paths = [ours, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = child_environment(
            *PYTHON,
            PYTHONPATH=os.pathsep.join(filter(None, paths)),
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
        names = FILE_NAMES[type(found)]
        for name, file_name in names.items():
            expected = self._work / file_name
            # A link could point to any file on this machine.
            is_plain = expected.is_file() and not expected.is_symlink()
            if getattr(found, name) != str(expected) or not is_plain:
                message = f"{name} is not where it should have been written"
                raise ValueError(message)
        moved = {
            name: str((self._work / file_name).replace(self._folder / file_name))
            for name, file_name in names.items()
        }
        return found.model_copy(update=moved)


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
