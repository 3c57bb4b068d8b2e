"""Ends of ffmpeg: its own, those of our limits, and those from outside."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from inference.ffmpeg import Ffmpeg, input_arguments
from inference.video import ClipReader
from inference.video_writer import VideoWriter
from jobs.errors import ProcessKilled
from jobs.templates import SHIPPED_TEMPLATES

CLIP = SHIPPED_TEMPLATES / "blink.mp4"


def endless() -> Ffmpeg:
    """An ffmpeg that goes on until it is ended."""
    arguments = ["-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-progress", "pipe:1", "-"]
    ffmpeg = Ffmpeg(arguments, fetch=True)
    # Its first report: from here on it handles signals.
    assert ffmpeg.read_into(memoryview(bytearray(1)))
    return ffmpeg


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_ffmpeg_that_is_ended_from_outside_says_so(name: str) -> None:
    with endless() as ffmpeg:
        os.kill(ffmpeg.pid, signal.Signals[name])
        with pytest.raises(ProcessKilled, match=name):
            ffmpeg.finish()


def test_ffmpeg_that_fails_or_crashes_by_itself_gives_its_status(tmp_path: Path) -> None:
    with Ffmpeg([*input_arguments(tmp_path / "none.mp4"), "-f", "null", "-"]) as ffmpeg:
        assert ffmpeg.finish() > 0
    with endless() as ffmpeg:
        os.kill(ffmpeg.pid, signal.SIGSEGV)
        assert ffmpeg.finish() == -signal.SIGSEGV


def test_clip_is_not_called_damaged_when_its_reader_is_killed() -> None:
    with ClipReader(CLIP) as frames:
        next(frames)
        assert frames._ffmpeg is not None
        os.kill(frames._ffmpeg.pid, signal.SIGKILL)
        with pytest.raises(ProcessKilled):
            list(frames)


def test_video_whose_encoder_is_killed_names_the_signal(tmp_path: Path) -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    with (
        pytest.raises(ProcessKilled, match="SIGKILL"),
        VideoWriter(tmp_path / "out.mp4", 1280, 720, Fraction(25), comment="test") as writer,
    ):
        writer.write(frame)
        assert writer._ffmpeg is not None
        os.kill(writer._ffmpeg.pid, signal.SIGKILL)
        for _ in range(10):
            writer.write(frame)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
def test_ffmpeg_that_uses_up_the_processor_time_is_told_from_one_that_is_killed() -> None:
    script = (
        "import resource, signal\n"
        "from inference.ffmpeg import Ffmpeg\n"
        "own = resource.getrusage(resource.RUSAGE_SELF)\n"
        "limit_s = int(own.ru_utime + own.ru_stime) + 2\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 20))\n"
        "with Ffmpeg(['-f', 'lavfi', '-i', 'testsrc2', '-f', 'null', '-']) as ffmpeg:\n"
        "    assert ffmpeg.finish() == -signal.SIGXCPU\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
