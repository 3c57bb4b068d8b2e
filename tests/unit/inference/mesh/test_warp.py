"""The mesh's displacement of pixels."""

from dataclasses import replace

import numpy as np
import pytest

from inference.faces.head import Head
from inference.faces.landmarker import Landmarker
from inference.faces.topology import OVAL
from inference.mesh.moment import Moment
from inference.mesh.placing import Placing, Posed
from inference.mesh.retarget import Shape
from inference.mesh.warp import MeshWarp


@pytest.fixture(params=[6.4, 20.0], ids=["small", "large"])
def head(request: pytest.FixtureRequest, plain_head: Head) -> Head:
    return replace(plain_head, scale=request.param)


def warp_of(at_rest: Posed, landmarker: Landmarker) -> MeshWarp:
    return MeshWarp(at_rest, landmarker.mesh, (512, 512))


def test_nothing_moves_at_rest(head: Head, landmarker: Landmarker) -> None:
    placing = Placing(head)
    posed = placing.place(Shape(head.points, head.gaps, 0.0), Moment())

    assert warp_of(placing.at_rest, landmarker).displacement(posed) is None


def test_a_shift_of_all_points_shifts_the_picture(head: Head, landmarker: Landmarker) -> None:
    at_rest = Placing(head).at_rest
    shift = np.array([3.0, -2.0, 0.0])
    moved = replace(at_rest, points=at_rest.points + shift, rings=at_rest.rings + shift)

    found = warp_of(at_rest, landmarker).displacement(moved)

    assert found is not None
    border = at_rest.points[OVAL, :2]
    left, upper = (border.min(axis=0) + 6 - [found.part.left, found.part.upper]).astype(int)
    right, lower = (border.max(axis=0) - 6 - [found.part.left, found.part.upper]).astype(int)
    inside = found.offsets[max(0, upper) : lower, max(0, left) : right]
    assert inside.size
    assert np.abs(inside - [-3, 2]).max() < 0.05


def test_only_the_surroundings_of_a_moved_eye_change(head: Head, landmarker: Landmarker) -> None:
    at_rest = Placing(head).at_rest
    moved = at_rest.points.copy()
    moved[159, 1] += 4

    found = warp_of(at_rest, landmarker).displacement(replace(at_rest, points=moved))

    assert found is not None
    assert found.part.width < 4 * head.scale
    assert found.part.left < moved[159, 0] < found.part.right
    assert 1.5 < np.abs(found.offsets).max() <= 4


def test_no_triangle_of_a_face_from_the_front_flips_at_thirty_degrees(
    head: Head, landmarker: Landmarker
) -> None:
    placing = Placing(head)

    for yaw in (-0.52, 0.52):
        posed = placing.place(
            Shape(head.points, head.gaps, 0.0), Moment(turn=np.array([yaw, 0, 0]))
        )
        found = warp_of(placing.at_rest, landmarker).displacement(posed)
        assert found is not None
        # Places in the middle of the face keep their order.
        row = int(posed.points[1, 1]) - found.part.upper
        middle = posed.points[[133, 362], 0].astype(int) - found.part.left
        columns = slice(max(0, middle[0]), middle[1])
        steps = 1 + np.diff(found.offsets[row, columns, 0])
        assert (steps > 0).all()
