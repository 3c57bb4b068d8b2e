"""`animato engines`."""

import sys

from inference.command import Surroundings
from inference.engine import find_engine
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions


def print_engines(surroundings: Surroundings) -> None:
    """Prints each engine with its title and what it still needs."""
    for name in engine_names():
        engine = find_engine(name)
        files = engine.missing_files(EngineOptions(), surroundings.weights)
        needs = (*engine.unmet_needs(), *files)
        state = "ready" if not needs else "needs " + "; ".join(needs)
        sys.stdout.write(f"{name:8} {state}\n{'':8} {engine.title}\n")
