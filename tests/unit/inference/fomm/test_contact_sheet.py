"""The contact sheet: everything is on it, and it is written whole or not at all."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from inference.fomm.contact_sheet import TILE_PX, draw_check_sheet, with_keypoints, write_sheet
from inference.fomm.plausibility import RenderedMovement
from inference.motion import Keypoints
from jobs.errors import OutputNotWritable

SIDE_PX = 256


def flat(*reds: int) -> npt.NDArray[np.uint8]:
    """Pictures in colours that the sheet's own writing does not have."""
    return np.stack([np.full((SIDE_PX, SIDE_PX, 3), (red, 200, 0), np.uint8) for red in reds])


def points(*places: tuple[float, float]) -> Keypoints:
    return Keypoints(np.array([places], np.float32))


def test_everything_that_was_rendered_is_on_the_sheet() -> None:
    one = points((0, 0))
    movements = [
        RenderedMovement("nod", flat(40, 41, 42), Keypoints.joined([one] * 3), flat(60, 61, 62)),
        RenderedMovement(
            "shake", flat(80, 81, 82), Keypoints.joined([one] * 3), flat(100, 101, 102)
        ),
    ]
    sheet = draw_check_sheet(flat(20)[0], one, list(flat(22, 23)), movements)
    assert sheet.shape[1] == 4 * SIDE_PX
    shown = (20, 22, 23, 40, 41, 42, 60, 61, 62, 80, 81, 82, 100, 101, 102)
    counts = {red: int((sheet == (red, 200, 0)).all(axis=2).sum()) for red in shown}
    assert all(count > 0.9 * TILE_PX**2 for count in counts.values()), counts
    # Photo and clips carry dots, results do not.
    assert counts[41] == TILE_PX**2 > counts[40]
    assert counts[60] == TILE_PX**2
    assert counts[22] == SIDE_PX**2


def test_keypoints_are_drawn_where_they_are() -> None:
    drawn = with_keypoints(flat(128)[0], points((-0.5, 0.5)))
    rows, columns = np.nonzero((drawn == (255, 220, 0)).all(axis=2))
    assert abs(rows.mean() - 0.75 * SIDE_PX) < 2
    assert abs(columns.mean() - 0.25 * SIDE_PX) < 2


def test_points_that_are_no_numbers_or_far_away_draw_nothing_and_harm_nothing() -> None:
    drawn = with_keypoints(flat(128)[0], points((np.nan, 0), (np.inf, 0), (1e30, 1e30)))
    assert (drawn == flat(128)[0]).all()


def test_the_sheet_is_a_png_and_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    output.write_text("old")
    write_sheet(flat(7)[0], output)
    assert (np.asarray(Image.open(output)) == flat(7)[0]).all()
    assert list(tmp_path.iterdir()) == [output]


def test_a_sheet_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").mkdir()
    for output in (tmp_path / "sheet.png", tmp_path / "nowhere" / "sheet.png"):
        with pytest.raises(OutputNotWritable):
            write_sheet(flat(7)[0], output)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
