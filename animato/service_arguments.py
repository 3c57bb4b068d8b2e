"""The arguments of the commands of the service: `worker`, `bot`, `up`, `demo` and `doctor`."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any

from inference.extras import need_extras
from jobs.engines import current_name

_ENDED = "unfinished orders continue at the next start"


def add_service_commands(commands: Any) -> None:
    """Add the commands."""
    _add_worker(commands)
    _add_bot(commands)
    _add_up(commands)
    _add_demo(commands)
    _add_doctor(commands)


def _add_worker(commands: Any) -> None:
    parser = commands.add_parser(
        "worker",
        help="render queued videos",
        description="Take orders from the queues (ANIMATO_REDIS_URL), render their videos and put "
        "them into the file store (ANIMATO_STORE_URL). Several workers share the work. Ctrl-C or "
        "SIGTERM stops a worker: it finishes orders that are nearly done and returns the others to "
        "the queues. A second signal returns all orders at once.",
    )
    parser.add_argument(
        "--engines",
        type=_names,
        default=(),
        metavar="NAMES",
        help="comma-separated engines to offer, such as fomm,mesh (default: ANIMATO_ENGINES, or "
        "all that can run)",
    )
    parser.add_argument(
        "--device",
        type=_device,
        metavar="DEVICE",
        help="device for networks: auto, cpu, mps, cuda, cuda:1 (default: ANIMATO_DEVICE)",
    )
    parser.add_argument("--once", action="store_true", help="exit when the queues are empty")
    _add_healthy(parser)
    parser.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        default=argparse.SUPPRESS,
        help="log to stderr",
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato worker", "service")
        if arguments.healthy:
            from animato.health import check_health  # noqa: PLC0415

            check_health("worker")
        else:
            from animato.worker import run_worker  # noqa: PLC0415

            run_worker(engines=arguments.engines, device=arguments.device, is_once=arguments.once)

    parser.set_defaults(run=run, stopped="unfinished orders were finished or returned")


def _add_bot(commands: Any) -> None:
    parser = commands.add_parser(
        "bot",
        help="run the Telegram bot",
        description="Receive photos and orders on Telegram (ANIMATO_BOT_TOKEN), queue them "
        "(ANIMATO_REDIS_URL) and send the videos back. Run one bot and any number of workers.",
    )
    _add_healthy(parser)

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato bot", "bot", "service")
        if arguments.healthy:
            from animato.health import check_health  # noqa: PLC0415

            check_health("bot")
        else:
            from animato.bot import run_bot  # noqa: PLC0415

            run_bot()

    parser.set_defaults(run=run, stopped=_ENDED)


def _add_up(commands: Any) -> None:
    parser = commands.add_parser(
        "up",
        help="run the whole service on this machine: queues, bot and workers",
        description="Start Valkey or Redis (unless ANIMATO_REDIS_URL is set), the bot "
        "(ANIMATO_BOT_TOKEN) and workers. Restart them if they fail, and show their logs.",
    )
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="number of workers (default: 1)"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato up", "bot", "service")
        from animato.service import run_up  # noqa: PLC0415

        run_up(workers=arguments.workers)

    parser.set_defaults(run=run, stopped=_ENDED)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="try the whole service in the browser, without a Telegram account",
        description="Run the queues, the bot and a worker, with a chat page in the browser "
        "instead of Telegram. Animates a sample portrait first (out/demo.mp4). Nothing else is "
        "kept.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="exit after the first video (always the case without a terminal)",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of the chat page (default: any free port)"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato demo", "bot", "sandbox", "service")
        from animato.demo import run_demo  # noqa: PLC0415

        # Without a terminal, nobody could stop it or see the page's address.
        is_once = arguments.once or not sys.stdout.isatty()
        run_demo(is_once=is_once, port=arguments.port)

    parser.set_defaults(run=run, stopped="nothing is kept")


def _add_doctor(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check whether the service can run here",
        description="Check everything that the service needs: packages, settings, queues, file "
        "store, engines, workers. Test files are deleted again. Exit with 0 if the service can "
        "run, otherwise with 3.",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="also contact Telegram: send the first admin three small files and download them; "
        "stop the bot first",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")

    def run(arguments: argparse.Namespace) -> None:
        from animato.doctor import run_doctor  # noqa: PLC0415

        run_doctor(is_live=arguments.live, is_json=arguments.json)

    parser.set_defaults(run=run, stopped="not everything was checked")


def _add_healthy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--healthy",
        action="store_true",
        help="check the process running on this machine; exit with 0 if it is healthy",
    )


# --- argument types -------------------------------------------------------------------------------


def _matching(pattern: str, message: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is {message}")
        return text

    return check


_device = _matching(r"auto|cpu|mps|cuda(:\d{1,2})?", "none of auto, cpu, mps, cuda, cuda:1")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of engines, such as fomm,mesh")
    return tuple(map(current_name, names))


def _count(text: str) -> int:
    return int(_matching(r"0*[1-9]\d*", "not a number of workers: 1 or more")(text))
