from pathlib import Path

import numpy as np
import pytest

from inference.faces.loading import model_path
from inference.faces.model_file import FaceModel
from jobs.weights_errors import WeightsCorrupt


def test_mesh_of_the_file_is_a_face_in_cm() -> None:
    mesh = FaceModel.read(model_path()).mesh
    assert mesh.points.shape == (468, 3)
    assert mesh.uv.shape == (468, 2)
    assert mesh.triangles.shape == (898, 3)
    assert set(mesh.triangles.ravel()) == set(range(468))
    # From one outer eye corner to the other, and from one mouth corner to the other.
    assert np.linalg.norm(mesh.points[33] - mesh.points[263]) == pytest.approx(8.892, abs=1e-3)
    assert np.linalg.norm(mesh.points[78] - mesh.points[308]) == pytest.approx(4.306, abs=1e-3)
    assert len(mesh.fit_vertices) == len(mesh.fit_weights) == 33
    assert mesh.fit_weights.sum() == pytest.approx(1.055, abs=1e-3)
    # x points right, y down and z into the picture.
    assert mesh.points[33, 0] < 0 < mesh.points[263, 0]
    assert mesh.points[10, 1] < 0 < mesh.points[152, 1]
    assert mesh.points[1, 2] < mesh.points[234, 2]


def test_file_that_was_altered_is_refused(tmp_path: Path) -> None:
    altered = bytearray(model_path().read_bytes())
    altered[-1] ^= 1
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(altered)
    with pytest.raises(WeightsCorrupt, match="animato weights fetch face-landmarker"):
        FaceModel.read(path)
