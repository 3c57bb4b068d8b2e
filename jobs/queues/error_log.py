"""The log of BullMQ's errors."""

import logging
import math
import time

log = logging.getLogger(__name__)

_AGAIN_S = 60.0


class ErrorLog:
    """Logs errors, the same one at most once a minute.

    While the server refuses commands, because its disk is full for example, BullMQ reports the same
    error ten times a second.
    """

    def __init__(self) -> None:
        self._logged_s: dict[str, float] = {}

    def add(self, error: Exception, *_: object) -> None:
        """Log an error, unless it was logged a short time ago."""
        sentence, now_s = f"{type(error).__name__}: {error}", time.monotonic()
        if now_s - self._logged_s.get(sentence, -math.inf) < _AGAIN_S:
            return
        recent = {said: at_s for said, at_s in self._logged_s.items() if now_s - at_s < _AGAIN_S}
        self._logged_s = {**recent, sentence: now_s}
        log.warning("the queue: %s", sentence)
