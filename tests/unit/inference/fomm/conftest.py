"""Engines with small networks, made by hand (`tests/see_through.py`)."""

from pathlib import Path
from typing import Any

import pytest

from inference.engine_options import EngineOptions
from inference.engines.fomm import FommEngine
from inference.extras import missing_neural
from inference.weights.store import WeightsStore
from tests.conftest import Require
from tests.see_through import write_checkpoint, write_config
from tests.unit.inference.fomm.engines import Make


@pytest.fixture(scope="session")
def folder(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Config, checkpoint and what is made of it."""
    require(not missing_neural(), "the extra neural is not installed")
    folder = tmp_path_factory.mktemp("see_through")
    write_config(folder / "config.yaml")
    store = WeightsStore(folder)
    store.checkpoint(write_checkpoint(folder / "see.pth.tar"))
    return folder


@pytest.fixture
def make(folder: Path, tmp_path: Path) -> Make:
    """Makes engines with an empty store that crop nothing and compute exactly, unless asked to."""

    def engine(kind: type[FommEngine] = FommEngine, **chosen: Any) -> FommEngine:
        store = WeightsStore(tmp_path / "store", is_offline=True)
        store.folder.mkdir(exist_ok=True)
        (converted,) = folder.glob("*.safetensors")
        plain: dict[str, Any] = {
            "config": folder / "config.yaml",
            "checkpoint": converted,
            "device": "cpu",
            "precision": "float32",
            "align_corners": True,
            "crop_image": False,
            "crop_video": False,
        }
        return kind(EngineOptions(**(plain | chosen)), store)

    return engine
