"""Find the file of the landmark network, and load it once per process and thread."""

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from inference.faces.landmarker import Landmarker
from inference.faces.model_file import FILE_NAME, NAME, FaceModel
from inference.weights.catalogue import WeightsCatalogue
from jobs.errors import LandmarkLibraryMissing
from jobs.weights_errors import WeightsMissing

if TYPE_CHECKING:
    from inference.weights.store import WeightsStore

_lock = threading.Lock()
_models: list[FaceModel] = []  # at most one
_of_thread = threading.local()


def landmarker(checkpoints_dir: Path | None = None) -> Landmarker:
    """Return this thread's landmarker.

    Args:
        checkpoints_dir: where the file may lie, besides installed packages; once the file has been
            read in this process, it makes no difference.

    Raises:
        LandmarkLibraryMissing: ai-edge-litert is not installed.
        WeightsMissing, WeightsCorrupt: the file is not there, or is not the published one.
    """
    if not hasattr(_of_thread, "landmarker"):
        if find_spec("ai_edge_litert") is None:
            raise LandmarkLibraryMissing
        with _lock:
            if not _models:
                _models.append(FaceModel.read(model_path(checkpoints_dir)))
            _of_thread.landmarker = Landmarker(_models[0])
    found: Landmarker = _of_thread.landmarker
    return found


def prepare_looks(weights: "WeightsStore") -> None:
    """Make sure that the gate's children can find faces; download the network if need be.

    Raises:
        LandmarkLibraryMissing: ai-edge-litert is not installed.
        WeightsError: the network is not there and cannot be downloaded.
    """
    weights.provide(FILE_NAME)
    landmarker(weights.folder)


def model_path(checkpoints_dir: Path | None = None) -> Path:
    """Return where the file is: in that folder, else in an installed package.

    Raises:
        WeightsMissing: in neither; the sentence says how to get it.
        WeightsCorrupt: the folder has another file of that name.
    """
    (wanted,) = WeightsCatalogue.load().named(NAME)
    folder = checkpoints_dir or Path("checkpoints")
    path = wanted.find(folder)
    if path is None:
        raise WeightsMissing(path=str(folder / FILE_NAME), hint=wanted.hint)
    return path
