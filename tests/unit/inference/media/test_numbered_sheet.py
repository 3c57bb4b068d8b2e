import numpy as np
import numpy.typing as npt
import pytest

from inference.media.numbered_sheet import draw_faces, draw_grid, draw_number
from jobs.model import CropBox, Face, grid_cell

Picture = npt.NDArray[np.uint8]
SIZES = [(64, 80), (512, 512), (720, 1280)]


def face(number: int, left: int, upper: int, right: int, lower: int) -> Face:
    return Face(
        number=number, box=CropBox(left=left, upper=upper, right=right, lower=lower), votes=5
    )


def grey(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 90, np.uint8)


def shows_number(part: Picture) -> bool:
    """Whether there is a dark disc with something white on it."""
    dark, white = (part.max(axis=2) < 40).mean(), (part.min(axis=2) > 220).mean()
    return bool(dark > 0.25 and white > 0.05)


@pytest.mark.parametrize("size", SIZES)
def test_faces_have_frames_and_numbers_on_any_size(size: tuple[int, int]) -> None:
    height, width = size
    picture = grey(height, width)
    faces = (
        face(1, -5, -5, width // 2, width // 2 + 10),
        face(2, width - 20, height - 20, width, height),
    )
    sheet = draw_faces(picture, faces)
    assert np.array_equal(picture, grey(height, width))
    assert max(sheet.shape[:2]) >= 480
    factor = sheet.shape[0] // height
    for one in faces:
        left, upper = max(0, one.box.left) * factor, max(0, one.box.upper) * factor
        left, upper = min(left, sheet.shape[1] - 36), min(upper, sheet.shape[0] - 36)
        assert shows_number(sheet[upper : upper + 36, left : left + 36])
    right = min(faces[0].box.right * factor - 1, sheet.shape[1] - 1)
    assert tuple(sheet[40 * factor, right]) == (255, 220, 0)


def test_numbers_differ() -> None:
    one, two = (draw_faces(grey(500, 500), [face(n, 100, 100, 300, 300)]) for n in (1, 2))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("size", SIZES)
def test_grid_numbers_each_cell_in_its_corner_and_hides_nothing_else(
    size: tuple[int, int],
) -> None:
    sheet = draw_grid(grey(*size))
    height, width = sheet.shape[:2]
    assert max(height, width) >= 480
    corners = []
    for number in range(1, 10):
        cell = grid_cell(width, height, number)
        part = sheet[cell.upper : cell.lower, cell.left : cell.right]
        reach = max(height, width) // 11
        assert shows_number(part[:reach, :reach])
        corners.append(part[:reach, :reach].tobytes())
        # Two thirds of the cell are the photo's own, up to the line on its right.
        assert (part[8 : part.shape[0] * 2 // 3, part.shape[1] // 2 : -8] == 90).all()
    assert len(set(corners)) == 9


def test_lines_of_the_grid_are_light_with_dark_edges() -> None:
    sheet = draw_grid(grey(600, 900))
    across = sheet[150, 280:320].max(axis=1)
    assert across.max() > 220
    light = np.flatnonzero(across > 220)
    assert across[light[0] - 1] < 60
    assert across[light[-1] + 1] < 60


@pytest.mark.parametrize("corner", [(-50, -50), (95, 95), (200, 10)])
def test_number_is_moved_into_the_picture(corner: tuple[int, int]) -> None:
    picture = grey(100, 100)
    draw_number(picture, 12, corner, 20)
    changed = np.nonzero((picture != 90).any(axis=2))
    assert [int(np.ptp(places)) for places in changed] == pytest.approx([40, 40], abs=3)


def test_number_fits_its_disc() -> None:
    for number in (7, 24):
        picture = grey(100, 100)
        draw_number(picture, number, (10, 10), 40)
        rows, columns = np.mgrid[:100, :100]
        radius = np.hypot(rows - 50, columns - 50)
        between = picture[(radius > 32) & (radius < 34)]
        assert (between.max(axis=1) < 60).all()
