"""The whole way from pictures to video equals the published program's, from any best frame.

The published program renders two halves, forward and backward from the best frame, and lays them
end to end; ours renders the frames in their own order, each relative to the best one.
"""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch

from inference.fomm.model import FommModel, as_uint8
from inference.motion import adapt_scale, normalise
from tests.parity.networks import difference, networks

PREDICTION_TOLERANCE = 5e-5


@pytest.fixture(scope="module")
def model() -> FommModel:
    tiny = networks("fomm_tiny")
    return FommModel(tiny.detector, tiny.generator, torch.device("cpu"), torch.float32)


def rendered(model: FommModel, best_frame: int) -> np.typing.NDArray[np.float32]:
    """The golden's frames as relative motion from that frame, scaled."""
    arrays = networks("fomm_tiny").arrays
    source, driving = model.source(arrays["source"]), model.detect(arrays["driving"])
    initial = driving[best_frame]
    scale = adapt_scale(source.keypoints, initial)
    moved = normalise(source.keypoints, driving, initial, relative=True, scale=scale)
    return model.predict(source, moved)


@pytest.mark.parametrize("best_frame", [0, 2, 5])
def test_video_from_a_best_frame(model: FommModel, best_frame: int) -> None:
    arrays, key = networks("fomm_tiny").arrays, f"demo/best_frame_{best_frame}"
    found = rendered(model, best_frame)
    assert found.dtype == np.float32
    assert difference(found, arrays[f"{key}/prediction"]) <= PREDICTION_TOLERANCE
    assert difference(as_uint8(torch.from_numpy(found)).numpy(), arrays[f"{key}/video_uint8"]) <= 1


def test_video_without_a_best_frame_starts_from_the_first(model: FommModel) -> None:
    arrays = networks("fomm_tiny").arrays
    levels = as_uint8(torch.from_numpy(rendered(model, 0))).numpy()
    assert levels.dtype == np.uint8
    assert difference(levels, arrays["demo/plain/video_uint8"]) <= 1


def test_rendered_pictures_are_the_rounded_predictions(model: FommModel) -> None:
    arrays = networks("fomm_tiny").arrays
    source, driving = model.source(arrays["source"]), model.detect(arrays["driving"])
    predicted = as_uint8(torch.from_numpy(model.predict(source, driving))).numpy()
    np.testing.assert_array_equal(model.render(source, driving), predicted)


def test_best_frame_itself_shows_the_pose_of_the_source(model: FommModel) -> None:
    tiny = networks("fomm_tiny")
    source = model.source(tiny.arrays["source"])
    still = model.predict(source, source.keypoints)
    for best_frame in (0, 2, 5):
        assert difference(rendered(model, best_frame)[best_frame], still[0]) <= PREDICTION_TOLERANCE
