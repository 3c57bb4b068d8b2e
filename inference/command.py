"""What `animato animate` does: look at the input, choose, animate, say what came out."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from inference.engine import Engine, ready_engine
from inference.face import centre_face, choose_face, face_from_box
from inference.flow.track import Track
from inference.look import ClipWish, LookLimits, look_at
from inference.photo import PhotoLimits
from inference.pipeline import Animation, AnimationResult, DrivingClip, Report, animate_photo
from inference.video import ClipLimits
from inference.video_writer import check_output
from jobs.errors import NoFaceInClip, NotSeamless
from jobs.model import ClipLook, Face, PhotoLook, Warn
from jobs.templates import Catalogue, CurveMotion

Say = Callable[[str], None]


def animate(
    arguments: argparse.Namespace, *, templates_dir: Path, clip_max_s: float, engine_name: str
) -> None:
    """Makes the mp4 that the arguments ask for and prints what was made.

    Args:
        arguments: as `inference.arguments` defines them.
        templates_dir: where the catalogue lies.
        clip_max_s: longer clips are cut to this, s.
        engine_name: the engine, or `auto`.

    Raises:
        UserError: the input cannot be used.
        OperatorError: something of ours is missing or failed.
    """
    started = time.monotonic()
    say = _speaker(is_quiet=arguments.quiet)
    with tempfile.TemporaryDirectory(prefix="animato-") as folder:
        engine = ready_engine(engine_name)()
        check_output(arguments.output)
        if engine_name == "auto":
            say(f"engine: {engine.name}")
        motion = None if arguments.template is None else _motion_of(arguments, templates_dir)
        photo, clip = _look(arguments, Path(folder), clip_max_s)
        for warning in _worth_saying(arguments, photo, clip):
            say(f"warning: {warning}")
        movement = motion if clip is None else _driving_clip(arguments, clip)
        assert movement is not None  # noqa: S101 - the parser demands one of the two
        animation = Animation(
            photo=photo.photo,
            face=_chosen_face(arguments, photo),
            movement=movement,
            is_pasted_back=arguments.paste_back,
            has_audio=arguments.audio is not False,
            loop=arguments.loop,
        )
        with _progress(movement.frame_count, is_quiet=arguments.quiet) as report:
            result = animate_photo(animation, engine, arguments.output, report=report)
    result = replace(result, elapsed_s=time.monotonic() - started)
    _print_result(result, engine, is_json=arguments.json)


def _motion_of(arguments: argparse.Namespace, templates_dir: Path) -> CurveMotion | Track:
    template = Catalogue.load(templates_dir).get(arguments.template)
    if arguments.loop > 1 and not template.seamless:
        raise NotSeamless(name=template.name)
    if isinstance(template.motion, CurveMotion):
        return template.motion
    return Track.load(templates_dir / template.motion.track)


def _look(
    arguments: argparse.Namespace, folder: Path, clip_max_s: float
) -> tuple[PhotoLook, ClipLook | None]:
    """Both files seen by the gate, side by side."""
    limits = LookLimits(
        photo=PhotoLimits(max_side=arguments.max_side),
        clip=ClipLimits(max_duration_s=clip_max_s, audio=arguments.audio is not False),
        # A long clip in many pixels takes long to normalise; a hang takes for ever.
        time_s=60.0 + 4.0 * clip_max_s,
    )
    clip = None
    if arguments.driving_video is not None:
        clip = ClipWish(arguments.driving_video, arguments.start or 0.0, arguments.duration)
    return look_at(arguments.source_image, clip, folder, limits)


def _worth_saying(
    arguments: argparse.Namespace, photo: PhotoLook, clip: ClipLook | None
) -> Iterator[Warn]:
    """The warnings that do not speak of another face than the chosen one."""
    found = {*photo.warnings, *(clip.warnings if clip else ())}
    if arguments.face is not None or arguments.face_box is not None:
        found.discard(Warn.SMALL_FACE)
    # Without a face there is an error; with a box drawn by hand there is a face.
    found.discard(Warn.NO_FACE_IN_CLIP)
    yield from sorted(found)


def _chosen_face(arguments: argparse.Namespace, photo: PhotoLook) -> Face:
    if arguments.face_box is not None:
        size = photo.original_width, photo.original_height
        return face_from_box(arguments.face_box, *size, photo.scale)
    if arguments.face == "centre":
        return centre_face(photo.width, photo.height)
    return choose_face(photo.faces, arguments.face, arguments.source_image.name)


def _driving_clip(arguments: argparse.Namespace, clip: ClipLook) -> DrivingClip:
    if arguments.driving_face_box is not None:
        size = clip.original_width, clip.original_height
        face = face_from_box(arguments.driving_face_box, *size, clip.scale)
    elif clip.faces:
        face = clip.faces[0]
    else:
        raise NoFaceInClip(name=arguments.driving_video.name)
    return DrivingClip(clip.clip, face, clip.frame_rate, clip.frame_count)


def _speaker(*, is_quiet: bool) -> Say:
    def say(sentence: str) -> None:
        if not is_quiet:
            sys.stderr.write(f"{sentence}\n")

    return say


@contextmanager
def _progress(frame_count: int, *, is_quiet: bool) -> Iterator[Report]:
    """A bar on stderr with frames per second and the time left."""
    with tqdm(
        total=frame_count, unit=" frames", disable=is_quiet, dynamic_ncols=True, mininterval=0.2
    ) as bar:

        def report(done: int, _total: int) -> None:
            bar.update(done - bar.n)

        yield report


def _print_result(result: AnimationResult, engine: Engine, *, is_json: bool) -> None:
    """One line for people or one JSON object for machines, on stdout."""
    duration_s = float(result.frame_count / result.frame_rate)
    if is_json:
        plain = {
            "path": str(result.path),
            "width": result.width,
            "height": result.height,
            "frames": result.frame_count,
            "frame_rate": str(result.frame_rate),
            "duration_s": round(duration_s, 3),
            "engine": engine.name,
            "elapsed_s": round(result.elapsed_s, 2),
        }
        sys.stdout.write(json.dumps(plain) + "\n")
        return
    sys.stdout.write(
        f"{result.path}: {result.width} x {result.height} px, {result.frame_count} frames"
        f" ({duration_s:.1f} s), made in {result.elapsed_s:.1f} s\n"
    )
