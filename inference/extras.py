"""What the extras bring, and whether they are installed."""

import os
from importlib.util import find_spec

from jobs.errors import ExtraMissing

NEURAL_COMMAND = "run `make neural` in the program's folder"
"""What to do to get the extra, and face-alignment with it."""

_SERVICE = {
    "service": ("bullmq", "obstore", "prometheus_client", "redis"),
    "bot": ("telegram",),
    "sandbox": ("aiohttp",),
}
_NEURAL = ("filelock", "httpx", "safetensors", "torch")


def missing_neural() -> tuple[str, ...]:
    """The libraries of the extra that are not installed; none of them is loaded to tell."""
    return tuple(name for name in _NEURAL if find_spec(name) is None)


def need_neural(what: str) -> None:
    """Nothing, if the extra is installed.

    Args:
        what: who needs it, as the beginning of a sentence.

    Raises:
        ExtraMissing: it is not; the sentence says what to type.
    """
    if missing_neural():
        raise ExtraMissing(what=what, extra="neural", command=NEURAL_COMMAND)


def need_extras(what: str, *extras: str) -> None:
    """Nothing, if those extras are installed: `service`, `bot`, `sandbox`.

    Args:
        what: who needs them, as the beginning of a sentence.
        *extras: which.

    Raises:
        ExtraMissing: one is not; the sentence says what to type.
    """
    for extra in extras:
        if any(find_spec(name) is None for name in _SERVICE[extra]):
            command = (
                f'run `.venv/bin/pip install -c constraints.txt -e ".[{",".join(extras)}]"` in the '
                "program's folder"
            )
            raise ExtraMissing(what=what, extra=extra, command=command)


def let_threads_sleep() -> None:
    """Has torch's threads sleep while they wait for each other; to be called before it is loaded.

    Otherwise they run in circles, and where another process (ffmpeg, say) wants a core too, all
    wait for a thread that has none: up to fifteen times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
