"""The ffmpeg program as a child process: what it may open, what it said, and its certain end.

What ffmpeg does with a file is decided by its content, not by its name: a playlist or a concat
script named `.mp4` would make it open other files. So each input carries two lists: the protocols
(`file` alone) and the formats (only those whose reader stays inside the one file).
"""

import fcntl
import re
import resource
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import imageio_ffmpeg

from inference.exit_status import outside_signal
from jobs.child_environment import child_environment
from jobs.errors import FfmpegMissing, ProcessKilled

READABLE_FORMATS = "mov,matroska,webm,avi,gif,webp_anim,mpegts,mpeg,flv,ogg,asf"
THREADS = 2

# ffmpeg's own exit status after SIGTERM, SIGINT or SIGQUIT, which it handles.
_ENDED_BY_SIGNAL = 255
_LINES_KEPT = 100
_LINE_LIMIT_BYTES = 4096
_PIPE_BYTES = 1 << 20
_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")
# The demuxer and a picture track complain in their own name; a decoder's own grumbling may be
# about nothing but where it had to begin.
_TRACK_ERRORS = ("[in#", "[vist#")
# ffmpeg's last words, which say only that something went wrong, not what.
_EMPTY_WORDS = ("Conversion failed", "Error opening output files", "Nothing was written")


def executable() -> str:
    """Path of the ffmpeg program that imageio-ffmpeg carries (or that IMAGEIO_FFMPEG_EXE names).

    Raises:
        FfmpegMissing: there is none.
    """
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as exc:
        raise FfmpegMissing from exc


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes a pipe hold a whole frame, so that both sides wait less; where the system allows it."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        # A user may have only so much of it.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def input_arguments(path: Path) -> list[str]:
    """Arguments with which ffmpeg reads one file and can read nothing else."""
    return [
        *("-protocol_whitelist", "file", "-format_whitelist", READABLE_FORMATS),
        *("-threads", str(THREADS), "-i", file_url(path)),
    ]


def file_url(path: Path) -> str:
    """The path in a form that ffmpeg takes for a file, whatever colons or dashes its name has."""
    return f"file:{path}"


def _processor_time_is_up() -> bool:
    """Whether the children of this process have used up the limit on processor time, if any."""
    limit_s, _ = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return limit_s != resource.RLIM_INFINITY and used.ru_utime + used.ru_stime >= limit_s - 1


class Ffmpeg:
    """A running ffmpeg.

    Its messages are drained by a thread, so that it never waits for us to read them; the last ones
    are kept. It runs in our process group: whoever kills the group kills it too. As a context
    manager it is dead when the block ends.

    `error_count` is the number of errors that it spoke of, `track_error_count` those of the input
    and its picture track; both are complete after `finish`.

    Args:
        arguments: all but the program's name and the general options.
        feed: whether `stdin` is a pipe that we write to.
        fetch: whether `stdout` is a pipe that we read from.

    Raises:
        FfmpegMissing: there is no such program, or it cannot be started.
    """

    def __init__(
        self, arguments: Sequence[str], *, feed: bool = False, fetch: bool = False
    ) -> None:
        general = ["-nostdin", "-hide_banner", "-loglevel", "level+warning"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [executable(), *general, *arguments],
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if fetch else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Without FFREPORT, which would make it write a log with the paths.
                env=child_environment(AV_LOG_FORCE_NOCOLOR="1"),
            )
        except (FileNotFoundError, PermissionError) as exc:
            raise FfmpegMissing from exc
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)
        self.error_count = 0
        self.track_error_count = 0
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._drain = threading.Thread(target=self._read_messages, daemon=True)
        self._drain.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe into ffmpeg; only with `feed`."""
        assert self._process.stdin is not None, "started without feed"  # noqa: S101
        return self._process.stdin

    def read_into(self, buffer: memoryview) -> int:
        """How many bytes of ffmpeg's output were put into `buffer`; 0 at its end. With `fetch`."""
        assert isinstance(self._process.stdout, BufferedReader), "started without fetch"  # noqa: S101
        return self._process.stdout.readinto(buffer)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def finish(self) -> int:
        """Exit status, once it has ended by itself; closes the pipe into it first.

        It is -SIGXCPU where the limit on processor time was reached, which ffmpeg handles itself.

        Raises:
            ProcessKilled: it was killed from outside; its input is not to blame.
        """
        if self._process.stdin is not None:
            # It may have ended before it had read everything; its status tells.
            with suppress(OSError):
                self._process.stdin.close()
        status = self._process.wait()
        self._close()
        if status != 0 and _processor_time_is_up():
            return -signal.SIGXCPU
        killed_by = outside_signal(status)
        if status == _ENDED_BY_SIGNAL and self.error_count == 0:
            killed_by = "SIGTERM or SIGINT"
        if killed_by is not None:
            raise ProcessKilled(what="ffmpeg", signal=killed_by)
        return status

    def kill(self) -> None:
        """Nothing of this ffmpeg is left; harmless when it has ended already."""
        self._process.kill()
        self._process.wait()
        self._close()

    @property
    def last_message(self) -> str:
        """The last message that says something, without prefixes; after `finish` or `kill`."""
        for line in reversed(self._lines):
            if not line.startswith(_EMPTY_WORDS):
                return line
        return "ffmpeg ended without a word"

    def said(self, words: str) -> bool:
        """Whether one of the last messages contains `words`; after `finish` or `kill`."""
        return any(words in line for line in self._lines)

    def find(self, pattern: str) -> str | None:
        """Return the first group of `pattern` in the first message that matches, or None."""
        matches = (re.search(pattern, line) for line in self._lines)
        return next((match[1] for match in matches if match), None)

    def _read_messages(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # noqa: S101
        for raw in iter(partial(stream.readline, _LINE_LIMIT_BYTES), b""):
            line = raw.decode(errors="replace").strip()
            # Of pictures with missing parts it speaks as of a warning only.
            if "[error]" in line or "[fatal]" in line or "corrupt decoded frame" in line:
                self.error_count += 1
                self.track_error_count += line.startswith(_TRACK_ERRORS)
            if line:
                self._lines.append(_PREFIX.sub("", line))

    def _close(self) -> None:
        self._drain.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                # Closing flushes bytes that ffmpeg did not live to read.
                with suppress(OSError):
                    stream.close()
