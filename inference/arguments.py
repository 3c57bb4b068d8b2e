"""The options of `animato animate` and `prepare.py`, named as in the field.

One parser with two sets of defaults.
"""

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
from inference.engine_options import EngineOptions
from jobs.findings import VOICE_MAX_S

if TYPE_CHECKING:
    from inference.engine import Engine


@dataclass(frozen=True)
class Defaults:
    """What is taken where nothing is said; the two command lines differ in this alone.

    Attributes:
        source_image: None: the option is required.
        driving_video: None: the option, or a template, is required.
        output: None: the option is required.
        engine: None: the operator's choice.
        paste_back: whether the whole photo is shown.
        is_original: whether clips are taken whole and to the bit, as the program of 2021 did.
        engine_options: what is asked of the engine beside what the person says.
    """

    source_image: Path | None = None
    driving_video: Path | None = None
    output: Path | None = None
    engine: str | None = None
    paste_back: bool = True
    is_original: bool = False
    engine_options: EngineOptions = field(default_factory=EngineOptions)


ANIMATE = Defaults()
"""Those of `animato animate`."""

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
"""Those of `prepare.py`: its flags alone give what the program of 2021 gave."""


def add_animate_arguments(parser: argparse.ArgumentParser, defaults: Defaults = ANIMATE) -> None:
    """Adds all options of animating one photo to `parser`."""
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
        help="a clip whose face drives the movement" + _shown(defaults.driving_video),
    )
    movement.add_argument(
        "--template", metavar="NAME", help="a movement of the catalogue (animato templates list)"
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
        help="where the result goes: a name ending in .mp4, .mkv (lossless), .gif or .webp"
        + _shown(defaults.output),
    )
    if defaults.engine is None:
        parser.add_argument(
            "--engine",
            metavar="NAME",
            help="which engine (animato engines); auto takes the best that can run (default: auto)",
        )
    _add_picture_arguments(parser, defaults)
    _add_clip_arguments(parser, "clip" if defaults.engine else "clip or voice")
    if defaults.engine is None:
        note = "an option that the chosen engine does not support is an error"
        group = parser.add_argument_group("options of some engines", note)
    else:
        group = parser.add_argument_group(f"options of the engine {defaults.engine}")
    _add_engine_arguments(group, defaults.engine_options)
    if defaults.engine is None:
        group.add_argument(
            "--strength",
            type=strength,
            metavar="X",
            help="strength of the movement, 0.5 to 1.5 (default: 1)",
        )
    parser.add_argument("--quiet", action="store_true", help="no progress and no warnings")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_picture_arguments(parser: argparse.ArgumentParser, defaults: Defaults) -> None:
    face = parser.add_mutually_exclusive_group()
    face.add_argument(
        "--face",
        type=face_choice,
        metavar="N",
        help="which face, as numbered by `animato faces`; `all`: up to eight, if the"
        " engine can; `centre`: the middle of the picture (default: the largest)",
    )
    face.add_argument(
        "--face_box",
        type=crop_box,
        metavar="L,U,R,D",
        help="a box drawn round the face: left,upper,right,lower in px of the photo",
    )
    parser.add_argument(
        "--driving_face_box",
        type=crop_box,
        metavar="L,U,R,D",
        help="a box drawn round the face in the clip's first frame, px of the clip",
    )
    parser.add_argument(
        "--paste_back",
        action=argparse.BooleanOptionalAction,
        default=defaults.paste_back,
        help=f"show the whole photo, not only the part that moves{_on_off(defaults.paste_back)}",
    )
    parser.add_argument(
        "--max_side",
        type=side_px,
        default=0 if defaults.is_original else 1280,
        metavar="PX",
        help="reduce larger photos to this; 0: keep their size"
        f" (default: {0 if defaults.is_original else 1280})",
    )


def _add_clip_arguments(parser: argparse.ArgumentParser, leader: str) -> None:
    parser.add_argument(
        "--start",
        type=seconds,
        metavar="S",
        help=f"begin this far into the {leader}, s (default: 0)",
    )
    parser.add_argument(
        "--duration", type=positive_seconds, metavar="S", help=f"use this much of the {leader}, s"
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
        help="show a template's movement N times (default: 1)",
    )


def _add_engine_arguments(engine: Any, defaults: EngineOptions) -> None:
    """Adds the fields of `EngineOptions` to a group; what is not given stays None."""
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
        help="network weights; known ones are downloaded if missing"
        " (default: ./checkpoints/vox-cpk.pth.tar)",
    )
    _add_crop_arguments(engine, defaults)
    _add_motion_arguments(engine, defaults)
    engine.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        help=f"compute precision; auto: fastest at equal quality (default: {defaults.precision})",
    )
    text = "sample as the weights were trained, not as the published code does"
    _add_switch(engine, "align_corners", text, defaults)
    engine.add_argument(
        "--cpu",
        dest="device",
        action="store_const",
        const="cpu",
        help="use the CPU even if there is a GPU",
    )


