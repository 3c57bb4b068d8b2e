"""A process's temporary folder is gone with it, and at the latest when another one begins."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jobs.temp_folder import PREFIX, own_temp_files, temp_folder

KILLED = """
import os, signal, sys, tempfile
from jobs.temp_folder import own_temp_files
with own_temp_files():
    with tempfile.NamedTemporaryFile(delete=False):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_folder_is_there_for_us_alone_while_the_block_lasts(tmp_path: Path) -> None:
    place = tmp_path / "data" / "work"
    with temp_folder(place) as first, temp_folder(place) as second:
        (first / "photo.png").touch()
        assert first != second
        assert {first.parent, second.parent} == {place}
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert list(place.iterdir()) == []


def test_folder_of_a_killed_process_is_deleted_and_no_other(place: Path) -> None:
    (place / "mine").mkdir()
    with temp_folder() as living:
        (living / "photo.png").touch()
        subprocess.run([sys.executable, "-c", KILLED], check=False, timeout=60)
        (killed,) = set(place.glob(f"{PREFIX}*")) - {living}
        assert list(killed.glob("tmp*"))
        with temp_folder():
            assert not killed.exists()
            assert (living / "photo.png").exists()
    assert [path.name for path in place.iterdir()] == ["mine"]


def test_link_with_such_a_name_is_left_alone(place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (place / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")
    with temp_folder():
        pass
    assert (tmp_path / "elsewhere").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_all_temporary_files_of_the_process_and_its_children_lie_in_its_folder(
    place: Path,
) -> None:
    with own_temp_files():
        (folder,) = place.iterdir()
        with tempfile.TemporaryDirectory() as name:
            assert Path(name).parent == folder.resolve()
        assert os.environ["TMPDIR"] == str(folder.resolve())
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(place), str(place))
    assert list(place.iterdir()) == []


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), temp_folder(tmp_path / "file"):
        pass
