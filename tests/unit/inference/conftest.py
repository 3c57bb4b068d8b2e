"""The landmark network, loaded once, and what it measures in scikit-image's astronaut."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.landmarker import Landmarker, Landmarks
from inference.faces.loading import landmarker as load_landmarker

Require = Callable[[object, str], None]


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """Eileen Collins, uint8 (512, 512, 3) RGB; her face is 97 px wide."""
    return np.asarray(skimage.data.astronaut(), np.uint8)


@pytest.fixture(scope="session")
def landmarker(require: Require) -> Landmarker:
    """This thread's landmarker."""
    require(find_spec("ai_edge_litert"), "ai-edge-litert is not installed")
    return load_landmarker()


@pytest.fixture(scope="session")
def astronaut_landmarks(landmarker: Landmarker, astronaut: npt.NDArray[np.uint8]) -> Landmarks:
    """The astronaut's landmarks after a detection and two more looks."""
    square = landmarker.detect(astronaut)[0].square
    for _ in range(2):
        square = landmarker.look(astronaut, square).square
    return landmarker.look(astronaut, square)
