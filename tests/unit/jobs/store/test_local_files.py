"""Files in a folder: whole or not at all, even while others tidy the folder up."""

import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from jobs.store.local_files import clear_unfinished, write


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write(tmp_path, "inputs/1/photo", BytesIO(b"content"))
    assert files_of(tmp_path) == {"inputs/1/photo": b"content"}


def test_large_file_is_copied_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 10_000)
    with source.open("rb") as opened:
        write(tmp_path, "copy", opened)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_source_that_breaks_off_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a", BytesIO(b"old"))
    source = BytesIO(b"new")
    source.close()
    with pytest.raises(ValueError, match="closed file"):
        write(tmp_path, "a", source)
    assert files_of(tmp_path) == {"a": b"old"}


def test_folder_that_others_delete_when_it_is_empty_is_made_again(tmp_path: Path) -> None:
    is_done = threading.Event()

    def tidy_up() -> None:
        # Without a pause it could win every single time.
        while not is_done.wait(0.0002):
            with suppress(OSError):
                (tmp_path / "inputs" / "1").rmdir()
                (tmp_path / "inputs").rmdir()

    tidy = threading.Thread(target=tidy_up)
    tidy.start()
    try:
        for number in range(40):
            write(tmp_path, "inputs/1/photo", BytesIO(b"%d" % number))
            assert files_of(tmp_path) == {"inputs/1/photo": b"%d" % number}
            (tmp_path / "inputs" / "1" / "photo").unlink()
    finally:
        is_done.set()
        tidy.join()


def test_only_what_is_old_is_cleared(tmp_path: Path) -> None:
    assert clear_unfinished(tmp_path, 4e9) == 0
    write(tmp_path, "a", BytesIO())
    part = tmp_path / ".incoming" / "part"
    part.write_bytes(b"half")
    assert clear_unfinished(tmp_path, part.stat().st_mtime) == 0
    assert clear_unfinished(tmp_path, part.stat().st_mtime + 1) == 1
    assert files_of(tmp_path) == {"a": b""}
