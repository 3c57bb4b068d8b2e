"""What a clip's motion makes of a photo's key points."""

from typing import Any

import numpy as np
import pytest

from inference.arrays import Floats
from inference.engine_options import REGIONS
from inference.liveportrait.motion import MotionOptions, SourceFace, adjusted, moved, rotations
from tests.unit.inference.liveportrait.motions import NoNetworks, motion, photo_face, some

STILL = np.array([0])


def rendered(face: SourceFace, points: Floats, networks: NoNetworks, **chosen: Any) -> Floats:
    openings = np.full(len(points), 0.2, np.float32), np.full(len(points), 0.4, np.float32)
    return adjusted(face, points, openings, networks, MotionOptions(**chosen))


def test_rotation_turns_to_the_side_that_mesh_calls_positive_too() -> None:
    from inference.faces.head import rotation_of  # noqa: PLC0415 - for this comparison

    pitch, yaw, roll = 10.0, -20.0, 5.0
    same = rotation_of(np.radians([yaw, pitch, roll]))
    assert rotations(np.array([[pitch, yaw, roll]], np.float32))[0] == pytest.approx(same.T)


@pytest.mark.parametrize("region", REGIONS)
def test_driver_at_rest_leaves_the_photo_as_it_is(region: Any) -> None:
    face, driving = photo_face(), motion(3)
    rest = driving.mean(np.array([1]))
    points = moved(face, driving, rest, MotionOptions(region=region))
    assert points[1] == pytest.approx(face.points[0], abs=1e-5)
    assert np.abs(points[0] - face.points[0]).max() > 1e-3


@pytest.mark.parametrize(
    ("region", "driven"), [("lips", {6, 12, 14, 17, 19, 20}), ("eyes", {11, 13, 15, 16, 18})]
)
@pytest.mark.parametrize("relative", [True, False])
def test_region_moves_its_own_points_alone(region: Any, driven: set[int], relative: bool) -> None:
    face, driving = photo_face(), motion(2)
    options = MotionOptions(region=region, relative=relative)
    change = np.abs(moved(face, driving, driving.mean(STILL), options) - face.points)[1]
    assert set(np.flatnonzero(change.max(axis=-1) > 1e-6)) == driven


def test_movement_in_depth_is_left_out() -> None:
    face, driving = photo_face(), motion(2)
    deep = motion(2)
    deep.translation[:, 2] += 5
    options = MotionOptions(relative=False)
    near, far = (moved(face, one, one.mean(STILL), options) for one in (driving, deep))
    assert near == pytest.approx(far)


def test_strength_scales_the_movement_from_the_photo() -> None:
    face, points = photo_face(), some(4, 5, 21, 3)
    plain, strong = (
        rendered(face, points, NoNetworks(stitch=0.1), strength=strength) for strength in (1, 1.5)
    )
    assert strong - face.points == pytest.approx(1.5 * (plain - face.points), abs=1e-5)


def test_stitching_moves_all_points_within_the_picture() -> None:
    face, points = photo_face(), some(4, 5, 21, 3)
    result = rendered(face, points, NoNetworks(stitch=0.01))
    assert result - points == pytest.approx(np.tile([0.02, 0.02, 0.01], (5, 21, 1)), abs=1e-6)
    assert rendered(face, points, NoNetworks(stitch=0.01), stitching=False) == pytest.approx(
        points, abs=1e-6
    )


def test_only_open_lips_are_shut() -> None:
    points = some(4, 5, 21, 3)
    shut, open_ = NoNetworks(lips=0.5), NoNetworks(lips=0.5)
    same = rendered(photo_face(lips=0.02), points, shut, normalise_lips=True, stitching=False)
    assert same == pytest.approx(points, abs=1e-6)
    assert "lips" not in shut.given
    moved_ = rendered(photo_face(lips=0.3), points, open_, normalise_lips=True, stitching=False)
    assert moved_ == pytest.approx(points + 0.5, abs=1e-5)
    assert open_.given["lips"][0, -2:] == pytest.approx([0.3, 0.0])


def test_retargeting_takes_the_openings_of_photo_and_clip() -> None:
    face, points = photo_face(lips=0.3), some(4, 5, 21, 3)
    networks = NoNetworks(lips=0.5, eyes=0.25)
    result = rendered(face, points, networks, retarget_eyes=True, retarget_lips=True)
    assert networks.given["eyes"][2, -3:] == pytest.approx([*face.lids, 0.2])
    assert networks.given["lips"][2, -2:] == pytest.approx([0.3, 0.4])
    # Relative: the clip's motion is dropped.
    assert result == pytest.approx(np.repeat(face.points, 5, axis=0) + 0.75, abs=1e-5)
    whole = rendered(face, points, networks, retarget_eyes=True, relative=False)
    assert whole == pytest.approx(points + 0.25, abs=1e-5)
