"""Files are told from folders, pipes and nothing at all, and appear whole or not at all."""

import os
from pathlib import Path

import pytest

from inference.media.file import check_file, replacing
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


def fails_in_the_middle(target: Path) -> None:
    with replacing(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt


def test_file_takes_the_place_of_an_old_one_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fails_in_the_middle(target)
    assert (target.read_text(), list(tmp_path.iterdir())) == ("old", [target])
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert (target.read_text(), list(tmp_path.iterdir())) == ("new", [target])
