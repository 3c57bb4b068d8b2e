"""Looks that are awaited: as the gate's own, a few at a time, gone when nobody waits."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from inference.media.gate import ClipPart, LookLimits, VoicePart
from inference.media.limits import PhotoLimits
from inference.voice.features import SAMPLE_RATE
from jobs.errors import FileMissing, PhotoTooManyPixels, UnsupportedMedia
from jobs.media_tasks import Form, MakeForm
from jobs.templates import SHIPPED_TEMPLATES
from tests.unit.inference.media.sounds import encode
from tests.unit.inference.media.test_forms import FACE, LOWER_RIGHT, mark_of, marked
from tests.unit.inference.voice.sounds import vowels
from worker.look import Looks

pytestmark = pytest.mark.local_sockets

PATIENCE_S = 60.0


def look_children() -> list[Path]:
    """The gate's children of this process, from /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            is_look = "inference.media.gate_child" in (folder / "cmdline").read_text()
        except OSError:
            continue
        if parent == os.getpid() and is_look:
            found.append(folder)
    return found


async def test_photo_and_clip_are_looked_at_side_by_side(photo: Path, folder: Path) -> None:
    part = ClipPart(SHIPPED_TEMPLATES / "blink.mp4", duration_s=0.4)
    async with Looks(2) as looks:
        seen, clip = await asyncio.gather(
            looks.photo(photo, folder, LookLimits()), looks.clip(part, folder, LookLimits())
        )
    assert len(seen.faces) == 1
    assert (seen.path, clip.path) == (folder / "photo.png", folder / "clip.mp4")
    assert clip.frame_count == 10
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["clip.mp4", "photo.png", "sheet.png"]


async def test_voice_is_looked_at_as_a_photo_is(folder: Path) -> None:
    path = encode(folder.parent / "hello.ogg", vowels(), "-c:a", "libopus", rate=SAMPLE_RATE)
    async with Looks(1) as looks:
        voice = await looks.voice(VoicePart(path), folder, LookLimits())
    assert (voice.path, voice.curves_path) == (folder / "voice.m4a", folder / "voice.npz")
    assert (voice.name, voice.frame_count, voice.warnings) == ("hello.ogg", 65, ())
    assert sorted(path.name for path in folder.iterdir()) == ["voice.m4a", "voice.npz"]


@pytest.mark.parametrize("form", [Form.ROUND, Form.STICKER])
async def test_form_of_a_marked_result_is_made_with_a_mark_of_its_own(
    folder: Path, form: Form
) -> None:
    """The child may read the pictures of the mark, which it writes itself."""
    video = marked(folder.parent / "result.mp4", LOWER_RIGHT)
    task = MakeForm(form=form, video=str(video), face_box=FACE)
    async with Looks(1) as looks:
        made = await looks.media(task, folder, LookLimits())
    assert mark_of(folder / made.names[0]) is not None


async def test_findings_and_limits_are_those_of_the_gate(photo: Path, folder: Path) -> None:
    (folder.parent / "text.png").write_text("no picture")
    async with Looks(2) as looks:
        with pytest.raises(FileMissing):
            await looks.photo(folder / "nothing.png", folder, LookLimits())
        with pytest.raises(UnsupportedMedia):
            await looks.photo(folder.parent / "text.png", folder, LookLimits())
        limits = LookLimits(photo=PhotoLimits(max_pixels=100))
        with pytest.raises(PhotoTooManyPixels):
            await looks.photo(photo, folder, limits)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
async def test_no_more_than_so_many_at_once_and_a_cancelled_one_leaves_nothing(
    folder: Path,
) -> None:
    part = ClipPart(SHIPPED_TEMPLATES / "look_around.mp4")
    folders = [folder / str(number) for number in range(3)]
    for place in folders:
        place.mkdir()
    async with Looks(max_concurrent=1) as looks:
        tasks = [asyncio.create_task(looks.clip(part, place, LookLimits())) for place in folders]
        most = 0
        deadline = time.monotonic() + PATIENCE_S
        while not tasks[0].done() and time.monotonic() < deadline:
            most = max(most, len(look_children()))
            await asyncio.sleep(0.01)
        assert most == 1
        while not look_children() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for task in tasks[1:]:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end).__name__ for end in ends] == ["ClipFindings", *["CancelledError"] * 2]
        assert look_children() == []
    assert [len(list(place.iterdir())) for place in folders] == [1, 0, 0]
