"""`animato weights check --engine`: what moves the face is ok, what does not is doubtful."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.engine_check import check_engine
from inference.engines.mesh import MeshEngine
from inference.engines.still import StillEngine
from inference.fomm.weights_check import MOVEMENTS
from jobs.errors import OutputNotWritable
from jobs.weights_errors import WeightsDoubtful


def test_engine_that_moves_the_portrait_like_the_clips_is_ok(tmp_path: Path) -> None:
    lines: list[str] = []
    sheet = tmp_path / "sheet.png"
    check_engine(MeshEngine(), sheet, lines.append)
    assert [line.split()[0] for line in lines] == ["checking", *["ok"] * 5, f"{sheet}:"]
    assert [line.split()[1] for line in lines[2:6]] == [f"{name}:" for name in MOVEMENTS]
    with Image.open(sheet) as picture:
        assert picture.height > 8 * 160
        assert np.asarray(picture).std() > 20


def test_engine_that_moves_nothing_is_doubtful_and_the_sheet_is_there(tmp_path: Path) -> None:
    lines: list[str] = []
    sheet = tmp_path / "sheet.png"
    with pytest.raises(WeightsDoubtful, match=r"still .*sheet\.png"):
        check_engine(StillEngine(), sheet, lines.append)
    assert sum(line.startswith("DOUBTFUL") for line in lines) == len(MOVEMENTS)
    assert sheet.is_file()


def test_sheet_that_cannot_be_written_is_told_first(tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(OutputNotWritable):
        check_engine(StillEngine(), tmp_path / "none" / "sheet.png", lines.append)
    assert not lines
