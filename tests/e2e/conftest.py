"""The command line as a person starts it: a process of its own, with files of its own."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut

from animato import cli
from animato import prepare as prepare_program
from inference.extras import missing_neural
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.weights.store import WeightsStore
from jobs.templates import SHIPPED_TEMPLATES
from tests.conftest import Require
from tests.see_through import dots, write_checkpoint, write_config

ROOT = Path(__file__).parents[2]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


Animato = Callable[..., Ended]
Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Networks:
    """Small networks that show what they are given (`tests/see_through.py`).

    Attributes:
        config: their config.
        checkpoint: their weights as published ones are.
        store: the folder where they lie converted, for `ANIMATO_CHECKPOINTS_DIR`.
    """

    config: Path
    checkpoint: Path
    store: Path

    @property
    def named(self) -> tuple[object, ...]:
        """The options that name them."""
        return ("--config", self.config, "--checkpoint", self.checkpoint)


def clean_environment(folder: Path) -> dict[str, str]:
    """Ours without settings, and with temporary files in `folder`, so that leftovers are seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANIMATO_")}
    return kept | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """The temporary folder of the runs; a run that leaves anything there fails its test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def animato_process(tmp_path: Path, scratch: Path) -> Animato:
    """Runs `animato` with the given arguments in `tmp_path`, in a process of its own."""
    return _program(["-m", "animato"], tmp_path, scratch)


@pytest.fixture
def animato(animato_process: Animato) -> Animato:
    """The same, unless a module's own runs in this process."""
    return animato_process


@pytest.fixture
def prepare(tmp_path: Path, scratch: Path) -> Animato:
    """Runs `prepare.py` with the given arguments in `tmp_path`."""
    return _program([str(ROOT / "prepare.py")], tmp_path, scratch)


def _program(program: list[str], folder: Path, scratch: Path) -> Animato:
    def run(*arguments: object, **settings: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=folder,
            env=clean_environment(scratch) | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def quick_animato(inside: Callable[[Main], Animato]) -> Animato:
    """Run `animato` in this process, so that all libraries are loaded once for all tests."""
    return inside(cli.main)


@pytest.fixture
def quick_prepare(inside: Callable[[Main], Animato]) -> Animato:
    """Run `prepare.py` in this process, so that torch is loaded once for all tests."""
    return inside(prepare_program.main)


@pytest.fixture
def inside(
    tmp_path: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[Main], Animato]]:
    """Makes runs of a command line inside this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    for name in [name for name in os.environ if name.startswith("ANIMATO_")]:
        monkeypatch.delenv(name)
    handlers = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGHUP)}

    def runs_of(main: Main) -> Animato:
        def run(*arguments: object, **settings: str) -> Ended:
            capsys.readouterr()
            with monkeypatch.context() as environment:
                for name, value in settings.items():
                    environment.setenv(name, value)
                try:
                    code = main([str(argument) for argument in arguments])
                except SystemExit as usage:
                    code = usage.code if isinstance(usage.code, int) else 1
            return Ended(code, *capsys.readouterr())

        return run

    yield runs_of
    for kind, handler in handlers.items():
        signal.signal(kind, handler)


@pytest.fixture(scope="session")
def networks(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """The networks that give the photo back."""
    require(not missing_neural(), "the extra neural is not installed")
    folder = tmp_path_factory.mktemp("networks")
    found = Networks(
        config=write_config(folder / "small.yaml"),
        checkpoint=write_checkpoint(folder / "small.pth.tar"),
        store=folder / "store",
    )
    WeightsStore(found.store).checkpoint(found.checkpoint)
    return found


@pytest.fixture(scope="session")
def dotted_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four lossless frames of 256 px of dots that go to the right, 8 px each."""
    path = tmp_path_factory.mktemp("dots") / "dots.mkv"
    places = np.array([[60, 60], [150, 70], [60, 180], [150, 190], [105, 125]])
    with VideoWriter(path, 256, 256, Fraction(25), comment="test") as writer:
        for index in range(4):
            writer.write(dots(places + np.array([8 * index, 0])))
    return path


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