def _add_crop_arguments(engine: Any, defaults: EngineOptions) -> None:
    text = "cut a square round the photo's face; without it the photo is squeezed into a square"
    _add_switch(engine, "crop_image", text, defaults, "-ci")
    engine.add_argument(
        "--crop_image_padding",
        "-cip",
        type=padding_px,
        nargs=4,
        metavar=("L", "U", "R", "D"),
        help="px of the photo, 0 to 5000, to add to that square: left, above, right, below"
        " (default: none)",
    )
    text = "cut one square round the clip's face; without it the frames are squeezed into a square"
    _add_switch(engine, "crop_video", text, defaults, "-cv")
    engine.add_argument(
        "--crop_margin",
        type=margin,
        metavar="X",
        help="side of these squares relative to the face's, 1 to 4"
        f" (default: {defaults.crop_margin:g})",
    )
    engine.add_argument(
        "--face_detector",
        choices=("auto", "lbp", "face-alignment"),
        help="face detector; face-alignment is slower, and fetches its weights; lbp is accepted and"
        " means auto (default: auto)",
    )


def _add_motion_arguments(engine: Any, defaults: EngineOptions) -> None:
    _add_switch(engine, "relative", "transfer movements, not positions", defaults)
    text = "scale movements by the sizes of the two faces"
    _add_switch(engine, "adapt_scale", text, defaults)
    text = "measure movements from the frame that is most like the photo"
    _add_switch(engine, "find_best_frame", text, defaults)
    engine.add_argument(
        "--best_frame",
        type=frame_number,
        metavar="N",
        help="measure movements from frame N, counted from 0; overrides --find_best_frame",
    )
    engine.add_argument(
        "--smooth",
        type=smoothing_s,
        metavar="S",
        help="reduce jitter by averaging over S seconds, 0 to 1, such as 0.1 (default: 0)",
    )


def _add_switch(group: Any, name: str, text: str, defaults: EngineOptions, *short: str) -> None:
    """Adds `--name` and `--no-name`."""
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
    """What is asked of the engine, and the names of what was said and not only taken."""
    # Some options are for orders only, or for one of the two command lines.
    names = {option.name for option in fields(EngineOptions)} & set(vars(arguments))
    said = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if "crop_image_padding" in said:
        said["crop_image_padding"] = tuple(said["crop_image_padding"])
    return replace(defaults, **said), frozenset(said)


def check_engine_options(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    said: frozenset[str],
    engine: "type[Engine]",
) -> None:
    """Ends with a usage error if the engine does not support what was asked for."""
    # Imported late: numpy is not needed to read the command line.
    from inference.engine import find_engine  # noqa: PLC0415
    from inference.engine_names import engine_names  # noqa: PLC0415

    for option in sorted(said - engine.options):
        flag = "cpu" if option == "device" else option
        able = [name for name in engine_names() if option in find_engine(name).options]
        parser.error(f"--{flag} goes with the engine {' or '.join(able)}, not with {engine.name}")
    if arguments.face == "all" and engine.max_faces == 1:
        able = [name for name in engine_names() if find_engine(name).max_faces > 1]
        parser.error(f"--face all goes with the engine {' or '.join(able)}, not with {engine.name}")


def check_animate_arguments(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, defaults: Defaults = ANIMATE
) -> None:
    """Takes defaults that are files, and ends with a usage error where options contradict."""
    leaders = (arguments.driving_video, arguments.template, arguments.voice)
    if leaders == (None, None, None):
        arguments.driving_video = defaults.driving_video
        if arguments.driving_video is None:
            parser.error("one of the arguments --driving_video --template --voice is required")
    for name in ("source_image", "driving_video", "voice"):
        given, default = getattr(arguments, name), getattr(defaults, name, None)
        if given is None:
            continue
        # The program of 2021 brought its samples along; what is not there was not meant.
        if given == default and not given.exists():
            parser.error(f"there is no {given}: name a file with --{name}")
        if is_same_file(given, arguments.output):
            parser.error(f"--output would overwrite --{name}: choose another name")
    _check_movement(parser, arguments)
    options, said = engine_options_of(arguments, defaults.engine_options)
    # In 2021 it was no mistake to give what then has no effect.
    if "crop_image_padding" in said and not options.crop_image and not defaults.is_original:
        parser.error("--crop_image_padding goes with --crop_image")


def _check_movement(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Ends with a usage error where an option does not go with what leads the face."""
    if arguments.voice is not None and arguments.driving_video is not None:
        parser.error("--voice goes with --template, not with --driving_video")
    if arguments.driving_video is None and arguments.driving_face_box is not None:
        parser.error("--driving_face_box goes with --driving_video alone")
    for name in ("start", "duration", "audio"):
        is_drawn = arguments.driving_video is None and arguments.voice is None
        if is_drawn and getattr(arguments, name) is not None:
            parser.error(f"--{name} goes with --driving_video or --voice, not with --template")
    if arguments.loop > 1 and (arguments.template is None or arguments.voice is not None):
        parser.error("--loop goes with --template alone")


def is_same_file(source: Path, output: Path) -> bool:
    """Whether writing `output` would overwrite `source`, also through links or another spelling."""
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
