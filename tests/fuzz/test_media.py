"""Photos, clips and sounds that are nearly right, through the gate with its real limits.

Each is looked at, or refused with one of our sentences. The child neither fails with an exception
of its own nor is killed at its limits; it leaves no file and no process.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import event

from inference.media import gate, running_look
from inference.media.gate import ClipPart, LookLimits, VoicePart
from inference.media.running_look import FILE_NAMES
from jobs.errors import DecoderFailed, MediaError
from jobs.findings import PhotoFindings, VoiceFindings
from jobs.media_tasks import CheckTemplate, DrawSheet, Form, Made, MakeForm, MediaTask
from tests.conftest import Require
from tests.fuzz import corpus
from tests.fuzz.mutations import mutated
from tests.fuzz.quick_looks import ForkServer
from tests.fuzz.rounds import fuzzed

MB = 1 << 20
LIMITS = LookLimits(cpu_s=30, time_s=120, file_bytes=64 * MB)

Look = Callable[[Path, Path], Any]


@pytest.fixture(scope="module")
def server(require_hardware: Require) -> Iterator[ForkServer]:
    require_hardware(sys.platform == "linux", "files of other processes are opened by /proc")
    with ForkServer() as running:
        yield running


@pytest.fixture
def forks(server: ForkServer, monkeypatch: pytest.MonkeyPatch) -> ForkServer:
    """Looks are forks of this server."""
    monkeypatch.setattr(running_look, "subprocess", SimpleNamespace(Popen=server.popen))
    return server


def photo(path: Path, folder: Path) -> Any:
    with gate.start_photo_look(path, folder, LIMITS, find_faces=False) as looking:
        return looking.answer(PhotoFindings)


def photo_with_faces(path: Path, folder: Path) -> Any:
    return gate.look_at_photo(path, folder, LIMITS)


def clip_with_faces(path: Path, folder: Path) -> Any:
    return gate.look_at_clip(ClipPart(path), folder, LIMITS)


def task(made: MediaTask, folder: Path) -> Any:
    with gate.start_media_task(made, folder, LIMITS) as looking:
        return looking.answer(Made)


def template(path: Path, folder: Path) -> Any:
    return task(CheckTemplate(clip=str(path), clip_s=5), folder)


def sheet(path: Path, folder: Path) -> Any:
    return task(DrawSheet(pictures=(str(path), None, str(path))), folder)


def sticker(path: Path, folder: Path) -> Any:
    return task(MakeForm(video=str(path), form=Form.STICKER), folder)


def clip(path: Path, folder: Path) -> Any:
    return gate.look_at_clip(ClipPart(path, find_face=False), folder, LIMITS)


def later_part_of_clip(path: Path, folder: Path) -> Any:
    return gate.look_at_clip(ClipPart(path, 0.2, 0.1, find_face=False), folder, LIMITS)


def voice(path: Path, folder: Path) -> Any:
    with gate.start_lead_look(VoicePart(path), folder, LIMITS) as looking:
        return looking.answer(VoiceFindings)


def outcome(look: Look, data: bytes, server: ForkServer | None) -> str:
    """What the gate makes of a file, after the checks that hold for each."""
    with tempfile.TemporaryDirectory() as place:
        path, folder = Path(place, "strange.bin"), Path(place, "found")
        path.write_bytes(data)
        folder.mkdir()
        names: set[str] = set()
        refusal: MediaError | None = None
        try:
            found = look(path, folder)
            known = FILE_NAMES.get(type(found), {}).values()
            names = set(found.names if isinstance(found, Made) else known)
        except MediaError as error:
            refusal = error
        assert {path.name for path in folder.iterdir()} == names
        assert place not in str(refusal)
    # It neither crashed nor reached its limits.
    assert not isinstance(refusal, DecoderFailed), f"{refusal}\n{server and server.last_messages}"
    return type(refusal).__name__ if refusal else "usable"


def test_intact_files_are_all_usable(forks: ForkServer) -> None:
    looks = {photo: corpus.photos, clip: corpus.clips, voice: corpus.sounds}
    for look, files in looks.items():
        assert {outcome(look, data, forks) for data in files()} == {"usable"}
    assert forks.most_memory_kb * 1024 < LIMITS.memory_bytes


@fuzzed(120, data=mutated(corpus.photos))
def test_photo_is_looked_at_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(photo, data, forks))


@fuzzed(8, data=mutated(corpus.portraits))
def test_photo_of_a_face_is_looked_at_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(photo_with_faces, data, forks))


@fuzzed(50, data=mutated(corpus.clips))
def test_clip_is_looked_at_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(clip, data, forks))


@fuzzed(20, data=mutated(corpus.clips))
def test_part_of_a_clip_is_looked_at_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(later_part_of_clip, data, forks))


@fuzzed(5, data=mutated(corpus.clips))
def test_clip_in_which_faces_are_searched_is_looked_at_or_refused(
    forks: ForkServer, data: bytes
) -> None:
    event(outcome(clip_with_faces, data, forks))


@fuzzed(40, data=mutated(corpus.sounds))
def test_sound_is_looked_at_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(voice, data, forks))


@fuzzed(8, data=mutated(corpus.clips))
def test_clip_becomes_a_movement_or_is_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(template, data, forks))


@fuzzed(8, data=mutated(corpus.photos))
def test_sheet_is_drawn_of_any_pictures(forks: ForkServer, data: bytes) -> None:
    event(outcome(sheet, data, forks))


@fuzzed(8, data=mutated(corpus.clips))
def test_form_of_any_video_is_made_or_refused(forks: ForkServer, data: bytes) -> None:
    event(outcome(sticker, data, forks))


@fuzzed(3, data=mutated(corpus.photos))
def test_photo_is_looked_at_or_refused_by_a_child_of_its_own(data: bytes) -> None:
    event(outcome(photo, data, None))


@fuzzed(3, data=mutated(corpus.clips))
def test_clip_is_looked_at_or_refused_by_a_child_of_its_own(data: bytes) -> None:
    event(outcome(clip, data, None))
