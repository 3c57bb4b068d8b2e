"""The gate with files of odd names."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from inference.media.gate import LookLimits, start_photo_look
from jobs.findings import PhotoFindings
from tests.conftest import Require


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\u2028b.png", "a\u2028b.png"), ("a\x85b.png", "a\x85b.png"), ("a\udcffb.png", "a?b.png")],
)
def test_file_of_any_name_is_looked_at(
    tmp_path: Path, require_hardware: Require, name: str, shown: str
) -> None:
    require_hardware(sys.platform == "linux", "elsewhere, file names are always Unicode")
    Image.new("RGB", (80, 80)).save(tmp_path / name, "PNG")
    with start_photo_look(tmp_path / name, tmp_path, LookLimits(), find_faces=False) as looking:
        assert looking.answer(PhotoFindings).name == shown
