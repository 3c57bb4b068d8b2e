"""The settings of this machine as values for the picture code, and `animato engines`."""

import sys
from pathlib import Path

from animato.default_engine import check_default_engine
from animato.weights import store_of
from inference.command import Surroundings
from inference.engine import find_engine
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from jobs.settings import Settings


def load_surroundings(*, is_quiet: bool) -> Surroundings:
    """Load the settings from the environment and `.env`.

    Args:
        is_quiet: whether downloads and conversions print nothing.

    Raises:
        BadSettings: a setting is invalid.
    """
    settings = Settings.load(Path(".env"))
    check_default_engine(settings)
    return Surroundings(
        templates_dir=settings.templates_dir,
        clip_max_s=settings.clip_max_s,
        default_engine=settings.default_engine,
        device=settings.device,
        weights=store_of(settings, is_quiet=is_quiet),
    )


def print_engines() -> None:
    """Print each engine with its title and what it still needs."""
    weights = load_surroundings(is_quiet=True).weights
    names = engine_names()
    width = max(map(len, names))
    for name in names:
        engine = find_engine(name)
        needs = (*engine.unmet_needs(), *engine.missing_files(EngineOptions(), weights))
        state = "ready" if not needs else "needs " + "; ".join(needs)
        sys.stdout.write(f"{name:{width}} {state}\n{'':{width}} {engine.title}\n")
