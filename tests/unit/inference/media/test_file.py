"""Files are told from folders, pipes and nothing at all before they are decoded."""

import os
from pathlib import Path

import pytest

from inference.media.file import check_file
from jobs.errors import EmptyFile, FileMissing, FileUnreadable, MediaTooLarge


@pytest.mark.parametrize("name", ["none", "null\0byte", "none/below"])
def test_a_file_that_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileMissing):
        check_file(tmp_path / name, 10)


def test_a_folder_and_a_pipe_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="it is a folder"):
        check_file(tmp_path, 10)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileUnreadable, match="not a regular file"):
        check_file(tmp_path / "pipe", 10)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(EmptyFile):
        check_file(tmp_path / "empty", 10)


def test_one_byte_too_many_is_told_with_numbers_that_differ(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_001))
    with pytest.raises(MediaTooLarge, match=r"has 1.1 MB, over the limit of 1.0 MB"):
        check_file(tmp_path / "large", 1_000_000)
    check_file(tmp_path / "large", 1_000_001)
