"""Voices in the worker: the gate's files go into the store, and from there to the engine."""

from pathlib import Path

import pytest

from inference.media.gate import LookLimits, VoicePart
from jobs.engines import VOICE
from jobs.errors import NoSound
from jobs.findings import PhotoFindings, VoiceFindings
from jobs.orders import LookJob, LookResult
from jobs.queues.assignment import Assignment
from jobs.queues.queues import Queues
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.wish import Movement, Wish
from tests.integration.worker.conftest import PHOTO, seen, signs, working
from tests.wishes import make_photo, make_voice
from worker.look import LookRunner, Looks
from worker.order_files import order_files
from worker.plan import WorkerPlan

pytestmark = pytest.mark.local_sockets

RECORDING = "inputs/7/voice-1.oga"


class HeardLooks(Looks):
    """Looks that find a face and a voice in whatever is there."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(2)
        self.error = error
        self.heard: list[bytes] = []

    async def photo(self, path: Path, folder: Path, limits: LookLimits) -> PhotoFindings:
        assert (path.exists(), limits.niceness) == (True, 0)
        for name in ("photo.png", "sheet.png"):
            (folder / name).write_bytes(name.encode())
        return make_photo(str(folder / "photo.png"), sheet=str(folder / "sheet.png"))

    async def voice(self, part: VoicePart, folder: Path, limits: LookLimits) -> VoiceFindings:
        assert limits.niceness == 0
        if self.error is not None:
            raise self.error
        self.heard.append(part.path.read_bytes())
        for name in ("voice.m4a", "voice.npz"):
            (folder / name).write_bytes(name.encode())
        return make_voice(str(folder), name=part.path.name)


async def looked_at(store: FileStore, folder: Path, looks: Looks) -> LookResult | None:
    await store.put(RECORDING, b"a recording")
    job = LookJob(look_id="look-7-1", person=2, draft="7", photo_key=PHOTO, voice_key=RECORDING)
    folder.mkdir()
    runner = LookRunner(store, looks, clip_max_s=1)
    return await runner.look(Assignment(job.ref, 1, job.to_json()), folder)


async def test_sound_and_curves_of_a_voice_are_stored_beside_the_photo(
    store: FileStore, tmp_path: Path
) -> None:
    looks = HeardLooks()
    found = await looked_at(store, tmp_path / "look", looks)
    assert looks.heard == [b"a recording"]
    assert found is not None
    assert found.voice is not None
    assert (found.voice.name, found.voice.frame_count) == ("voice-1.oga", 50)
    assert found.voice.file == "looks/7/look-7-1-voice.m4a"
    assert await store.get(found.voice.file) == b"voice.m4a"
    assert await store.get(found.voice.curves) == b"voice.npz"


async def test_recording_that_cannot_be_used_is_told(store: FileStore, tmp_path: Path) -> None:
    with pytest.raises(NoSound, match=r"voice-1\.oga"):
        await looked_at(store, tmp_path / "look", HeardLooks(NoSound(name="voice-1.oga")))


async def test_order_gets_sound_and_curves_as_files(store: FileStore, tmp_path: Path) -> None:
    found = await looked_at(store, tmp_path / "look", HeardLooks())
    assert found is not None
    assert found.voice is not None
    wish = Wish(photo=found.photo, movement=Movement.of_voice(found.voice, "nod"))
    folder = tmp_path / "order"
    folder.mkdir()
    async with order_files(wish, store, folder) as local:
        assert local.voice is not None
        assert local.photo.path == folder / "photo.png"
        assert local.voice.path.read_bytes() == b"voice.m4a"
        assert Path(local.voice.curves).read_bytes() == b"voice.npz"
        assert local.movement.template == "nod"
    await store.delete([found.voice.curves])
    with pytest.raises(FileGone):
        async with order_files(wish, store, folder):
            pass


async def test_worker_advertises_that_its_engines_take_voices(
    queues: Queues, plan: WorkerPlan
) -> None:
    async with working(plan, "mesh", "still"):
        await seen(lambda: signs(queues.client))
        (heartbeat,) = await signs(queues.client)
        assert [VOICE in engine.options for engine in heartbeat.engines] == [True, True]
