"""A worker in a process of its own, which tests kill and tell to end.

    python -m tests.integration.worker.program PLAN

PLAN is JSON: `url`, `store` and `place`, `setup`, `lock_s` and `engines`.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from inference.process.engine_process import EngineLimits
from inference.process.setup import EngineSetup
from jobs.queues.queue_worker import WorkRules
from jobs.store.files import FileStore
from jobs.tasks import Shutdown
from tests.integration.worker.conftest import offer_of
from worker.agent import run_agent_with
from worker.plan import WorkerPlan


async def main(facts: dict[str, Any]) -> None:
    ending = Shutdown()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.ask)
    lock_s = facts["lock_s"]
    rules = WorkRules(lock_s=lock_s, stalled_check_s=lock_s / 3, beat_s=0.1, stop_s=3.0, idle_s=0.1)
    plan = WorkerPlan(
        url=facts["url"],
        store=FileStore.open(facts["store"], min_free_bytes=0),
        place=Path(facts["place"]),
        setup=EngineSetup.model_validate(facts["setup"]),
        limits=EngineLimits(),
        min_free_bytes=0,
        render_rules=rules,
        media_rules=rules,
    )
    await run_agent_with(plan, offer_of(*facts["engines"]), ending)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
