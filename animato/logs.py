"""The log of the service's programs: lines of text, or one JSON object per line."""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

_NAME_CHARACTERS = 10


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        more = {}
        if (job := getattr(record, "job_id", "-")) != "-":
            more["job"] = job
        if record.exc_info:
            more["exception"] = self.formatException(record.exc_info)
        return _line(record.created, record.levelname, record.name, record.getMessage(), **more)


def set_up_log(log_format: str, text_format: str, talkative: Iterable[str] = ()) -> None:
    """Set the format of this program's log.

    Args:
        log_format: `text` or `json`.
        text_format: the format of lines of text.
        talkative: packages of which more than warnings is logged.
    """
    is_json = log_format == "json"
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter() if is_json else logging.Formatter(text_format))
    logging.captureWarnings(is_json)
    for package in talkative:
        logger = logging.getLogger(package)
        logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))


def is_json_log() -> bool:
    """Whether this program's log consists of JSON objects."""
    return any(isinstance(one.formatter, JsonFormatter) for one in logging.getLogger().handlers)


def tell(program: str, line: str) -> None:
    """Print a line of a program's output into the common log."""
    if is_json_log():
        line = _with_program(program, line)
    else:
        line = f"{program:<{_NAME_CHARACTERS}}| {line}"
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _with_program(program: str, line: str) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # Not from its log: a crash of the interpreter, or what it tells its owner.
        now_s = datetime.now(UTC).timestamp()
        found = json.loads(_line(now_s, "INFO", "output", line))
    return json.dumps({"program": program, **found}, ensure_ascii=False)


def _line(created_s: float, level: str, logger: str, message: str, **more: Any) -> str:
    time = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
    fields = {"time": time, "level": level, "logger": logger, "message": message, **more}
    return json.dumps(fields, ensure_ascii=False)
