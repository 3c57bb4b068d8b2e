"""Engines are found by the names of their files, and only asked for what they can do."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference import engines
from inference.arrays import Picture
from inference.engine import (
    Driving,
    Engine,
    EngineCrop,
    Motion,
    find_engine,
    motion_engine,
    ready_engine,
)
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from inference.extras import missing_neural
from inference.liveportrait.files import FILES
from jobs.errors import EngineUnavailable, UnknownEngine
from jobs.model import CropBox, Face
from jobs.templates import CurveMotion
from tests.conftest import Require

FACE = Face(number=1, box=CropBox(left=10, upper=10, right=40, lower=40), votes=3)
PHOTO: Picture = np.arange(60 * 50 * 3, dtype=np.uint32).reshape(60, 50, 3).astype(np.uint8)

LAME_ENGINE = """
from inference.engines.still import StillEngine

class LameEngine(StillEngine):
    name = "lame"

    @classmethod
    def unmet_needs(cls):
        return ("a leg: buy one", "another leg")

ENGINE = LameEngine
"""


@pytest.fixture
def lame_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in the engines' folder, for an engine that cannot run."""
    (tmp_path / "lame.py").write_text(LAME_ENGINE)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])


def test_there_is_an_engine_for_every_file() -> None:
    files = {path.stem for path in Path(next(iter(engines.__path__))).glob("[!_]*.py")}
    assert set(engine_names()) == files
    assert {"fomm", "liveportrait", "mesh", "still"} <= files


@pytest.mark.parametrize("name", engine_names())
def test_an_engine_has_its_files_name_and_says_truthfully_what_it_makes(name: str) -> None:
    engine = find_engine(name)
    assert engine.name == name
    assert engine.title
    assert engine.label
    assert engine.preference >= 0
    assert engine.digital_source_type.startswith("http://cv.iptc.org/newscodes/digitalsourcetype/")


class NoStore:
    """A store that has the checkpoints it was told of, and nothing else."""

    folder = Path("checkpoints")

    def __init__(self, *checkpoints: Path) -> None:
        self._checkpoints = checkpoints

    def has_checkpoint(self, path: Path) -> bool:
        return path in self._checkpoints


FOLDER = NoStore.folder
VOX = FOLDER / "vox-cpk.pth.tar"
LIVEPORTRAIT = tuple(FOLDER / name for name in FILES)
# Not a CPU, and on every machine.
GPU = EngineOptions(device="meta")
CPU = EngineOptions(device="cpu")


def automatic(store: NoStore | None, chosen: EngineOptions) -> str:
    return ready_engine("auto", chosen, store).name  # type: ignore[arg-type]  # all that is asked


@pytest.mark.usefixtures("landmarker")
@pytest.mark.parametrize("chosen", [CPU, GPU])
def test_auto_is_the_engine_without_weights_where_there_are_none(chosen: EngineOptions) -> None:
    assert automatic(None, chosen) == automatic(NoStore(), chosen) == "mesh"


@pytest.mark.usefixtures("landmarker")
def test_auto_on_a_gpu_is_the_best_network_whose_weights_are_there(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    assert automatic(NoStore(VOX), GPU) == "fomm"
    assert automatic(NoStore(VOX, *LIVEPORTRAIT), GPU) == "liveportrait"
    assert automatic(NoStore(*LIVEPORTRAIT[1:]), GPU) == "mesh"


@pytest.mark.usefixtures("landmarker")
def test_auto_without_a_gpu_is_no_network(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    assert automatic(NoStore(VOX, *LIVEPORTRAIT), CPU) == "mesh"


@pytest.mark.usefixtures("landmarker")
def test_auto_goes_by_the_checkpoint_that_is_asked_for(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    mine = Path("mine.pth.tar")
    asked = replace(GPU, checkpoint=mine)
    assert automatic(NoStore(mine), asked) == "fomm"
    assert automatic(NoStore(mine), GPU) == "mesh"
    assert automatic(NoStore(VOX), asked) == "mesh"


def test_an_engine_that_is_asked_for_by_name_may_lack_files(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    assert ready_engine("fomm").name == "fomm"
    (needed,) = find_engine("fomm").missing_files(EngineOptions(), None)
    assert "animato weights fetch vox-cpk" in needed
    assert find_engine("still").missing_files(EngineOptions(), None) == ()


@pytest.mark.parametrize("name", ["nope", "auto", "Mesh", "", "../engine", "mesh.py", "os"])
def test_an_unknown_engine_is_refused_with_the_known_ones_named(name: str) -> None:
    with pytest.raises(UnknownEngine, match="auto, fomm, liveportrait, mesh, still"):
        find_engine(name)


def test_an_engine_that_is_ready_is_given() -> None:
    assert ready_engine("still") is find_engine("still")


@pytest.mark.usefixtures("lame_engine")
def test_an_engine_that_lacks_something_says_what() -> None:
    assert "lame" in engine_names()
    with pytest.raises(EngineUnavailable, match="here; it needs a leg: buy one; another"):
        ready_engine("lame")


KEEN_ENGINE = LAME_ENGINE.replace('return ("a leg: buy one", "another leg")', "return ()").replace(
    'name = "lame"', 'name = "keen"\n    button = "Keener"\n    preference = 99'
)


def test_new_file_is_what_auto_takes_if_it_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keen.py").write_text(KEEN_ENGINE)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    assert ready_engine("auto").name == "keen"
    assert motion_engine().name == "keen"
    info = find_engine("keen").info()
    assert (info.name, info.button, info.preference) == ("keen", "Keener", 99)


@pytest.mark.usefixtures("landmarker")
def test_movements_are_drawn_by_an_engine_that_evaluates_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = KEEN_ENGINE.replace("= 99", "= 99\n    evaluates_motions = False")
    (tmp_path / "keen.py").write_text(content)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    assert ready_engine("auto").name == "keen"
    assert motion_engine().evaluates_motions


def test_auto_says_so_where_no_engine_can_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lame.py").write_text(LAME_ENGINE.replace('"lame"', '"lame"\n    preference = 1'))
    monkeypatch.setattr(engines, "__path__", [str(tmp_path)])
    with pytest.raises(EngineUnavailable, match="an engine that can run on this machine"):
        ready_engine("auto")


def test_an_engine_without_its_parts_cannot_be_made() -> None:
    class Half(Engine):
        def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:  # noqa: ARG002 - the contract's
            return EngineCrop(faces[0].box)

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]


def still_frames(driving: Driving | None, motion: "Motion | None") -> list[Picture]:
    engine = find_engine("still")()
    engine.prepare(PHOTO, [FACE])
    batches: Iterator[Sequence[Picture]] = engine.animate(driving, motion)
    return [frame for batch in batches for frame in batch]


def test_the_still_engine_gives_the_photo_for_every_driving_frame() -> None:
    frames = still_frames(Driving(iter([PHOTO * 0] * 4), FACE), None)
    assert len(frames) == 4
    assert all((frame == PHOTO).all() for frame in frames)


def test_the_still_engine_gives_the_photo_for_every_frame_of_a_motion() -> None:
    motion = CurveMotion(duration_s=1, blinks=(0.5,))
    frames = still_frames(None, motion)
    assert len(frames) == 25
    assert all((frame == PHOTO).all() for frame in frames)


def test_the_still_engine_covers_the_whole_photo() -> None:
    crop = find_engine("still")().crop_for([FACE], PHOTO)
    assert crop == EngineCrop(CropBox(left=0, upper=0, right=50, lower=60), feather_px=0.0)
