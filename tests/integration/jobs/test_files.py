"""The file store, a folder and a bucket in turn: whole files, errors of our tree, streams."""

import random
import stat
from pathlib import Path

import pytest

from jobs.service_errors import FileGone
from jobs.store.files import FileStore, StoredFile

pytestmark = pytest.mark.local_sockets

LARGE = random.Random(1).randbytes(11_000_000)  # more than two parts of an upload


async def keys(store: FileStore, folder: str = "") -> list[str]:
    return sorted([file.key async for file in store.listing(folder)])


async def test_what_was_put_is_got_again(store: FileStore, tmp_path: Path) -> None:
    await store.put("inputs/1/photo.jpg", b"photo")
    await store.put("inputs/1/empty", b"")
    assert await store.get("inputs/1/photo.jpg") == b"photo"
    assert await store.get("inputs/1/empty") == b""
    await store.fetch("inputs/1/empty", tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


async def test_later_put_takes_the_place_of_the_earlier(store: FileStore) -> None:
    await store.put("a", b"longer than the other")
    await store.put("a", b"other")
    assert await store.get("a") == b"other"
    assert len(await store.get("a")) == 5


async def test_large_file_goes_there_and_back(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(LARGE)
    await store.put("results/1/1.mp4", tmp_path / "mine")
    await store.fetch("results/1/1.mp4", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == LARGE
    assert len(await store.get("results/1/1.mp4")) == len(LARGE)


async def test_fetched_file_is_readable_for_nobody_else(store: FileStore, tmp_path: Path) -> None:
    await store.put("a", b"video")
    await store.fetch("a", tmp_path / "video.mp4")
    assert stat.S_IMODE((tmp_path / "video.mp4").stat().st_mode) == 0o600


async def test_fetch_replaces_a_file_and_leaves_no_part(store: FileStore, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "photo").write_bytes(b"old")
    await store.put("a", b"new")
    await store.fetch("a", folder / "photo")
    assert [path.name for path in folder.iterdir()] == ["photo"]
    assert (folder / "photo").read_bytes() == b"new"


async def test_file_that_is_not_there_is_gone(store: FileStore, tmp_path: Path) -> None:
    await store.put("a/b", b"")
    (tmp_path / "photo").write_bytes(b"old")
    for asked in ("a/none", "none/b", "a"):
        with pytest.raises(FileGone, match=f"no file {asked}: it was deleted"):
            await store.get(asked)
        with pytest.raises(FileGone):
            await store.get(asked)
        with pytest.raises(FileGone):
            await store.fetch(asked, tmp_path / "photo")
        assert not await store.exists(asked)
    assert (tmp_path / "photo").read_bytes() == b"old"
    assert await store.exists("a/b")


async def test_fetch_to_a_place_that_is_none_is_the_callers_error(
    store: FileStore, tmp_path: Path
) -> None:
    await store.put("a", b"content")
    with pytest.raises(FileNotFoundError):
        await store.fetch("a", tmp_path / "no folder" / "photo")


async def test_put_of_a_file_that_is_not_there_is_the_callers_error(
    store: FileStore, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put("a", tmp_path / "none")
    assert await keys(store) == []


async def test_deleting_twice_is_no_error(store: FileStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        await store.put(key, b"")
    await store.delete(["a/1", "none", "b/1"])
    await store.delete(["a/1"])
    await store.delete([])
    assert await keys(store) == ["a/2"]


async def test_deleted_folder_can_be_filled_again(store: FileStore) -> None:
    for _ in range(3):
        await store.put("inputs/1/photo", b"")
        await store.delete(["inputs/1/photo"])
        assert await keys(store, "inputs/1") == []


async def test_listing_goes_by_whole_names_of_folders(store: FileStore) -> None:
    for key in ("inputs/1/a", "inputs/1/b/c", "inputs/12/a", "looks/1/a"):
        await store.put(key, b"1234")
    assert await keys(store, "inputs/1") == ["inputs/1/a", "inputs/1/b/c"]
    assert await keys(store, "inputs") == ["inputs/1/a", "inputs/1/b/c", "inputs/12/a"]
    assert len(await keys(store)) == 4
    assert await keys(store, "none") == []


async def test_listing_tells_size_and_time(store: FileStore) -> None:
    await store.put("a", b"1234")
    (found,) = [file async for file in store.listing()]
    assert found == StoredFile("a", 4, found.modified_s)
    assert found.modified_s > 1_700_000_000


@pytest.mark.parametrize("key", ["../a", "/a", "a/../../b", "", ".incoming/a"])
async def test_what_is_no_key_is_refused_everywhere(
    store: FileStore, tmp_path: Path, key: str
) -> None:
    await store.put("b", b"")
    with pytest.raises(ValueError, match="not a key"):
        await store.put(key, b"")
    with pytest.raises(ValueError, match="not a key"):
        await store.get(key)
    with pytest.raises(ValueError, match="not a key"):
        await store.fetch(key, tmp_path / "a")
    with pytest.raises(ValueError, match="not a key"):
        await store.exists(key)
    with pytest.raises(ValueError, match="not a key"):
        await store.delete(["b", key])
    assert await keys(store) == ["b"]


async def test_check_leaves_nothing(store: FileStore) -> None:
    await store.check()
    assert await keys(store) == []
