"""The sample portrait's head, and a head made of the canonical mesh."""

import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.head import Head, fit_head, rotation_of
from inference.faces.landmarker import POINTS, SCORES, Landmarker, Landmarks
from inference.faces.topology import (
    FACE_POINTS,
    IRIS_CENTRES,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    UPPER_INNER_LIP,
    UPPER_LIDS,
)
from inference.mesh.renderer import FaceRenderer


@pytest.fixture(scope="session")
def plain_points(landmarker: Landmarker) -> Doubles:
    """The canonical mesh with irises and shut lips, (478, 3) cm."""
    points = np.zeros((POINTS, 3))
    points[:FACE_POINTS] = landmarker.mesh.points
    for eye, centre in enumerate(IRIS_CENTRES):
        middle = points[np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye]])].mean(axis=0)
        points[centre : centre + 5] = middle
    for upper, lower in zip(UPPER_INNER_LIP, LOWER_INNER_LIP, strict=True):
        points[[upper, lower]] = points[[upper, lower]].mean(axis=0)
    return points


@pytest.fixture
def plain_head(plain_points: Doubles) -> Head:
    """The canonical face, from the front, 155 px wide, in the middle of 512 px."""
    return Head(plain_points, rotation_of(np.zeros(3)), 10.0, np.array([256.0, 256.0, 0.0]))


@pytest.fixture
def no_scores() -> Doubles:
    return np.zeros(len(SCORES))


@pytest.fixture(scope="session")
def astronaut_head(landmarker: Landmarker, astronaut_landmarks: Landmarks) -> Head:
    return fit_head(astronaut_landmarks, landmarker.mesh)


@pytest.fixture(scope="session")
def astronaut_renderer(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> FaceRenderer:
    scores = landmarker.scores(astronaut_landmarks)
    return FaceRenderer(astronaut, astronaut_landmarks, scores, landmarker.mesh)
