"""Keypoints carried over as the published code carries them. Needs no torch."""

import numpy as np
import pytest

from inference.motion import Keypoints, adapt_scale, best_frame, hull_area, normalise, pose_distance
from tests.parity.golden_recipe import Arrays, read_golden

MODES = {
    "fomm_tiny": ("rel_scale", "rel", "abs"),
    "fomm_tiny_nojac": ("rel_scale", "abs"),
    "fomm_tiny_singlejac": ("rel_scale",),
    "fomm_vox": ("rel_scale", "abs"),
}


def keypoints(golden: Arrays, name: str) -> Keypoints:
    return Keypoints(golden[f"{name}/value"], golden.get(f"{name}/jacobian"))


@pytest.mark.parametrize(
    ("name", "mode"), [(name, mode) for name, modes in MODES.items() for mode in modes]
)
def test_keypoints_go_where_the_published_code_puts_them(name: str, mode: str) -> None:
    golden = read_golden(name)
    source, driving = keypoints(golden, "kp_source"), keypoints(golden, "kp_driving")
    expected = keypoints(golden, f"{mode}/kp_norm")
    scale = adapt_scale(source, driving[0]) if mode == "rel_scale" else 1.0
    found = normalise(source, driving, driving[0], relative=mode != "abs", scale=scale)
    assert found.value.dtype == np.float32
    assert np.abs(found.value - expected.value).max() <= 1e-5
    assert (found.jacobian is None) == (expected.jacobian is None)
    if found.jacobian is not None and expected.jacobian is not None:
        assert found.jacobian.dtype == np.float32
        assert np.abs(found.jacobian - expected.jacobian).max() <= 1e-5


@pytest.mark.parametrize("name", ["fomm_tiny", "fomm_vox"])
def test_hulls_have_the_published_areas(name: str) -> None:
    golden = read_golden(name)
    source, driving = keypoints(golden, "kp_source"), keypoints(golden, "kp_driving")
    assert hull_area(source.value[0]) == pytest.approx(float(golden["area/source"]), abs=1e-9)
    areas = [hull_area(points) for points in driving.value]
    assert areas == pytest.approx(golden["area/driving"].tolist(), abs=1e-9)


def test_tiny_source_is_as_much_larger_as_the_specification_says() -> None:
    golden = read_golden("fomm_tiny")
    source, driving = keypoints(golden, "kp_source"), keypoints(golden, "kp_driving")
    assert adapt_scale(source, driving[0]) == pytest.approx(1.296, abs=5e-4)


def test_best_frame_of_the_goldens_is_the_nearest_by_the_published_formula() -> None:
    golden = read_golden("fomm_tiny")
    source, driving = golden["kp_source/value"][0], golden["kp_driving/value"]
    areas = [float(golden["area/source"]), *golden["area/driving"].tolist()]
    poses = [
        (points - points.mean(axis=0)) / np.sqrt(area)
        for points, area in zip([source, *driving], areas, strict=True)
    ]
    expected = [float((np.abs(poses[0] - pose) ** 2).sum()) for pose in poses[1:]]
    distances = pose_distance(source, driving)
    assert distances == pytest.approx(expected, rel=1e-5)
    assert best_frame(distances) == expected.index(min(expected))
