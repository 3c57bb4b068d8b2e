"""The commands of the service: `animato bot`, `animato up`, `animato demo`."""

import argparse
import sys
from typing import Any

from inference.extras import need_extras

_ENDED = "everything has ended; what was in hand goes on with the next start"


def add_service_commands(commands: Any) -> None:
    """Adds them to the program's commands."""
    _add_bot(commands)
    _add_up(commands)
    _add_demo(commands)


def _add_bot(commands: Any) -> None:
    parser = commands.add_parser(
        "bot",
        help="talk to people on Telegram",
        description="Takes photos and wishes on Telegram (ANIMATO_BOT_TOKEN), puts orders into the "
        "queues (ANIMATO_REDIS_URL) and sends the videos back. One bot, any number of workers.",
    )

    add_healthy(parser)

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato bot", "bot", "service")
        if arguments.healthy:
            from animato.health import check_bot  # noqa: PLC0415 - help must be quick

            check_bot()
        else:
            from animato.bot import run_bot  # noqa: PLC0415

            run_bot()

    parser.set_defaults(run=run, stopped=_ENDED)


def _add_up(commands: Any) -> None:
    parser = commands.add_parser(
        "up",
        help="run the whole service on this machine: queues, bot and workers",
        description="Starts the server of the queues (unless ANIMATO_REDIS_URL names one), the bot "
        "(ANIMATO_BOT_TOKEN) and workers, keeps them running, and shows their log.",
    )
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="how many (default: 1)"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato up", "bot", "service")
        from animato.service import run_up  # noqa: PLC0415

        run_up(workers=arguments.workers)

    parser.set_defaults(run=run, stopped=_ENDED)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="try the whole service with a Telegram on your desk, without any account",
        description="Runs queues, bot and worker with a chat page in the browser in the place of "
        "Telegram. First a sample portrait goes the whole way to out/demo.mp4. Nothing is kept.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the first video, as it does without a terminal",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="of the chat page (default: a free one)"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato demo", "bot", "sandbox", "service")
        from animato.demo import run_demo  # noqa: PLC0415

        # Without a terminal nobody could end it, nor read the page's address.
        is_once = arguments.once or not sys.stdout.isatty()
        run_demo(is_once=is_once, port=arguments.port)

    parser.set_defaults(run=run, stopped="everything has ended, and nothing is kept")


def add_healthy(parser: argparse.ArgumentParser) -> None:
    """Adds the option that asks how a program is instead of starting one."""
    parser.add_argument(
        "--healthy",
        action="store_true",
        help="start nothing; end with 0 if the one on this machine is well",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"{text!r} is no number of workers: 1 or more"
        raise argparse.ArgumentTypeError(message)
    return int(text)
