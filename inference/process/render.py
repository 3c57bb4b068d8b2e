"""One job in the engine process: as `animato animate` does it, from what the gate has written."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inference.arguments import ANIMATE
from inference.command import Order, Surroundings
from inference.engine import Engine, find_engine, ready_engine
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from inference.faces.finder import find_faces_thoroughly
from inference.flow.track import motion_of
from inference.media.clip_check import check_clip
from inference.media.limits import PhotoLimits
from inference.media.photo import read_normalised
from inference.media.probe import probe
from inference.media.thumbnail import write_thumbnail
from inference.media.video import ClipReader
from inference.pipeline import Animation, AnimationResult, Report, animate_photo
from inference.process.render_job import (
    RESULT_NAME,
    THUMBNAIL_NAME,
    ClipFile,
    EngineOffer,
    EngineSetup,
    OfferedEngine,
    Rendered,
    RenderJob,
)
from inference.show_all import Showing, show_all
from inference.weights.store import WeightsStore
from jobs.model import ClipLook, CropBox, Face, PhotoLook
from jobs.templates import Catalogue

# Clips that the gate has seen are no longer, so nothing is cut.
_CLIP_MAX_S = 600.0
# For finding faces, as the gate does it.
_CLIP_VIEW_PX = 640


@dataclass(frozen=True)
class Listener:
    """Who is told how a job goes on.

    Attributes:
        loaded: called when the engine is ready.
        report: called with the finished and all frames after every batch.
        is_cancelled: asked after every batch.
    """

    loaded: Callable[[], None]
    report: Report
    is_cancelled: Callable[[], bool]


def render(job: RenderJob, setup: EngineSetup, folder: Path, listener: Listener) -> Rendered:
    """Makes the video as `result.mp4` in `folder`, which belongs to this job alone.

    Raises:
        Cancelled: the listener wanted it.
        UserError: the input cannot be used.
        OperatorError: something of ours is missing or failed.
    """
    started = time.monotonic()
    weights = _weights_of(setup)
    options = replace(job.options, device=setup.device)
    engine = ready_engine(job.engine, options, weights)(options, weights)
    engine.load()
    load_s = time.monotonic() - started
    listener.loaded()
    order = _order_of(job, _surroundings_of(setup, weights), engine, folder)
    made = _several_shown if job.templates else _animated
    result, work_frames = made(job, order, listener)
    if job.thumbnail is not None:
        write_thumbnail(result.path, folder / THUMBNAIL_NAME)
    return Rendered(
        width=result.width,
        height=result.height,
        frame_count=result.frame_count,
        frame_rate=result.frame_rate,
        size_bytes=result.path.stat().st_size,
        has_sound=probe(result.path).has_audio,
        engine=engine.name,
        label=engine.label,
        digital_source_type=engine.digital_source_type,
        load_s=load_s,
        render_s=result.elapsed_s,
        frames_per_second=work_frames / max(result.elapsed_s, 1e-6),
    )


def _animated(job: RenderJob, order: Order, listener: Listener) -> tuple[AnimationResult, int]:
    """The photo with one movement, and how many frames were made for it."""
    template = order.template()
    if template is not None:
        movement = order.movement_of(template)
    else:
        assert job.clip is not None  # noqa: S101 - a job has one of the three
        movement = order.driving_clip(_clip_look(job.clip, order.engine))
    animation = Animation(
        photo=job.photo,
        face=order.chosen_face(_photo_look(job, order.engine)),
        movement=movement,
        is_pasted_back=job.is_pasted_back,
        has_audio=job.has_audio and template is None,
        loop=job.loop,
    )
    result = animate_photo(
        animation,
        order.engine,
        order.folder / RESULT_NAME,
        report=listener.report,
        is_cancelled=listener.is_cancelled,
    )
    # Not the movement's: an order may name another number of frames than its clip has.
    return result, result.frame_count // job.loop


def _several_shown(job: RenderJob, order: Order, listener: Listener) -> tuple[AnimationResult, int]:
    """The face with several movements side by side, and what that counts in frames."""
    catalogue = Catalogue.load(order.surroundings.templates_dir)
    templates = [catalogue.get(name) for name in job.templates]
    showing = Showing(
        photo=job.photo,
        face=order.chosen_face(_photo_look(job, order.engine)),
        movements=tuple(motion_of(template, catalogue.folder) for template in templates),
    )
    result = show_all(
        showing,
        order.engine,
        order.folder / RESULT_NAME,
        report=listener.report,
        is_cancelled=listener.is_cancelled,
    )
    return result, showing.work_frames


def offer_of(setup: EngineSetup, names: Sequence[str] = ()) -> EngineOffer:
    """The engines whose needs are met on this machine, and the device that networks get here.

    Args:
        setup: where weights are, and the device that is wished for.
        names: the engines that are wanted, in their order; without any, all whose needs are met.

    Raises:
        UnknownEngine, EngineUnavailable: a wanted one cannot run here.
        DeviceUnavailable: the device of the setup is not there, and one of the engines uses it.
    """
    weights = _weights_of(setup)
    options = EngineOptions(device=setup.device)
    if names:
        able = list(dict.fromkeys(ready_engine(name, options, weights) for name in names))
    else:
        able = [engine for engine in map(find_engine, engine_names()) if not engine.unmet_needs()]
    device = "cpu"
    if any("device" in engine.options for engine in able):
        device = _device_name(setup.device)
    return EngineOffer(
        device=device,
        engines=tuple(
            OfferedEngine(
                **engine.info().model_dump(),
                missing_files=engine.missing_files(options, weights),
            )
            for engine in able
        ),
    )


def _device_name(wish: str) -> str:
    # Imported late: it loads torch, which takes seconds, and is not there without the extra.
    from inference.fomm.model import choose_device  # noqa: PLC0415

    device = choose_device(wish)
    # Two workers on one machine are told apart by the number.
    return "cuda:0" if str(device) == "cuda" else str(device)


def _weights_of(setup: EngineSetup) -> WeightsStore:
    return WeightsStore(
        setup.checkpoints_dir,
        mirror=setup.weights_mirror,
        is_offline=setup.is_offline,
        shows_progress=False,
    )


def _surroundings_of(setup: EngineSetup, weights: WeightsStore) -> Surroundings:
    return Surroundings(
        templates_dir=setup.templates_dir,
        clip_max_s=_CLIP_MAX_S,
        default_engine="auto",
        device=setup.device,
        weights=weights,
    )


def _order_of(job: RenderJob, surroundings: Surroundings, engine: Engine, folder: Path) -> Order:
    """The job in the command line's words, so that both choose faces and movements alike."""
    is_drawn = job.face_box is not None and job.is_box_drawn
    arguments = argparse.Namespace(
        source_image=job.photo,
        driving_video=None if job.clip is None else job.clip.path,
        driving_face_box=None,
        template=job.template,
        loop=job.loop,
        audio=job.has_audio,
        max_side=PhotoLimits().max_side,
        face_box=job.face_box if is_drawn else None,
        face=None if job.face_box is None or is_drawn else 1,
    )
    return Order(arguments, surroundings, engine, ANIMATE, folder)


