"""The extras of the package: what belongs to them, and whether they are installed."""

import os
from importlib.util import find_spec

from jobs.errors import ExtraMissing

NEURAL_COMMAND = "run `make neural` in the program's folder"
"""Installs the extra `neural`, and face-alignment with it."""

_LIBRARIES = {
    "bot": ("telegram",),
    "neural": ("filelock", "httpx", "safetensors", "torch"),
    "sandbox": ("aiohttp",),
    "service": ("bullmq", "obstore", "prometheus_client", "redis"),
}


def missing_neural() -> tuple[str, ...]:
    """Return the libraries of the extra `neural` that are not installed, without importing any."""
    return tuple(name for name in _LIBRARIES["neural"] if find_spec(name) is None)


def need_extras(what: str, *extras: str) -> None:
    """Raise unless all these extras are installed.

    Args:
        what: what needs them, as the beginning of a sentence.
        *extras: of `neural`, `service`, `bot` and `sandbox`.

    Raises:
        ExtraMissing: one is not; the sentence says what to type.
    """
    for extra in extras:
        if any(find_spec(name) is None for name in _LIBRARIES[extra]):
            command = NEURAL_COMMAND
            if extra != "neural":
                command = (
                    f'run `.venv/bin/pip install -c constraints.txt -e ".[{",".join(extras)}]"` in '
                    "the program's folder"
                )
            raise ExtraMissing(what=what, extra=extra, command=command)


def let_threads_sleep() -> None:
    """Make torch's threads sleep while they wait; must run before torch is imported.

    By default they spin, and if another process such as ffmpeg needs a core, all of them wait for
    the thread that lost it: up to fifteen times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
