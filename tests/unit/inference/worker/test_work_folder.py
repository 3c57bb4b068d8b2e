"""A worker's folder is gone with its worker, and at the latest when another one begins."""

from pathlib import Path

import pytest

from inference.worker.work_folder import work_folder
from jobs.service_errors import FolderRefused


def test_folder_is_there_while_the_block_lasts(tmp_path: Path) -> None:
    place = tmp_path / "data" / "work"
    with work_folder(place) as first, work_folder(place) as second:
        (first / "photo.png").touch()
        assert first != second
        assert {first.parent, second.parent} == {place}
    assert list(place.glob("worker-*")) == []


def test_folder_of_a_killed_worker_is_deleted_and_no_other(tmp_path: Path) -> None:
    abandoned = tmp_path / "worker-killed"
    (abandoned / "order-1").mkdir(parents=True)
    (abandoned / "order-1" / "photo.png").touch()
    (abandoned / "lock").touch()
    (tmp_path / "mine").mkdir()
    with work_folder(tmp_path) as living:
        assert not abandoned.exists()
        (living / "photo.png").touch()
        with work_folder(tmp_path):
            assert (living / "photo.png").exists()
    assert (tmp_path / "mine").exists()


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(FolderRefused, match="ANIMATO_DATA_DIR"),
        work_folder(tmp_path / "file"),
    ):
        pass
