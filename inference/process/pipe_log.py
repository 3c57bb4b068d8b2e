"""The log of the engine process goes to its parent, through the pipe of the responses."""

import logging
import threading
import time
from collections.abc import Callable

Say = Callable[..., None]
"""Called with an event and its fields by name."""

# A letter takes up to twelve bytes of LINE_LIMIT_BYTES.
TEXT_LIMIT = 2000
"""The longest text of a log line, characters."""

# Below warnings, and of all.
_LOG_LINES_PER_S = 100, 200


def log_to(say: Say) -> "PipeHandler":
    """Send the log of this process to `say`, warnings of Python included."""
    handler = PipeHandler(say)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    logging.captureWarnings(capture=True)
    for chatty in ("httpx", "httpcore", "numba", "PIL"):
        # The first two log whole addresses, and those may carry a password.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


class PipeHandler(logging.Handler):
    """Sends log records to the parent; of a flood only the beginning of each second.

    Args:
        say: `ResponseWriter.say`.
    """

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._send = say
        self._second = 0
        self._sent = 0
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        second = int(time.monotonic())
        if second != self._second:
            self._report_left_out()
            self._second, self._sent = second, 0
        if self._sent >= _LOG_LINES_PER_S[record.levelno >= logging.WARNING]:
            self._left_out += 1
            return
        self._sent += 1
        try:
            text = self.format(record)
        except (TypeError, ValueError):
            text = str(record.msg)
        self._say(record.levelno, record.name, text[:TEXT_LIMIT])

    def flush(self) -> None:
        """Say how many records were left out since the last one."""
        with self.lock or threading.RLock():
            self._report_left_out()

    def _report_left_out(self) -> None:
        if self._left_out:
            text = f"{self._left_out} lines were left out: too many at once"
            self._left_out = 0
            self._say(logging.WARNING, __name__, text)

    def _say(self, level: int, logger: str, text: str) -> None:
        self._send("log", level=level, logger=logger, text=text)
