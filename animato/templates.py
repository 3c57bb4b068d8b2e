"""`animato templates list`, `check`, `build` and `preview`."""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from inference.choose import TemplateSource
from inference.engine import motion_engine
from inference.media.file import check_output
from inference.media.gate import look_at_photo
from inference.mesh.track import read_track
from inference.pipeline import animate_photo
from inference.template_build import build_templates, is_up_to_date
from jobs.errors import BrokenTemplate
from jobs.templates import Catalogue, ClipMotion
from jobs.wish import Movement, Wish


def print_templates(folder: Path, _arguments: argparse.Namespace) -> None:
    """Print the usable movements, one per line."""
    catalogue = Catalogue.load(folder)
    _print_errors(catalogue.broken)
    for template in catalogue:
        again = "repeats" if template.seamless else "once"
        motion = template.motion
        length = f"{motion.duration_s:g} s" if hasattr(motion, "duration_s") else "recorded"
        sys.stdout.write(
            f"{template.name:12} {length:9} {again:8} {template.emoji} {template.title['en']}\n"
        )


def check_templates(folder: Path, _arguments: argparse.Namespace) -> None:
    """Print every error with file and line, and what is out of date.

    Raises:
        BrokenTemplate: the first error.
        BrokenTrack: a stored track cannot be used.
    """
    catalogue = Catalogue.load(folder)
    for template in catalogue:
        if not is_up_to_date(template, folder):
            sys.stdout.write(f"{template.name}: out of date, run `animato templates build`\n")
        if isinstance(template.motion, ClipMotion):
            read_track(folder / template.motion.track)
    _print_errors(catalogue.broken[1:])
    if catalogue.broken:
        raise catalogue.broken[0]
    sys.stdout.write(f"{len(catalogue)} templates, all usable\n")


def build(folder: Path, arguments: argparse.Namespace) -> None:
    """Build what is missing or out of date.

    Raises:
        BrokenTemplate: an entry cannot be used; the others were built.
    """
    catalogue = Catalogue.load(folder, needs_tracks=False)
    for name in build_templates(catalogue, is_forced=arguments.force):
        sys.stdout.write(f"built {name}\n")
    _print_errors(catalogue.broken[1:])
    if catalogue.broken:
        raise catalogue.broken[0]


def preview(folder: Path, arguments: argparse.Namespace) -> None:
    """Render the photo's largest face with all movements side by side, numbered as listed.

    Raises:
        MediaError, NoFaceFound: the photo cannot be used.
        BrokenTrack: a stored track cannot be used.
        OutputNotWritable, DiskFull, EncoderFailed: the video cannot be written.
    """
    catalogue = Catalogue.load(folder)
    _print_errors(catalogue.broken)
    if not catalogue.templates:
        sys.stdout.write("there is no movement to show\n")
        return
    check_output(arguments.output)
    with tempfile.TemporaryDirectory(prefix="animato-") as work:
        photo = look_at_photo(arguments.photo, Path(work))
        movement = Movement(templates=tuple(template.name for template in catalogue))
        wish = Wish(photo=photo, movement=movement)
        animate_photo(wish, motion_engine()(), arguments.output, TemplateSource(folder, Path(work)))
    for number, template in enumerate(catalogue, start=1):
        sys.stdout.write(f"{number}: {template.name}\n")


def _print_errors(errors: Iterable[BrokenTemplate]) -> None:
    for error in errors:
        sys.stderr.write(f"animato: {error}\n")


ACTIONS = {"list": print_templates, "check": check_templates, "build": build, "preview": preview}
