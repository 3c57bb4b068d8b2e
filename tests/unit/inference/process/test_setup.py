"""The setup of an engine process survives a change of the working directory."""

from pathlib import Path

import pytest

from inference.process.setup import EngineSetup


def test_paths_of_the_setup_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setup = EngineSetup(
        templates_dir=Path("t"), checkpoints_dir=Path("c"), further_engines=Path("e")
    )
    found = setup.absolute()
    assert found.templates_dir == tmp_path / "t"
    assert found.checkpoints_dir == tmp_path / "c"
    assert found.further_engines == tmp_path / "e"
