"""The whole service on one machine: Redis, bot and workers, with a shared log.

`animato up` runs it with the owner's token, `make demo` with the sandbox in place of Telegram.
"""

import asyncio
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

from animato.logs import set_up_log, tell
from animato.process import TEXT_FORMAT
from animato.signals import until_signal
from animato.supervisor import Program, Supervisor
from jobs.child_environment import SERVICE, STORES, child_environment
from jobs.errors import BadSettings
from jobs.redis_server.server import queue_server
from jobs.settings import BOT_SECRETS, Settings, variable_of
from jobs.tasks import Shutdown, end_tasks

_ANIMATO = (sys.executable, "-P", "-m", "animato")


def run_up(*, workers: int) -> None:
    """Run the service until a signal; after Ctrl-C, raise KeyboardInterrupt when all has ended.

    Args:
        workers: the number of workers.

    Raises:
        BadSettings: a setting is invalid, or there is no token.
        QueueError, FolderRefused: Redis cannot be used or started.
        ProgramFailed: the bot or a worker keeps failing.
    """
    settings = Settings.load(Path(".env"))
    if not settings.bot_token.get_secret_value():
        reason = (
            "The bot needs its token: talk to @BotFather on Telegram (docs/first-evening.md) and "
            f"set {variable_of('bot_token')} in the file .env. `animato demo` needs none."
        )
        raise BadSettings(reason=reason)
    set_up_log(settings.log_format, TEXT_FORMAT)
    ending = Shutdown()
    until_signal(_up(settings, workers, ending), ending.ask, asyncio.Task.cancel)


async def _up(settings: Settings, workers: int, ending: Shutdown) -> None:
    async with queue_server(settings.redis_url.get_secret_value(), settings.data_dir) as server:
        environment = child_environment(*SERVICE, *STORES, ANIMATO_REDIS_URL=server.url)
        programs = service_programs(environment, workers, settings.metrics_port)
        await supervise(programs, server.watch(), ending)


async def supervise(
    programs: Sequence[Program], beside: Awaitable[object], ending: Shutdown
) -> None:
    """Run programs until `ending` is asked for, one of them fails, or `beside` ends.

    When this returns or is cancelled, all programs have ended.

    Raises:
        ProgramFailed: one of them keeps failing.
        Exception: what `beside` raised.
    """
    supervising = asyncio.ensure_future(Supervisor(programs, tell).run(ending))
    watching = asyncio.ensure_future(beside)
    try:
        done, _ = await asyncio.wait({supervising, watching}, return_when=asyncio.FIRST_COMPLETED)
        ending.asked.set()
        await asyncio.wait({supervising})
    finally:
        await end_tasks([supervising, watching])
    for task in done:
        task.result()


def service_programs(
    environment: Mapping[str, str],
    workers: int,
    metrics_port: int | None = None,
    folder: Path | None = None,
) -> list[Program]:
    """Return bot and workers as programs.

    Args:
        environment: their variables; workers do not get the bot's secrets.
        workers: the number of workers.
        metrics_port: of the bot; the workers get the next ones. None: no metrics.
        folder: their working directory, where they look for `.env`; None: ours.
    """
    named = {f"worker-{one + 1}": "worker" for one in range(workers)}
    commands = {"bot": "bot", **({"worker": "worker"} if workers == 1 else named)}
    programs = []
    for index, (name, command) in enumerate(commands.items()):
        hidden = () if command == "bot" else tuple(map(variable_of, BOT_SECRETS))
        own = {key: value for key, value in environment.items() if key.upper() not in hidden}
        if metrics_port is not None:
            own[variable_of("metrics_port")] = str(metrics_port + index)
        programs.append(Program(name, (*_ANIMATO, command), own, folder=folder))
    return programs
