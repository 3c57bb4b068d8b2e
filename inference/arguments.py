"""Options of `animato animate` and `prepare.py`: one set of options, two sets of defaults."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.argument_types import (
    crop_box,
    face_choice,
    positive_count,
    positive_seconds,
    seconds,
    side_px,
    video_path,
)
from inference.engine_arguments import add_engine_arguments, engine_options_of, on_off
from inference.engine_options import EngineOptions
from jobs.findings import VOICE_MAX_S, VOICE_MIN_S


@dataclass(frozen=True)
class Defaults:
    """Default values, the only difference between the two command lines.

    Attributes:
        source_image: the photo; None makes the option required.
        driving_video: the clip; None makes it or a template required.
        output: the file to write; None makes the option required.
        engine: the engine; None adds `--engine`, whose default is in the settings.
        paste_back: whether the result shows the whole photo.
        is_original: whether to behave like the program of 2021: whole clips, decoded bit-exactly.
        engine_options: used for engine options that are not given.
    """

    source_image: Path | None = None
    driving_video: Path | None = None
    output: Path | None = None
    engine: str | None = None
    paste_back: bool = True
    is_original: bool = False
    engine_options: EngineOptions = field(default_factory=EngineOptions)


ANIMATE = Defaults()
"""Defaults of `animato animate`."""

PREPARE = Defaults(
    source_image=Path("./test/02.png"),
    driving_video=Path("./test/04.mp4"),
    output=Path("./generated.mp4"),
    engine="fomm",
    paste_back=False,
    is_original=True,
    engine_options=EngineOptions(
        crop_image=False, crop_video=False, crop_margin=1.6, precision="float32"
    ),
)
"""Defaults of `prepare.py`: the same flags give the same result as in 2021."""


def add_animate_arguments(parser: argparse.ArgumentParser, defaults: Defaults = ANIMATE) -> None:
    """Add all options to `parser`."""
    parser.add_argument(
        "--source_image",
        type=Path,
        **_needed(defaults.source_image),
        metavar="PHOTO",
        help="the photo to animate" + _shown(defaults.source_image),
    )
    movement = parser.add_mutually_exclusive_group()
    movement.add_argument(
        "--driving_video",
        type=Path,
        metavar="CLIP",
        help="a clip of a face whose movement is transferred" + _shown(defaults.driving_video),
    )
    movement.add_argument(
        "--template",
        metavar="NAME",
        help="a movement from the catalogue; see `animato templates list`",
    )
    if defaults.engine is None:
        parser.add_argument(
            "--voice",
            type=Path,
            metavar="SOUND",
            help="a voice message, or any other file with sound, that the face speaks, at most"
            f" {VOICE_MAX_S:g} s; a template then leads all but the mouth",
        )
    else:
        parser.set_defaults(voice=None)
    parser.add_argument(
        "--output",
        type=video_path,
        **_needed(defaults.output),
        metavar="FILE",
        help="the file to write, ending in .mp4, .mkv (lossless), .gif or .webp"
        + _shown(defaults.output),
    )
    if defaults.engine is None:
        parser.add_argument(
            "--engine",
            metavar="NAME",
            help="the engine, see `animato engines`; auto: the best that can run (default: auto)",
        )
    _add_picture_arguments(parser, defaults)
    _add_clip_arguments(parser, "clip" if defaults.engine else "clip or voice")
    if defaults.engine is None:
        note = "Not every engine supports all of these; an unsupported option is an error."
        group = parser.add_argument_group("engine options", note)
    else:
        group = parser.add_argument_group(f"options of the {defaults.engine} engine")
    add_engine_arguments(group, defaults.engine_options, has_later_ones=defaults.engine is None)
    parser.add_argument("--quiet", action="store_true", help="print no progress and no warnings")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_picture_arguments(parser: argparse.ArgumentParser, defaults: Defaults) -> None:
    face = parser.add_mutually_exclusive_group()
    face.add_argument(
        "--face",
        type=face_choice,
        metavar="N",
        help="the face to animate, as numbered by `animato faces`; all: up to eight faces, if the"
        " engine can; centre: the centre of the photo, without detection (default: the largest"
        " face)",
    )
    face.add_argument(
        "--face_box",
        type=crop_box,
        metavar="L,U,R,D",
        help="box around the face to animate: left,upper,right,lower, px of the photo",
    )
    parser.add_argument(
        "--driving_face_box",
        type=crop_box,
        metavar="L,U,R,D",
        help="box around the driving face in the clip's first frame, px of the clip",
    )
    parser.add_argument(
        "--paste_back",
        action=argparse.BooleanOptionalAction,
        default=defaults.paste_back,
        help=f"show the whole photo, not only the animated crop{on_off(defaults.paste_back)}",
    )
    parser.add_argument(
        "--mark",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="draw the letters AI in a corner of the pictures, never over a face" + on_off(False),
    )
    parser.add_argument(
        "--max_side",
        type=side_px,
        default=0 if defaults.is_original else 1280,
        metavar="PX",
        help="scale down photos whose longer side exceeds PX; 0: never"
        f" (default: {0 if defaults.is_original else 1280})",
    )


def _add_clip_arguments(parser: argparse.ArgumentParser, leader: str) -> None:
    parser.add_argument(
        "--start",
        type=seconds,
        metavar="S",
        help=f"start S seconds into the {leader} (default: 0)",
    )
    parser.add_argument(
        "--duration",
        type=positive_seconds,
        metavar="S",
        help=f"use S seconds of the {leader} (default: up to its end)",
    )
    parser.add_argument(
        "--audio",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep the sound (default: on)",
    )
    parser.add_argument(
        "--loop",
        type=positive_count,
        default=1,
        metavar="N",
        help="repeat the template's movement N times (default: 1)",
    )


def check_animate_arguments(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, defaults: Defaults = ANIMATE
) -> None:
    """Apply the default clip, and exit with a usage error if options contradict each other."""
    if (arguments.driving_video, arguments.template, arguments.voice) == (None, None, None):
        arguments.driving_video = defaults.driving_video
        if arguments.driving_video is None:
            parser.error("one of the arguments --driving_video --template --voice is required")
    for name in ("source_image", "driving_video", "voice"):
        path, default = getattr(arguments, name), getattr(defaults, name, None)
        if path is None:
            continue
        # The sample files of 2021 are not shipped, so the default may not exist.
        if path == default and not path.exists():
            parser.error(f"{path} does not exist; pass a file with --{name}")
        if is_same_file(path, arguments.output):
            parser.error(f"--output would overwrite --{name}; choose another name")
    _check_movement(parser, arguments)
    options, given = engine_options_of(arguments, defaults.engine_options)
    # The program of 2021 accepted this and ignored it.
    if "crop_image_padding" in given and not options.crop_image and not defaults.is_original:
        parser.error("--crop_image_padding requires --crop_image")


def _check_movement(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with a usage error if an option cannot be used with what leads the face."""
    if arguments.voice is not None and arguments.driving_video is not None:
        parser.error("--voice cannot be used with --driving_video, only alone or with --template")
    if arguments.driving_video is None and arguments.driving_face_box is not None:
        parser.error("--driving_face_box requires --driving_video")
    for name in ("start", "duration", "audio"):
        is_drawn = arguments.driving_video is None and arguments.voice is None
        if is_drawn and getattr(arguments, name) is not None:
            parser.error(f"--{name} requires --driving_video or --voice")
    if arguments.voice is not None and (arguments.duration or VOICE_MIN_S) < VOICE_MIN_S:
        parser.error(f"--duration must be at least {VOICE_MIN_S:g} s with --voice")
    if arguments.loop > 1 and (arguments.template is None or arguments.voice is not None):
        parser.error("--loop requires --template, without --voice")


def is_same_file(source: Path, output: Path) -> bool:
    """Return whether writing `output` would overwrite `source`, even through a link."""
    try:
        return source.samefile(output)
    except OSError:
        return False


def _needed(default: Path | None) -> dict[str, Any]:
    return {"required": True} if default is None else {"default": default}


def _shown(default: Path | None) -> str:
    return "" if default is None else f" (default: ./{default})"
