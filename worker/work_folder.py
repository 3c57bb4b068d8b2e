"""A folder for the files of one job, whose id its log lines carry.

The job is delayed if files cannot be stored.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from jobs.errors import DiskFull
from jobs.queues.assignment import Assignment, Later
from jobs.service_errors import StoreFull, StoreUnavailable

log = logging.getLogger(__name__)

# While the store is down, a job is delayed: this many starts take two hours.
_LATER_S, _LONGEST_LATER_S, _STARTS = 15.0, 300.0, 30

job_id: ContextVar[str] = ContextVar("job_id", default="-")
"""The job that a log line belongs to; `-` if there is none."""


class JobIdFilter(logging.Filter):
    """Gives every record the attribute `job_id`, for a handler's format."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        record.job_id = job_id.get()
        return True


@contextmanager
def work_folder(assignment: Assignment, parent: Path) -> Iterator[Path]:
    """A folder for a job's files while the block lasts; log lines name the job.

    Raises:
        Later: the store or the disk cannot be used now; this costs no attempt.
    """
    # Each job has a task, and so a context, of its own.
    job_id.set(assignment.ref.job_id)
    log.info("begun, start %d", assignment.start_number)
    try:
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=parent))
    except OSError as error:
        log.warning("delayed: no folder for its files: %s", error)
        raise Later(_LATER_S) from error
    try:
        yield folder
    except (StoreUnavailable, StoreFull, DiskFull) as error:
        if assignment.start_number >= _STARTS:
            raise
        log.warning("delayed: %s", error)
        after_s = min(_LONGEST_LATER_S, _LATER_S * assignment.start_number)
        raise Later(after_s) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
