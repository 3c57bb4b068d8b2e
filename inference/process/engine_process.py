"""The parent's side of the engine process: kept warm, killed when it hangs.

    async with EngineProcess(setup) as engine:
        video = await engine.render(wish, "mesh", folder)

The process starts with the first request. It is killed when it hangs, when it ignores a cancel, and
after an unexpected error; the next request starts a fresh one. `engine_main.py` describes the
messages. Nothing here loads a picture library.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from inference.process.child_handle import ChildHandle
from inference.process.offer import EngineOffer
from inference.process.setup import EngineSetup
from jobs.errors import (
    AnimatoError,
    Cancelled,
    EngineDied,
    EngineFailed,
    EngineHung,
    UserError,
    os_reason,
)
from jobs.service_errors import error_from_dict
from jobs.wish import Video, Wish

OnProgress = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames."""

OnRestart = Callable[[str], None]
"""Called with one of RESTART_REASONS when a process is replaced."""

# `cancelled`: it ignored a cancel; `failed`: after an unexpected error.
RESTART_REASONS = ("died", "hung", "cancelled", "failed")

LOG_LINES_KEPT = 200
_PRINTED_LINES_KEPT = 50  # of those

_DRAIN_S = 1.0  # for reading the rest of a dead process's output
# Grace after a deadline: if this process was suspended, a response may be waiting in the pipe.
_GRACE_S = 0.1
_LINE_LIMIT = 2000
_REASONS = {
    EngineDied: "died",
    EngineHung: "hung",
    Cancelled: "cancelled",
    asyncio.CancelledError: "cancelled",
}


@dataclass(frozen=True)
class EngineLimits:
    """Time limits after which an engine process is killed.

    Attributes:
        load_s: until it is ready, downloads included.
        frame_s: from one batch of frames to the next.
        cancel_s: from a cancel until it stops.
    """

    load_s: float = 300.0
    frame_s: float = 120.0
    cancel_s: float = 1.0


class ChildTraceback(Exception):
    """Cause of an error in the engine process: its traceback as text."""


