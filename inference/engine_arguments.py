"""Engine options on the command line: their arguments, and the `EngineOptions` made of them."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.argument_types import frame_number, margin, padding_px, smoothing_s, strength
from inference.engine_options import REGIONS, EngineOptions

if TYPE_CHECKING:
    from inference.engine import Engine


def add_engine_arguments(engine: Any, defaults: EngineOptions, *, has_later_ones: bool) -> None:
    """Add the fields of `EngineOptions` to a group; an option that is not given is None.

    Args:
        engine: the group.
        defaults: shown in the help.
        has_later_ones: whether to add those that `prepare.py` does not have.
    """
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
    if has_later_ones:
        _add_later_arguments(engine, defaults)


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
        help=text + on_off(bool(getattr(defaults, name))),
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


def on_off(is_on: bool) -> str:
    """Return the end of a switch's help: its default."""
    return f" (default: {'on' if is_on else 'off'})"
