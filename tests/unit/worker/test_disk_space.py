"""A shortage of room is told in words, and over only when there is clearly room again."""

from pathlib import Path

import pytest

from jobs.store.files import FileStore
from worker.disk_space import DiskSpace

LIMIT = 1_000_000_000


class SmallStore(FileStore):
    """A file store whose room is as much as a test says."""

    free: int | None = 2 * LIMIT

    def free_bytes(self) -> int | None:
        return self.free


@pytest.fixture
def store(tmp_path: Path) -> SmallStore:
    return SmallStore.open(str(tmp_path / "store"))


def test_shortage_names_the_place_and_ends_above_a_margin(
    store: SmallStore, tmp_path: Path
) -> None:
    # The folder's own disk, whatever there is of it, is not short of one byte.
    room = DiskSpace(store, tmp_path, 1)
    assert room.shortage() is None
    store.free = 0
    assert room.shortage() == f"the file store {store.place} has 0 MB left"
    assert room.free_bytes() == 0
    room = DiskSpace(store, tmp_path, LIMIT)
    for free, is_short in ((LIMIT, False), (LIMIT - 1, True), (LIMIT, True), (2 * LIMIT, False)):
        store.free = free
        assert (str(room.shortage()).startswith("the file store")) is is_short, free


def test_store_elsewhere_has_always_room(store: SmallStore, tmp_path: Path) -> None:
    store.free = None
    room = DiskSpace(store, tmp_path, 1)
    assert room.shortage() is None
    assert room.free_bytes()
    assert "the folder" in str(DiskSpace(store, tmp_path, 1 << 60).shortage())


def test_folder_that_is_gone_is_a_shortage(store: SmallStore, tmp_path: Path) -> None:
    room = DiskSpace(store, tmp_path / "gone", 1)
    assert "No such file" in str(room.shortage())
    assert room.free_bytes() is None
