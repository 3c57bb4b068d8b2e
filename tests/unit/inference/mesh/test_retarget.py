"""Moments carried over to a face's own points."""

from dataclasses import replace

import numpy as np
import pytest

from inference.arrays import Doubles
from inference.faces.head import Head, aperture, lip_gaps, mouth_width
from inference.faces.landmarker import SCORES, Landmarker
from inference.faces.topology import LOWER_INNER_LIP, UPPER_INNER_LIP, UPPER_LIDS
from inference.mesh.expressions import expression_fields
from inference.mesh.moment import Moment
from inference.mesh.retarget import SHUT_GAP, Retargeter


@pytest.fixture
def plain(plain_head: Head, no_scores: Doubles, landmarker: Landmarker) -> Retargeter:
    return Retargeter(plain_head, no_scores, landmarker.mesh)


@pytest.fixture
def open_head(plain_head: Head) -> Head:
    """A face whose lips are .1 mouth widths apart."""
    points = plain_head.points.copy()
    apart = 0.1 * mouth_width(points)
    points[LOWER_INNER_LIP[1:-1]] = points[UPPER_INNER_LIP[1:-1]] + [0, apart, 0]
    return replace(plain_head, points=points)


def test_a_moment_of_rest_leaves_every_point(plain: Retargeter, plain_head: Head) -> None:
    assert np.array_equal(plain.shape(Moment()).points, plain_head.points)


def test_a_moment_of_rest_leaves_an_open_mouth(
    open_head: Head, no_scores: Doubles, landmarker: Landmarker
) -> None:
    shape = Retargeter(open_head, no_scores, landmarker.mesh).shape(Moment())

    assert shape.points == pytest.approx(open_head.points, abs=1e-12)
    assert shape.gaps == pytest.approx(open_head.gaps)


def test_a_smile_on_a_smiling_photo_is_no_wider(plain_head: Head, landmarker: Landmarker) -> None:
    scores = np.zeros(len(SCORES))
    smiles = [SCORES.index("mouthSmileLeft"), SCORES.index("mouthSmileRight")]
    scores[smiles] = 1
    retargeter = Retargeter(plain_head, scores, landmarker.mesh)
    fields = expression_fields(landmarker.mesh)
    smile = fields["mouthSmileLeft"] + fields["mouthSmileRight"]
    near = [0, 17, 61, 291]

    same = retargeter.shape(Moment(expression=smile))
    opposite = retargeter.shape(Moment(expression=-smile))

    assert same.overlap == pytest.approx(1, abs=0.15)
    assert same.points[near] == pytest.approx(plain_head.points[near], abs=0.25)
    assert opposite.overlap == 0
    assert opposite.points[near] == pytest.approx((plain_head.points - smile)[near], abs=0.01)


def test_a_shut_smile_does_not_cover_teeth_that_the_photo_bares(
    plain_head: Head, landmarker: Landmarker
) -> None:
    scores = np.zeros(len(SCORES))
    for name in ("mouthSmile", "mouthUpperUp", "mouthLowerDown"):
        scores[[SCORES.index(f"{name}Left"), SCORES.index(f"{name}Right")]] = 0.8
    fields = expression_fields(landmarker.mesh)
    smile = fields["mouthSmileLeft"] + fields["mouthSmileRight"]

    shape = Retargeter(plain_head, scores, landmarker.mesh).shape(Moment(expression=smile))

    assert shape.overlap > 0.8
    assert abs(shape.points[[0, 17], 1] - plain_head.points[[0, 17], 1]).max() < 0.12


def test_a_shut_lid_meets_the_lower_one(plain: Retargeter, plain_head: Head) -> None:
    shape = plain.shape(Moment(lids=np.array([0.0, 1.0])))

    assert aperture(shape.points, 0) < 0.06
    assert aperture(shape.points, 1) == pytest.approx(plain_head.apertures[1])


def test_the_skin_above_follows_a_shutting_lid_less_and_less(
    plain: Retargeter, plain_head: Head
) -> None:
    moved = plain.shape(Moment(lids=np.array([0.0, 1.0]))).points - plain_head.points
    lid = moved[UPPER_LIDS[0][4], 1]
    # From the lid upwards, in the middle of the eye.
    above = moved[[27, 223], 1]

    assert lid > above[0] > above[1] >= 0


def test_brows_are_amplified_and_bounded(
    plain: Retargeter, plain_head: Head, landmarker: Landmarker
) -> None:
    raised = expression_fields(landmarker.mesh)["browInnerUp"]

    def height(strength: float) -> float:
        shape = plain.shape(Moment(expression=strength * raised))
        return float((plain_head.points - shape.points)[52, 1])

    assert height(0.2) > 0.2 * -raised[52, 1]
    assert height(5) < 0.9


def test_noise_does_not_open_a_shut_mouth(plain: Retargeter, plain_head: Head) -> None:
    assert plain_head.gaps.max() < SHUT_GAP

    assert not plain.shape(Moment(gaps=np.full(11, 0.007))).gaps.any()


def test_lips_part_as_far_as_the_driver_says(plain: Retargeter) -> None:
    shape = plain.shape(Moment(gaps=np.full(11, 0.2)))

    wanted = shape.gaps[1:-1] * mouth_width(shape.points)
    assert shape.gaps[1:-1] == pytest.approx(0.192, abs=0.01)
    assert lip_gaps(shape.points)[1:-1] == pytest.approx(wanted, rel=0.05)


def test_a_wider_mouth_moves_more(
    plain_head: Head, plain: Retargeter, landmarker: Landmarker
) -> None:
    smile = expression_fields(landmarker.mesh)["mouthSmileLeft"]
    width = mouth_width(plain_head.points)

    def moved(driver_width: float) -> float:
        shape = plain.shape(Moment(expression=smile, mouth_width=driver_width))
        return float(np.linalg.norm(shape.points[291] - plain_head.points[291]))

    assert moved(0.0) == pytest.approx(moved(width))
    assert moved(width / 1.2) > moved(width) > moved(width * 1.2)


def test_lips_of_an_open_mouth_that_shuts_do_not_swell(
    plain_head: Head, no_scores: Doubles, landmarker: Landmarker
) -> None:
    points = plain_head.points + expression_fields(landmarker.mesh)["jawOpen"]
    head = replace(plain_head, points=points)
    retargeter = Retargeter(head, no_scores, landmarker.mesh)

    shut = retargeter.shape(Moment(gaps=np.full(11, -0.5)))

    assert shut.gaps[5] < head.gaps[5] - 0.4
    for inner, outer in ((13, 0), (14, 17)):
        was, now = (np.linalg.norm(one[inner] - one[outer]) for one in (points, shut.points))
        assert now == pytest.approx(was, rel=0.25)
    assert shut.points[152, 1] < points[152, 1] - 0.5  # the chin


def test_a_driver_whose_jaw_shuts_moves_it_only_once(
    plain_head: Head, no_scores: Doubles, landmarker: Landmarker
) -> None:
    jaw = expression_fields(landmarker.mesh)["jawOpen"]
    head = replace(plain_head, points=plain_head.points + jaw)
    change = plain_head.gaps - head.gaps
    retargeter = Retargeter(head, no_scores, landmarker.mesh)

    shut = retargeter.shape(Moment(expression=-jaw, gaps=change))

    assert shut.points[152] == pytest.approx(plain_head.points[152], abs=0.1)  # the chin
