"""The engine process speaks neither too often nor too much."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from inference.process.engine_main import ProgressReporter
from inference.process.pipe_log import PipeHandler

ROOT = Path(__file__).parents[4]


class Heard:
    """Keeps what is said in the place of a pipe."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def say(self, event: str, **fields: object) -> None:
        """Keeps it."""
        self.events.append((event, fields))

    def texts(self) -> list[object]:
        """The texts of all log lines."""
        return [fields["text"] for event, fields in self.events if event == "log"]


def log(handler: PipeHandler, message: object, *args: object, level: int = logging.INFO) -> None:
    record = logging.LogRecord("inference.test", level, "file", 1, message, args, None)
    handler.handle(record)


def test_progress_is_told_at_once_and_then_not_too_often() -> None:
    heard = Heard()
    progress = ProgressReporter(heard.say)
    for done in range(1, 200):
        progress.report(done, 200)
    assert heard.events[0] == ("progress", {"done": 1, "total": 200})
    assert len(heard.events) <= 2


def test_warning_gets_through_a_flood_and_what_is_left_out_is_counted() -> None:
    heard = Heard()
    handler = PipeHandler(heard.say)
    for number in range(10_000):
        log(handler, "line %d", number)
    log(handler, "mind this", level=logging.WARNING)
    handler.flush()
    texts = heard.texts()
    assert texts[0] == "line 0"
    assert "mind this" in texts
    assert len(texts) < 2000
    told = sum(int(str(text).split()[0]) for text in texts if "left out" in str(text))
    assert told == 10_000 - sum(str(text).startswith("line ") for text in texts)
    handler.flush()
    assert heard.texts() == texts


def test_line_is_cut_and_a_wrong_one_is_still_told() -> None:
    heard = Heard()
    handler = PipeHandler(heard.say)
    log(handler, "%s", "y" * 5000)
    log(handler, "%d of what", "none")
    assert heard.texts() == ["y" * 2000, "%d of what"]


def test_process_whose_parent_says_nothing_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inference.process.engine_main"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.stdout == b""
    assert done.returncode != 0


def test_answers_are_lines_and_what_is_printed_is_none() -> None:
    program = """
import os
from inference.process.engine_main import ResponseWriter
answers = ResponseWriter()
print("printed")
answers.number = 7
answers.say("loaded", words="with\\nnewline")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == {"number": 7, "event": "loaded", "words": "with\nnewline"}
    assert done.stderr == "printed\n"
