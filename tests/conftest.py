"""What all tests share: no network, nothing skipped in silence, no process left behind.

- Sockets are refused. A test outside `tests/unit` may mark itself `local_sockets`: then loopback
  and Unix sockets are open to it, and nothing else is.
- A test that needs something which not every machine has calls `require(condition, reason)`: it is
  skipped there, and fails instead with REQUIRE_ALL=1 in the environment.
- A test that needs what no installation can bring (a processor's feature, a GPU or none, a kind of
  system) calls `require_hardware(condition, reason)`: it is always skipped there.
- A child process that outlives the tests is an error.
"""

import gc
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, socket_allow_hosts

UNIT = Path(__file__).parent / "unit"
SESSION_MARK = "ANIMATED_TEST_SESSION"
GRACE_S = float(
    os.environ.get("ANIMATED_TEST_GRACE_S", "20")
)  # for children that are told to end as a test ends

Require = Callable[[object, str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "local_sockets: loopback and Unix sockets are open to this test"
    )
    _hear_signals()


def _hear_signals() -> None:
    """Undoes what `nohup` and `&` have ignored, which the programs that tests end would inherit."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("local_sockets") and item.path.is_relative_to(UNIT):
            message = f"{item.nodeid}: unit tests use no sockets, not even local ones"
            raise pytest.UsageError(message)


def pytest_collection_finish() -> None:
    # What is loaded by now stays: the collector need not look through it again and again.
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # pytest-socket lifts either of them when the test ends.
    if item.get_closest_marker("local_sockets"):
        socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    else:
        disable_socket()


@pytest.fixture(scope="session")
def require() -> Require:
    """A call that skips the test unless its first argument is true; the second is the reason."""

    def skip_unless(condition: object, reason: str) -> None:
        if condition:
            return
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"REQUIRE_ALL=1, but {reason}", pytrace=False)
        pytest.skip(reason)

    return skip_unless


@pytest.fixture(scope="session")
def require_hardware() -> Require:
    """As `require`, for what no installation can bring: never a failure."""

    def skip_unless(condition: object, reason: str) -> None:
        if not condition:
            pytest.skip(reason)

    return skip_unless


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_behind() -> Iterator[None]:
    """Fails the last test if a process that the tests started still runs."""
    # Children inherit the mark, so that they are found even when their parent has died before them.
    mark = f"{SESSION_MARK}={uuid.uuid4()}"
    os.environ[SESSION_MARK] = mark.partition("=")[2]
    yield
    del os.environ[SESSION_MARK]
    deadline = time.monotonic() + GRACE_S
    while (left := survivors(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        pytest.fail("processes are left behind:\n" + "\n".join(left), pytrace=False)


def survivors(mark: str) -> list[str]:
    """Process id and command of every living process that carries the mark or is our child.

    Told from /proc; elsewhere than on Linux nothing is found.
    """
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            stat = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile, or belongs to somebody else
        state, parent = stat[0], int(stat[1])
        # The tracker of multiprocessing lives as long as the process that started it, by design.
        if state == "Z" or int(folder.name) == os.getpid() or "resource_tracker" in command:
            continue
        if parent == os.getpid() or mark.encode() in environment:
            found.append(f"{folder.name} {command.strip()}")
    return found
