"""The command line of 2021: one photo, one clip, one result, with the engine `fomm`.

Its flags, their defaults and their meaning are those of the program that this one grew from: the
photo and the clip are squeezed into a square, nothing is cropped, pasted back or marked. All that
`animato animate` can do is there too, if it is asked for.
"""

import argparse
from collections.abc import Sequence

from animato.process import run
from inference.arguments import PREPARE, add_animate_arguments, check_animate_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes one video and returns the exit code; a usage error exits with 2 at once."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    check_animate_arguments(parser, parsed, PREPARE)

    def work() -> None:
        from animato.surroundings import load_surroundings  # noqa: PLC0415 - help must be quick
        from inference.command import animate  # noqa: PLC0415

        animate(parser, parsed, load_surroundings(is_quiet=parsed.quiet), PREPARE)

    return run(work, is_verbose=parsed.verbose)


def make_parser() -> argparse.ArgumentParser:
    """The parser of `prepare.py`."""
    parser = argparse.ArgumentParser(
        prog="prepare.py",
        description="Animates a photo with the movement of a clip: the command line of 2021.",
    )
    add_animate_arguments(parser, PREPARE)
    parser.add_argument("--verbose", action="store_true", help="log what happens, to stderr")
    return parser
