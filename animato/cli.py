"""The `animato` command line.

Commands import what they need when they run, so that `--help` is fast.
"""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from animato.process import NOTHING_WRITTEN, run
from animato.service_arguments import add_service_commands
from inference.argument_types import png_path, video_path
from inference.arguments import add_animate_arguments, check_animate_arguments, is_same_file
from inference.extras import need_extras


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
    _add_provenance(commands)
    add_service_commands(commands)
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
        from animato.animate_settings import load_animate_settings  # noqa: PLC0415 - keeps --help fast
        from inference.command import animate  # noqa: PLC0415

        animate(parser, arguments, load_animate_settings(is_quiet=arguments.quiet))

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
        from animato.engines import print_engines  # noqa: PLC0415

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


def _add_provenance(commands: Any) -> None:
    parser = commands.add_parser(
        "provenance",
        help="check the Content Credentials (C2PA) of files",
        description="Check the Content Credentials (C2PA) of files. See docs/provenance.md.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    action = actions.add_parser(
        "verify",
        help="say whether files are unchanged, who signed them and how they were made",
        description="Say of each file whether it is unchanged since it was signed, who signed it "
        "and how it was made. No server is asked. Exit with 0 if all files are unchanged, "
        "otherwise with 1.",
    )
    action.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a video or picture")
    trust = action.add_mutually_exclusive_group()
    trust.add_argument(
        "--trust", type=Path, metavar="PEM", help="trust the certificates in this file"
    )
    trust.add_argument(
        "--own", action="store_true", help="trust the certificates that this installation made"
    )

    def run(arguments: argparse.Namespace) -> None:
        need_extras("animato provenance", "bot")
        from animato.provenance import verify  # noqa: PLC0415

        verify(arguments)

    action.set_defaults(run=run)
