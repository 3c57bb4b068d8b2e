"""The parent's side of the engine process: one at a time, kept warm, killed when it must be.

    async with EngineProcess(setup) as engine:
        rendered = await engine.render(job, on_progress)

The process starts with the first request. It is killed when it hangs, when it does not react to a
wish to cancel, and after an error that nobody has foreseen; the next request starts a fresh one.
What the two say to each other is in `child.py`. Nothing here loads a picture library.
"""

import asyncio
import errno
import json
import logging
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from inference.process.engine_child import EngineChild
from inference.process.job_log import job_id
from inference.process.render_job import (
    RESULT_NAME,
    THUMBNAIL_NAME,
    EngineOffer,
    EngineSetup,
    Rendered,
    RenderJob,
)
from jobs.errors import (
    AnimatoError,
    Cancelled,
    DiskFull,
    EngineDied,
    EngineFailed,
    EngineHung,
    UserError,
)
from jobs.stored_errors import error_from_dict

OnProgress = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames."""

OnRestart = Callable[[str], None]
"""Called with one of RESTART_REASONS when a process is given up."""

# `cancelled`: it did not stop when told to; `failed`: after an error that nobody has foreseen.
RESTART_REASONS = ("died", "hung", "cancelled", "failed")

LOG_LINES_KEPT = 200
_PRINTED_LINES_KEPT = 50  # of those

_LAST_WORDS_S = 1.0  # what a dead process has said is waited for so long
# Until a limit counts as passed: when this process itself stood still, an answer may lie there.
_SECOND_LOOK_S = 0.1
_LINE_LIMIT = 2000
_REASONS = {
    EngineDied: "died",
    EngineHung: "hung",
    Cancelled: "cancelled",
    asyncio.CancelledError: "cancelled",
}


@dataclass(frozen=True)
class EngineLimits:
    """How long an engine is waited for before its process is killed.

    Attributes:
        load_s: until it is ready; what it fetches counts too.
        frame_s: from one batch of frames to the next.
        cancel_s: until it stops when it is told to.
    """

    load_s: float = 300.0
    frame_s: float = 120.0
    cancel_s: float = 1.0


class ChildTraceback(Exception):
    """Cause of an error that happened in the engine process: the traceback there, as text."""


class EngineProcess:
    """The engine process of one device.

    Args:
        setup: what it is told.
        limits: how long it is waited for.
        on_restart: told of each process that is given up and followed by another when need be.
    """

    def __init__(
        self,
        setup: EngineSetup,
        limits: EngineLimits | None = None,
        on_restart: OnRestart = lambda _reason: None,
    ) -> None:
        self._setup = setup.absolute()
        self._limits = limits or EngineLimits()
        self._on_restart = on_restart
        self._turn = asyncio.Lock()
        self._child: EngineChild | None = None
        self._request: _Request | None = None
        self._is_closed = False
        self._count = 0
        self._logged: deque[str] = deque(maxlen=LOG_LINES_KEPT - _PRINTED_LINES_KEPT)
        self._printed: deque[str] = deque(maxlen=_PRINTED_LINES_KEPT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return None if self._child is None else self._child.process.pid

    @property
    def log_lines(self) -> tuple[str, ...]:
        """The last lines of the log of the job in hand, or of the last one; then what it printed.

        A flood of the one leaves the other alone.
        """
        return (*self._logged, *(f"printed: {line}" for line in self._printed))

    async def render(
        self, job: RenderJob, on_progress: OnProgress = lambda _done, _total: None
    ) -> Rendered:
        """Makes the job's video; it appears there whole or not at all. One at a time.

        Cancelling this task kills the process; `cancel` is gentler.

        Args:
            job: what is to be made.
            on_progress: told now and then how far it is.

        Raises:
            Cancelled: somebody called `cancel`.
            EngineDied, EngineHung: another try may succeed.
            EngineFailed: something that nobody has foreseen; likewise.
            UserError, OperatorError: what the pipeline raised; the latter with `ChildTraceback`.
        """
        async with self._turn:
            work = _work_folder(job)
            token = job_id.set(job.job_id)
            try:
                result = await self._ask(
                    {"kind": "render", "job": job.model_dump(mode="json"), "folder": str(work)},
                    _Request(job.engine, self._limits, job.time_limit_s, on_progress),
                )
                rendered = Rendered.model_validate(result)
                if job.thumbnail is not None:
                    (work / THUMBNAIL_NAME).replace(job.thumbnail)
                (work / RESULT_NAME).replace(job.output)
                return rendered
            finally:
                shutil.rmtree(work, ignore_errors=True)
                job_id.reset(token)

    def cancel(self) -> None:
        """Has the job in hand end with `Cancelled`, unless it is done first."""
        if self._request is not None:
            self._request.cancelled.set()

    async def offer(self, engines: Sequence[str] = ()) -> EngineOffer:
        """What this machine can do. Where a network is asked about, the process holds torch then.

        Args:
            engines: the names of those that are asked about; without any, all are, and those that
                cannot run here are left out.

        Raises:
            UnknownEngine, EngineUnavailable: one that was named cannot run here.
            OperatorError: the device of the setup is not there, or the process failed.
        """
        async with self._turn:
            request = _Request("process", self._limits, self._limits.load_s)
            question = {"kind": "offer", "engines": list(engines)}
            return EngineOffer.model_validate(await self._ask(question, request))

    async def close(self) -> None:
        """Ends the process; a job in hand and those that wait for it end with `Cancelled`."""
        self._is_closed = True
        self.cancel()
        async with self._turn:
            await self._end_child()

    async def _ask(self, plain: dict[str, Any], request: "_Request") -> dict[str, Any]:
        """The answer to a request; a process that is not known to be sound is gone afterwards."""
        self._logged.clear()
        self._printed.clear()
        self._count += 1
        self._request = request
        is_sound, reason = False, "failed"
        try:
            child = await self._living_child(request.engine)
            child.send({"number": self._count, **plain})
            answer = await request.answer(child, self._count, self._logged.append)
            await child.all_printed()
            is_sound = answer.get("is_sound", True)
        except (EngineDied, EngineHung, Cancelled, asyncio.CancelledError) as error:
            reason = _REASONS[type(error)]
            raise
        finally:
            self._request = None
            if not is_sound:
                await self._end_child(reason)
        return _result_of(answer, request.engine)

    async def _living_child(self, engine: str) -> EngineChild:
        """The process, started if need be.

        Raises:
            Cancelled: there is to be none any more.
            EngineDied: it cannot be started.
        """
        if self._is_closed:
            raise Cancelled
        if self._child is not None and self._child.lives:
            return self._child
        await self._end_child("died")
        try:
            self._child = await EngineChild.start(self._setup, self._printed.append)
        except OSError as exc:
            reason = f"its process cannot be started ({exc.strerror})"
            raise EngineDied(name=engine, reason=reason) from exc
        return self._child

    async def _end_child(self, reason: str | None = None) -> None:
        """Ends the process, if there is one; the reason is told, unless there is to be none."""
        child, self._child = self._child, None
        if child is None:
            return
        if reason is not None and not self._is_closed:
            self._on_restart(reason)
        await child.end()


class _Request:
    """One question to the process, and how long its answer is waited for.

    Args:
        engine: the engine's name, for errors.
        limits: for loading, for frames, for stopping.
        time_limit_s: for all of it.
        on_progress: told how far it is.

    Attributes:
        cancelled: set when the answer is not wanted any more.
    """

    def __init__(
        self,
        engine: str,
        limits: EngineLimits,
        time_limit_s: float,
        on_progress: OnProgress = lambda _done, _total: None,
    ) -> None:
        self.engine = engine
        self.cancelled = asyncio.Event()
        self._limits = limits
        self._on_progress = on_progress
        # When the process is given up, and what is told then.
        self._ends: dict[str, tuple[float, AnimatoError]] = {}
        self._overdue_s: float | None = None
        self._end_in("whole", time_limit_s, f"it was not done within {time_limit_s:g} s")
        self._end_in("step", limits.load_s, f"it was not ready within {limits.load_s:g} s")

    async def answer(
        self, child: EngineChild, number: int, keep: Callable[[str], None]
    ) -> dict[str, Any]:
        """The process's last word on it.

        Raises:
            EngineHung, EngineDied, Cancelled: there is none.
        """
        gone = asyncio.ensure_future(child.process.wait())
        unwanted = asyncio.ensure_future(self.cancelled.wait())
        line = asyncio.ensure_future(child.read_line())
        events: set[asyncio.Future[Any]] = {gone, unwanted}
        try:
            while True:
                await self._wait({line, *events})
                if line.done():
                    message = self._read(line)
                    if message is None:
                        raise EngineDied(name=self.engine, reason=await child.death())
                    line = asyncio.ensure_future(child.read_line())
                    if message["number"] == number and self._heard(message, keep):
                        return message
                if gone in events and gone.done():
                    events.remove(gone)
                    # What it said before is still read, though its children may hold the pipe.
                    died = EngineDied(name=self.engine, reason=await child.death())
                    self._end("gone", _LAST_WORDS_S, died)
                if unwanted in events and unwanted.done():
                    events.remove(unwanted)
                    child.send({"cancel": number})
                    self._end("unwanted", self._limits.cancel_s, Cancelled())
        finally:
            for future in (gone, unwanted, line):
                future.cancel()

    def _read(self, line: "asyncio.Future[bytes]") -> dict[str, Any] | None:
        """A line of the process; None: there are no more."""
        try:
            message: dict[str, Any] | None = json.loads(line.result() or b"null")
        except ValueError as exc:
            raise EngineFailed(name=self.engine, reason="its answer makes no sense") from exc
        return message

    async def _wait(self, futures: "set[asyncio.Future[Any]]") -> None:
        """Returns when one of them is done.

        Raises:
            AnimatoError: a limit has passed.
        """
        while True:
            due_s, error = min(self._ends.values(), key=lambda end: end[0])
            now_s = _now_s()
            if now_s < due_s:
                self._overdue_s = None
                timeout = due_s - now_s
            else:
                # Whatever is still said must move the limit, or it has passed.
                self._overdue_s = self._overdue_s or now_s
                timeout = self._overdue_s + _SECOND_LOOK_S - now_s
                if timeout <= 0:
                    raise error
            done, _ = await asyncio.wait(
                futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return

    def _heard(self, message: dict[str, Any], keep: Callable[[str], None]) -> bool:
        """Takes in a message; true for the last one."""
        match message["event"]:
            case "log":
                level, logger, text = message["level"], message["logger"], message["text"]
                clock = time.strftime("%H:%M:%S")
                keep(f"{clock} {logging.getLevelName(level)} {logger}: {text}"[:_LINE_LIMIT])
                logging.getLogger(logger).log(level, "%s", text)
            case "loaded":
                self._expect_frame()
            case "progress":
                self._expect_frame()
                self._on_progress(message["done"], message["total"])
        return message["event"] in ("done", "failed")

    def _expect_frame(self) -> None:
        limit_s = self._limits.frame_s
        self._end_in("step", limit_s, f"it made no frame for {limit_s:g} s")

    def _end_in(self, why: str, limit_s: float, what: str) -> None:
        self._end(why, limit_s, EngineHung(name=self.engine, reason=what))

    def _end(self, why: str, limit_s: float, error: AnimatoError) -> None:
        self._ends[why] = (_now_s() + limit_s, error)


async def offered_engines(
    setup: EngineSetup, limits: EngineLimits | None = None, engines: Sequence[str] = ()
) -> EngineOffer:
    """What this machine can do, told by a process that is gone afterwards; see `offer`."""
    async with EngineProcess(setup, limits) as process:
        return await process.offer(engines)


def _result_of(answer: dict[str, Any], engine: str) -> dict[str, Any]:
    """What was asked for.

    Raises:
        AnimatoError: the process's own.
    """
    if answer["event"] == "done":
        result: dict[str, Any] = answer["result"]
        return result
    try:
        error = error_from_dict(answer["error"])
    except KeyError:
        error = EngineFailed(name=engine, reason=answer["trace"].strip().rpartition("\n")[2])
    if isinstance(error, UserError | Cancelled):
        raise error
    raise error from ChildTraceback("\n" + answer["trace"])


def _work_folder(job: RenderJob) -> Path:
    """A folder for everything that a job writes until it is done.

    Raises:
        DiskFull, EngineFailed: there is no place for it.
    """
    folder = job.output.absolute().parent
    try:
        return Path(tempfile.mkdtemp(prefix=".render-", dir=folder))
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise DiskFull(path=str(folder)) from exc
        reason = f"no place for its files ({exc.strerror})"
        raise EngineFailed(name=job.engine, reason=reason) from exc


def _now_s() -> float:
    return asyncio.get_running_loop().time()
