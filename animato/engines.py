"""`animato engines`."""

import sys

from animato.animate_settings import load_animate_settings
from inference.engine import find_engine
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions


def print_engines() -> None:
    """Print each engine with its title and what it still needs."""
    weights = load_animate_settings(is_quiet=True).weights
    names = engine_names()
    width = max(map(len, names))
    for name in names:
        engine = find_engine(name)
        needs = (*engine.unmet_needs(), *engine.missing_files(EngineOptions(), weights))
        state = "ready" if not needs else "needs " + "; ".join(needs)
        sys.stdout.write(f"{name:{width}} {state}\n{'':{width}} {engine.title}\n")
