"""The options of `animato animate`, named as in the field and in the functions that they reach."""

import argparse
from pathlib import Path

from jobs.model import CropBox


def add_animate_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds all options of animating one photo to `parser`."""
    parser.add_argument(
        "--source_image", type=Path, required=True, metavar="PHOTO", help="the photo to animate"
    )
    movement = parser.add_mutually_exclusive_group(required=True)
    movement.add_argument(
        "--driving_video", type=Path, metavar="CLIP", help="a clip whose face leads the movement"
    )
    movement.add_argument(
        "--template", metavar="NAME", help="a movement of the catalogue (animato templates list)"
    )
    parser.add_argument(
        "--output", type=mp4_path, required=True, metavar="MP4", help="where the result goes"
    )
    parser.add_argument(
        "--engine",
        default=None,
        metavar="NAME",
        help="how it is made (animato engines); auto takes the best that can run (default: auto)",
    )
    face = parser.add_mutually_exclusive_group()
    face.add_argument(
        "--face",
        type=face_choice,
        metavar="N",
        help="which face, as numbered by `animato faces`, or `centre`: the middle of the picture"
        " (default: the largest)",
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
        default=True,
        help="show the whole photo, not only the part that moves (default: on)",
    )
    parser.add_argument(
        "--max_side",
        type=side_px,
        default=1280,
        metavar="PX",
        help="reduce larger photos to this; 0: keep their size (default: 1280)",
    )
    parser.add_argument(
        "--start", type=seconds, metavar="S", help="begin this far into the clip, s (default: 0)"
    )
    parser.add_argument(
        "--duration", type=positive_seconds, metavar="S", help="use this much of the clip, s"
    )
    parser.add_argument(
        "--audio",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep the clip's sound (default: on)",
    )
    parser.add_argument(
        "--loop",
        type=positive_count,
        default=1,
        metavar="N",
        help="show a template's movement N times (default: 1)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress and no warnings")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def check_animate_arguments(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Ends with a usage error where two options contradict each other."""
    if arguments.template is not None:
        for name in ("start", "duration", "audio", "driving_face_box"):
            if getattr(arguments, name) is not None:
                parser.error(f"--{name} goes with --driving_video, not with --template")
    elif arguments.loop > 1:
        parser.error("--loop goes with --template, not with --driving_video")
    for name in ("source_image", "driving_video"):
        given = getattr(arguments, name)
        if given is not None and is_same_file(given, arguments.output):
            parser.error(f"--output would overwrite --{name}: choose another name")


def is_same_file(source: Path, output: Path) -> bool:
    """Whether writing `output` would overwrite `source`, also through links or another spelling."""
    try:
        return source.samefile(output)
    except OSError:
        return False


def crop_box(text: str) -> CropBox:
    """The box of `left,upper,right,lower`."""
    parts = text.split(",")
    try:
        left, upper, right, lower = (int(part) for part in parts)
        return CropBox(left=left, upper=upper, right=right, lower=lower)
    except ValueError as error:
        message = f"'{text}' is not left,upper,right,lower in whole px, such as 40,30,200,190"
        raise argparse.ArgumentTypeError(message) from error


def face_choice(text: str) -> int | str:
    """A face's number from 1, or `centre`."""
    if text in ("centre", "center"):
        return "centre"
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    message = f"'{text}' is not a face's number (1, 2, ...) or centre"
    raise argparse.ArgumentTypeError(message)


def mp4_path(text: str) -> Path:
    """A path that ends in .mp4."""
    return _path_ending_in(".mp4", text)


def png_path(text: str) -> Path:
    """A path that ends in .png."""
    return _path_ending_in(".png", text)


def _path_ending_in(suffix: str, text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != suffix:
        message = f"'{text}' must end in {suffix}, the only format that is written"
        raise argparse.ArgumentTypeError(message)
    return path


def side_px(text: str) -> int:
    """A side in px; 0, or at least 64."""
    if text.isdecimal() and (int(text) == 0 or int(text) >= 64):
        return int(text)
    message = f"'{text}' is not 0 or a whole number of px from 64"
    raise argparse.ArgumentTypeError(message)


def seconds(text: str) -> float:
    """A time in s, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        message = f"'{text}' is not a time in seconds, 0 or more"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_seconds(text: str) -> float:
    """A time in s, more than 0."""
    value = seconds(text)
    if value == 0:
        message = "a duration must be more than 0 seconds"
        raise argparse.ArgumentTypeError(message)
    return value


def positive_count(text: str) -> int:
    """A whole number from 1 to 100."""
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    message = f"'{text}' is not a whole number from 1 to 100"
    raise argparse.ArgumentTypeError(message)