class EngineProcess:
    """The engine process of one device.

    Args:
        setup: what it is started with.
        limits: when it is killed.
        on_restart: called for each process that has to be replaced.
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
        self._child: ChildHandle | None = None
        self._request: _Request | None = None
        self._is_closed = False
        self._count = 0
        self._logged: deque[str] = deque(maxlen=LOG_LINES_KEPT - _PRINTED_LINES_KEPT)
        self._printed: deque[str] = deque(maxlen=_PRINTED_LINES_KEPT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return None if self._child is None else self._child.process.pid

    @property
    def log_lines(self) -> tuple[str, ...]:
        """Last log lines of the current or last request, then the last lines it printed."""
        return (*self._logged, *(f"printed: {line}" for line in self._printed))

    def clear_log(self) -> None:
        """Forget the log lines so far."""
        self._logged.clear()
        self._printed.clear()

    async def render(
        self,
        wish: Wish,
        engine: str,
        folder: Path,
        time_limit_s: float = 3600.0,
        on_progress: OnProgress = lambda _done, _total: None,
    ) -> Video:
        """Make a video, `result.mp4` in a folder, and its thumbnail, `thumbnail.jpg`.

        One video at a time: others wait. Cancelling this task kills the process; `cancel` is
        gentler.

        Args:
            wish: what is wanted; its files are paths.
            engine: name of the engine.
            folder: for this video alone. After an error, temporary files may be left in it.
            time_limit_s: the process is killed after this time.
            on_progress: called now and then.

        Raises:
            Cancelled: `cancel` was called.
            EngineDied, EngineHung: another try may succeed.
            EngineFailed: an unexpected error; another try may succeed.
            UserError, OperatorError: from the pipeline; the latter caused by `ChildTraceback`.
        """
        async with self._turn:
            request = _Request(engine, self._limits, time_limit_s, on_progress)
            plain = {
                "kind": "render",
                "engine": engine,
                "wish": wish.model_dump(mode="json"),
                "folder": str(folder.absolute()),
            }
            return Video.model_validate(await self._ask(plain, request))

    def cancel(self) -> None:
        """Make the current request end with `Cancelled`, unless it is done first."""
        if self._request is not None:
            self._request.cancelled.set()

    async def offer(self, engines: Sequence[str]) -> EngineOffer:
        """Return what this machine can do, and provide the looks' landmark network; may load torch.

        Args:
            engines: names of engines; if empty, all that can run here.

        Raises:
            UnknownEngine, EngineUnavailable: a named one cannot run here.
            OperatorError: the device of the setup does not exist, or the process failed.
        """
        async with self._turn:
            request = _Request("process", self._limits, self._limits.load_s)
            plain = {"kind": "offer", "engines": list(engines)}
            return EngineOffer.model_validate(await self._ask(plain, request))

    async def close(self) -> None:
        """End the process; the current request and those waiting end with `Cancelled`."""
        self._is_closed = True
        self.cancel()
        async with self._turn:
            await self._end_child()

    async def _ask(self, plain: dict[str, Any], request: "_Request") -> dict[str, Any]:
        """Return the result of a request; end the process unless it is healthy afterwards."""
        self.clear_log()
        self._count += 1
        self._request = request
        is_healthy, reason = False, "failed"
        try:
            child = await self._living_child(request.engine)
            child.send({"number": self._count, **plain})
            response = await request.response(child, self._count, self._logged.append)
            await child.wait_for_output()
            is_healthy = response.get("is_healthy", True)
        except (EngineDied, EngineHung, Cancelled, asyncio.CancelledError) as error:
            reason = _REASONS[type(error)]
            raise
        finally:
            self._request = None
            if not is_healthy:
                await self._end_child(reason)
        return _result_of(response, request.engine)

    async def _living_child(self, engine: str) -> ChildHandle:
        """Return the process, started if needed.

        Raises:
            Cancelled: `close` was called.
            EngineDied: it cannot be started.
        """
        if self._is_closed:
            raise Cancelled
        if self._child is not None and self._child.lives:
            return self._child
        await self._end_child("died")
        try:
            self._child = await ChildHandle.start(self._setup, self._printed.append)
        except OSError as exc:
            reason = f"its process cannot be started ({os_reason(exc)})"
            raise EngineDied(name=engine, reason=reason) from exc
        return self._child

    async def _end_child(self, reason: str | None = None) -> None:
        """End the process, if there is one, and report the reason."""
        child, self._child = self._child, None
        if child is None:
            return
        if reason is not None and not self._is_closed:
            self._on_restart(reason)
        await child.end()


class _Request:
    """One request to the process, with its time limits.

    Args:
        engine: the engine's name, for errors.
        limits: for loading, for frames, for stopping.
        time_limit_s: for the whole request.
        on_progress: called with its progress.

    Attributes:
        cancelled: set when the result is no longer wanted.
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
        # By name: the time, and the error raised then.
        self._deadlines: dict[str, tuple[float, AnimatoError]] = {}
        self._late_since_s: float | None = None
        self._set_hang_deadline("whole", time_limit_s, f"it was not done within {time_limit_s:g} s")
        self._set_hang_deadline(
            "step", limits.load_s, f"it was not ready within {limits.load_s:g} s"
        )

    async def response(
        self, child: ChildHandle, number: int, keep: Callable[[str], None]
    ) -> dict[str, Any]:
        """Return the process's final response.

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
                    if message["number"] == number and self._handle(message, keep):
                        return message
                if gone in events and gone.done():
                    events.remove(gone)
                    # Its earlier output is still read, though its children may hold the pipe open.
                    died = EngineDied(name=self.engine, reason=await child.death())
                    self._set_deadline("gone", _DRAIN_S, died)
                if unwanted in events and unwanted.done():
                    events.remove(unwanted)
                    child.send({"cancel": number})
                    self._set_deadline("unwanted", self._limits.cancel_s, Cancelled())
        finally:
            for future in (gone, unwanted, line):
                future.cancel()

    def _read(self, line: "asyncio.Future[bytes]") -> dict[str, Any] | None:
        """Return a line of the process; None at the end."""
        try:
            message: dict[str, Any] | None = json.loads(line.result() or b"null")
        except ValueError as exc:
            raise EngineFailed(name=self.engine, reason="its answer is invalid") from exc
        return message

    async def _wait(self, futures: "set[asyncio.Future[Any]]") -> None:
        """Return when one of them is done.

        Raises:
            AnimatoError: a deadline has passed.
        """
        while True:
            deadline_s, error = min(self._deadlines.values(), key=lambda deadline: deadline[0])
            now_s = _now_s()
            if now_s < deadline_s:
                self._late_since_s = None
                timeout = deadline_s - now_s
            else:
                # Only output that moves the deadline can still save it.
                self._late_since_s = self._late_since_s or now_s
                timeout = self._late_since_s + _GRACE_S - now_s
                if timeout <= 0:
                    raise error
            done, _ = await asyncio.wait(
                futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return

    def _handle(self, message: dict[str, Any], keep: Callable[[str], None]) -> bool:
        """Handle a message; return true for the final one."""
        match message["event"]:
            case "log":
                level, logger, text = message["level"], message["logger"], message["text"]
                clock = time.strftime("%H:%M:%S")
                keep(f"{clock} {logging.getLevelName(level)} {logger}: {text}"[:_LINE_LIMIT])
                logging.getLogger(logger).log(level, "%s", text)
            case "loaded":
                self._set_frame_deadline()
            case "progress":
                self._set_frame_deadline()
                self._on_progress(message["done"], message["total"])
        return message["event"] in ("done", "failed")

    def _set_frame_deadline(self) -> None:
        limit_s = self._limits.frame_s
        self._set_hang_deadline("step", limit_s, f"it made no frame for {limit_s:g} s")

    def _set_hang_deadline(self, name: str, limit_s: float, reason: str) -> None:
        self._set_deadline(name, limit_s, EngineHung(name=self.engine, reason=reason))

    def _set_deadline(self, name: str, limit_s: float, error: AnimatoError) -> None:
        self._deadlines[name] = (_now_s() + limit_s, error)


async def offered_engines(
    setup: EngineSetup, limits: EngineLimits | None = None, engines: Sequence[str] = ()
) -> EngineOffer:
    """Return what this machine can do, from a process of its own; see `EngineProcess.offer`."""
    async with EngineProcess(setup, limits) as process:
        return await process.offer(engines)


def _result_of(response: dict[str, Any], engine: str) -> dict[str, Any]:
    """Return the result in a final response, or raise the error in it."""
    if response["event"] == "done":
        result: dict[str, Any] = response["result"]
        return result
    try:
        error = error_from_dict(response["error"])
    except KeyError:
        error = EngineFailed(name=engine, reason=response["trace"].strip().rpartition("\n")[2])
    if isinstance(error, UserError | Cancelled):
        raise error
    raise error from ChildTraceback("\n" + response["trace"])


def _now_s() -> float:
    return asyncio.get_running_loop().time()
