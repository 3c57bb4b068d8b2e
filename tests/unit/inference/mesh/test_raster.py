"""Triangles drawn into a grid."""

import cv2
import numpy as np
import pytest

from inference.mesh.raster import Triangles, at_pixels
from jobs.model import CropBox

PART = CropBox(left=20, upper=10, right=140, lower=90)
BLUR = 0.1  # none


def drawn(points: object, offsets: object, corners: object, step: int = 1) -> np.ndarray:
    triangles = Triangles(
        np.array(points, np.float64),
        np.array(offsets, np.float64),
        np.array(corners),
        np.ones(len(np.array(corners)), np.bool_),
    )
    nodes = triangles.at_nodes(PART, step, BLUR)
    return at_pixels(nodes, step, (PART.width, PART.height))


def test_a_linear_displacement_is_drawn_exactly_over_a_mesh() -> None:
    random = np.random.default_rng(3)
    inner = np.stack([random.uniform(0, 160, 60), random.uniform(0, 110, 60)], axis=1)
    points = np.concatenate([[(-30, -30), (200, -30), (200, 150), (-30, 150)], inner])
    mesh = cv2.Subdiv2D((-100, -100, 400, 400))
    for point in points.astype(np.float32):
        mesh.insert((float(point[0]), float(point[1])))
    corners = [
        [int(np.abs(points - corner).sum(axis=1).argmin()) for corner in flat.reshape(3, 2)]
        for flat in np.array(mesh.getTriangleList())
        if np.abs(flat).max() < 250
    ]
    gradient = np.array([[0.02, -0.01], [0.03, 0.04]])

    found = drawn(points, points @ gradient, corners)

    x, y = np.meshgrid(np.arange(PART.left, PART.right), np.arange(PART.upper, PART.lower))
    assert np.abs(found - np.stack([x, y], axis=-1) @ gradient).max() < 2e-3


def test_a_later_triangle_covers_an_earlier_one_and_nothing_else() -> None:
    below = [(30, 20), (130, 20), (30, 85)]
    above = [(40, 25), (70, 25), (40, 60)]

    found = drawn([*below, *above], [(1, 0)] * 3 + [(0, 2)] * 3, [(0, 1, 2), (3, 4, 5)])

    def at(x: int, y: int) -> list[float]:
        return [round(float(value), 3) for value in found[y - PART.upper, x - PART.left]]

    assert at(45, 30) == [0, 2]
    assert at(100, 25) == [1, 0]
    assert at(45, 70) == [1, 0]
    assert at(120, 80) == [0, 0]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_triangle_covers_the_pixels_inside_and_at_most_a_node_around(step: int) -> None:
    random = np.random.default_rng(5)
    margin = 20
    around = np.ones((4 * step + 1, 4 * step + 1), np.uint8)
    for _ in range(30):
        corners = random.uniform((0, 0), (160, 100), (3, 2))
        found = np.abs(drawn(corners, [(1, 1)] * 3, [(0, 1, 2)], step)).max(axis=-1)
        inside = np.zeros((PART.height + 2 * margin, PART.width + 2 * margin), np.uint8)
        places = (corners - [PART.left, PART.upper] + margin) * 16
        cv2.fillConvexPoly(inside, np.rint(places).astype(np.int32), 1, shift=4)
        core, reach = (
            change(inside, around)[margin:-margin, margin:-margin] > 0
            for change in (cv2.erode, cv2.dilate)
        )

        assert (found[core] > 0.99).all()
        assert not found[~reach].any()


def test_no_displacement_is_larger_than_that_of_the_corners() -> None:
    sliver = [(30, 30), (130, 30.4), (80, 30.3)]

    assert np.abs(drawn(sliver, [(0, 0), (0, 0), (3, 0)], [(0, 1, 2)])).max() <= 3


def test_triangles_beside_the_grid_are_not_drawn() -> None:
    points = [(0, 0), (10, 0), (0, 300), (150, 0), (300, 0), (200, 300)]

    assert not drawn(points, [(1, 1)] * 6, [(0, 1, 2), (3, 4, 5)]).any()


def test_what_moves_is_found_in_a_part() -> None:
    points = np.array([(30.0, 30), (60, 30), (30, 60), (100, 60), (130, 60), (100, 85)])
    triangles = Triangles(
        points,
        np.repeat([(0.0, 0.0), (1.0, 1.0)], 3, axis=0),
        np.array([(0, 1, 2), (3, 4, 5)]),
        np.array([False, True]),
    )

    assert triangles.move_in(PART)
    assert not triangles.move_in(CropBox(left=20, upper=20, right=80, lower=90))
