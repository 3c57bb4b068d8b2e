"""The log as JSON: one object per line, whatever is logged or printed."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from animato.logs import JsonFormatter, tell


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Handler]:
    """A handler of the root logger, as `run` adds one."""
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def record(message: str, *args: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("jobs.store", level, __file__, 1, message, args, None)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_record_is_one_line_with_its_time_in_utc() -> None:
    one = record("two\nlines of %s 😊", "a photo", level=logging.WARNING)
    text = JsonFormatter().format(one)
    assert "\n" not in text
    found = json.loads(text)
    time = datetime.fromisoformat(found.pop("time"))
    assert time.utcoffset() is not None
    assert time.timestamp() == pytest.approx(one.created, abs=0.001)
    message = "two\nlines of a photo 😊"
    assert found == {"level": "WARNING", "logger": "jobs.store", "message": message}


def test_exception_is_a_text_and_the_job_a_field() -> None:
    one = record("failed")
    try:
        raise ValueError
    except ValueError:
        one.exc_info = sys.exc_info()
    one.job_id = "c7-abc-1"
    found = json.loads(JsonFormatter().format(one))
    assert found["exception"].endswith("ValueError")
    assert found["job"] == "c7-abc-1"
    one.job_id = "-"
    assert "job" not in json.loads(JsonFormatter().format(one))


def test_lines_of_a_program_become_objects_that_name_it(
    root: logging.Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    root.setFormatter(JsonFormatter())
    tell("worker-2", JsonFormatter().format(record("begun")))
    tell("bot", "Traceback: ...")
    tell("bot", "5")
    logged, printed, number = lines(capsys)
    assert (logged["program"], logged["logger"], logged["message"]) == (
        "worker-2",
        "jobs.store",
        "begun",
    )
    assert (printed["program"], printed["logger"], printed["message"]) == (
        "bot",
        "output",
        "Traceback: ...",
    )
    assert number["message"] == "5"


def test_text_names_the_program_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    tell("bot", "runs")
    assert capsys.readouterr().err == "bot       | runs\n"
