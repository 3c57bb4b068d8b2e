"""Every way in which a command can end has its exit code and its words."""

import io
import json
import logging
import signal
from collections.abc import Callable, Iterator

import pytest

from animato.logs import set_up_log
from animato.process import run
from jobs.errors import Cancelled, DiskFull, NoFaceFound


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """What the process does on a signal is its own again afterwards."""
    kinds = (signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(kind) for kind in kinds]
    yield
    for kind, handler in zip(kinds, handlers, strict=True):
        signal.signal(kind, handler)


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_what_is_done_ends_with_0_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = []
    assert run(lambda: done.append(1)) == 0
    assert done == [1]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (NoFaceFound(name="me.jpg"), 1, "No face was found in me.jpg"),
        (DiskFull(path="me.mp4"), 3, "no room left to write me.mp4"),
        (Cancelled(), 3, ""),
        (PermissionError(13, "Permission denied", "me.mp4"), 3, "the system refused: "),
    ],
)
def test_an_error_is_one_sentence_with_its_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, words: str
) -> None:
    assert run(raising(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    (said,) = err.splitlines()
    assert said.startswith("animato: ")
    assert words in said


def test_what_nobody_expected_is_logged_and_ends_with_3(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert run(raising(ZeroDivisionError("never"))) == 3
    assert "please report the lines above" in capsys.readouterr().err
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


def test_a_stop_ends_with_130_and_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\nanimato: stopped; nothing was written\n"
    assert run(raising(KeyboardInterrupt()), stopped="half of it is there") == 130
    assert capsys.readouterr().err == "\nanimato: stopped; half of it is there\n"


def test_in_a_log_of_json_the_last_words_are_objects_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    formatters = {one: one.formatter for one in root.handlers}
    root.addHandler(handler)

    def stop() -> None:
        set_up_log("json", "")
        raise KeyboardInterrupt

    try:
        assert run(stop) == 130
    finally:
        root.removeHandler(handler)
        logging.captureWarnings(capture=False)
        for one, formatter in formatters.items():
            one.setFormatter(formatter)
    stopped = json.loads(handler.stream.getvalue())
    assert stopped["message"] == "stopped; nothing was written"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_stops_as_ctrl_c_does(
    capsys: pytest.CaptureFixture[str], kind: signal.Signals
) -> None:
    assert run(lambda: signal.raise_signal(kind)) == 130
    assert "stopped" in capsys.readouterr().err


def test_a_signal_that_is_to_be_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run(lambda: signal.raise_signal(signal.SIGHUP)) == 0


def test_chatty_libraries_never_log_addresses() -> None:
    assert run(lambda: None, is_verbose=True) == 0
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
