"""The gate: a stranger's photo or clip is looked at in a short-lived child process.

    look_at -> check the file -> start `python -m inference.media.gate_child` -> wait, or kill it
            -> check its answer -> move what it wrote into the caller's folder

Whatever the bytes do to a decoder happens in the child, which has limits on memory, time and files,
no secrets in its environment and a folder of its own. Nothing but its normalised photo and clip
goes further. What the two say to each other is in `inference/media/gate_child.py`.
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
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ParamSpec, Self, TypeVar

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
    MediaError,
    ProcessKilled,
)
from jobs.stored_errors import error_from_dict
from jobs.wish import ClipFindings, PhotoFindings

log = logging.getLogger(__name__)

CHILD = (sys.executable, "-P", "-m", "inference.media.gate_child")
_ANSWER_LIMIT_BYTES = 1_000_000
_TOO_LONG = "it took too long"
_CRASHED = "it crashed"
# So often a look is started whose process is killed from outside.
_STARTS = 3

# Where the child writes, and where its files lie afterwards.
FILE_NAMES: dict[type[PhotoFindings | ClipFindings], dict[str, str]] = {
    PhotoFindings: {"file": "photo.png", "sheet": "sheet.png"},
    ClipFindings: {"file": "clip.mp4"},
}

Look = TypeVar("Look", PhotoFindings, ClipFindings)
Params = ParamSpec("Params")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LookLimits:
    """What a photo and a clip may be, and what looking at one of them may cost.

    Attributes:
        photo: how much photo is taken.
        clip: how much clip is taken.
        memory_bytes: address space of the child and of each process it starts (on Linux).
        cpu_s: processor time of the child and what it starts. A busy machine uses up no more of it.
        time_s: on the clock until the child is killed; only for one that does nothing at all.
        file_bytes: the largest file that it may write.
        niceness: how far it stands back behind others on the same cores, 0 to 19.
    """

    photo: PhotoLimits = field(default_factory=PhotoLimits)
    clip: ClipLimits = field(default_factory=ClipLimits)
    memory_bytes: int = 3 << 30
    cpu_s: float = 120.0
    time_s: float = 600.0
    file_bytes: int = 1 << 30
    niceness: int = 0

    @classmethod
    def of_clip(cls, photo: PhotoLimits, clip: ClipLimits, max_duration_s: float) -> Self:
        """Return the limits where clips are at most so long: each second costs processor time."""
        # A phone's clip in 4K at 60 frames per second and 10 bits needs 7 s for each second.
        cpu_s = 120.0 + 14.0 * max_duration_s
        return cls(photo, clip, cpu_s=cpu_s, time_s=5 * cpu_s)


@dataclass(frozen=True)
class ClipWish:
    """A clip and which part of it is wanted.

    Attributes:
        path: the clip as it came.
        start_s: where the part begins, s.
        duration_s: how long it is, s; None for all that the limits allow.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None


