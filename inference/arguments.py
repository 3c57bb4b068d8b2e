"""Options of `animato animate` and `prepare.py`: one set of options, two sets of defaults."""

import argparse
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.argument_types import (
    crop_box,
    face_choice,
    frame_number,
    margin,
    padding_px,
    positive_count,
    positive_seconds,
    seconds,
    side_px,
    smoothing_s,
    strength,
    video_path,
)
from inference.engine_options import REGIONS, EngineOptions
from jobs.findings import VOICE_MAX_S, VOICE_MIN_S

if TYPE_CHECKING:
    from inference.engine import Engine


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
    _add_engine_arguments(group, defaults.engine_options)
    if defaults.engine is None:
        _add_later_arguments(group, defaults.engine_options)
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
        help=f"show the whole photo, not only the animated crop{_on_off(defaults.paste_back)}",
    )
    parser.add_argument(
        "--mark",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="draw the letters AI in a corner of the pictures, never over a face" + _on_off(False),
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


def _add_engine_arguments(engine: Any, defaults: EngineOptions) -> None:
    """Add the fields of `EngineOptions` to a group; an option that is not given is None."""
    engine.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="network config (default: ./config/vox-256.yaml)",
    )
    engine.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="network weights; published ones are downloaded if missing"
        " (default: ./checkpoints/vox-cpk.pth.tar)",
    )
    _add_crop_arguments(engine, defaults)
    _add_motion_arguments(engine, defaults)
    engine.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="compute precision; auto: the fastest of equal quality"
        f" (default: {defaults.precision})",
    )
    text = "sample with align_corners=True, as in training, unlike the published code"
    _add_switch(engine, "align_corners", text, defaults)
    engine.add_argument(
        "--cpu",
        dest="device",
        action="store_const",
        const="cpu",
        help="use the CPU even if there is a GPU",
    )


def _add_crop_arguments(engine: Any, defaults: EngineOptions) -> None:
    text = "crop a square around the photo's face instead of squeezing the photo into a square"
    _add_switch(engine, "crop_image", text, defaults, "-ci")
    engine.add_argument(
        "--crop_image_padding",
        "-cip",
        type=padding_px,
        nargs=4,
        metavar=("L", "U", "R", "D"),
        help="px of the photo, 0 to 5000, to add to that square on each side: left, upper, right,"
        " lower (default: none)",
    )
    text = "crop one square around the clip's face instead of squeezing the frames"
    _add_switch(engine, "crop_video", text, defaults, "-cv")
    engine.add_argument(
        "--crop_margin",
        type=margin,
        metavar="X",
        help="side of these squares relative to the face, 1 to 4"
        f" (default: {defaults.crop_margin:g})",
    )
    engine.add_argument(
        "--face_detector",
        choices=("auto", "lbp", "face-alignment"),
        help="face detector; face-alignment is slower and downloads its weights; lbp now means auto"
        " (default: auto)",
    )


def _add_motion_arguments(engine: Any, defaults: EngineOptions) -> None:
    _add_switch(engine, "relative", "transfer relative movements, not positions", defaults)
    text = "scale movements to the size of the photo's face"
    _add_switch(engine, "adapt_scale", text, defaults)
    text = "measure movements relative to the frame whose pose is nearest the photo"
    _add_switch(engine, "find_best_frame", text, defaults)
    engine.add_argument(
        "--best_frame",
        type=frame_number,
        metavar="N",
        help="measure movements relative to frame N, from 0; overrides --find_best_frame",
    )
    engine.add_argument(
        "--smooth",
        type=smoothing_s,
        metavar="S",
        help="reduce jitter by smoothing over S seconds, 0 to 1, such as 0.1 (default: 0)",
    )


def _add_later_arguments(engine: Any, defaults: EngineOptions) -> None:
    """Add the engine options that `prepare.py` does not have."""
    engine.add_argument(
        "--strength",
        type=strength,
        metavar="X",
        help="scale the movement by X, 0.5 to 1.5 (default: 1)",
    )
    engine.add_argument(
        "--region",
        choices=REGIONS,
        help="what moves of the face (default: all)",
    )
    text = "adjust the animated face so that it fits its surroundings"
    _add_switch(engine, "stitching", text, defaults)
    text = "shut the photo's lips before they move"
    _add_switch(engine, "normalise_lips", text, defaults)
    text = "open and shut the eyes as far as the clip's; with --relative, nothing else moves then"
    _add_switch(engine, "retarget_eyes", text, defaults)
    _add_switch(engine, "retarget_lips", "the same for the lips", defaults)


def _add_switch(group: Any, name: str, text: str, defaults: EngineOptions, *short: str) -> None:
    """Add `--name` and `--no-name`."""
    group.add_argument(
        f"--{name}",
        *short,
        action=argparse.BooleanOptionalAction,
        default=None,
        help=text + _on_off(bool(getattr(defaults, name))),
    )


def engine_options_of(
    arguments: argparse.Namespace, defaults: EngineOptions
) -> tuple[EngineOptions, frozenset[str]]:
    """Return the engine's options, and the names of those given on the command line."""
    # Some options exist only for orders, or on only one of the two command lines.
    names = {option.name for option in fields(EngineOptions)} & set(vars(arguments))
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if "crop_image_padding" in given:
        given["crop_image_padding"] = tuple(given["crop_image_padding"])
    return replace(defaults, **given), frozenset(given)


def check_engine_options(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    given: frozenset[str],
    engine: "type[Engine]",
) -> None:
    """Exit with a usage error if the engine does not support a given option."""
    # Imported late, because parsing the command line does not need numpy.
    from inference.engine import find_engine  # noqa: PLC0415
    from inference.engine_names import engine_names  # noqa: PLC0415

    for option in sorted(given - engine.options):
        flag = "cpu" if option == "device" else option
        able = [name for name in engine_names() if option in find_engine(name).options]
        parser.error(f"the engine {engine.name} does not support --{flag}; use {' or '.join(able)}")
    if arguments.face == "all" and engine.max_faces == 1:
        able = [name for name in engine_names() if find_engine(name).max_faces > 1]
        parser.error(
            f"the engine {engine.name} does not support --face all; use {' or '.join(able)}"
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


def _on_off(is_on: bool) -> str:
    return f" (default: {'on' if is_on else 'off'})"
