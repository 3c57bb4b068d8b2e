"""The engine process: warm, killable, and never the end of its parent."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from itertools import starmap
from pathlib import Path

import pytest

from inference.media.gate import ClipPart, look_at_clip
from inference.media.probe import probe
from inference.process.engine_process import (
    LOG_LINES_KEPT,
    ChildTraceback,
    EngineLimits,
    EngineProcess,
    offered_engines,
)
from inference.process.setup import EngineSetup
from jobs.errors import (
    Cancelled,
    DiskFull,
    EngineDied,
    EngineFailed,
    EngineHung,
    NoFaceFound,
    UnknownEngine,
    UnknownTemplate,
)
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement
from tests.conftest import Require
from tests.integration.inference.conftest import MakeJob
from worker.work_folder import JobIdFilter, job_id

pytestmark = pytest.mark.local_sockets

PATIENCE_S = 60.0
PARENT = """
import asyncio, sys
from pathlib import Path
from inference.process.engine_process import EngineProcess
from inference.process.setup import EngineSetup
from jobs.wish import Wish

async def main():
    setup, wish = (Path(name).read_text() for name in sys.argv[2:4])
    async with EngineProcess(EngineSetup.model_validate_json(setup)) as engine:
        def tell(done, total):
            print(engine.pid, flush=True)
        wish = Wish.model_validate_json(wish)
        await engine.render(wish, sys.argv[1], Path(sys.argv[4]), on_progress=tell)
        await asyncio.sleep(1000)

