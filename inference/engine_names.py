"""The names of the installed engines; imports neither engines nor picture libraries."""

import pkgutil
from collections.abc import Iterable

from inference import engines
from jobs.errors import UnknownEngine


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(engines.__path__)))


def check_engine_names(names: Iterable[str]) -> None:
    """Raise unless all these engines are installed.

    Raises:
        UnknownEngine: one is not.
    """
    known = ("auto", *engine_names())
    for name in names:
        if name not in known:
            raise UnknownEngine(name=name, known=", ".join(known))
