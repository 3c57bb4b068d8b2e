"""An mp4 is there in full, exact and in the right colours, or not at all."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.media.ffmpeg import executable
from inference.media.file import check_output
from inference.media.normalised_clip import normalise_clip
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.errors import DiskFull, EncoderFailed, OutputNotWritable


def grey(level: int, width: int = 64, height: int = 48) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), level, dtype=np.uint8)


def write_greys(target: Path, count: int, rate: Fraction = Fraction(25), *, loop: int = 1) -> None:
    with VideoWriter(target, 64, 48, rate, comment="AI-generated", loop=loop) as writer:
        for index in range(count):
            writer.write(grey(10 + 5 * index))


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as mp4:
        stream = mp4.streams.video[0]
        assert stream.time_base is not None
        return [
            frame.pts * stream.time_base for frame in mp4.decode(stream) if frame.pts is not None
        ]


def make_with_tone(path: Path, pictures_s: float, tone_s: float) -> Path:
    pictures = f"testsrc2=s=64x48:r=25:d={pictures_s}"
    tone = f"sine=440:d={tone_s}"
    inputs = ["-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", tone]
    command = [executable(), "-nostdin", "-v", "error", *inputs, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def sound_length_s(path: Path) -> float:
    with av.open(str(path)) as mp4:
        blocks = list(mp4.decode(audio=0))
    return sum(block.samples for block in blocks) / blocks[0].sample_rate


def fake_ffmpeg(folder: Path, last_words: str) -> Path:
    """A program that takes one frame, says something and fails."""
    program = folder / "fake"
    program.write_text(f"#!/bin/sh\nhead -c 9216 >/dev/null\necho '{last_words}' >&2\nexit 1\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    "rate",
    [
        Fraction(25),
        Fraction(30000, 1001),
        Fraction(24000, 1001),
        Fraction(25, 2),
        Fraction(287, 10),
    ],
)
@pytest.mark.parametrize("loop", [1, 3])
def test_every_frame_has_its_exact_time_also_when_repeated(
    tmp_path: Path, rate: str, loop: int
) -> None:
    write_greys(tmp_path / "a.mp4", 24, Fraction(rate), loop=loop)
    assert frame_times(tmp_path / "a.mp4") == [index / Fraction(rate) for index in range(24 * loop)]
    with ClipReader(tmp_path / "a.mp4") as reader:
        levels = [round((frame.mean() - 10) / 5) for frame in reader]
    assert levels == list(range(24)) * loop
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_the_file_is_what_every_player_plays(tmp_path: Path) -> None:
    write_greys(tmp_path / "a.mp4", 5)
    with av.open(str(tmp_path / "a.mp4")) as mp4:
        video = mp4.streams.video[0].codec_context
        assert (video.name, video.profile, video.pix_fmt) == ("h264", "High", "yuv420p")
        assert (video.colorspace, video.color_primaries, video.color_trc) == (1, 1, 1)
        assert mp4.metadata["comment"] == "AI-generated"
        assert not mp4.streams.audio
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_colours_come_back_as_they_went_in(tmp_path: Path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 120), (40, 90, 160)]
    frame = np.repeat(np.array([colours], dtype=np.uint8), 32, axis=1).repeat(48, axis=0)
    with VideoWriter(tmp_path / "a.mp4", 160, 48, Fraction(25), comment="", crf=4) as writer:
        writer.write(frame)
    with ClipReader(tmp_path / "a.mp4") as reader:
        back = next(reader)
    for index, colour in enumerate(colours):
        patch = back[16:32, index * 32 + 12 : index * 32 + 20].reshape(-1, 3)
        assert np.abs(patch.mean(axis=0) - colour).max() <= 3


@pytest.mark.parametrize("loop", [1, 2])
def test_what_does_not_move_does_not_change_at_any_frame(tmp_path: Path, loop: int) -> None:
    photo = np.ascontiguousarray(skimage.data.astronaut()[:256, 100:356])
    still = np.ones(photo.shape[:2], dtype=bool)
    # Blocks that hang together with the moving part may change a little.
    still[16:176, 48:192] = False
    with VideoWriter(tmp_path / "a.mp4", 256, 256, Fraction(25), comment="", loop=loop) as writer:
        for index in range(300):
            frame = photo.copy()
            frame[48:144, 80:160] = np.roll(frame[48:144, 80:160], round(5 * np.sin(index / 6)), 1)
            writer.write(frame)
    with ClipReader(tmp_path / "a.mp4") as reader:
        before = next(reader)[still].astype(np.int16)
        for frame in reader:
            now = frame[still].astype(np.int16)
            change = np.abs(now - before)
            assert change.mean() < 0.3
            assert (change.max(axis=1) > 8).mean() < 0.002
            before = now


def test_an_odd_size_is_padded_with_its_own_edge(tmp_path: Path) -> None:
    ramp = np.linspace(0, 250, 51, dtype=np.uint8)
    frame = np.repeat(np.repeat(ramp[None, :, None], 37, axis=0), 3, axis=2)
    with VideoWriter(tmp_path / "a.mp4", 51, 37, Fraction(25), comment="", crf=4) as writer:
        writer.write(frame)
    with ClipReader(tmp_path / "a.mp4") as reader:
        back = next(reader)
    assert back.shape == (38, 52, 3)
    assert np.abs(back[:37, :51].astype(int) - frame).max() <= 6
    assert back[-1, -1].min() > 240


@pytest.mark.parametrize(
    ("tone_s", "frames", "expected_s"), [(3.0, 25, 1.0), (1.0, 15, 0.6), (0.5, 25, 0.5)]
)
def test_sound_ends_with_the_pictures_or_before(
    tmp_path: Path, tone_s: float, frames: int, expected_s: float
) -> None:
    clip = normalise_clip(make_with_tone(tmp_path / "a.mp4", 1.0, tone_s), tmp_path / "n.mp4")
    with VideoWriter(
        tmp_path / "out.mp4", 64, 48, Fraction(25), audio_from=clip.path, comment="AI-generated"
    ) as writer:
        for _ in range(frames):
            writer.write(grey(90))
    assert sound_length_s(tmp_path / "out.mp4") == pytest.approx(expected_s, abs=0.024)
    assert len(frame_times(tmp_path / "out.mp4")) == frames
    with av.open(str(tmp_path / "out.mp4")) as mp4:
        assert mp4.metadata["comment"] == "AI-generated"
        assert mp4.duration is not None
        assert mp4.duration <= (frames / 25 + 0.001) * av.time_base


def test_a_silent_clip_lends_no_sound(tmp_path: Path) -> None:
    write_greys(tmp_path / "silent.mp4", 3)
    with VideoWriter(
        tmp_path / "out.mp4", 64, 48, Fraction(25), audio_from=tmp_path / "silent.mp4", comment=""
    ) as writer:
        writer.write(grey(50))
    with av.open(str(tmp_path / "out.mp4")) as mp4:
        assert not mp4.streams.audio


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"old")

    def broken_off() -> None:
        with VideoWriter(target, 64, 48, Fraction(25), comment="") as writer:
            for _ in range(30):
                writer.write(grey(9))
            raise error

    with pytest.raises(error):
        broken_off()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_ctrl_c_on_the_whole_group_leaves_no_file_and_no_process(tmp_path: Path) -> None:
    script = (
        "import signal, sys, numpy as np\n"
        "from fractions import Fraction\n"
        "from pathlib import Path\n"
        "from inference.media.writer import VideoWriter\n"
        # A shell that runs the tests in the background has Ctrl-C ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "frame = np.zeros((48, 64, 3), np.uint8)\n"
        "with VideoWriter(Path(sys.argv[1]), 64, 48, Fraction(25), comment='') as writer:\n"
        "    print('begun', flush=True)\n"
        "    while True:\n"
        "        writer.write(frame)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "a.mp4")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"begun\n"
            os.killpg(child.pid, signal.SIGINT)
            assert child.wait(timeout=60) != 0
        finally:
            child.kill()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)


def test_a_place_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    for target, reason in (
        (tmp_path / "missing" / "a.mp4", "no folder"),
        (tmp_path, "it is a folder"),
        (tmp_path / ("x" * 300) / "a.mp4", "too long"),
        (Path("/proc/a.mp4"), "cannot be written"),
    ):
        with (
            pytest.raises(OutputNotWritable, match=reason),
            VideoWriter(target, 64, 48, Fraction(25), comment=""),
        ):
            pass
        with pytest.raises(OutputNotWritable, match=reason):
            check_output(target)
    check_output(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    program = fake_ffmpeg(tmp_path, "[enc @ 0x1] [error] the encoder is ill")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(EncoderFailed, match="written: the encoder is ill"):
        write_greys(folder / "a.mp4", 40)
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_ffmpeg(tmp_path, "[out#0/mp4] [error] Error writing: No space left on device")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(DiskFull):
        write_greys(tmp_path / "a.mp4", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["fake"]


def test_no_frame_is_an_error_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(EncoderFailed):
        write_greys(tmp_path / "a.mp4", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_or_type_is_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48, Fraction(25), comment="") as writer:
        writer.write(grey(1))
        with pytest.raises(ValueError, match="expected uint8"):
            writer.write(grey(1, width=63))
        with pytest.raises(ValueError, match="expected uint8"):
            writer.write(grey(1).astype(np.float32))
    with pytest.raises(ValueError, match="loop"):
        VideoWriter(
            tmp_path / "b.mp4",
            64,
            48,
            Fraction(25),
            comment="",
            loop=2,
            audio_from=tmp_path / "a.mp4",
        )
