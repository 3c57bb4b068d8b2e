"""Folds of a driver's face, and their shade on a photo."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.landmarker import Landmarker, Landmarks
from inference.mesh.measuring import measure_track
from inference.mesh.moment import Moment
from inference.mesh.renderer import FaceRenderer
from inference.mesh.shading import SIDE, FoldShading, SkinMap, folds
from jobs.model import CropBox, Face

FOLD = (205, 425)  # landmarks on both cheeks, beside the corners of the mouth


@pytest.fixture(scope="module")
def skin_map(landmarker: Landmarker) -> SkinMap:
    return SkinMap(landmarker.mesh)


def with_folds(photo: Picture, points: Doubles) -> Picture:
    folded = photo.copy()
    for number in FOLD:
        x, y = np.rint(points[number, :2]).astype(int)
        cv2.line(folded, (x, y - 5), (x, y + 5), (130, 95, 80), 2)
    return folded


def places(landmarker: Landmarker) -> list[tuple[int, int]]:
    """Row and column of both folds in the maps."""
    return [
        (round(float(v) * SIDE - 0.5), round(float(u) * SIDE - 0.5))
        for u, v in landmarker.mesh.uv[list(FOLD)]
    ]


def test_folds_are_dark_where_the_frame_is(
    landmarker: Landmarker, skin_map: SkinMap, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points
    frames = [astronaut] * 6 + [with_folds(astronaut, points)] * 6
    maps = [skin_map.of_frame(frame, points) for frame in frames]

    found = folds(maps, np.arange(12) < 3, skin_map.skin)

    assert not found[0].any()
    for row, column in places(landmarker):
        assert found[11, row - 1 : row + 2, column - 1 : column + 2].min() < -0.15
    assert np.abs(found[11, :20]).max() < 0.02  # forehead


def test_another_light_makes_no_folds(
    skin_map: SkinMap, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    darker = (astronaut * 0.7).astype(np.uint8)
    frames = [astronaut] * 6 + [darker] * 6
    maps = [skin_map.of_frame(frame, astronaut_landmarks.points) for frame in frames]

    assert np.abs(folds(maps, np.arange(12) < 3, skin_map.skin)[11]).max() < 0.06


def test_shade_is_drawn_into_the_face_only(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    depth = np.full((SIDE, SIDE), -60, np.int8)
    shading = FoldShading(astronaut, astronaut_landmarks.points, landmarker.mesh)

    changed = shading.shaded(astronaut, depth).astype(int) - astronaut

    x, y = np.rint(astronaut_landmarks.points[FOLD[0], :2]).astype(int)
    assert (changed[y, x] < -10).all()
    assert changed.max() <= 0
    outside = np.ones(astronaut.shape[:2], bool)
    low = astronaut_landmarks.points[:468, :2].min(axis=0)
    high = astronaut_landmarks.points[:468, :2].max(axis=0)
    outside[round(low[1]) : round(high[1]) + 1, round(low[0]) : round(high[0]) + 1] = False
    assert not changed[outside].any()


def test_a_grey_photo_stays_grey(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    grey = np.repeat(astronaut.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    shading = FoldShading(grey, astronaut_landmarks.points, landmarker.mesh)

    drawn = shading.shaded(grey, np.full((SIDE, SIDE), -60, np.int8))

    assert np.array_equal(drawn[..., 0], drawn[..., 2])


def test_a_face_beside_the_photo_gets_no_shade(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points + np.array([2000.0, 0.0, 0.0])
    shading = FoldShading(astronaut, points, landmarker.mesh)

    assert np.array_equal(shading.shaded(astronaut, np.full((SIDE, SIDE), -60, np.int8)), astronaut)


def test_folds_of_a_clip_reach_the_photo(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_renderer: FaceRenderer,
) -> None:
    folded = with_folds(astronaut, astronaut_landmarks.points)
    frames = [astronaut] * 12 + [folded] * 12
    box = CropBox(left=180, upper=70, right=271, lower=178)
    track = measure_track(frames, Face(number=1, box=box, votes=9), Fraction(25), landmarker)
    first, last = track.moment(0), track.moment(23)

    assert first.folds is None or np.abs(first.folds).max() < 12
    assert last.folds is not None
    plain, shaded = (
        astronaut_renderer.render(Moment(folds=shade)).astype(int)
        for shade in (None, last.scaled(1.0).folds)
    )
    x, y = np.rint(astronaut_landmarks.points[FOLD[0], :2]).astype(int)
    x, y = x - astronaut_renderer.box.left, y - astronaut_renderer.box.upper
    assert (shaded - plain)[y - 3 : y + 4, x - 3 : x + 4].min() < -10
