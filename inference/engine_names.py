"""The names of the installed engines; imports no engine and no picture library."""

import pkgutil

from inference import engines


def engine_names() -> tuple[str, ...]:
    """All engines, by file name, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(engines.__path__)))
