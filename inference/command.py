"""What `animato animate` and `prepare.py` do: look at the input, choose, animate, tell."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from inference.arguments import ANIMATE, Defaults, check_engine_options, engine_options_of
from inference.engine import Engine, Picture, ready_engine
from inference.faces.finder import centre_face, choose_face, face_from_box, find_faces
from inference.flow.track import Track, motion_of
from inference.media.file import check_file
from inference.media.gate import ClipWish, LookLimits, look_at, look_at_clip
from inference.media.limits import ClipLimits, PhotoLimits
from inference.media.photo import read_normalised
from inference.media.video import ClipReader
from inference.media.writer import check_output
from inference.opencv_build import gui_opencv_warning
from inference.pipeline import Animation, AnimationResult, DrivingClip, Report, animate_photo
from inference.template_build import is_up_to_date
from inference.weights.store import WeightsStore
from jobs.errors import NoFaceInClip, NotSeamless, TemplateNotBuilt
from jobs.model import ClipLook, Face, MediaWarning, PhotoLook
from jobs.templates import Catalogue, ClipMotion, CurveMotion, Template

Say = Callable[[str], None]

# For the owner's own clips on the owner's own machine.
_ORIGINAL_BYTES = 4_000_000_000
_ORIGINAL_FILE_BYTES = 64 << 30
_ORIGINAL_TIME_S = 3600.0
_ORIGINAL_CPU_S = 8 * _ORIGINAL_TIME_S
# Finders differ in what belongs to a face, but not by half of it.
_SAME_FACE_OVERLAP = 0.25


@dataclass(frozen=True)
class Surroundings:
    """What the operator has set, as values.

    Attributes:
        templates_dir: where the catalogue of movements lies.
        clip_max_s: longer clips are cut to this, s.
        default_engine: the engine where none is named.
        device: what networks compute on.
        weights: where weights are found.
    """

    templates_dir: Path
    clip_max_s: float
    default_engine: str
    device: str
    weights: WeightsStore


def animate(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    surroundings: Surroundings,
    defaults: Defaults = ANIMATE,
) -> None:
    """Makes the video that the arguments ask for and prints what was made.

    Args:
        parser: for usage errors that show only when the engine is known.
        arguments: as `inference.arguments` defines them.
        surroundings: what the operator has set.
        defaults: what is taken where nothing is said.

    Raises:
        UserError: the input cannot be used.
        OperatorError: something of ours is missing or failed.
    """
    started = time.monotonic()
    say = _speaker(is_quiet=arguments.quiet)
    options = replace(defaults.engine_options, device=surroundings.device)
    options, said = engine_options_of(arguments, options)
    name = defaults.engine or arguments.engine or surroundings.default_engine
    engine_class = ready_engine(name, options, surroundings.weights)
    check_engine_options(parser, said, engine_class)
    engine = engine_class(options, surroundings.weights)
    with tempfile.TemporaryDirectory(prefix="animato-") as folder:
        check_output(arguments.output)
        if name == "auto":
            say(f"engine: {engine.name}")
        order = Order(arguments, surroundings, engine, defaults, Path(folder))
        template = order.template()
        order.check_files()
        if not engine_class.missing_files(options, surroundings.weights):
            # A wrong file of the owner's is told before anybody's files are looked at ...
            engine.load()
        photo, clip = order.look()
        # ... and a wrong photo before a long download.
        engine.load()
        for warning in _worth_saying(arguments, engine, photo, clip):
            say(f"warning: {warning}")
        if template is not None:
            movement = order.movement_of(template)
        else:
            assert clip is not None  # noqa: S101 - the parser demands one of the two
            movement = order.driving_clip(clip)
        animation = Animation(
            photo=photo.photo,
            face=order.chosen_face(photo),
            movement=movement,
            is_pasted_back=arguments.paste_back,
            has_audio=arguments.audio is not False and template is None,
            loop=arguments.loop,
        )
        with _progress(movement.frame_count, is_quiet=arguments.quiet) as report:
            result = animate_photo(animation, engine, arguments.output, report=report)
    result = replace(result, elapsed_s=time.monotonic() - started)
    _print_result(result, engine, is_json=arguments.json)


@dataclass(frozen=True)
class Order:
    """One run's choices: which files, which faces, which movement."""

    arguments: argparse.Namespace
    surroundings: Surroundings
    engine: Engine
    defaults: Defaults
    folder: Path

    def template(self) -> Template | None:
        """The template that is asked for, if one is."""
        if self.arguments.template is None:
            return None
        template = Catalogue.load(self.surroundings.templates_dir).get(self.arguments.template)
        if self.arguments.loop > 1 and not template.seamless:
            raise NotSeamless(name=template.name)
        return template

    def check_files(self) -> None:
        """Nothing, if both files are there; a slip must not show only after a long download."""
        limits = self._limits()
        check_file(self.arguments.source_image, limits.photo.max_bytes)
        if self.arguments.driving_video is not None:
            check_file(self.arguments.driving_video, limits.clip.max_bytes)

    def look(self) -> tuple[PhotoLook, ClipLook | None]:
        """Both files seen by the gate, side by side."""
        arguments = self.arguments
        clip = None
        if arguments.driving_video is not None:
            clip = ClipWish(arguments.driving_video, arguments.start or 0.0, arguments.duration)
        return look_at(
            arguments.source_image,
            clip,
            self.folder,
            self._limits(),
            find_faces=self.engine.needs_face,
        )

    def movement_of(self, template: Template) -> DrivingClip | CurveMotion | Track:
        """The template's movement in the form that the engine takes."""
        folder = self.surroundings.templates_dir
        if self.engine.evaluates_motions:
            return motion_of(template, folder)
        if isinstance(template.motion, ClipMotion):
            look = look_at_clip(folder / template.motion.clip, self.folder, self._limits())
            # How much of it is seen, and how large, depends on the limits.
            identity = f"{template.source_hash()} {look.frame_count} x {look.width}"
            return replace(self.driving_clip(look), identity=identity)
        path = folder / template.driving_video_name
        if not is_up_to_date(template, folder):
            raise TemplateNotBuilt(name=template.name)
        with ClipReader(path) as frames:
            face = find_faces(next(frames))[0]
        motion = template.motion
        identity = template.source_hash()
        return DrivingClip(path, face, motion.frame_rate, motion.frame_count, (), identity)

    def driving_clip(self, clip: ClipLook) -> DrivingClip:
        """The clip with the face that leads the movement."""
        given = self.arguments.driving_face_box
        later = clip.later_faces
        if not self.engine.needs_driving_face:
            face = centre_face(clip.width, clip.height)
        elif given is not None:
            face = face_from_box(given, clip.original_width, clip.original_height, clip.scale)
            # They were seen near another face, maybe.
            later = ()
        else:

            def first_frame() -> Picture:
                with ClipReader(clip.clip) as frames:
                    return next(frames)

            faces = self.engine.faces_of(first_frame, clip.faces)
            if not faces:
                # A template's clip was seen with a face when it was built.
                source = self.arguments.driving_video or clip.clip
                raise NoFaceInClip(name=source.name)
            face = faces[0]
            # The engine may have found another person's face than the gate.
            if not (clip.faces and _is_same(face, clip.faces[0])):
                later = ()
        return DrivingClip(clip.clip, face, clip.frame_rate, clip.frame_count, later)

    def chosen_face(self, photo: PhotoLook) -> Face:
        """The photo's face that is to move."""
        arguments = self.arguments
        if arguments.face_box is not None:
            size = photo.original_width, photo.original_height
            return face_from_box(arguments.face_box, *size, photo.scale)
        if arguments.face == "centre" or not self.engine.needs_face:
            return centre_face(photo.width, photo.height)
        faces = self.engine.faces_of(lambda: read_normalised(photo.photo), photo.faces)
        if arguments.face is None:
            return choose_face(faces, None, arguments.source_image.name)
        # The number is one of the sheet that the person has seen.
        numbered = choose_face(photo.faces, arguments.face, arguments.source_image.name)
        same = [face for face in faces if _is_same(face, numbered)]
        return max(same, key=lambda face: face.box.overlap(numbered.box), default=numbered)

    def _limits(self) -> LookLimits:
        arguments, clip_max_s = self.arguments, self.surroundings.clip_max_s
        has_audio = arguments.audio is not False
        if self.defaults.is_original:
            # All of it, every pixel as it is, as the program of 2021 took it.
            clip = ClipLimits(
                max_bytes=_ORIGINAL_BYTES,
                max_duration_s=None,
                max_frames=None,
                audio=has_audio,
                exact=True,
            )
            photo = PhotoLimits(max_side=arguments.max_side, drops_alpha=True)
            return LookLimits(
                photo,
                clip,
                cpu_s=_ORIGINAL_CPU_S,
                time_s=_ORIGINAL_TIME_S,
                file_bytes=_ORIGINAL_FILE_BYTES,
            )
        return LookLimits.of_clip(
            PhotoLimits(max_side=arguments.max_side),
            ClipLimits(max_duration_s=clip_max_s, audio=has_audio),
            clip_max_s,
        )


def _is_same(face: Face, other: Face) -> bool:
    """Whether two finders mean the same face."""
    return face.box.overlap(other.box) > _SAME_FACE_OVERLAP


def _worth_saying(
    arguments: argparse.Namespace, engine: Engine, photo: PhotoLook, clip: ClipLook | None
) -> Iterator[str]:
    """The warnings that do not speak of a face that is not used, or of another one."""
    found = {*photo.warnings, *(clip.warnings if clip else ())}
    if arguments.face is not None or arguments.face_box is not None or not engine.needs_face:
        found.discard(MediaWarning.SMALL_FACE)
    if not engine.needs_driving_face:
        found.discard(MediaWarning.FACE_LOST)
    # Without a face there is an error; with a box drawn by hand there is a face.
    found.discard(MediaWarning.NO_FACE_IN_CLIP)
    yield from sorted(found)
    opencv = gui_opencv_warning()
    if opencv is not None:
        yield opencv


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
