"""An engine process with a few bad engines beside the real ones, and jobs for it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.process.engine_process import EngineLimits, EngineProcess
from inference.process.setup import EngineSetup
from jobs.model import CropBox
from jobs.templates import SHIPPED_TEMPLATES
from jobs.wish import Movement, Wish
from tests.wishes import make_photo

# Her head on a plain ground of its own: one face, found at once.
HEAD = np.ascontiguousarray(skimage.data.astronaut()[0:200, 120:320])
FACE_BOX = CropBox(left=55, upper=62, right=151, lower=158)


class Job(NamedTuple):
    """The arguments of `EngineProcess.render`."""

    wish: Wish
    engine: str
    folder: Path
    time_limit_s: float = 3600.0


MakeJob = Callable[..., Job]

BAD_ENGINE = """
import ctypes, errno, logging, os, signal, sys, time
from inference.engines.still import StillEngine

log = logging.getLogger("inference.bad")

class BadEngine(StillEngine):
    name = "{name}"
    {body}

ENGINE = BadEngine
"""
# What each of them does in the place of `StillEngine`'s own; `frames` are its batches.
BODIES = {
    "crashing": """
    def animate(self, driving, motion):
        yield [self._photo]
        os.kill(os.getpid(), signal.SIGSEGV)
        yield []
    """,
    "leaving": """
    def animate(self, driving, motion):
        yield [self._photo]
        print("last words", flush=True)
        os._exit(3)
    """,
    "failing": """
    def animate(self, driving, motion):
        yield [self._photo]
        raise RuntimeError("the sums are wrong")
    """,
    "full": """
    def animate(self, driving, motion):
        yield [self._photo]
        raise OSError(errno.ENOSPC, "No space left on device")
    """,
    "refusing": """
    def prepare(self, photo, faces):
        from jobs.errors import EngineFailed, NoFaceFound
        raise NoFaceFound(name="me.png") if self.chosen.smooth else EngineFailed(
            name="refusing", reason="no mood")
    """,
    "never_loaded": """
    def load(self):
        time.sleep(1000)
    """,
    "hanging": """
    def animate(self, driving, motion):
        yield [self._photo]
        log.info("stuck")
        time.sleep(1000)
    """,
    # It lets no other thread of its process do anything either.
    "seized": """
    def animate(self, driving, motion):
        yield [self._photo]
        log.info("stuck")
        ctypes.PyDLL(None).sleep(1000)
    """,
    # It talks, but it does nothing.
    "chatting": """
    def animate(self, driving, motion):
        yield [self._photo]
        while True:
            time.sleep(0.01)
            log.info("so to speak")
    """,
    "endless": """
    def animate(self, driving, motion):
        yield [self._photo]
        while True:
            time.sleep(0.02)
            yield []
    """,
    "talkative": """
    def animate(self, driving, motion):
        print("printed")
        os.write(2, b"x" * 1_000_000 + b"\\n")
        for number in range(5_000):
            log.info("line %d of %s", number, "y" * 3000)
            print("z" * 200)
        yield [self._photo]
    """,
    "curious": """
    def animate(self, driving, motion):
        log.info("read %r", sys.stdin.read())
        log.info("niceness %d", os.nice(0))
        log.info("secrets %s", [name for name in os.environ if "REDIS" in name or "AWS" in name])
        yield [self._photo]
    """,
}


@pytest.fixture(scope="session")
def bad_engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    for name, body in BODIES.items():
        (folder / f"{name}.py").write_text(BAD_ENGINE.format(name=name, body=body.strip()))
    return folder


@pytest.fixture
def setup(bad_engines: Path, tmp_path: Path) -> EngineSetup:
    return EngineSetup(
        templates_dir=SHIPPED_TEMPLATES,
        checkpoints_dir=tmp_path / "weights",
        device="cpu",
        is_offline=True,
        further_engines=bad_engines,
    )


@pytest.fixture
async def engine(setup: EngineSetup) -> AsyncIterator[EngineProcess]:
    # However busy the machine is: an engine that hears is not killed for being slow.
    async with EngineProcess(setup, EngineLimits(cancel_s=60)) as process:
        yield process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    place.mkdir()
    return place


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(HEAD).save(path)
    return path


@pytest.fixture
def make_job(photo: Path, folder: Path) -> MakeJob:
    """Makes jobs whose videos go into `folder`."""

    def make(engine: str, time_limit_s: float = 3600.0, **changes: object) -> Job:
        facts: dict[str, object] = {
            "photo": make_photo(str(photo), width=200, height=200),
            "face_boxes": (FACE_BOX,),
            "movement": Movement(template="blink"),
        }
        wish = Wish.model_validate(facts | changes)
        return Job(wish, engine, folder, time_limit_s)

    return make