asyncio.run(main())
"""
LIGHT = """
import asyncio, sys
import inference.process.engine_process, worker.work_folder
import inference.process.setup
import animato.worker
print([name for name in ("torch", "numpy", "cv2", "PIL", "av") if name in sys.modules])
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_gone(group: int) -> bool:
    """Whether no process of the group is left; zombies of others' children count as gone."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, found = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(found) == group and state != "Z":
            return False
    return True


async def until_reaped(engine: EngineProcess) -> None:
    """Waits until the process has died and its parent, which we are, knows."""
    child = engine._child  # noqa: SLF001 - nothing else tells it
    assert child is not None
    async with asyncio.timeout(PATIENCE_S):
        while child.lives:
            await asyncio.sleep(0.01)


async def until_gone(group: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_gone(group) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert is_gone(group)


# --- what comes out -------------------------------------------------------------------------------


async def test_job_becomes_a_video_and_the_process_stays_for_the_next(
    engine: EngineProcess, make_job: MakeJob, folder: Path
) -> None:
    seen: list[tuple[int, int]] = []
    job = make_job("mesh")
    first = await engine.render(*job, on_progress=lambda done, total: seen.append((done, total)))
    pid = engine.pid
    assert pid is not None
    assert os.getsid(pid) == pid  # Ctrl-C in our terminal does not reach it
    assert names_in(folder) == ["result.mp4", "thumbnail.jpg"]
    shown = probe(folder / "result.mp4")
    assert (first.width, first.height) == (shown.width, shown.height) == (200, 200)
    assert first.frame_rate == shown.frame_rate
    assert first.duration_s == pytest.approx(shown.duration_s)
    assert first.size_bytes == (folder / "result.mp4").stat().st_size
    assert not first.has_sound
    assert (first.engine, first.frames_per_second > 0) == ("mesh", True)
    assert "landmarks" in first.label
    assert seen[0][0] < seen[0][1] == first.frame_count
    assert seen == sorted(seen)
    second = await engine.render(*make_job("still"))
    assert (second.label, engine.pid) == ("A still photo", pid)


async def test_clip_leads_the_movement(
    engine: EngineProcess, make_job: MakeJob, tmp_path: Path
) -> None:
    look = look_at_clip(ClipPart(SHIPPED_TEMPLATES / "blink.mp4", duration_s=0.4), tmp_path)
    rendered = await engine.render(*make_job("still", movement=Movement.of_clip(look)))
    assert rendered.frame_count == look.frame_count
    assert rendered.frame_rate == look.frame_rate


async def test_jobs_wait_for_each_other(engine: EngineProcess, make_job: MakeJob) -> None:
    jobs = [make_job("still"), make_job("refusing"), make_job("still")]
    ends = await asyncio.gather(*starmap(engine.render, jobs), return_exceptions=True)
    assert [type(end).__name__ for end in ends] == ["Video", "EngineFailed", "Video"]


async def test_engines_are_offered_with_their_options(setup: EngineSetup, require: Require) -> None:
    offer = await offered_engines(setup)
    found = {engine.name: engine for engine in offer.engines}
    assert offer.device == "cpu"
    assert {"mesh", "still", "crashing"} <= found.keys()
    assert found["still"].options == found["mesh"].missing_files == ()
    assert found["mesh"].options == ("relative", "strength")
    require("fomm" in found, "the extra neural is not installed")
    assert "find_best_frame" in found["fomm"].options
    assert "animato weights fetch" in found["fomm"].missing_files[0]


async def test_only_engines_that_are_named_are_asked(setup: EngineSetup) -> None:
    async with EngineProcess(setup) as engine:
        offer = await engine.offer(["still", "mesh", "still"])
        assert [one.name for one in offer.engines] == ["still", "mesh"]
        if sys.platform.startswith("linux"):
            assert "torch" not in Path(f"/proc/{engine.pid}/maps").read_text()
        with pytest.raises(UnknownEngine, match=r"never: choose one of auto, .*mesh"):
            await engine.offer(["mesh", "never"])


def test_parent_loads_no_picture_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- errors ---------------------------------------------------------------------------------------


async def test_errors_of_the_pipeline_come_back_as_themselves(
    engine: EngineProcess, make_job: MakeJob, folder: Path
) -> None:
    with pytest.raises(UnknownTemplate, match="nowhere"):
        await engine.render(*make_job("still", movement=Movement(template="nowhere")))
    pid = engine.pid
    with pytest.raises(NoFaceFound) as persons:
        await engine.render(*make_job("refusing", options={"smooth": 1}))
    assert persons.value.__cause__ is None
    with pytest.raises(EngineFailed, match="no mood") as ours:
        await engine.render(*make_job("refusing"))
    assert isinstance(ours.value.__cause__, ChildTraceback)
    assert "in prepare" in str(ours.value.__cause__)
    assert engine.pid == pid
    assert names_in(folder) == []


async def test_unforeseen_error_is_told_and_takes_the_process_with_it(
    engine: EngineProcess, make_job: MakeJob
) -> None:
    with pytest.raises(EngineFailed, match="RuntimeError: the sums are wrong") as failed:
        await engine.render(*make_job("failing"))
    assert "in animate" in str(failed.value.__cause__)
    assert engine.pid is None


async def test_full_disk_is_no_fault_of_the_engine(
    engine: EngineProcess, make_job: MakeJob
) -> None:
    with pytest.raises(DiskFull):
        await engine.render(*make_job("full"))


@pytest.mark.parametrize(
    ("name", "reason"), [("crashing", "killed by SIGSEGV"), ("leaving", "exit code 3, last words")]
)
async def test_death_is_noticed_and_the_next_job_gets_a_fresh_process(
    engine: EngineProcess, make_job: MakeJob, folder: Path, name: str, reason: str
) -> None:
    pids: list[int | None] = []
    with pytest.raises(EngineDied, match=reason):
        await engine.render(
            *make_job(name), on_progress=lambda _done, _total: pids.append(engine.pid)
        )
    if name == "crashing":
        assert any("in animate" in line for line in engine.log_lines)
    await engine.render(*make_job("still"))
    assert engine.pid not in pids
    assert {"result.mp4", "thumbnail.jpg"} <= set(names_in(folder))


async def test_death_between_two_jobs_costs_nothing(
    engine: EngineProcess, make_job: MakeJob
) -> None:
    await engine.render(*make_job("still"))
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await until_reaped(engine)
    await engine.render(*make_job("still"))


@pytest.mark.parametrize("name", ["hanging", "chatting"])
async def test_engine_that_makes_no_frame_is_killed(
    setup: EngineSetup, make_job: MakeJob, name: str
) -> None:
    async with EngineProcess(setup, EngineLimits(frame_s=1)) as engine:
        task = asyncio.create_task(engine.render(*make_job(name)))
        while (pid := engine.pid) is None:
            await asyncio.sleep(0.01)
        with pytest.raises(EngineHung, match="no frame for 1 s"):
            await task
        assert engine.pid is None
    await until_gone(pid)


async def test_engine_that_is_never_ready_is_killed(setup: EngineSetup, make_job: MakeJob) -> None:
    async with EngineProcess(setup, EngineLimits(load_s=0.3)) as engine:
        with pytest.raises(EngineHung, match=r"not ready within 0\.3 s"):
            await engine.render(*make_job("never_loaded"))


async def test_engine_that_makes_no_end_is_killed(engine: EngineProcess, make_job: MakeJob) -> None:
    await engine.render(*make_job("still"))
    with pytest.raises(EngineHung, match=r"not done within 0\.3 s"):
        await engine.render(*make_job("endless", time_limit_s=0.3))


# --- stopping -------------------------------------------------------------------------------------


async def test_cancelling_is_heard_between_batches_and_the_process_stays(
    engine: EngineProcess, make_job: MakeJob, folder: Path
) -> None:
    engine.cancel()  # nothing to cancel
    with pytest.raises(Cancelled):
        await engine.render(*make_job("endless"), on_progress=lambda _done, _total: engine.cancel())
    pid = engine.pid
    assert pid is not None
    assert "result.mp4" not in names_in(folder)
    await engine.render(*make_job("still"))
    assert engine.pid == pid


@pytest.mark.parametrize("name", ["hanging", "seized"])
async def test_engine_that_does_not_hear_is_killed(
    setup: EngineSetup, make_job: MakeJob, name: str
) -> None:
    async with EngineProcess(setup, EngineLimits(cancel_s=0.3)) as engine:
        task = asyncio.create_task(engine.render(*make_job(name)))
        while not any(line.endswith("INFO inference.bad: stuck") for line in engine.log_lines):
            await asyncio.sleep(0.01)
        pid = engine.pid
        engine.cancel()
        with pytest.raises(Cancelled):
            await task
        assert engine.pid is None
        assert pid is not None
        await until_gone(pid)


async def test_cancelled_task_leaves_no_process(engine: EngineProcess, make_job: MakeJob) -> None:
    started: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def tell(_done: int, _total: int) -> None:
        if not started.done():
            started.set_result(engine.pid)

    task = asyncio.create_task(engine.render(*make_job("endless"), on_progress=tell))
    pid = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pid is not None
    await until_gone(pid)


async def test_closing_ends_the_job_in_hand_and_those_that_wait(
    setup: EngineSetup, make_job: MakeJob, folder: Path
) -> None:
    async with EngineProcess(setup) as engine:
        tasks = [asyncio.create_task(engine.render(*make_job("endless"))) for _ in range(2)]
        while not names_in(folder):
            await asyncio.sleep(0.01)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert list(map(type, ends)) == [Cancelled, Cancelled]
    assert engine.pid is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
@pytest.mark.parametrize("name", ["still", "endless", "seized"])
async def test_nothing_outlives_a_killed_parent(
    setup: EngineSetup, make_job: MakeJob, tmp_path: Path, name: str
) -> None:
    (tmp_path / "setup.json").write_text(setup.model_dump_json())
    (tmp_path / "wish.json").write_text(make_job(name).wish.model_dump_json())
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, name]
        + [tmp_path / file for file in ("setup.json", "wish.json", "folder")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    await until_gone(pid)


# --- the log --------------------------------------------------------------------------------------


async def test_flood_of_words_is_kept_in_part_and_names_its_job(
    engine: EngineProcess,
    make_job: MakeJob,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.handler.addFilter(JobIdFilter())
    caplog.set_level(logging.INFO, "inference.bad")
    job_id.set("the-talkative-job")
    await engine.render(*make_job("talkative"))
    lines = engine.log_lines
    assert 100 < len(lines) <= LOG_LINES_KEPT
    assert max(map(len, lines)) <= 2100
    assert "printed: " + "z" * 200 in lines
    assert any("lines were left out: too many at once" in line for line in lines)
    talk = [record for record in caplog.records if record.name == "inference.bad"]
    assert talk[0].getMessage().startswith("line 0 of yyy")
    assert {record.__dict__["job_id"] for record in talk} == {"the-talkative-job"}
    assert "printed" not in capfd.readouterr().out
    await engine.render(*make_job("still"))
    assert engine.log_lines == ()


async def test_engine_hears_no_secrets_and_stands_back(
    engine: EngineProcess, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANIMATO_REDIS_URL", "REDIS_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    await engine.render(*make_job("curious"))
    niceness = os.nice(0) + EngineSetup(templates_dir=Path(), checkpoints_dir=Path()).niceness
    said = [line.partition("INFO inference.bad: ")[2] for line in engine.log_lines]
    assert said == ["read ''", f"niceness {min(19, niceness)}", "secrets []"]
