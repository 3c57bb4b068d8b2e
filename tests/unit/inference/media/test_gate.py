import json
import os
import signal
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from inference.faces.finder import resize
from inference.faces.landmarker import Landmarker
from inference.media.gate import ClipPart, LookLimits, look_at, look_at_clip, look_at_photo
from inference.media.limits import ClipLimits, PhotoLimits
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.errors import (
    DecoderFailed,
    DiskFull,
    FileMissing,
    GateFailed,
    MediaTooLarge,
    NoVideoStream,
    PhotoTooManyPixels,
    ProcessKilled,
    StartBeyondEnd,
    UnsupportedClip,
)
from jobs.model import MediaWarning
from jobs.weights_errors import WeightsMissing

Picture = npt.NDArray[np.uint8]

# Her head on a plain ground of its own: one face, found at once.
HEAD: Picture = np.ascontiguousarray(skimage.data.astronaut()[0:200, 120:320])
READY = "import os, signal, sys, time\nprint('{\"ready\": true}', flush=True)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    return place


@pytest.fixture
def photo(tmp_path: Path, landmarker: Landmarker) -> Path:  # noqa: ARG001 - its faces are found
    Image.fromarray(HEAD).save(tmp_path / "me.png")
    return tmp_path / "me.png"


@pytest.fixture(scope="session")
def clip(
    tmp_path_factory: pytest.TempPathFactory,
    landmarker: Landmarker,  # noqa: ARG001 - its faces are found
) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write_clip(path, [np.roll(HEAD, round(4 * np.sin(index / 3)), axis=1) for index in range(20)])
    return path


def write_clip(path: Path, frames: list[Picture]) -> None:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, Fraction(25), comment="test") as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame))


def fake(tmp_path: Path, program: str) -> tuple[str, ...]:
    """The command line of a child that does something else."""
    path = tmp_path / "fake.py"
    path.write_text(program)
    return (sys.executable, str(path))


# --- what it finds -------------------------------------------------------------------------------


def test_photo_is_normalised_and_its_face_found(photo: Path, folder: Path) -> None:
    look = look_at_photo(photo, folder)
    assert look.path == folder / "photo.png"
    assert np.array_equal(np.asarray(Image.open(look.path)), HEAD)
    assert look.faces[0].box.left == pytest.approx(175 - 120, abs=12)
    assert look.faces[0].box.width == pytest.approx(96, abs=20)
    assert look.warnings == ()
    with Image.open(look.sheet) as sheet:
        assert max(sheet.size) >= 480
    assert {path.name for path in folder.iterdir()} == {"photo.png", "sheet.png"}


def test_faces_refer_to_the_reduced_photo_and_the_original_size_is_told(
    tmp_path: Path, folder: Path
) -> None:
    Image.fromarray(HEAD).resize((1000, 1000)).save(tmp_path / "large.png")
    limits = LookLimits(photo=PhotoLimits(max_side=200))
    look = look_at_photo(tmp_path / "large.png", folder, limits)
    assert (look.width, look.height) == (200, 200)
    assert (look.original_width, look.original_height) == (1000, 1000)
    assert look.faces[0].box.width == pytest.approx(96, abs=20)


def test_dark_photo_and_small_face_are_warned_of(tmp_path: Path, folder: Path) -> None:
    dark = (resize(HEAD, 0.55) * 0.15).astype(np.uint8)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    look = look_at_photo(tmp_path / "dark.png", folder)
    assert set(look.warnings) == {MediaWarning.VERY_DARK, MediaWarning.SMALL_FACE}


def test_clip_is_normalised_and_its_face_found(clip: Path, folder: Path) -> None:
    look = look_at_clip(ClipPart(clip), folder)
    assert look.path == folder / "clip.mp4"
    assert (look.width, look.height, look.frame_count) == (200, 200, 20)
    assert (look.original_width, look.original_height) == (200, 200)
    assert look.frame_rate == 25
    assert not look.has_sound
    assert look.faces[0].box.width == pytest.approx(96, abs=20)
    assert look.warnings == ()
    with ClipReader(look.path) as frames:
        assert len(list(frames)) == 20
    assert list(folder.iterdir()) == [look.path]


