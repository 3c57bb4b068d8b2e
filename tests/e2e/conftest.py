"""The command line as a person starts it: a process of its own, with files of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut

from inference.video import ClipReader
from inference.video_writer import VideoWriter
from jobs.templates import SHIPPED_TEMPLATES

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


Animato = Callable[..., Ended]


def clean_environment(folder: Path) -> dict[str, str]:
    """Ours without settings, and with temporary files in `folder`, so that leftovers are seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANIMATO_")}
    return kept | {"TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """The temporary folder of the runs; a run that leaves anything there fails its test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def animato(tmp_path: Path, scratch: Path) -> Animato:
    """Runs `animato` with the given arguments in `tmp_path`."""

    def run(*arguments: object, **settings: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", "animato", *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(scratch) | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, a JPEG with a place in its metadata."""
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    image = Image.fromarray(astronaut()[:400, 60:460])
    metadata = Image.Exif()
    metadata[0x010E] = "SECRET-PLACE"
    metadata.get_ifd(0x8825)[1] = "N"
    image.save(path, exif=metadata, comment=b"SECRET-PLACE")
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 60 frames of the shipped shake."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with ClipReader(SHIPPED_TEMPLATES / "shake.mp4") as frames:
        first = list(islice(frames, 60))
    height, width = first[0].shape[:2]
    with VideoWriter(path, width, height, Fraction(25), comment="test") as writer:
        for frame in first:
            writer.write(frame)
    return path


@pytest.fixture(scope="session")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture without a face."""
    path = tmp_path_factory.mktemp("faceless") / "wall.png"
    shade = np.linspace(60, 200, 300).astype(np.uint8)
    Image.fromarray(np.broadcast_to(shade[:, None], (300, 300))).convert("RGB").save(path)
    return path
