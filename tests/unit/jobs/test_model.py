"""The values: what a crop box knows, and that values are frozen and strict."""

import pytest
from pydantic import ValidationError

from jobs.model import CropBox, Face, grid_box, grid_cell, square_inside, whole_box


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


@pytest.mark.parametrize(("width", "height"), [(64, 64), (100, 101), (1280, 720), (333, 1279)])
def test_cells_of_the_grid_cover_the_photo_once(width: int, height: int) -> None:
    covered = [[0] * width for _ in range(height)]
    cells = [grid_cell(width, height, number) for number in range(1, 10)]
    for cell in cells:
        for row in covered[cell.upper : cell.lower]:
            for column in range(cell.left, cell.right):
                row[column] += 1
    assert {count for row in covered for count in row} == {1}
    assert (cells[0].left, cells[0].upper, cells[8].right, cells[8].lower) == (0, 0, width, height)
    assert cells[1].left > cells[0].left
    assert cells[1].upper == 0


@pytest.mark.parametrize(("width", "height"), [(64, 64), (1280, 720), (333, 1279)])
def test_boxes_of_cells_are_squares_in_the_photo_that_hold_most_of_their_cells(
    width: int, height: int
) -> None:
    boxes = [grid_box(width, height, number) for number in range(1, 10)]
    for number, box in enumerate(boxes, start=1):
        assert box.width == box.height == round(1.3 * min(width, height) / 3)
        assert min(box.left, box.upper) >= 0
        assert (box.right <= width, box.lower <= height) == (True, True)
        cell = grid_cell(width, height, number)
        assert box.left < cell.centre[0] < box.right
        assert box.upper < cell.centre[1] < box.lower
    assert len(set(boxes)) == 9
    middle = (width / 2, height / 2)
    assert boxes[4].centre == pytest.approx(middle, abs=1)
    whole = whole_box(width, height)
    assert whole.centre == pytest.approx(middle, abs=1)
    assert whole.width == min(width, height) // 2


@pytest.mark.parametrize("cell", [0, 10, -1])
def test_cell_that_the_grid_has_not_is_refused(cell: int) -> None:
    with pytest.raises(ValueError, match="no cell"):
        grid_box(100, 100, cell)


def test_square_is_moved_into_the_picture_and_made_to_fit() -> None:
    assert square_inside((3, 95), 20, 100, 100).sides == (0, 80, 20, 100)
    assert square_inside((50, 10), 300, 100, 40).sides == (30, 0, 70, 40)
