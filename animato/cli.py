"""The `animato` command line.

Commands import what they need when they run, so that `--help` is fast.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from animato.process import NOTHING_WRITTEN, run
from animato.provenance_arguments import add_provenance
from inference.argument_types import png_path, video_path
from inference.arguments import add_animate_arguments, check_animate_arguments, is_same_file
from inference.extras import need_extras
from jobs.engines import current_name

_ENDED = "unfinished orders continue at the next start"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Usage errors raise SystemExit(2)."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    stopped = getattr(parsed, "stopped", NOTHING_WRITTEN)
    return run(lambda: parsed.run(parsed), is_verbose=parsed.verbose, stopped=stopped)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="animato",
        description="Animate portraits: a photo and a movement become a video.",
    )
    parser.add_argument("--version", action="version", version=f"animato {version('animato')}")
    parser.add_argument("--verbose", action="store_true", help="log to stderr")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_animate(commands)
    _add_faces(commands)
    _add_engines(commands)
    _add_templates(commands)
    _add_weights(commands)
    add_provenance(commands)
    _add_worker(commands)
    _add_bot(commands)
    _add_up(commands)
    _add_demo(commands)
    _add_doctor(commands)
    return parser


# --- pictures -------------------------------------------------------------------------------------


def _add_animate(commands: Any) -> None:
    parser = commands.add_parser(
        "animate",
        help="animate a photo",
        description="Animate the face in a photo with a clip, a template or a voice.",
    )
    add_animate_arguments(parser)

    def run(arguments: argparse.Namespace) -> None:
        check_animate_arguments(parser, arguments)
        from animato.surroundings import load_surroundings  # noqa: PLC0415 - keeps --help fast
        from inference.command import animate  # noqa: PLC0415

        animate(parser, arguments, load_surroundings(is_quiet=arguments.quiet))

    parser.set_defaults(run=run)


def _add_faces(commands: Any) -> None:
    parser = commands.add_parser(
        "faces",
        help="find and number the faces in a photo",
        description="List the faces in a photo, largest first, numbered for `animate --face`.",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="the photo")
    parser.add_argument(
        "--output",
        type=png_path,
        metavar="PNG",
        help="also write the photo with the faces numbered",
    )
    parser.add_argument("--json", action="store_true", help="print the faces as JSON")

    def run(arguments: argparse.Namespace) -> None:
        from animato.faces import print_faces  # noqa: PLC0415

        if arguments.output is not None and is_same_file(arguments.photo, arguments.output):
            parser.error("--output would overwrite the photo; choose another name")
        print_faces(arguments.photo, arguments.output, is_json=arguments.json)

    parser.set_defaults(run=run)


def _add_engines(commands: Any) -> None:
    parser = commands.add_parser(
        "engines",
        help="list the engines",
        description="List the engines and what each one needs to run.",
    )

    def run(_arguments: argparse.Namespace) -> None:
        from animato.surroundings import print_engines  # noqa: PLC0415

        print_engines()

    parser.set_defaults(run=run)


def _add_templates(commands: Any) -> None:
    parser = commands.add_parser(
        "templates",
        help="manage the catalogue of movements",
        description="Manage the catalogue of movements (templates.yaml and its files).",
    )

    def run(arguments: argparse.Namespace) -> None:
        from animato.templates import ACTIONS  # noqa: PLC0415
        from jobs.settings import Settings  # noqa: PLC0415

        folder = arguments.folder or Settings.load(Path(".env")).templates_dir
        ACTIONS[arguments.action](folder, arguments)

    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    folder_help = "the folder of the templates (default: ANIMATO_TEMPLATES_DIR)"
    for name, help_text in (
        ("list", "list the movements"),
        ("check", "check the catalogue and report each error with its file and line"),
        ("build", "render driving videos and previews, and track the faces in recorded clips"),
        ("preview", "animate a photo with all movements, side by side in one video"),
    ):
        action = _add_action(actions, name, help_text, folder_help)
        if name == "preview":
            action.add_argument("photo", type=Path, metavar="PHOTO", help="the photo to animate")
            action.add_argument("output", type=video_path, metavar="MP4", help="the file to write")
        if name == "build":
            action.add_argument(
                "--force", action="store_true", help="rebuild files that are up to date"
            )
        action.set_defaults(run=run)


def _add_weights(commands: Any) -> None:
    parser = commands.add_parser(
        "weights",
        help="manage the weights of network engines",
        description="Manage the weights that network engines need. See docs/weights.md.",
    )

    def run(arguments: argparse.Namespace) -> None:
        from animato.weights import ACTIONS, store_of  # noqa: PLC0415
        from jobs.settings import Settings  # noqa: PLC0415

        settings = Settings.load(Path(".env"))
        is_quiet = getattr(arguments, "quiet", False)
        store = store_of(settings, folder=arguments.folder, is_quiet=is_quiet)
        arguments.device = getattr(arguments, "device", None) or settings.device
        ACTIONS[arguments.action](store, arguments)

    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    folder_help = "the folder of the weights (default: ANIMATO_CHECKPOINTS_DIR)"
    for name, help_text in (
        ("list", "list the known weights, their sources, and which are installed"),
        ("fetch", "download weights, verify them, and prepare them for use"),
        ("verify", "check all installed weights against their hashes"),
        ("convert", "prepare a published checkpoint for use, leaving the file unchanged"),
        ("import", "trust another checkpoint: check it, record its hash, prepare it for use"),
        ("check", "run a checkpoint on a portrait to see whether it can animate faces"),
    ):
        action = _add_action(actions, name, help_text, folder_help)
        if name == "fetch":
            names_help = "names from `animato weights list` (default: vox-cpk)"
            action.add_argument("names", nargs="*", metavar="NAME", help=names_help)
            action.add_argument("--quiet", action="store_true", help="print no progress")
        elif name in ("convert", "import"):
            action.add_argument("path", type=Path, metavar="PATH", help="the .pth.tar file")
        elif name == "check":
            _add_check_arguments(action)
        kept = "the partial download is kept and resumed next time"
        action.set_defaults(run=run, stopped=NOTHING_WRITTEN if name == "check" else kept)


def _add_action(actions: Any, name: str, text: str, folder_help: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=description)
    action.add_argument("--folder", type=Path, metavar="FOLDER", help=folder_help)
    action.set_defaults(action=name)
    return action


def _add_check_arguments(action: argparse.ArgumentParser) -> None:
    for flag, metavar, help_text in (
        ("config", "YAML", "network config (default: vox-256)"),
        ("checkpoint", "FILE", "network weights (default: vox-cpk)"),
    ):
        action.add_argument(f"--{flag}", type=Path, metavar=metavar, help=help_text)
    action.add_argument(
        "--engine", default="fomm", metavar="NAME", help="the engine to run (default: fomm)"
    )
    action.add_argument(
        "--output",
        type=png_path,
        default=Path("weights-check.png"),
        metavar="PNG",
        help="the contact sheet to write (default: ./weights-check.png)",
    )
    action.add_argument(
        "--cpu",
        dest="device",
        action="store_const",
        const="cpu",
        help="use the CPU even if there is a GPU",
    )


# --- the service ----------------------------------------------------------------------------------


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
            from animato.health import check_worker  # noqa: PLC0415

            check_worker()
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
            from animato.health import check_bot  # noqa: PLC0415

            check_bot()
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


if __name__ == "__main__":
    sys.exit(main())
