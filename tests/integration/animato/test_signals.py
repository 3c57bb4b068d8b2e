"""What the first, the second and the third signal do to a program of the service."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.local_sockets

LIMIT_S = 60
# Says when it has begun, when it is asked to end, and when it has cleaned up; ends when cancelled.
STUBBORN = """
import asyncio, sys
from animato import signals
signals.HURRY_S = float(sys.argv[1])

async def work():
    try:
        print("up", flush=True)
        await asyncio.sleep(600)
    finally:
        print("cleaned", flush=True)

kill = {"exit": signals.exit_at_once, "cancel": asyncio.Task.cancel}[sys.argv[2]]
try:
    signals.until_signal(work(), lambda: print("asked", flush=True), kill)
except KeyboardInterrupt:
    sys.exit(130)
"""


def ended(number: signal.Signals, count: int, hurry_s: float, kill: str) -> tuple[int, list[str]]:
    """The exit code of the program after so many signals, and what it said in between."""
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN, str(hurry_s), kill],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        said = []
        try:
            for _ in range(count):
                program.send_signal(number)
                said += program.stdout.readline().split()
            said += program.stdout.read().split()
            return program.wait(LIMIT_S), said
        finally:
            program.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_leaves_a_short_time_to_end(number: signal.Signals) -> None:
    assert ended(number, 2, 0.05, "exit") == (130, ["asked", "asked"])


def test_third_signal_ends_a_program_at_once() -> None:
    assert ended(signal.SIGINT, 3, 3600, "exit") == (130, ["asked", "asked"])


def test_program_that_must_kill_others_first_is_cancelled_instead() -> None:
    assert ended(signal.SIGINT, 3, 3600, "cancel") == (130, ["asked", "asked", "cleaned"])
    assert ended(signal.SIGTERM, 2, 0.05, "cancel") == (0, ["asked", "asked", "cleaned"])
