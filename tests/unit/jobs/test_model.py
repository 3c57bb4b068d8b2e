"""The values: what a crop box knows, and that values are frozen and strict."""

import pytest
from pydantic import ValidationError

from jobs.model import CropBox, Face


def test_box_knows_its_size_and_centre() -> None:
    box = CropBox(left=-10, upper=4, right=30, lower=9)
    assert (box.width, box.height, box.centre) == (40, 5, (10, 6.5))
    assert str(box) == "-10,4,30,9"


@pytest.mark.parametrize("edges", [(5, 0, 5, 9), (0, 9, 5, 9), (6, 0, 5, 9)])
def test_box_without_area_is_refused(edges: tuple[int, int, int, int]) -> None:
    left, upper, right, lower = edges
    with pytest.raises(ValidationError, match="left < right"):
        CropBox(left=left, upper=upper, right=right, lower=lower)


def test_faces_are_numbered_from_one() -> None:
    box = CropBox(left=0, upper=0, right=1, lower=1)
    assert Face(number=1, box=box, votes=0).number == 1
    with pytest.raises(ValidationError):
        Face(number=0, box=box, votes=3)


def test_overlap_is_shared_over_covered() -> None:
    box = CropBox(left=0, upper=0, right=10, lower=10)
    assert box.overlap(box) == 1.0
    half = CropBox(left=5, upper=0, right=15, lower=10)
    assert box.overlap(half) == half.overlap(box) == pytest.approx(50 / 150)
    # Apart in both ways, the two negative sides must not make an area.
    assert box.overlap(CropBox(left=20, upper=20, right=30, lower=30)) == 0.0


def test_values_are_frozen_and_take_no_unknown_field() -> None:
    box = CropBox(left=0, upper=0, right=1, lower=1)
    with pytest.raises(ValidationError, match="frozen"):
        box.left = 1
    with pytest.raises(ValidationError, match="extra"):
        CropBox.model_validate({**box.model_dump(), "depth": 1})


def test_value_survives_json() -> None:
    face = Face(number=2, box=CropBox(left=0, upper=0, right=8, lower=8), votes=5)
    assert Face.model_validate_json(face.model_dump_json()) == face
