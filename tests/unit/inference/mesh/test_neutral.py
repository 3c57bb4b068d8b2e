"""The neutral face of a driver is found even if the clip never shows it."""

import numpy as np
import numpy.typing as npt
import pytest

from inference.faces.head import lip_gaps, mouth_width
from inference.faces.landmarker import POINTS, SCORES, Landmarker
from inference.faces.model_file import CanonicalMesh
from inference.mesh.expressions import expression_fields
from inference.mesh.neutral import HeadMovement, find_neutral

COUNT = 40
Doubles = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def mesh(landmarker: Landmarker) -> CanonicalMesh:
    return landmarker.mesh


def identity(mesh: CanonicalMesh) -> Doubles:
    """Somebody's face at rest: the canonical one, wider, its lips shut."""
    points = np.zeros((POINTS, 3))
    points[: len(mesh.points)] = mesh.points * (1.05, 0.98, 1.0)
    return points


def movement(mesh: CanonicalMesh, strengths: dict[str, Doubles]) -> HeadMovement:
    fields = expression_fields(mesh)
    scores = np.zeros((COUNT, len(SCORES)))
    points = np.repeat(identity(mesh)[None], COUNT, axis=0)
    for name, strength in strengths.items():
        scores[:, SCORES.index(name)] = strength
        if name in fields:
            points += strength[:, None, None] * fields[name]
    return HeadMovement(
        points=points.astype(np.float32),
        angles=np.zeros((COUNT, 3)),
        scale=np.full(COUNT, 6.0),
        neck=np.full((COUNT, 2), 100.0),
        apertures=np.full((COUNT, 2), 0.3),
        gaze=np.zeros((COUNT, 2)),
        gaps=np.array([lip_gaps(face) / mouth_width(face) for face in points]),
        scores=scores,
    )


ALL = np.ones(COUNT, np.bool_)
WAVE: Doubles = np.asarray(0.5 - 0.5 * np.cos(np.linspace(0, 6 * np.pi, COUNT)), np.float64)


@pytest.mark.parametrize("name", ["mouthSmileLeft", "mouthUpperUpLeft", "mouthFrownRight"])
def test_an_expression_that_never_ends_is_removed(mesh: CanonicalMesh, name: str) -> None:
    neutral = find_neutral(movement(mesh, {name: 0.4 + 0.5 * WAVE}), ALL, mesh)
    apart = np.linalg.norm(neutral.points - identity(mesh), axis=1)
    assert apart.max() < 0.05


def test_calm_frames_in_the_usual_pose_are_the_neutral_ones(mesh: CanonicalMesh) -> None:
    moves = movement(mesh, {"jawOpen": 0.9 * WAVE})
    moves.angles[:, 0] = np.where(np.arange(COUNT) < 5, 0.6, 0.1)
    neutral = find_neutral(moves, ALL, mesh)
    np.testing.assert_allclose(neutral.angles, [0.1, 0, 0])
    assert np.linalg.norm(neutral.points - identity(mesh), axis=1).max() < 0.1


def test_frames_that_are_not_usable_are_not_used(mesh: CanonicalMesh) -> None:
    moves = movement(mesh, {"jawOpen": np.where(np.arange(COUNT) < 10, 0.0, 0.6)})
    moves.scale[:10] = 60.0
    neutral = find_neutral(moves, np.arange(COUNT) >= 10, mesh)
    assert neutral.scale == pytest.approx(6.0)


def test_the_eyes_rest_is_between_the_blinks(mesh: CanonicalMesh) -> None:
    shut = np.arange(COUNT) % 10 < 3
    blinks: Doubles = np.where(shut, 0.8, 0.0)
    moves = movement(mesh, {"eyeBlinkLeft": blinks, "eyeBlinkRight": blinks})
    moves.apertures[shut] = 0.05
    neutral = find_neutral(moves, ALL, mesh)
    np.testing.assert_allclose(neutral.apertures, 0.3)


def test_eyes_that_are_always_wide_rest_at_what_is_usual(mesh: CanonicalMesh) -> None:
    wide: Doubles = np.full(COUNT, 0.9, np.float64)
    neutral = find_neutral(movement(mesh, {"eyeWideLeft": wide, "eyeWideRight": wide}), ALL, mesh)
    np.testing.assert_allclose(neutral.apertures, 0.3)


def test_shut_lips_stay_shut_when_the_correction_takes_too_much(mesh: CanonicalMesh) -> None:
    moves = movement(mesh, {})
    moves.gaps[:] = 0.01
    moves.scores[:, SCORES.index("jawOpen")] = 0.5
    neutral = find_neutral(moves, ALL, mesh)
    np.testing.assert_allclose(neutral.gaps, 0.01)


def test_lips_that_are_always_open_rest_nearer(mesh: CanonicalMesh) -> None:
    neutral = find_neutral(movement(mesh, {"jawOpen": 0.5 + 0.3 * WAVE}), ALL, mesh)
    open_gap = movement(mesh, {"jawOpen": 0.5 + 0 * WAVE}).gaps[0].max()
    assert neutral.gaps.max() < 0.4 * open_gap