def test_part_of_a_clip_is_cut_and_a_shortened_one_warned_of(clip: Path, folder: Path) -> None:
    assert look_at_clip(ClipPart(clip, 0.2, 0.4), folder).frame_count == 10
    look = look_at_clip(ClipPart(clip), folder, LookLimits(clip=ClipLimits(max_duration_s=0.2)))
    assert look.frame_count == 5
    assert MediaWarning.CLIP_SHORTENED in look.warnings


def test_faces_of_a_large_clip_are_in_its_own_px(tmp_path: Path, folder: Path) -> None:
    write_clip(tmp_path / "large.mp4", [resize(HEAD, 4)] * 2)
    look = look_at_clip(ClipPart(tmp_path / "large.mp4"), folder)
    assert look.faces[0].box.width == pytest.approx(4 * 96, abs=80)
    assert look.faces[0].box.left == pytest.approx(4 * 55, abs=60)
    (later,) = look.later_faces
    assert later.width == pytest.approx(look.faces[0].box.width, rel=0.3)
    assert later.centre == pytest.approx(look.faces[0].box.centre, abs=60)


def test_photo_and_clip_are_looked_at_together(photo: Path, clip: Path, folder: Path) -> None:
    photo_look, clip_look = look_at(photo, ClipPart(clip, duration_s=0.2), folder)
    assert photo_look.faces
    assert clip_look is not None
    assert clip_look.frame_count == 5
    assert look_at(photo, None, folder)[1] is None


def test_caller_works_while_both_are_looked_at(photo: Path, clip: Path, folder: Path) -> None:
    running: list[Path] = []
    found = look_at(
        photo, ClipPart(clip), folder, meanwhile=lambda: running.extend(folder.glob("look-*"))
    )
    assert len(running) == 2
    assert found[1] is not None


def test_failure_of_the_caller_ends_the_looks(photo: Path, clip: Path, folder: Path) -> None:
    def fail() -> None:
        raise WeightsMissing(path="a.pt", hint="fetch it")

    for lead in (None, ClipPart(clip)):
        with pytest.raises(WeightsMissing):
            look_at(photo, lead, folder, meanwhile=fail)
        assert list(folder.iterdir()) == []


def test_bad_clip_takes_the_good_photo_with_it(photo: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(UnsupportedClip):
        look_at(photo, ClipPart(tmp_path / "text.mp4"), folder)
    assert list(folder.iterdir()) == []


def test_findings_of_the_child_come_back_as_the_same_error(
    photo: Path, clip: Path, folder: Path
) -> None:
    with pytest.raises(PhotoTooManyPixels) as caught:
        look_at_photo(photo, folder, LookLimits(photo=PhotoLimits(max_pixels=9999)))
    assert caught.value.fields["width"] == 200
    with pytest.raises(StartBeyondEnd):
        look_at_clip(ClipPart(clip, start_s=10), folder)
    with pytest.raises((NoVideoStream, UnsupportedClip)):
        look_at_clip(ClipPart(photo), folder)
    assert list(folder.iterdir()) == []


def test_files_are_checked_before_a_child_is_started(photo: Path, folder: Path) -> None:
    nothing = ("/no/such/program",)
    with pytest.raises(FileMissing):
        look_at_photo(folder / "none.jpg", folder, child=nothing)
    with pytest.raises(MediaTooLarge):
        look_at_photo(photo, folder, LookLimits(photo=PhotoLimits(max_bytes=10)), child=nothing)
    with pytest.raises(MediaTooLarge):
        look_at_clip(ClipPart(photo), folder, LookLimits(clip=ClipLimits(max_bytes=10)))


# --- children that go wrong ----------------------------------------------------------------------

GROUP = (
    "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
)
LINK = """import json
request = json.load(sys.stdin)
name = request['folder'] + '/photo.png'
os.symlink(request['source'], name)
print(json.dumps(dict(file=name, sheet=name, width=1, height=1, original_width=1,
                      original_height=1, faces=[], warnings=[])))
"""
OUTSIDE = LINK.replace("os.symlink(request['source'], name)", "name = request['source']")


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        (READY + "time.sleep(60)", DecoderFailed, "it took too long"),
        (READY + "os.abort()", DecoderFailed, "it crashed"),
        (READY + "os.kill(os.getpid(), signal.SIGSEGV)", DecoderFailed, "it crashed"),
        (READY + "os.kill(os.getpid(), signal.SIGFPE)", DecoderFailed, "it crashed"),
        (READY + "os.kill(os.getpid(), signal.SIGXFSZ)", DecoderFailed, "it crashed"),
        (READY + "os.kill(os.getpid(), signal.SIGXCPU)", DecoderFailed, "it took too long"),
        (READY + "sys.exit(3)", DecoderFailed, "it crashed"),
        (READY, DecoderFailed, "it crashed"),
        (READY + "print('garbage')", GateFailed, "its answer is invalid"),
        (READY + "print('[]')", GateFailed, "its answer is invalid"),
        (READY + 'print(\'{"error": "NoSuchClass"}\')', GateFailed, "its answer is invalid"),
        (READY + "print('{\"photo\": 1}')", GateFailed, "its answer is invalid"),
        (READY + "print('x' * 3_000_000)", GateFailed, "its answer is invalid"),
        (READY + OUTSIDE, GateFailed, "its answer is invalid"),
        (READY + "print('[' * 100_000)", GateFailed, "its answer is invalid"),
        (
            READY + 'print(\'{"error": "Cancelled", "fields": {}}\')',
            GateFailed,
            "its answer is invalid",
        ),
        (READY + 'print(\'{"error": "DiskFull", "fields": {"path": "x"}}\')', DiskFull, "room"),
        (READY + LINK, GateFailed, "its answer is invalid"),
        ("raise SystemExit('no library')", GateFailed, "no library"),
        ("import sys; sys.exit(1)", GateFailed, "ended with 1"),
    ],
)
def test_child_that_goes_wrong_is_one_clear_error_and_leaves_nothing(
    photo: Path,
    folder: Path,
    tmp_path: Path,
    program: str,
    error: type[DecoderFailed | GateFailed],
    words: str,
) -> None:
    limits = LookLimits(time_s=1 if "sleep" in program else 30)
    with pytest.raises(error, match=words):
        look_at_photo(photo, folder, limits, child=fake(tmp_path, program))
    assert list(folder.iterdir()) == []
    assert photo.exists()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("begun", [READY, "import os, signal\n"])
