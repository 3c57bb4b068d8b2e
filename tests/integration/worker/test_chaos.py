"""Nothing that was accepted is forgotten, though everything dies again and again.

make test ARGS="-k chaos"                                  the fixed seed
CHAOS_SEED=random make test ARGS="-k chaos"                another one, printed
CHAOS_SEED="1 2 3 random random" make test ARGS="-k chaos" several, and a table of their figures
"""

import os
import random
import sys
from pathlib import Path

import pytest

from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing
from tests.conftest import Require
from tests.integration.worker.chaos import run
from tests.integration.worker.chaos_verdict import Figures

pytestmark = pytest.mark.local_sockets

FIXED = "2"


def seeds() -> list[int]:
    """Those that are asked for."""
    words = os.environ.get("CHAOS_SEED", FIXED).split()
    return [random.randrange(1, 10**6) if word == "random" else int(word) for word in words]


SEEDS = seeds()
rows: list[str] = []  # of the table, as far as it is


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_order_ends_once_and_is_delivered_though_everything_is_killed(
    seed: int, tmp_path: Path, require: Require, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        find_program(tmp_path)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    with capsys.disabled():
        sys.stdout.write(f"\nchaos, seed {seed}, in {tmp_path}\n")
    figures = await run(seed, tmp_path)
    rows.append(figures.row())
    with capsys.disabled():
        sys.stdout.write("\n".join((Figures.head(), *rows, "")))
