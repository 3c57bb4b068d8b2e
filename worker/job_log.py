"""Which job a log line belongs to."""

import logging
from contextvars import ContextVar

job_id: ContextVar[str] = ContextVar("job_id", default="-")
"""The current job; `-` if there is none."""


class JobIdFilter(logging.Filter):
    """Gives every record the attribute `job_id`, for a handler's format."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        record.job_id = job_id.get()
        return True
