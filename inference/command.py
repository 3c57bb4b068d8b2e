"""Run `animato animate` and `prepare.py`: check the input, choose, animate, print the result."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from inference.arguments import ANIMATE, Defaults
from inference.engine import Engine, ready_engine
from inference.engine_arguments import check_engine_options, engine_options_of
from inference.faces.finder import choose_face, face_from_box
from inference.faces.model_file import FILE_NAME
from inference.media.file import check_file, check_output
from inference.media.gate import ClipPart, Lead, LookLimits, VoicePart, look_at
from inference.media.limits import ClipLimits, PhotoLimits
from inference.opencv_build import gui_opencv_warning
from inference.weights.store import WeightsStore
from jobs.engines import current_name
from jobs.errors import NotSeamless
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.model import CropBox, MediaWarning, whole_box
from jobs.templates import Catalogue, CurveMotion, Template
from jobs.wish import Movement, Video, Wish

if TYPE_CHECKING:
    from inference.pipeline import Report

Say = Callable[[str], None]

_OF_DRIVING_FACE = {
    MediaWarning.FACE_LATE,
    MediaWarning.FACE_LEAVES,
    MediaWarning.FACE_HIDDEN,
    MediaWarning.CLIP_DARK,
}
# For trusted clips on one's own machine.
_ORIGINAL_BYTES = 4_000_000_000
_ORIGINAL_FILE_BYTES = 64 << 30
_ORIGINAL_TIME_S = 3600.0
_ORIGINAL_CPU_S = 8 * _ORIGINAL_TIME_S


@dataclass(frozen=True)
class AnimateSettings:
    """The settings that `animate` uses.

    Attributes:
        templates_dir: the folder of the templates.
        clip_max_s: longer clips are cut to this, s.
        default_engine: used unless `--engine` is given.
        device: the device for networks.
        weights: where to find weights.
    """

    templates_dir: Path
    clip_max_s: float
    default_engine: str
    device: str
    weights: WeightsStore


def animate(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    settings: AnimateSettings,
    defaults: Defaults = ANIMATE,
) -> None:
    """Make one video and print a line about it.

    Args:
        parser: reports usage errors that depend on the engine.
        arguments: the options of `inference.arguments`.
        settings: the settings.
        defaults: the defaults of the command line.

    Raises:
        UserError: the input cannot be used.
        OperatorError: an engine, weights or a file cannot be used.
    """
    started = time.monotonic()
    say = _speaker(is_quiet=arguments.quiet)
    options = replace(defaults.engine_options, device=settings.device)
    options, given = engine_options_of(arguments, options)
    if options.face_detector == "lbp":
        say("warning: --face_detector lbp no longer exists; using auto")
        options = replace(options, face_detector="auto")
    chosen = defaults.engine or arguments.engine or settings.default_engine
    name = current_name(chosen)
    if name != chosen:
        say(f"note: the engine {chosen} is now called {name}")
    engine_class = ready_engine(name, options, settings.weights)
    check_engine_options(parser, arguments, given, engine_class)
    engine = engine_class(options, settings.weights)
    with tempfile.TemporaryDirectory(prefix="animato-") as folder:
        check_output(arguments.output)
        if name == "auto":
            say(f"engine: {engine.name}")
        limits = _limits(arguments, settings.clip_max_s, is_original=defaults.is_original)
        limits = replace(limits, checkpoints_dir=settings.weights.folder)
        template = _template(arguments, settings.templates_dir)
        _check_files(arguments, limits)
        if engine.needs_face or engine.needs_driving_face or arguments.mark:
            settings.weights.provide(FILE_NAME)  # the gate's children cannot download it

        def prepare() -> None:
            import inference.pipeline  # noqa: F401, PLC0415

            if not engine_class.missing_files(options, settings.weights):
                engine.load()

        # Broken weights are reported before an unusable photo, but that before a long download.
        photo, lead = _look(arguments, Path(folder), limits, engine, prepare)
        engine.load()
        for warning in _worth_saying(arguments, engine, photo, lead):
            say(f"warning: {warning}")
        wish = Wish(
            photo=photo,
            **face_fields(arguments, photo, engine),
            movement=_movement(template, lead),
            driving_face_box=_driving_face_box(arguments, lead, engine),
            paste_back=arguments.paste_back,
            mark=arguments.mark,
            audio=arguments.audio is not False,
            loop=arguments.loop,
        )
        from inference.choose import TemplateSource  # noqa: PLC0415 - slow, see `prepare`
        from inference.pipeline import Listener, animate_photo  # noqa: PLC0415

        source = TemplateSource(settings.templates_dir, Path(folder), limits)
        with _progress(wish.movement.frames, is_quiet=arguments.quiet) as report:
            video = animate_photo(wish, engine, arguments.output, source, Listener(report))
    elapsed_s = time.monotonic() - started
    _print_result(arguments.output, video, elapsed_s, is_json=arguments.json)


def _template(arguments: argparse.Namespace, folder: Path) -> Template | None:
    """Return the template of `--template`, if given."""
    if arguments.template is None:
        return None
    template = Catalogue.load(folder).get(arguments.template)
    if arguments.loop > 1 and not template.seamless:
        raise NotSeamless(name=template.name)
    if arguments.voice is not None:
        from inference.speaking import head_of  # noqa: PLC0415 - slow

        head_of(template)  # a recorded one is refused before anything is looked at
    return template


def _check_files(arguments: argparse.Namespace, limits: LookLimits) -> None:
    """Raise unless all files exist; a typo should not be reported only after a long download."""
    check_file(arguments.source_image, limits.photo.max_bytes)
    if arguments.driving_video is not None:
        check_file(arguments.driving_video, limits.clip.max_bytes)
    if arguments.voice is not None:
        check_file(arguments.voice, limits.voice.max_bytes)


def _look(
    arguments: argparse.Namespace,
    folder: Path,
    limits: LookLimits,
    engine: Engine,
    meanwhile: Callable[[], None],
) -> tuple[PhotoFindings, ClipFindings | VoiceFindings | None]:
    """Look at the photo and at what leads the face at the same time."""
    lead: Lead | None = None
    start_s, duration_s = arguments.start or 0.0, arguments.duration
    if arguments.voice is not None:
        lead = VoicePart(arguments.voice, start_s, duration_s)
    elif arguments.driving_video is not None:
        lead = ClipPart(arguments.driving_video, start_s, duration_s, engine.needs_driving_face)
    photo, find_faces = arguments.source_image, engine.needs_face or arguments.mark
    return look_at(photo, lead, folder, limits, find_faces=find_faces, meanwhile=meanwhile)


def face_fields(
    arguments: argparse.Namespace, photo: PhotoFindings, engine: Engine
) -> dict[str, Any]:
    """Return the fields of `Wish` for the faces to animate.

    Raises:
        FaceBoxOutside: the drawn box is outside the photo.
        NoFaceFound, NoSuchFace: no face has that number.
    """
    if arguments.face_box is not None:
        size = photo.original_width, photo.original_height
        drawn = face_from_box(arguments.face_box, *size, photo.scale)
        return {"face_boxes": (drawn.box,), "is_face_drawn": True}
    if arguments.face == "centre" or not engine.needs_face:
        return {"face_boxes": (whole_box(photo.width, photo.height),), "is_face_drawn": True}
    if arguments.face is None:
        return {}
    if arguments.face == "all" and photo.faces:
        return {"face_boxes": tuple(face.box for face in photo.faces[: engine.max_faces])}
    # The number is the one that `animato faces` shows.
    number = None if arguments.face == "all" else arguments.face
    return {"face_boxes": (choose_face(photo.faces, number, photo.name).box,)}


def _movement(template: Template | None, lead: ClipFindings | VoiceFindings | None) -> Movement:
    if isinstance(lead, VoiceFindings):
        return Movement.of_voice(lead, None if template is None else template.name)
    if lead is not None:
        return Movement.of_clip(lead)
    assert template is not None  # noqa: S101 - the parser demands one of the three
    motion = template.motion
    frames = motion.frame_count if isinstance(motion, CurveMotion) else 0
    return Movement(template=template.name, frames=frames)


def _driving_face_box(
    arguments: argparse.Namespace, lead: ClipFindings | VoiceFindings | None, engine: Engine
) -> CropBox | None:
    """Return the box drawn around the clip's face, px of the normalised clip."""
    given = arguments.driving_face_box
    if given is None or not isinstance(lead, ClipFindings) or not engine.needs_driving_face:
        return None
    return face_from_box(given, lead.original_width, lead.original_height, lead.scale).box


