"""Looks that are not needed any more."""

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from inference.media import running_look
from inference.media.gate import LookLimits, VoicePart
from jobs.errors import ProcessKilled
from worker.look import Looks


class KilledLook(running_look.RunningLook):
    """A child that is killed, and whose thread takes its time to notice."""

    def __init__(self) -> None:
        self.noticed = threading.Event()

    def __enter__(self) -> "KilledLook":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answer(self, form: type[running_look.Found]) -> running_look.Found:  # noqa: ARG002
        self.noticed.wait(60)
        raise ProcessKilled(what="The check of the input", signal="SIGKILL")


@pytest.mark.asyncio
async def test_look_cancelled_twice_leaves_no_error_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    child = KilledLook()
    monkeypatch.setattr("worker.look.start_lead_look", lambda *_: child)
    async with Looks(1) as looks:
        part = VoicePart(tmp_path / "voice.ogg")
        task = asyncio.ensure_future(looks.voice(part, tmp_path, LookLimits()))
        for _ in range(2):
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
    child.noticed.set()
    for thread in threading.enumerate():
        if thread.name.startswith("look"):
            thread.join()
    await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.sleep(0.01)
    assert not reported
