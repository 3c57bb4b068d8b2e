"""The engine process: it keeps models in memory and makes one video after another.

    stdin   the setup, then requests, one JSON object a line
                {"number", "kind": "render", "engine", "wish", "folder"}
                {"number", "kind": "offer", "engines"}
                {"cancel": number}
    stdout  responses to the request with that number, one JSON object a line
                {"number", "event": "log", "level", "logger", "text"}
                {"number", "event": "loaded"}     the engine is ready
                {"number", "event": "progress", "done", "total"}
                {"number", "event": "done", "result"}
                {"number", "event": "failed", "error", "trace", "is_healthy"}

`engine_process.py` starts it and kills it when it takes too long; it exits when its parent is gone.
What libraries print, and the report of a crash, go to stderr; after each request a line with
END_MARK and its number follows there.
"""

import ctypes
import errno
import faulthandler
import json
import os
import queue
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import engines
from inference.extras import let_threads_sleep
from inference.process.niceness import lower_priority
from inference.process.pipe_log import TEXT_LIMIT, Say, log_to
from inference.process.setup import END_MARK, RESULT_NAME, THUMBNAIL_NAME, EngineSetup
from jobs.errors import AnimatoError, DiskFull, EngineFailed
from jobs.wish import Video, Wish

if TYPE_CHECKING:
    from inference.engine import Engine
    from inference.pipeline import Listener

_PROGRESS_EVERY_S = 0.5
_TRACE_LIMIT = 16_000
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = 500  # of 1000: killed before others when the machine is short of memory
_RECORDED_MAX_S = 600.0  # recorded templates are the operator's own


class ResponseWriter:
    """Sends responses to the parent; any thread may use it."""

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()
        # Not inherited: when this process ends, nobody else holds the pipe open.
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def say(self, event: str, **fields: Any) -> None:
        """Send one line; block while the pipe is full."""
        line = json.dumps({"number": self.number, "event": event, **fields})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()


