"""The whole service on one machine: server of the queues, bot and workers, in one log.

`animato up` runs it with the owner's token; `make demo` with a Telegram on the desk.
"""

import asyncio
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

from animato.signals import until_signal
from animato.supervisor import Program, Supervisor
from jobs.child_environment import SERVICE, STORES, child_environment
from jobs.errors import BadSettings
from jobs.redis_server.server import queue_server
from jobs.settings import BOT_SECRETS, Settings, variable_of
from jobs.tasks import Shutdown, end_tasks

_ANIMATO = (sys.executable, "-P", "-m", "animato")
_NAME_CHARACTERS = 10


def run_up(*, workers: int) -> None:
    """Runs the service until a signal; on Ctrl-C, raises KeyboardInterrupt when all has ended.

    Args:
        workers: how many of them run on this machine.

    Raises:
        BadSettings: a setting cannot be used, or there is no token.
        QueueError, FolderRefused: the server of the queues cannot be used or started.
        ProgramFailed: bot or worker does not stay up.
    """
    settings = Settings.load(Path(".env"))
    if not settings.bot_token.get_secret_value():
        reason = (
            "The bot needs its token: talk to @BotFather on Telegram (docs/first-evening.md) and "
            f"set {variable_of('bot_token')} in the file .env. `animato demo` needs none."
        )
        raise BadSettings(reason=reason)
    ending = Shutdown()
    until_signal(_up(settings, workers, ending), ending.ask, asyncio.Task.cancel)


async def _up(settings: Settings, workers: int, ending: Shutdown) -> None:
    async with queue_server(settings.redis_url.get_secret_value(), settings.data_dir) as server:
        environment = child_environment(*SERVICE, *STORES, ANIMATO_REDIS_URL=server.url)
        programs = parts(environment, workers, settings.metrics_port)
        await supervise(programs, server.watch(), ending)


async def supervise(
    programs: Sequence[Program], beside: Awaitable[object], ending: Shutdown
) -> None:
    """Run programs until somebody asks for the end, one of them fails, or `beside` ends.

    When this returns, or is cancelled, no program runs any more.

    Raises:
        ProgramFailed: one of them does not stay up.
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


def parts(
    environment: Mapping[str, str],
    workers: int,
    metrics_port: int | None = None,
    folder: Path | None = None,
) -> list[Program]:
    """Bot and workers as programs.

    Args:
        environment: all variables that they get; the bot's secrets, only the bot.
        workers: how many.
        metrics_port: of the bot; the workers' are the next ones. None: nobody has one.
        folder: where they run, and look for `.env`; None: where we do.
    """
    named = {f"worker-{one + 1}": "worker" for one in range(workers)}
    commands = {"bot": "bot", **({"worker": "worker"} if workers == 1 else named)}
    programs = []
    for place, (name, command) in enumerate(commands.items()):
        hidden = () if command == "bot" else tuple(map(variable_of, BOT_SECRETS))
        own = {key: value for key, value in environment.items() if key.upper() not in hidden}
        if metrics_port is not None:
            own[variable_of("metrics_port")] = str(metrics_port + place)
        programs.append(Program(name, (*_ANIMATO, command), own, folder=folder))
    return programs


def tell(name: str, line: str) -> None:
    """One line of the log."""
    sys.stderr.write(f"{name:<{_NAME_CHARACTERS}}| {line}\n")
    sys.stderr.flush()
