"""`animato engines`."""

import sys

from inference.engine import engine_names, find_engine


def print_engines() -> None:
    """Prints each engine with its title and what it still needs."""
    for name in engine_names():
        engine = find_engine(name)
        needs = engine.unmet_needs()
        state = "ready" if not needs else "needs " + "; ".join(needs)
        sys.stdout.write(f"{name:8} {state}\n{'':8} {engine.title}\n")
