"""Which job a log line belongs to."""

import logging
from contextvars import ContextVar

job_id: ContextVar[str] = ContextVar("job_id", default="-")
"""The job that is worked on here and now; `-` if none is."""


class JobIdFilter(logging.Filter):
    """Lets every record through and gives it the attribute `job_id`, for a handler's format."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        record.job_id = job_id.get()
        return True
