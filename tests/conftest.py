"""What all tests share: no network, nothing skipped in silence, nothing left behind.

- Sockets are refused. A test outside `tests/unit` may mark itself `local_sockets`: then loopback
  and Unix sockets are open to it, and nothing else is.
- A test that needs something which not every machine has calls `require(condition, reason)`: it is
  skipped there, and fails instead with REQUIRE_ALL=1 in the environment.
- A test that needs what no installation can bring (a processor's feature, a GPU or none, a kind of
  system) calls `require_hardware(condition, reason)`: it is always skipped there.
- A child process that outlives the tests is an error, and so is a file that is left in the
  temporary folder, which is one of their own.
"""

import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, socket_allow_hosts

from inference.extras import missing_neural
from tests.liveportrait_weights import write_weights

UNIT = Path(__file__).parent / "unit"
GRACE_S = float(os.environ.get("ANIMATED_TEST_GRACE_S", "20"))
"""How long children have that are told to end as a test ends."""

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
    """Skip a test that needs what no installation can bring; never fail it."""

    def skip_unless(condition: object, reason: str) -> None:
        if not condition:
            pytest.skip(reason)

    return skip_unless


@pytest.fixture(scope="session")
def liveportrait_weights(
    require: Require, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """LivePortrait's five files in the published layout, and, once used, the converted ones.

    Written once for all tests, and deleted after them: they are half a gigabyte.
    """
    require(not missing_neural(), "the extra neural is not installed")
    folder = tmp_path_factory.mktemp("liveportrait")
    write_weights(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def no_file_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the last test if something is left in the temporary folder of the tests."""
    place = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setattr(tempfile, "tempdir", str(place))
        yield
    # Torch makes a folder for its cache, and Chromium does not always delete its own in time.
    others = ("torchinductor_", "org.chromium.")
    left = [path.name for path in place.iterdir() if not path.name.startswith(others)]
    if left:
        pytest.fail("files are left behind:\n" + "\n".join(sorted(left)), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_behind(
    no_file_is_left_behind: None,  # noqa: ARG001 - ends after this one
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Fails the last test if a process that the tests started still runs."""
    # Children inherit TMPDIR, so that they are found even when their parent has died before them.
    mark = f"TMPDIR={tmp_path_factory.getbasetemp()}/"
    yield
    deadline = time.monotonic() + GRACE_S
    while (left := survivors(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        pytest.fail("processes are left behind:\n" + "\n".join(left), pytrace=False)


def survivors(mark: str) -> list[str]:
    """Process id and command of every living process that is our child or carries the mark.

    A process carries it if one of its environment variables, as NAME=VALUE, begins with it.

    Told from /proc; elsewhere than on Linux nothing is found.
    """
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_text("utf-8", "replace").split("\0")
            stat = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (folder / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile, or belongs to somebody else
        state, parent = stat[0], int(stat[1])
        # The tracker of multiprocessing lives as long as the process that started it, by design.
        if state == "Z" or int(folder.name) == os.getpid() or "resource_tracker" in command:
            continue
        if parent == os.getpid() or any(one.startswith(mark) for one in environment):
            found.append(f"{folder.name} {command.strip()}")
    return found
