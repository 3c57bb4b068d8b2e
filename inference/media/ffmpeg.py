"""The ffmpeg program as a child process: its inputs, its messages and its end.

ffmpeg recognises a file by its content, not by its name: a playlist or a concat script named `.mp4`
would make it open other files. So each input is restricted by `-protocol_whitelist` (`file` alone)
and `-format_whitelist` (demuxers that read only the one file).
"""

import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from io import BufferedReader
from pathlib import Path
from typing import IO, Self

from inference.exit_status import outside_signal
from jobs.child_environment import child_environment
from jobs.errors import FfmpegMissing, ProcessKilled

READABLE_FORMATS = "mov,matroska,webm,avi,gif,webp_anim,mpegts,mpeg,flv,ogg,asf"
SOUND_FORMATS = f"{READABLE_FORMATS},wav,w64,mp3,aac,flac,aiff,caf,au,amr,wv"
THREADS = 2

# ffmpeg's own exit status after SIGTERM, SIGINT or SIGQUIT, which it handles.
_ENDED_BY_SIGNAL = 255
_LINES_KEPT = 100
_LINE_LIMIT_BYTES = 4096
_PIPE_BYTES = 1 << 20
_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")
# Prefixes of messages from the demuxer and from picture tracks. A decoder also reports errors that
# are only due to where it started.
_TRACK_ERRORS = ("[in#", "[vist#")
# Final messages of ffmpeg that do not say what went wrong.
_DISK_FULL = ("No space left on device", "Disk quota exceeded")
_UNINFORMATIVE = ("Conversion failed", "Error opening output files", "Nothing was written")


def executable() -> str:
    """Return the path of imageio-ffmpeg's program, or the one that IMAGEIO_FFMPEG_EXE names.

    Raises:
        FfmpegMissing: there is none.
    """
    package = find_spec("imageio_ffmpeg")
    if "IMAGEIO_FFMPEG_EXE" not in os.environ and package is not None and package.origin:
        programs = [*(Path(package.origin).parent / "binaries").glob("ffmpeg-*")]
        if len(programs) == 1:
            return str(programs[0])
    # It runs the program that it finds, to see whether it can.
    import imageio_ffmpeg  # noqa: PLC0415 - slow to import

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as exc:
        raise FfmpegMissing from exc


def programs() -> tuple[Path, ...]:
    """Return what must be executable for ffmpeg to run; nothing if there is no ffmpeg."""
    try:
        found = shutil.which(executable())
    except FfmpegMissing:
        return ()
    if found is None:
        return ()
    if "imageio_ffmpeg" in Path(found).parts:
        return (Path(found),)
    # One that somebody has installed may be a script.
    return (Path(found), Path("/bin"), Path("/usr"))


def _widen(pipe: IO[bytes] | None) -> None:
    """Make a pipe large enough for a frame, where the system allows it."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        # The total per user is limited.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def input_arguments(path: Path, formats: str = READABLE_FORMATS) -> list[str]:
    """Return the arguments with which ffmpeg reads this file and no other."""
    return [
        *("-protocol_whitelist", "file", "-format_whitelist", formats),
        *("-threads", str(THREADS), "-i", file_url(path)),
    ]


def file_url(path: Path) -> str:
    """Return the path as a URL, so that ffmpeg accepts colons and dashes in it."""
    return f"file:{path}"


def _processor_time_is_up() -> bool:
    """Whether the children of this process have reached the limit on processor time, if any."""
    limit_s, _ = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return limit_s != resource.RLIM_INFINITY and used.ru_utime + used.ru_stime >= limit_s - 1


class Ffmpeg:
    """A running ffmpeg.

    A thread reads its messages, so that it never blocks on them; the last ones are kept. It runs in
    our process group and is killed when the `with` block ends.

    Args:
        arguments: all but the program's name and the general options.
        feed: whether `stdin` is a pipe that we write to.
        fetch: whether `stdout` is a pipe that we read from.

    Attributes:
        error_count: number of error messages; complete after `finish`.
        track_error_count: those of the input and its picture track.

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

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe into ffmpeg; only with `feed`."""
        assert self._process.stdin is not None, "started without feed"  # noqa: S101
        return self._process.stdin

    def read_into(self, buffer: memoryview) -> int:
        """Read output into `buffer` and return the number of bytes, 0 at the end; with `fetch`."""
        assert isinstance(self._process.stdout, BufferedReader), "started without fetch"  # noqa: S101
        return self._process.stdout.readinto(buffer)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def finish(self) -> int:
        """Close stdin, wait until ffmpeg ends, and return its exit status.

        The status is -SIGXCPU if it ended because of the limit on processor time.

        Raises:
            ProcessKilled: it was killed from outside.
        """
        if self._process.stdin is not None:
            # It may have ended before it had read everything.
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
        """Kill ffmpeg if it is running, and close its pipes."""
        self._process.kill()
        self._process.wait()
        self._close()

    @property
    def last_message(self) -> str:
        """The last informative message, without prefixes; after `finish` or `kill`."""
        for line in reversed(self._lines):
            if not line.startswith(_UNINFORMATIVE):
                return line
        return "ffmpeg ended without a message"

    @property
    def is_disk_full(self) -> bool:
        """Whether it could not write for lack of space; after `finish` or `kill`."""
        return any(words in line for words in _DISK_FULL for line in self._lines)

    def find(self, pattern: str) -> str | None:
        """Return the first group of `pattern` in the first message that matches, or None."""
        matches = (re.search(pattern, line) for line in self._lines)
        return next((match[1] for match in matches if match), None)

    def _read_messages(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # noqa: S101
        for raw in iter(partial(stream.readline, _LINE_LIMIT_BYTES), b""):
            line = raw.decode(errors="replace").strip()
            # It reports frames with missing parts only as a warning.
            if "[error]" in line or "[fatal]" in line or "corrupt decoded frame" in line:
                self.error_count += 1
                self.track_error_count += line.startswith(_TRACK_ERRORS)
            if line:
                self._lines.append(_PREFIX.sub("", line))

    def _close(self) -> None:
        self._drain.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                # Closing flushes bytes, which fails if ffmpeg has ended.
                with suppress(OSError):
                    stream.close()
