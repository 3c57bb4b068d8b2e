"""Run our programs, measure them from outside, and print table rows."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

CLI = (sys.executable, "-m", "animato")

# A new process counts what its parent held as its own peak; so its parent is a small one.
_LAUNCHER = """
import os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """One run: seconds, processor time of all processes, peak memory of the largest one."""

    elapsed_s: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end, and measure it.

    Raises:
        CalledProcessError: it failed.
    """
    launched = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-S", "-c", _LAUNCHER, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **(environment or {})},
    )
    elapsed_s, cpu_s, peak = launched.stdout.split()
    return Run(
        float(elapsed_s), float(cpu_s), int(peak) * (1 if sys.platform == "darwin" else 1024) / 1e6
    )


def row(*cells: str) -> None:
    """Print one line of a table."""
    label, *values = cells
    sys.stdout.write(f"{label:44}" + "".join(f"{value:>14}" for value in values) + "\n")
    sys.stdout.flush()
