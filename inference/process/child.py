"""The engine process: it keeps models in memory and makes one video after another.

    stdin   the setup, then requests, one JSON object a line
                {"number", "kind": "render", "job", "folder"}
                {"number", "kind": "offer", "engines"}
                {"cancel": number}
    stdout  what comes of the request with that number, likewise
                {"number", "event": "log", "level", "logger", "text"}
                {"number", "event": "loaded"}     the engine is ready
                {"number", "event": "progress", "done", "total"}
                {"number", "event": "done", "result"}
                {"number", "event": "failed", "error", "trace", "is_sound"}

Started by `engine_process.py`, which kills it when it takes too long; when that is gone,
it ends by itself. What libraries print goes to stderr, also that of a crash; after each request, a
line with END_MARK and its number stands there.
"""

import ctypes
import faulthandler
import json
import logging
import os
import queue
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from inference import engines
from inference.extras import let_threads_sleep
from inference.process.niceness import stand_back
from inference.process.render_job import END_MARK, EngineSetup, RenderJob
from jobs.errors import AnimatoError, EngineFailed

Say = Callable[..., None]
"""Called with an event and its fields by name."""

_PROGRESS_EVERY_S = 0.5
# A letter takes up to twelve bytes of LINE_LIMIT_BYTES.
_TEXT_LIMIT = 2000
_TRACE_LIMIT = 16_000
# Below warnings, and of all.
_LOG_LINES_PER_S = 100, 200
_PR_SET_PDEATHSIG = 1
_FIRST_TO_GO = 500  # of 1000, when the machine is short of memory


class ResponseWriter:
    """The way back to the parent; any thread may speak."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()
        # Not inherited: when this process ends, nobody else holds the pipe open.
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def say(self, event: str, **fields: Any) -> None:
        """Sends one line; waits while the pipe is full."""
        line = json.dumps({"number": self.number, "event": event, **fields})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()


class PipeHandler(logging.Handler):
    """Sends the log to the parent; of a flood only the beginning of each second.

    Args:
        say: `ResponseWriter.say`.
    """

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._answer = say
        self._second = 0
        self._sent = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one line."""
        second = int(time.monotonic())
        if second != self._second:
            self._tell_left_out()
            self._second, self._sent = second, 0
        if self._sent >= _LOG_LINES_PER_S[record.levelno >= logging.WARNING]:
            self._left_out += 1
            return
        self._sent += 1
        try:
            text = self.format(record)
        except (TypeError, ValueError):
            text = str(record.msg)
        self._say(record.levelno, record.name, text[:_TEXT_LIMIT])

    def flush(self) -> None:
        """Tells what was left out since the last line."""
        with self.lock or threading.RLock():
            self._tell_left_out()

    def _tell_left_out(self) -> None:
        if self._left_out:
            text = f"{self._left_out} lines were left out: too many at once"
            self._left_out = 0
            self._say(logging.WARNING, "inference.process.child", text)

    def _say(self, level: int, logger: str, text: str) -> None:
        self._answer("log", level=level, logger=logger, text=text)


class RequestReader:
    """What the parent asks, read by a thread of its own, so that a wish to cancel is heard at once.

    When the parent is gone, the thread ends this process group.
    """

    def __init__(self) -> None:
        self._cancelled = 0
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        # What an engine starts finds nothing there that it could take for its own.
        self._file = os.fdopen(os.dup(0), "rb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._waiting.get()

    def is_cancelled(self, number: int) -> bool:
        """Whether the request of that number is not wanted any more."""
        return self._cancelled >= number

    def _read(self) -> None:
        for line in self._file:
            request = json.loads(line)
            if "cancel" in request:
                self._cancelled = request["cancel"]
            else:
                self._waiting.put(request)
        # Our ffmpeg too.
        os.killpg(0, signal.SIGKILL)


class ProgressReporter:
    """Tells how far a job is, but not too often.

    Args:
        say: `ResponseWriter.say`.
    """

    def __init__(self, say: Say) -> None:
        self._answer = say
        self._next_s = 0.0

    def report(self, done: int, total: int) -> None:
        """Tells it, if the last time is long enough ago."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _PROGRESS_EVERY_S
            self._answer("progress", done=done, total=total)


def main() -> None:
    """Takes requests until the parent has gone or kills us."""
    # Our group ends with us; started by hand, that would be somebody else's too.
    with suppress(PermissionError):
        os.setsid()
    _end_with_parent()
    # Before anything loads torch.
    let_threads_sleep()
    faulthandler.enable()
    answers = ResponseWriter()
    handler = _log_to(answers)
    requests = RequestReader()
    setup = EngineSetup.model_validate(next(iter(requests)))
    _stand_back(setup.niceness)
    if setup.further_engines is not None:
        engines.__path__.append(str(setup.further_engines))
    for request in requests:
        answers.number = request["number"]
        try:
            fields = {"result": _answer(request, setup, answers, requests)}
        except AnimatoError as error:
            fields = _failure(error, error, is_sound=True)
        except Exception as error:  # noqa: BLE001 - told to the parent, which takes a fresh process
            name = request.get("job", {}).get("engine", "")
            reason = "".join(traceback.format_exception_only(error)).strip()[:_TEXT_LIMIT]
            fields = _failure(EngineFailed(name=name, reason=reason), error, is_sound=False)
        handler.flush()
        _mark_end(answers.number)
        answers.say("done" if "result" in fields else "failed", **fields)


def _answer(
    request: dict[str, Any], setup: EngineSetup, answers: ResponseWriter, requests: RequestReader
) -> dict[str, Any]:
    """What is to be answered, as plain data."""
    # Imported late: it takes a second, which counts as loading.
    from inference.process.render import Listener, offer_of, render  # noqa: PLC0415

    number = request["number"]
    if request["kind"] == "offer":
        return offer_of(setup, request["engines"]).model_dump(mode="json")
    folder = Path(request["folder"])
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    listener = Listener(
        loaded=lambda: answers.say("loaded"),
        report=ProgressReporter(answers.say).report,
        is_cancelled=lambda: requests.is_cancelled(number),
    )
    job = RenderJob.model_validate(request["job"])
    return render(job, setup, folder, listener).model_dump(mode="json")


def _mark_end(number: int) -> None:
    """Tells the reader of stderr that what was printed for this request ends here."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(2, END_MARK + b"%d\n" % number)


def _failure(told: AnimatoError, error: Exception, *, is_sound: bool) -> dict[str, Any]:
    trace = "".join(traceback.format_exception(error))[-_TRACE_LIMIT:]
    return {"error": told.to_dict(), "trace": trace, "is_sound": is_sound}


def _log_to(answers: ResponseWriter) -> PipeHandler:
    handler = PipeHandler(answers.say)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    logging.captureWarnings(capture=True)
    for chatty in ("httpx", "httpcore", "numba", "PIL"):
        # The first two log whole addresses, and those may carry a password.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


def _stand_back(niceness: int) -> None:
    """Leaves the cores to others first, to looks above all, and the memory to our parent."""
    stand_back(niceness)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_GO), "ascii")
    # Writing down gigabytes would keep the parent from seeing at once that we have crashed.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """Has the system kill this process when the parent dies, even while it hangs in a library.

    On every system, `RequestReader` ends the process when the pipe from the parent is closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main()