def _limits(arguments: argparse.Namespace, clip_max_s: float, *, is_original: bool) -> LookLimits:
    """Return the limits of photo and clip."""
    has_audio = arguments.audio is not False
    if is_original:
        # The whole clip with unchanged pixels, like the program of 2021.
        clip = ClipLimits(
            max_bytes=_ORIGINAL_BYTES,
            max_duration_s=None,
            max_frames=None,
            audio=has_audio,
            exact=True,
        )
        return LookLimits(
            PhotoLimits(max_side=arguments.max_side, drops_alpha=True),
            clip,
            cpu_s=_ORIGINAL_CPU_S,
            time_s=_ORIGINAL_TIME_S,
            file_bytes=_ORIGINAL_FILE_BYTES,
        )
    return LookLimits.for_clips(
        ClipLimits(max_duration_s=clip_max_s, audio=has_audio, compact=False),
        PhotoLimits(max_side=arguments.max_side),
    )


def _worth_saying(
    arguments: argparse.Namespace,
    engine: Engine,
    photo: PhotoFindings,
    lead: ClipFindings | VoiceFindings | None,
) -> Iterator[str]:
    """Yield the warnings that concern the faces in use."""
    found = {*photo.warnings, *(lead.warnings if lead else ())}
    is_largest_used = arguments.face in (None, "all") and arguments.face_box is None
    if not (is_largest_used and engine.needs_face):
        found.discard(MediaWarning.SMALL_FACE)
    if arguments.face == "all" and len(photo.faces) > engine.max_faces:
        yield f"of {len(photo.faces)} faces, the {engine.max_faces} largest move"
    if not engine.needs_driving_face:
        found -= _OF_DRIVING_FACE
    # Without a face, animating fails anyway; with a drawn box, no face is needed.
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
def _progress(frame_count: int, *, is_quiet: bool) -> "Iterator[Report]":
    """Show a progress bar on stderr."""
    with tqdm(
        total=frame_count or None,
        unit=" frames",
        disable=is_quiet,
        dynamic_ncols=True,
        mininterval=0.2,
    ) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report


def _print_result(path: Path, video: Video, elapsed_s: float, *, is_json: bool) -> None:
    """Print one line, or one JSON object, to stdout."""
    if is_json:
        plain = {
            "path": str(path),
            "width": video.width,
            "height": video.height,
            "frames": video.frame_count,
            "frame_rate": str(video.frame_rate),
            "duration_s": round(video.duration_s, 3),
            "engine": video.engine,
            "elapsed_s": round(elapsed_s, 2),
        }
        sys.stdout.write(json.dumps(plain) + "\n")
        return
    sys.stdout.write(
        f"{path}: {video.width} x {video.height} px, {video.frame_count} frames"
        f" ({video.duration_s:.1f} s), made in {elapsed_s:.1f} s\n"
    )
