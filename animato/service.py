"""The whole service on one machine: server of the queues, bot and workers, in one log.

`animato up` runs it with the owner's token; `make demo` with a Telegram on the desk.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from animato.signals import until_signal
from animato.supervisor import Program, Supervisor
from jobs.errors import BadSettings
from jobs.redis_server.server import queue_server
from jobs.settings import BOT_SECRETS, Settings, variable_of

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
    ended = asyncio.Event()
    until_signal(_up(settings, workers, ended), ended.set)


async def _up(settings: Settings, workers: int, ended: asyncio.Event) -> None:
    async with queue_server(settings.redis_url.get_secret_value(), settings.data_dir) as server:
        address = {"ANIMATO_REDIS_URL": server.url}
        programs = parts(address, workers, settings.metrics_port)
        supervising = asyncio.ensure_future(Supervisor(programs, tell).run(ended))
        watching = asyncio.ensure_future(server.watch())
        done, _ = await asyncio.wait({supervising, watching}, return_when=asyncio.FIRST_COMPLETED)
        ended.set()
        await asyncio.wait({supervising})
        watching.cancel()
        for task in done:
            task.result()


def parts(
    environment: Mapping[str, str],
    workers: int,
    metrics_port: int | None = None,
    folder: Path | None = None,
) -> list[Program]:
    """Bot and workers as programs; workers end first, so that the bot still hears of their end.

    Args:
        environment: variables that all of them get; the bot's secrets, only the bot.
        workers: how many.
        metrics_port: of the bot; the workers' are the next ones. None: nobody has one.
        folder: where they run, and look for `.env`; None: where we do.
    """
    named = {f"worker-{one + 1}": "worker" for one in range(workers)}
    commands = {"bot": "bot", **({"worker": "worker"} if workers == 1 else named)}
    programs = []
    for place, (name, command) in enumerate(commands.items()):
        own = {} if command == "bot" else dict.fromkeys(map(variable_of, BOT_SECRETS), "")
        if metrics_port is not None:
            own[variable_of("metrics_port")] = str(metrics_port + place)
        programs.append(Program(name, (*_ANIMATO, command), {**environment, **own}, folder=folder))
    return programs


def tell(name: str, line: str) -> None:
    """One line of the log."""
    sys.stderr.write(f"{name:<{_NAME_CHARACTERS}}| {line}\n")
    sys.stderr.flush()
