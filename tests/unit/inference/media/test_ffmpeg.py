"""Ends of ffmpeg: its own, those of our limits, and those from outside."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from inference.media.ffmpeg import Ffmpeg, executable, input_arguments
from inference.media.limits import ClipLimits
from inference.media.normalised_clip import normalise_clip
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.errors import ProcessKilled
from jobs.templates import SHIPPED_TEMPLATES

CLIP = SHIPPED_TEMPLATES / "blink.mp4"


def test_program_is_the_one_that_imageio_would_find() -> None:
    assert executable() == imageio_ffmpeg.get_ffmpeg_exe()


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


def ffmpeg_that(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has everybody use an ffmpeg that does this and is killed then."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{says}\nkill -KILL $$\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))


def test_clip_is_not_called_damaged_when_its_reader_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that("printf 'abcdefghijkl'", tmp_path, monkeypatch)
    with ClipReader(CLIP, width=2, height=2) as frames:
        assert next(frames).tobytes() == b"abcdefghijkl"
        with pytest.raises(ProcessKilled, match="ffmpeg was killed by SIGKILL"):
            next(frames)


def test_clip_whose_copying_is_killed_is_not_called_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that("", tmp_path, monkeypatch)
    with pytest.raises(ProcessKilled, match="ffmpeg was killed by SIGKILL"):
        normalise_clip(CLIP, tmp_path / "out.mp4", ClipLimits())


def test_video_whose_encoder_is_killed_names_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that("head -c 100 > /dev/null", tmp_path, monkeypatch)
    place = tmp_path / "place"
    place.mkdir()

    def write() -> None:
        with VideoWriter(place / "out.mp4", 1280, 720, Fraction(25), comment="test") as writer:
            for _ in range(10):
                writer.write(np.zeros((720, 1280, 3), np.uint8))

    with pytest.raises(ProcessKilled, match="ffmpeg was killed by SIGKILL"):
        write()
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
def test_ffmpeg_that_uses_up_the_processor_time_is_told_from_one_that_is_killed() -> None:
    script = (
        "import resource, signal\n"
        "from inference.media.ffmpeg import Ffmpeg\n"
        "own = resource.getrusage(resource.RUSAGE_SELF)\n"
        "limit_s = int(own.ru_utime + own.ru_stime) + 2\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 20))\n"
        "with Ffmpeg(['-f', 'lavfi', '-i', 'testsrc2', '-f', 'null', '-']) as ffmpeg:\n"
        "    assert ffmpeg.finish() == -signal.SIGXCPU\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