def test_child_killed_from_outside_each_time_is_our_fault_after_three_starts(
    photo: Path, folder: Path, tmp_path: Path, begun: str, name: str
) -> None:
    starts = tmp_path / "starts"
    program = f"open({str(starts)!r}, 'a').write('.')\n{begun}os.kill(os.getpid(), signal.{name})"
    with pytest.raises(ProcessKilled, match=name):
        look_at_photo(photo, folder, child=fake(tmp_path, program))
    assert starts.read_text() == "..."
    assert list(folder.iterdir()) == []


def test_child_killed_from_outside_once_is_started_again(
    photo: Path, folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    program = (
        "import os, pathlib, signal\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "from inference.media.gate_child import main\n"
        "main()\n"
    )
    assert len(look_at_photo(photo, folder, child=fake(tmp_path, program)).faces) == 1


def test_ffmpeg_of_a_look_killed_from_outside_blames_no_file(
    photo: Path, folder: Path, tmp_path: Path
) -> None:
    error = ProcessKilled(what="ffmpeg", signal="SIGKILL")
    program = READY + f"print({json.dumps(error.to_dict())!r})"
    with pytest.raises(ProcessKilled, match="ffmpeg was killed by SIGKILL"):
        look_at_photo(photo, folder, child=fake(tmp_path, program))


def test_child_stands_back_as_far_as_it_is_told(photo: Path, folder: Path, tmp_path: Path) -> None:
    program = (
        "import os\n"
        "import inference.media.gate_child as child\n"
        "def told(*_):\n"
        "    raise child_error(name=str(os.nice(0)), reason='')\n"
        "from jobs.errors import DecoderFailed as child_error\n"
        "child._load = lambda request: told\n"
        "child.main()\n"
    )
    ours = os.nice(0)
    for niceness in (0, 3):
        with pytest.raises(DecoderFailed) as caught:
            look_at_photo(
                photo, folder, LookLimits(niceness=niceness), child=fake(tmp_path, program)
            )
        assert caught.value.fields["name"] == str(min(19, ours + niceness))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux kills at the hard limit")
def test_limit_on_processor_time_is_told_from_a_kill(
    photo: Path, folder: Path, tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "import inference.media.gate_child as child\n"
        "def busy(request):\n"
        "    def look(*_):\n"
        "        while True:\n"
        "            pass\n"
        "    return look\n"
        "child._load = busy\n"
        "child.main()\n"
    )
    with pytest.raises(DecoderFailed, match="it took too long") as caught:
        look_at_photo(photo, folder, LookLimits(cpu_s=1), child=fake(tmp_path, program))
    assert caught.value.fields["name"] == "me.png"


@pytest.mark.parametrize("at_the_end", ["", "trap 'exit 255' XCPU"], ids=["dies", "ends in order"])
def test_processor_time_of_ffmpeg_counts(
    clip: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_the_end: str
) -> None:
    busy = tmp_path / "ffmpeg"
    busy.write_text(f"#!/bin/sh\n{at_the_end}\nwhile :; do :; done\n")
    busy.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(busy))
    with pytest.raises(DecoderFailed, match="it took too long"):
        look_at_clip(ClipPart(clip), folder, LookLimits(cpu_s=2))
    assert list(folder.iterdir()) == []


