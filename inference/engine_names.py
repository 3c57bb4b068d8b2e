"""The names of the installed engines; imports neither engines nor picture libraries."""

import pkgutil

from inference import engines


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(engines.__path__)))
