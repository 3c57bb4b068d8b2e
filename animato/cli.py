"""The `animato` command line: which command, and which settings.

Libraries that take long to load are imported by the command that needs them, so that help is quick.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from animato.process import NOTHING_WRITTEN, run
from animato.service_commands import add_healthy, add_service_commands
from inference.argument_types import png_path, video_path
from inference.arguments import add_animate_arguments, check_animate_arguments, is_same_file
from inference.extras import need_extras


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; a usage error exits with 2 at once."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    stopped = getattr(parsed, "stopped", NOTHING_WRITTEN)
    return run(lambda: parsed.run(parsed), is_verbose=parsed.verbose, stopped=stopped)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="animato",
        description="Brings portraits to life: a photo and a movement become an mp4.",
    )
    parser.add_argument("--version", action="version", version=f"animato {version('animato')}")
    parser.add_argument("--verbose", action="store_true", help="log what happens, to stderr")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_animate(commands)
    _add_faces(commands)
    _add_engines(commands)
    _add_templates(commands)
    _add_weights(commands)
    _add_worker(commands)
    add_service_commands(commands)
    _add_doctor(commands)
    return parser


def _add_animate(commands: Any) -> None:
    parser = commands.add_parser(
        "animate",
        help="animate a photo",
        description="Animates the face of a photo with the movement of a clip or of a template.",
    )
    add_animate_arguments(parser)

    def run(arguments: argparse.Namespace) -> None:
        check_animate_arguments(parser, arguments)
        from animato.surroundings import load_surroundings  # noqa: PLC0415 - help must be quick
        from inference.command import animate  # noqa: PLC0415

        animate(parser, arguments, load_surroundings(is_quiet=arguments.quiet))

    parser.set_defaults(run=run)


def _add_faces(commands: Any) -> None:
    parser = commands.add_parser(
        "faces",
        help="number the faces of a photo",
        description="Lists the faces of a photo, largest first; --output draws them numbered.",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument(
        "--output", type=png_path, metavar="PNG", help="the photo with numbered faces"
    )
    parser.add_argument("--json", action="store_true", help="print the faces as JSON")

    def run(arguments: argparse.Namespace) -> None:
        from animato.faces import print_faces  # noqa: PLC0415

        if arguments.output is not None and is_same_file(arguments.photo, arguments.output):
            parser.error("--output would overwrite the photo: choose another name")
        print_faces(arguments.photo, arguments.output, is_json=arguments.json)

    parser.set_defaults(run=run)


def _add_engines(commands: Any) -> None:
    parser = commands.add_parser(
        "engines", help="list the engines", description="Lists the engines and what they need."
    )

    def run(_arguments: argparse.Namespace) -> None:
        from animato.engines import print_engines  # noqa: PLC0415
        from animato.surroundings import load_surroundings  # noqa: PLC0415

        print_engines(load_surroundings(is_quiet=True))

    parser.set_defaults(run=run)


def _add_templates(commands: Any) -> None:
    parser = commands.add_parser(
        "templates",
        help="list, check, build and preview the templates",
        description="The catalogue of movements (templates.yaml and the files beside it).",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "list the movements"),
        ("check", "say what is wrong with the catalogue, with file and line"),
        ("build", "render driving videos and previews, and track recorded clips"),
        ("preview", "show a photo's largest face with all movements side by side"),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument(
            "--folder", type=Path, metavar="FOLDER", help="the catalogue's folder (default: ours)"
        )
        if name == "preview":
            action.add_argument("photo", type=Path, metavar="PHOTO")
            action.add_argument("output", type=video_path, metavar="MP4")
        if name == "build":
            action.add_argument("--force", action="store_true", help="build what is up to date too")
        action.set_defaults(run=_run_templates, action=name)


def _run_templates(arguments: argparse.Namespace) -> None:
    from animato.templates import ACTIONS  # noqa: PLC0415
    from jobs.settings import Settings  # noqa: PLC0415

    folder = arguments.folder or Settings.load(Path(".env")).templates_dir
    ACTIONS[arguments.action](folder, arguments)


def _add_weights(commands: Any) -> None:
    parser = commands.add_parser(
        "weights",
        help="list, fetch and check the weights of network engines",
        description="The weights that network engines need; docs/weights.md explains them.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "list the known weights, where they may be had, and what is there"),
        ("fetch", "download weights, check them, and make them ready for use"),
        ("verify", "compare everything that is there with its hash"),
        ("convert", "make a published checkpoint ready for use; it is not changed"),
        ("import", "take your word for a checkpoint: check it, note its hash, make it ready"),
        ("check", "run a checkpoint on a portrait, and say whether it behaves as a model of faces"),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument(
            "--folder", type=Path, metavar="FOLDER", help="where weights are stored (default: ours)"
        )
        if name == "fetch":
            action.add_argument(
                "names",
                nargs="*",
                metavar="NAME",
                help="which (animato weights list; default: vox-cpk)",
            )
            action.add_argument("--quiet", action="store_true", help="no progress")
        elif name in ("convert", "import"):
            action.add_argument("path", type=Path, metavar="PATH", help="the .pth.tar file")
        elif name == "check":
            _add_check_arguments(action)
        kept = "what has been downloaded is kept, and gone on with the next time"
        stopped = NOTHING_WRITTEN if name == "check" else kept
        action.set_defaults(run=_run_weights, action=name, stopped=stopped)


def _add_check_arguments(action: argparse.ArgumentParser) -> None:
    for flag, metavar, help_text in (
        ("config", "YAML", "the networks' shape (default: that of vox-256)"),
        ("checkpoint", "FILE", "the networks' weights (default: vox-cpk)"),
    ):
        action.add_argument(f"--{flag}", type=Path, metavar=metavar, help=help_text)
    action.add_argument(
        "--output",
        type=png_path,
        default=Path("weights-check.png"),
        metavar="PNG",
        help="the pictures to look at (default: ./weights-check.png)",
    )
    action.add_argument(
        "--cpu",
        dest="device",
        action="store_const",
        const="cpu",
        help="compute on the processor, also where there is a GPU",
    )


def _run_weights(arguments: argparse.Namespace) -> None:
    from animato.weights import ACTIONS, store_of  # noqa: PLC0415 - help must be quick
    from jobs.settings import Settings  # noqa: PLC0415

    settings = Settings.load(Path(".env"))
    store = store_of(settings, folder=arguments.folder, is_quiet=getattr(arguments, "quiet", False))
    arguments.device = getattr(arguments, "device", None) or settings.device
    ACTIONS[arguments.action](store, arguments)


def _add_worker(commands: Any) -> None:
    parser = commands.add_parser(
        "worker",
        help="make the videos that wait in the queues",
        description="Takes orders from the queues (ANIMATO_REDIS_URL), makes their videos and puts "
        "them into the file store (ANIMATO_STORE_URL). Several workers share the work. Ends with "
        "Ctrl-C or SIGTERM: what is nearly done is finished, the rest given back; a second time: "
        "everything is given back at once.",
    )
    parser.add_argument(
        "--engines",
        type=_names,
        default=(),
        metavar="NAMES",
        help="the engines to offer, such as fomm,flow (default: ANIMATO_ENGINES, or all that are "
        "ready)",
    )
    parser.add_argument(
        "--device",
        type=_device,
        metavar="DEVICE",
        help="what networks compute on: auto, cpu, mps, cuda, cuda:1 (default: ANIMATO_DEVICE)",
    )
    parser.add_argument("--once", action="store_true", help="end as soon as nothing waits")
    add_healthy(parser)
    parser.add_argument(
        *("-v", "--verbose"),
        action="store_true",
        default=argparse.SUPPRESS,
        help="log what happens, to stderr",
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato worker", "service")
        if arguments.healthy:
            from animato.health import check_worker  # noqa: PLC0415 - help must be quick

            check_worker()
        else:
            from animato.worker import run_worker  # noqa: PLC0415

            run_worker(engines=arguments.engines, device=arguments.device, is_once=arguments.once)

    parser.set_defaults(run=run, stopped="what was in hand was finished or given back")


def _add_doctor(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="say whether the service can run here, and what to type where it cannot",
        description="Looks at everything that the service needs: packages, settings, queues, file "
        "store, engines, workers. What needs files makes and removes its own. Exits with 0 if the "
        "service can run, else with 3.",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="ask Telegram too, send the first admin three small files and fetch them back; best "
        "while the bot does not run",
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")

    def run(arguments: argparse.Namespace) -> None:
        from animato.doctor import run_doctor  # noqa: PLC0415 - help must be quick

        run_doctor(is_live=arguments.live, is_json=arguments.json)

    parser.set_defaults(run=run, stopped="not everything was looked at")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        message = f"{text!r} is no list of engines, such as fomm,flow"
        raise argparse.ArgumentTypeError(message)
    return names


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,2})?", text):
        message = f"{text!r} is none of auto, cpu, mps, cuda, cuda:1"
        raise argparse.ArgumentTypeError(message)
    return text


if __name__ == "__main__":
    sys.exit(main())