class RequestReader:
    """Reads requests in a thread of its own, so that a cancel takes effect at once.

    When the parent is gone, the thread kills this process group.
    """

    def __init__(self) -> None:
        self._cancelled = 0
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        # Whatever an engine starts must not read our requests.
        self._file = os.fdopen(os.dup(0), "rb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self._waiting.get()

    def is_cancelled(self, number: int) -> bool:
        """Whether the request with that number was cancelled."""
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
    """Sends progress, but not too often.

    Args:
        say: `ResponseWriter.say`.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._next_s = 0.0

    def report(self, done: int, total: int) -> None:
        """Send it unless the last time was just now."""
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + _PROGRESS_EVERY_S
            self._say("progress", done=done, total=total)


def main() -> None:
    """Handle requests until the parent is gone or kills this process."""
    # The whole group is killed at the end; it must not be that of a shell.
    with suppress(PermissionError):
        os.setsid()
    _end_with_parent()
    # Before anything loads torch.
    let_threads_sleep()
    faulthandler.enable()
    responses = ResponseWriter()
    handler = log_to(responses.say)
    requests = RequestReader()
    setup = EngineSetup.model_validate(next(iter(requests)))
    _yield_cores_and_memory(setup.niceness)
    if setup.further_engines is not None:
        engines.__path__.append(str(setup.further_engines))
    for request in requests:
        responses.number = request["number"]
        try:
            fields = {"result": _respond(request, setup, responses, requests)}
        except AnimatoError as error:
            fields = _failure(error, error, is_healthy=True)
        except Exception as error:  # noqa: BLE001 - the parent is told, and starts a fresh process
            told = _unforeseen(error, request.get("engine", ""))
            fields = _failure(told, error, is_healthy=isinstance(told, DiskFull))
        handler.flush()
        _mark_end(responses.number)
        responses.say("done" if "result" in fields else "failed", **fields)


def _respond(
    request: dict[str, Any], setup: EngineSetup, responses: ResponseWriter, requests: RequestReader
) -> dict[str, Any]:
    """Return the result of a request as plain data."""
    # Imported late: it takes a second, which counts as loading.
    from inference.faces.loading import prepare_looks  # noqa: PLC0415
    from inference.pipeline import Listener  # noqa: PLC0415
    from inference.process.offer import offer_of, weights_of  # noqa: PLC0415

    if request["kind"] == "offer":
        prepare_looks(weights_of(setup))  # the gate's children cannot download it
        return offer_of(setup, request["engines"]).model_dump(mode="json")
    number, folder = request["number"], Path(request["folder"])
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    wish = Wish.model_validate(request["wish"])
    engine = load_engine(request["engine"], wish, setup)
    responses.say("loaded")
    listener = Listener(
        report=ProgressReporter(responses.say).report,
        is_cancelled=lambda: requests.is_cancelled(number),
    )
    return render_wish(wish, engine, setup.templates_dir, folder, listener).model_dump(mode="json")


def load_engine(name: str, wish: Wish, setup: EngineSetup) -> "Engine":
    """Return the engine for a wish, with everything it needs in memory.

    Raises:
        UnknownEngine, OperatorError: it cannot run here.
    """
    from inference.engine import ready_engine  # noqa: PLC0415
    from inference.engine_options import parse_options  # noqa: PLC0415
    from inference.process.offer import weights_of  # noqa: PLC0415

    weights = weights_of(setup)
    options = replace(parse_options(wish.options), device=setup.device)
    engine = ready_engine(name, options, weights)(options, weights)
    engine.load()
    return engine


def render_wish(
    wish: Wish, engine: "Engine", templates_dir: Path, folder: Path, listener: "Listener"
) -> Video:
    """Make the video as `result.mp4` in `folder`, and its thumbnail beside it.

    Raises:
        Cancelled: the listener requested it.
        UserError: the input cannot be used.
        OperatorError: an engine, weights or a file cannot be used.
    """
    from inference.choose import TemplateSource  # noqa: PLC0415
    from inference.media.gate import LookLimits  # noqa: PLC0415
    from inference.media.limits import ClipLimits  # noqa: PLC0415
    from inference.media.thumbnail import write_thumbnail  # noqa: PLC0415
    from inference.pipeline import animate_photo  # noqa: PLC0415

    limits = LookLimits.for_clips(ClipLimits(max_duration_s=_RECORDED_MAX_S))
    if engine.weights is not None:
        limits = replace(limits, checkpoints_dir=engine.weights.folder)
    source = TemplateSource(templates_dir, folder, limits, keeps_tracks=True)
    listener = replace(listener, show=lambda frame: write_thumbnail(frame, folder / THUMBNAIL_NAME))
    return animate_photo(wish, engine, folder / RESULT_NAME, source, listener)


def _mark_end(number: int) -> None:
    """Mark in stderr where the output of this request ends."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(2, END_MARK + b"%d\n" % number)


def _unforeseen(error: Exception, engine: str) -> AnimatoError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path=error.filename or tempfile.gettempdir())
    reason = "".join(traceback.format_exception_only(error)).strip()[:TEXT_LIMIT]
    return EngineFailed(name=engine, reason=reason)


def _failure(told: AnimatoError, error: Exception, *, is_healthy: bool) -> dict[str, Any]:
    trace = "".join(traceback.format_exception(error))[-_TRACE_LIMIT:]
    return {"error": told.to_dict(), "trace": trace, "is_healthy": is_healthy}


def _yield_cores_and_memory(niceness: int) -> None:
    """Yield the cores to others, to looks above all, and the memory to the parent."""
    lower_priority(niceness)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), "ascii")
    # Writing a core file of gigabytes would hide from the parent that we have crashed.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """Have Linux kill this process when the parent dies, even while a library hangs.

    Elsewhere `RequestReader` ends the process when the pipe from the parent is closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main()
