"""Making of odd clips, and what holds for each: nothing hangs, nothing lies about."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.media.ffmpeg import executable
from inference.media.normalised_clip import NormalisedClip, normalise_clip
from inference.media.probe import probe
from jobs.errors import (
    MediaError,
)

TIME_LIMIT_S = 180
SINE = "sine=440:d=1"


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(TIME_LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def lavfi(pictures: str, *more: str) -> list[str]:
    arguments = []
    for source in (pictures, *more):
        arguments += ["-f", "lavfi", "-i", source]
    return arguments


def pictures(size: str = "64x48", rate: str = "25", length_s: float = 1) -> str:
    # Red on the left, blue on the right, a square that blinks from frame to frame.
    return (
        f"color=red:s={size}:r={rate}:d={length_s},drawbox=x=iw/2:c=blue:t=fill,"
        "drawbox=x=iw/2:y=8:w=8:h=8:c=yellow:t=fill:enable='mod(n,2)'"
    )


def make(path: Path, *arguments: str) -> Path:
    command = [executable(), "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=TIME_LIMIT_S, stderr=subprocess.PIPE)
    return path


def normalised(source: Path, *, is_reduced: bool = False) -> NormalisedClip:
    """The clip, after checks that hold for each: probe agrees, and nothing lies about."""
    folder = source.parent / "result"
    folder.mkdir()
    before = sorted(source.parent.iterdir())
    try:
        clip = normalise_clip(source, folder / "n.mp4")
    except MediaError:
        assert list(folder.iterdir()) == []
        raise
    finally:
        assert sorted(source.parent.iterdir()) == before
    assert list(folder.iterdir()) == [clip.path]
    shown = probe(source)
    if not is_reduced:
        assert abs(shown.width - clip.width) <= 1
        assert abs(shown.height - clip.height) <= 1
    assert shown.frame_rate == clip.frame_rate
    return clip
