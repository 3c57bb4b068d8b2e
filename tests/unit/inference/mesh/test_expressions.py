"""The hand-written fields of expressions."""

import numpy as np
import pytest

from inference.arrays import Doubles
from inference.faces.landmarker import POINTS, SCORES, Landmarker
from inference.mesh.expressions import expression_fields, expression_of


@pytest.fixture(scope="module")
def fields(landmarker: Landmarker) -> dict[str, Doubles]:
    return expression_fields(landmarker.mesh)


def test_every_field_has_a_scores_name_and_covers_all_points(fields: dict[str, Doubles]) -> None:
    assert set(fields) <= set(SCORES)
    assert all(field.shape == (POINTS, 3) for field in fields.values())
    assert all(not field[468:].any() for field in fields.values())


def test_the_jaw_opens_the_lower_lip_and_leaves_the_upper_one(fields: dict[str, Doubles]) -> None:
    jaw = fields["jawOpen"]

    assert jaw[14, 1] == pytest.approx(2.75, abs=0.05)
    assert abs(jaw[13, 1]) <= 0.1
    assert 1 < jaw[152, 1] < jaw[14, 1]


@pytest.mark.parametrize("name", ["mouthSmile", "browDown", "mouthUpperUp", "mouthFrown"])
def test_left_and_right_are_mirror_images(fields: dict[str, Doubles], name: str) -> None:
    left, right = fields[f"{name}Left"], fields[f"{name}Right"]

    # 61 and 291, 52 and 282, 39 and 269 are pairs.
    assert left[[291, 282, 269]] == pytest.approx(right[[61, 52, 39]] * [-1, 1, 1], abs=0.05)


def test_scores_of_a_face_at_rest_are_no_expression(fields: dict[str, Doubles]) -> None:
    scores = np.zeros(len(SCORES))
    scores[SCORES.index("browInnerUp")] = 0.2
    scores[SCORES.index("jawOpen")] = 0.05

    assert not expression_of(scores, fields).any()


def test_scores_add_up_to_an_expression(fields: dict[str, Doubles]) -> None:
    scores = np.zeros(len(SCORES))
    scores[SCORES.index("mouthSmileLeft")] = 0.5
    scores[SCORES.index("mouthSmileRight")] = 1.0

    expected = 0.5 * fields["mouthSmileLeft"] + fields["mouthSmileRight"]
    assert expression_of(scores, fields) == pytest.approx(expected)
