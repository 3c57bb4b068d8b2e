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


def test_values_are_frozen_and_take_no_unknown_field() -> None:
    box = CropBox(left=0, upper=0, right=1, lower=1)
    with pytest.raises(ValidationError, match="frozen"):
        box.left = 1
    with pytest.raises(ValidationError, match="extra"):
        CropBox.model_validate({**box.model_dump(), "depth": 1})


def test_value_survives_json() -> None:
    face = Face(number=2, box=CropBox(left=0, upper=0, right=8, lower=8), votes=5)
    assert Face.model_validate_json(face.model_dump_json()) == face
