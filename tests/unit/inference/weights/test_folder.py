"""Files that never take another one's place unasked."""

import errno
import os
from pathlib import Path

import pytest

from inference.weights.folder import rename_new


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