def _photo_look(job: RenderJob, engine: Engine) -> PhotoLook:
    """What the gate has said of the photo, as far as it matters here."""
    picture = read_normalised(job.photo)
    height, width = picture.shape[:2]
    faces: tuple[Face, ...] = ()
    if job.face_box is not None:
        faces = (Face(number=1, box=job.face_box, votes=1),)
    elif engine.needs_face:
        faces = find_faces_thoroughly(picture)
    return PhotoLook(
        photo=job.photo,
        sheet=job.photo,
        width=width,
        height=height,
        original_width=width,
        original_height=height,
        faces=faces,
        warnings=(),
    )


def _clip_look(clip: ClipFile, engine: Engine) -> ClipLook:
    """What the gate has said of the clip, or would say of it again."""
    shown = probe(clip.path)
    faces, later_faces = clip.faces, clip.later_faces
    if faces is None:
        faces, later_faces = (), ()
        if engine.needs_driving_face:
            faces, later_faces = _faces_in(clip, shown.width, shown.height)
    return ClipLook(
        clip=clip.path,
        width=shown.width,
        height=shown.height,
        original_width=shown.width,
        original_height=shown.height,
        frame_rate=shown.frame_rate,
        frame_count=clip.frame_count,
        has_audio=shown.has_audio,
        faces=faces,
        later_faces=later_faces,
        warnings=(),
    )


def _faces_in(
    clip: ClipFile, width: int, height: int
) -> tuple[tuple[Face, ...], tuple[CropBox, ...]]:
    """The faces of the clip's beginning, and where the largest one is later; clip px."""
    reduction = min(1.0, _CLIP_VIEW_PX / max(width, height))
    small = max(1, round(width * reduction)), max(1, round(height * reduction))
    scale = width / small[0]
    with ClipReader(clip.path, width=small[0], height=small[1]) as frames:
        findings = check_clip(frames, clip.frame_count)
    faces = tuple(
        face.model_copy(update={"box": face.box.scaled(scale)}) for face in findings.faces
    )
    return faces, tuple(box.scaled(scale) for box in findings.later_faces)
