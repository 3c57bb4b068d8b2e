"""Most of these tests import torch, and so skip their whole file where it is not installed."""

import os
from collections.abc import Generator

import pytest

# Threads that wait for each other without sleeping take fifty times as long where another program
# has one of the processors. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turns the skip of a file into a failure where `require` would, with REQUIRE_ALL=1."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1, but {report.longreprtext}"
    return report
