"""What is told about an order: no tracebacks, for admins read it in a chat."""

from jobs.errors import EngineFailed
from worker.order_log import lines_of


def test_error_is_told_in_one_line() -> None:
    error = EngineFailed(name="flow", reason="the wheel\ncame off")
    (line,) = lines_of(error)
    assert line.startswith("EngineFailed: ")
    assert "Traceback" not in line