def _started_again(look: Callable[Params, Result]) -> Callable[Params, Result]:
    """The same look, started again when its process is killed from outside."""

    @wraps(look)
    def looked(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        for _ in range(_STARTS - 1):
            with suppress(ProcessKilled):
                return look(*args, **kwargs)
        return look(*args, **kwargs)

    return looked


@_started_again
def look_at(
    photo: Path,
    clip: ClipWish | None,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    find_faces: bool = True,
) -> tuple[PhotoFindings, ClipFindings | None]:
    """What there is to say of a photo and, if there is one, of a clip; both are looked at at once.

    Args:
        photo: as it came.
        clip: the wanted part of a clip, or None.
        folder: where `photo.png`, `sheet.png` and `clip.mp4` are put; it exists.
        limits: the defaults, if left out.
        find_faces: whether faces are looked for in the photo.

    Raises:
        MediaError: one of the two cannot be used; then nothing is left in `folder`.
        GateFailed: the child could not run, or did not answer as it should.
        ProcessKilled: it was killed from outside each time.
    """
    limits = limits or LookLimits()
    with ExitStack() as children:
        photo_child = children.enter_context(
            start_photo_look(photo, folder, limits, find_faces=find_faces)
        )
        if clip is None:
            return photo_child.answer(PhotoFindings), None
        clip_child = children.enter_context(start_clip_look(clip, folder, limits))
        photo_look = photo_child.answer(PhotoFindings)
        try:
            return photo_look, clip_child.answer(ClipFindings)
        except BaseException:
            photo_look.path.unlink(missing_ok=True)
            Path(photo_look.sheet).unlink(missing_ok=True)
            raise


@_started_again
def look_at_photo(
    path: Path,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    find_faces: bool = True,
    child: Sequence[str] = CHILD,
) -> PhotoFindings:
    """What there is to say of a photo; `photo.png` and `sheet.png` are in `folder` then.

    Args:
        path: the photo as it came.
        folder: for the results; it exists.
        limits: the defaults, if left out.
        find_faces: whether faces are looked for.
        child: the child's command line; another one is for tests.

    Raises:
        MediaError: it cannot be used; then nothing is left in `folder`.
        GateFailed: the child could not run, or did not answer as it should.
        ProcessKilled: it was killed from outside each time.
    """
    limits = limits or LookLimits()
    with start_photo_look(path, folder, limits, find_faces=find_faces, command=child) as looking:
        return looking.answer(PhotoFindings)


@_started_again
def look_at_clip(
    path: Path,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    child: Sequence[str] = CHILD,
) -> ClipFindings:
    """What there is to say of a clip or a part of it; `clip.mp4` is in `folder` then.

    Args:
        path: the clip as it came.
        folder: for the result; it exists.
        limits: the defaults, if left out.
        start_s: where the part begins, s.
        duration_s: how long it is, s; None for all that the limits allow.
        child: the child's command line; another one is for tests.

    Raises:
        MediaError: it cannot be used; then nothing is left in `folder`.
        GateFailed: the child could not run, or did not answer as it should.
        ProcessKilled: it was killed from outside each time.
    """
    wish = ClipWish(path, start_s, duration_s)
    with start_clip_look(wish, folder, limits or LookLimits(), command=child) as looking:
        return looking.answer(ClipFindings)


def start_photo_look(
    path: Path,
    folder: Path,
    limits: LookLimits,
    *,
    find_faces: bool = True,
    command: Sequence[str] = CHILD,
) -> "RunningLook":
    """A look at a photo, begun; see `look_at_photo`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    check_file(path, limits.photo.max_bytes)
    request = {"kind": "photo", "limits": asdict(limits.photo), "find_faces": find_faces}
    return RunningLook(path, folder, limits, request, command)


def start_clip_look(
    wish: ClipWish, folder: Path, limits: LookLimits, *, command: Sequence[str] = CHILD
) -> "RunningLook":
    """A look at a clip, begun; see `look_at_clip`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    check_file(wish.path, limits.clip.max_bytes)
    request = {
        "kind": "clip",
        "limits": asdict(limits.clip),
        "start_s": wish.start_s,
        "duration_s": wish.duration_s,
    }
    return RunningLook(wish.path, folder, limits, request, command)


class RunningLook:
    """One look in a process group of its own; when the block ends, it and its files are gone.

    Question and answers go through unnamed files, so that neither side can block the other.

    Args:
        source: the file to look at.
        folder: where `answer` puts the results.
        limits: of memory and time.
        request: what is asked, as plain JSON data.
        command: the program to start.
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
            raise GateFailed(reason=f"no place for its files ({exc.strerror})") from exc
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
                    "parent": os.getpid(),
                },
                command,
            )
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._kill()
        self._files.close()

    def answer(self, form: type[Look]) -> Look:
        """The child's answer, its files moved into the folder.

        Raises:
            MediaError: the child's own finding, or it crashed, hung or needed too much.
            GateFailed: the child never got as far as looking, or its answer is unsound.
            ProcessKilled: neither the file nor our limits ended the child.
        """
        remaining_s = self._started + self._limits.time_s - time.monotonic()
        try:
            status = self._process.wait(max(0.01, remaining_s))
        except subprocess.TimeoutExpired:
            raise DecoderFailed(name=self._name, reason=_TOO_LONG) from None
        finally:
            # Also on Ctrl-C; and what the child had started may have outlived it.
            self._kill()
        lines = self._said(self._stdout).splitlines()
        if status != 0 or len(lines) < 2:
            raise self._failure(status, is_ready=bool(lines))
        try:
            answer = json.loads(lines[1])
            if "error" in answer:
                raise _finding(answer)
            return self._take(form.model_validate_json(lines[1]))
        except (ValueError, KeyError, TypeError, OSError, RecursionError) as exc:
            raise GateFailed(reason="its answer makes no sense") from exc

    def _start(self, request: dict[str, Any], command: Sequence[str]) -> "subprocess.Popen[bytes]":
        ours = str(Path(__file__).resolve().parents[2])
        paths = [ours, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = child_environment(
            *PYTHON,
            PYTHONPATH=os.pathsep.join(filter(None, paths)),
            TMPDIR=str(self._work),
            LC_ALL="C.UTF-8",
            # Each thread of these libraries reserves address space, of which there is a limit.
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
                # A group of its own, so that all of it can be killed and Ctrl-C is ours to handle.
                start_new_session=True,
            )
        except OSError as exc:
            raise GateFailed(reason=f"it cannot be started ({exc.strerror})") from exc

    def _open_file(self) -> IO[bytes]:
        return self._files.enter_context(tempfile.TemporaryFile(dir=self._work))

    def _kill(self) -> None:
        # PermissionError is how macOS says that only zombies are left in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _failure(self, status: int, *, is_ready: bool) -> AnimatoError:
        """Why there is no answer, told from the child's end."""
        words = self._said(self._stderr)[-2000:].strip()
        log.info("the look at a file ended with %s: %s", status, words)
        if status == -signal.SIGXCPU:
            return DecoderFailed(name=self._name, reason=_TOO_LONG)
        if (name := outside_signal(status)) is not None:
            return ProcessKilled(what="The check of the input", signal=name)
        if not is_ready:
            last_line = words.splitlines()[-1] if words else f"it ended with {status}"
            return GateFailed(reason=last_line)
        return DecoderFailed(name=self._name, reason=_CRASHED)

    @staticmethod
    def _said(file: IO[bytes]) -> str:
        file.seek(0)
        return file.read(_ANSWER_LIMIT_BYTES).decode(errors="replace")

    def _take(self, look: Look) -> Look:
        """The look with its files moved out of the child's folder.

        Raises:
            ValueError: a path is not the one where the child was to write, or no plain file.
        """
        names = FILE_NAMES[type(look)]
        for name, file_name in names.items():
            expected = self._work / file_name
            # A link might name any file on this machine.
            is_plain = expected.is_file() and not expected.is_symlink()
            if getattr(look, name) != str(expected) or not is_plain:
                message = f"{name} is not where it was to be written"
                raise ValueError(message)
        moved = {
            name: str((self._work / file_name).replace(self._folder / file_name))
            for name, file_name in names.items()
        }
        return look.model_copy(update=moved)


def _finding(answer: dict[str, Any]) -> AnimatoError:
    """The child's own error.

    Raises:
        ValueError: it is of a kind that a look at a file cannot end in.
    """
    error = error_from_dict(answer)
    if not isinstance(error, MediaError | DiskFull | FfmpegMissing | ProcessKilled):
        message = f"{type(error).__name__} is no finding"
        raise ValueError(message)
    return error
