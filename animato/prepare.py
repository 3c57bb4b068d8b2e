"""`prepare.py`, the command line of 2021: one photo, one clip, the engine `fomm`.

Its flags have the same names, defaults and effects as in the original program: photo and clip are
squeezed into a square, and nothing is cropped or pasted back. The other options of `animato
animate` are available too.
"""

import argparse
from collections.abc import Sequence

from animato.process import run
from inference.arguments import PREPARE, add_animate_arguments, check_animate_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one video and return the exit code. Usage errors raise SystemExit(2)."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    check_animate_arguments(parser, parsed, PREPARE)

    def work() -> None:
        from animato.animate_settings import load_animate_settings  # noqa: PLC0415 - keeps --help fast
        from inference.command import animate  # noqa: PLC0415

        animate(parser, parsed, load_animate_settings(is_quiet=parsed.quiet), PREPARE)

    return run(work, is_verbose=parsed.verbose)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `prepare.py`."""
    parser = argparse.ArgumentParser(
        prog="prepare.py",
        description="Animate a photo with the movement of a clip. Same flags as in 2021.",
    )
    add_animate_arguments(parser, PREPARE)
    parser.add_argument("--verbose", action="store_true", help="log to stderr")
    return parser
