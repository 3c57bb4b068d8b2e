"""The `animato` command line: which command, which settings, and how errors are told.

Exit codes: 0 done, 1 the person's input, 2 usage, 3 ours, 130 stopped by Ctrl-C. Libraries that
take long to load are imported by the command that needs them, so that help is quick.
"""

import argparse
import io
import logging
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from inference.arguments import (
    add_animate_arguments,
    check_animate_arguments,
    is_same_file,
    png_path,
)
from jobs.errors import AnimatoError, UserError

log = logging.getLogger(__name__)

_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; a usage error exits with 2 at once."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if parsed.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored, and means it.
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no emoji shows a question mark.
        sys.stdout.reconfigure(errors="replace")
    return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    """Runs the parsed command; every way to end has its exit code."""
    try:
        parsed.run(parsed)
        sys.stdout.flush()
    except UserError as error:
        code = _tell(error, 1)
    except AnimatoError as error:
        log.debug("operator error", exc_info=True)
        code = _tell(error, 3)
    except KeyboardInterrupt:
        sys.stderr.write("\nanimato: stopped; nothing was written\n")
        code = _STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        sys.stderr.close()
        code = 0
    except OSError as error:
        log.debug("system error", exc_info=True)
        sys.stderr.write(f"animato: the system refused: {error}\n")
        code = 3
    except Exception:
        # Whatever is ours ends with 3; Python's own code would be 1.
        log.exception("unexpected error")
        sys.stderr.write("animato: this should not have happened; please report the lines above\n")
        code = 3
    else:
        code = 0
    return code


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
        from inference.command import animate  # noqa: PLC0415 - help must be quick
        from jobs.settings import Settings  # noqa: PLC0415

        settings = Settings.load(Path(".env"))
        animate(
            arguments,
            templates_dir=settings.templates_dir,
            clip_max_s=settings.clip_max_s,
            engine_name=arguments.engine or settings.default_engine,
        )

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

        print_engines()

    parser.set_defaults(run=run)


def _add_templates(commands: Any) -> None:
    parser = commands.add_parser(
        "templates",
        help="list, check and build the templates",
        description="The catalogue of movements (templates.yaml and the files beside it).",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "list the movements"),
        ("check", "say what is wrong with the catalogue, with file and line"),
        ("build", "render driving videos and previews, and track recorded clips"),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument(
            "--folder", type=Path, metavar="FOLDER", help="the catalogue's folder (default: ours)"
        )
        if name == "build":
            action.add_argument("--force", action="store_true", help="build what is up to date too")
        action.set_defaults(run=_run_templates, action=name)


def _run_templates(arguments: argparse.Namespace) -> None:
    from animato.templates import ACTIONS  # noqa: PLC0415
    from jobs.settings import Settings  # noqa: PLC0415

    folder = arguments.folder or Settings.load(Path(".env")).templates_dir
    ACTIONS[arguments.action](folder, arguments)


def _tell(error: AnimatoError, code: int) -> int:
    sys.stderr.write(f"animato: {error}\n")
    return code


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
