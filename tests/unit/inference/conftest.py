"""The landmark network, and what it measures on the sample portrait."""

import numpy as np
import pytest
from skimage import data

from inference.engine import Picture
from inference.faces.landmarker import Landmarker, Landmarks
from inference.faces.loading import landmarker as load_landmarker


@pytest.fixture(scope="session")
def landmarker() -> Landmarker:
    return load_landmarker()


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """The sample portrait, 512 x 512 px."""
    return np.asarray(data.astronaut(), np.uint8)


@pytest.fixture(scope="session")
def astronaut_landmarks(landmarker: Landmarker, astronaut: Picture) -> Landmarks:
    """Its face: detected, then looked at three times."""
    landmarks = landmarker.look(astronaut, landmarker.detect(astronaut)[0].square)
    for _ in range(2):
        landmarks = landmarker.look(astronaut, landmarks.square)
    return landmarks