def test_processor_time_of_the_child_counts(clip: Path, folder: Path) -> None:
    # Loading the libraries and looking for faces takes longer than that.
    with pytest.raises(DecoderFailed, match="it took too long"):
        look_at_clip(ClipPart(clip), folder, LookLimits(cpu_s=0.1))
    assert list(folder.iterdir()) == []


def test_the_limit_on_the_clock_leaves_room_for_a_busy_machine() -> None:
    for limits in (LookLimits(), LookLimits.for_clips(ClipLimits())):
        assert limits.time_s >= 5 * limits.cpu_s
    # 14 s in 4K at 60 frames per second and 10 bits were seen to need 95 s.
    assert LookLimits.for_clips(ClipLimits(max_duration_s=14)).cpu_s >= 3 * 95


def test_program_that_cannot_be_started_is_our_fault(photo: Path, folder: Path) -> None:
    with pytest.raises(GateFailed, match="cannot be started"):
        look_at_photo(photo, folder, child=("/no/such/program",))
    with pytest.raises(GateFailed, match="no folder"):
        look_at_photo(photo, folder / "missing")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("after", ["time.sleep(60)", "os.abort()", "sys.exit(0)"])
def test_what_the_child_had_started_dies_with_it(
    photo: Path, folder: Path, tmp_path: Path, after: str
) -> None:
    note = tmp_path / "note"
    program = READY + GROUP.replace("subprocess.Popen", "child = subprocess.Popen")
    program += f"open({str(note)!r}, 'w').write(str(child.pid))\n" + after
    limits = LookLimits(time_s=5 if "sleep" in after else 60)
    with pytest.raises(DecoderFailed):
        look_at_photo(photo, folder, limits, child=fake(tmp_path, program))
    assert ends(int(note.read_text()))


def ends(process_id: int) -> bool:
    """Whether that process ends within a while; a zombie has ended."""
    for _ in range(100):
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{process_id}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_interrupt_kills_the_child_and_goes_on(photo: Path, folder: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = READY + f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"

    def interrupt() -> None:
        while not (note.exists() and note.read_text()):
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        look_at_photo(photo, folder, child=fake(tmp_path, program))
    thread.join()
    assert ends(int(note.read_text()))
    assert list(folder.iterdir()) == []


def test_child_gets_no_secrets_and_works_in_its_own_folder(
    photo: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", "123:abcdef")
    note = tmp_path / "note"
    program = READY + (
        "import json\n"
        f"json.dump([dict(os.environ), os.getcwd(), os.getpgid(0) == os.getpid()],"
        f" open({str(note)!r}, 'w'))"
    )
    with pytest.raises(DecoderFailed):
        look_at_photo(photo, folder, child=fake(tmp_path, program))
    environment, place, leads_its_group = json.loads(note.read_text())
    assert "123:abcdef" not in str(environment)
    assert Path(place).parent == folder.resolve()
    assert environment["TMPDIR"] == place
    assert leads_its_group


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are Linux's")
def test_decoder_that_needs_too_much_memory_is_stopped(tmp_path: Path, folder: Path) -> None:
    # 64 megapixels need four bytes each, several times over.
    Image.new("P", (8000, 8000)).save(tmp_path / "wide.png")
    limits = LookLimits(memory_bytes=700 << 20)
    with pytest.raises(DecoderFailed, match="too much memory"):
        look_at_photo(tmp_path / "wide.png", folder, limits)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are Linux's")
def test_child_too_poor_to_load_its_libraries_blames_no_file(photo: Path, folder: Path) -> None:
    with pytest.raises(GateFailed):
        look_at_photo(photo, folder, LookLimits(memory_bytes=100 << 20))
