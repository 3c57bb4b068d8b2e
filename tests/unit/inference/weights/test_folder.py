"""Files that appear whole or not at all, and that never take another one's place unasked."""

import errno
import os
from pathlib import Path

import pytest

from inference.weights.folder import rename_new, whole


def fails_in_the_middle(target: Path) -> None:
    with whole(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt


def test_file_takes_the_place_of_an_old_one_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fails_in_the_middle(target)
    assert (target.read_text(), list(tmp_path.iterdir())) == ("old", [target])
    with whole(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert (target.read_text(), list(tmp_path.iterdir())) == ("new", [target])


@pytest.fixture(params=["second names", "no second names"])
def part(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished file, on a disk that knows second names, and on one that does not."""

    def refuses(*_: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "no second names":
        monkeypatch.setattr(os, "link", refuses)
    path = tmp_path / "part"
    path.write_text("ours")
    return path


def test_name_that_is_free_is_given(part: Path) -> None:
    target = part.with_name("file")
    rename_new(part, target)
    assert target.read_text() == "ours"
    assert not part.exists()


def test_name_that_is_taken_is_not_given(part: Path) -> None:
    target = part.with_name("file")
    target.write_text("a person's")
    dangling = part.with_name("link")
    dangling.symlink_to("nowhere")
    for taken in (target, dangling):
        with pytest.raises(FileExistsError):
            rename_new(part, taken)
    assert target.read_text() == "a person's"
    assert dangling.is_symlink()
    assert part.read_text() == "ours"
