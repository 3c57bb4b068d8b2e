"""Build templates: driving videos and previews of drawn movements, tracks of recorded ones.

Drawn movements are rendered on the portrait of astronaut Eileen Collins that scikit-image includes
(NASA, public domain), so that engines that need a driving video have one.
"""

import hashlib
import json
import tempfile
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from inference.arrays import Picture
from inference.engines.mesh import MeshEngine
from inference.faces.finder import find_faces
from inference.media.file import replacing
from inference.media.gate import ClipPart, look_at_clip
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.mesh.measuring import measure_track
from inference.mesh.track import VERSION, Track, write_track
from inference.paste import paste_back
from inference.voice.speech import Speech
from jobs.errors import NoFaceInClip
from jobs.templates import Catalogue, ClipMotion, CurveMotion, Template

BUILT_NAME = "built.json"
SIDE_PX = 512
PREVIEW_SIDE_PX = 192
_PREVIEW_STEP = 2
_COMMENT = "AI-generated: a drawn movement on a public-domain portrait (NASA)"


def build_templates(catalogue: Catalogue, *, is_forced: bool = False) -> Iterator[str]:
    """Build what is missing or out of date; yield the name of each file that is written.

    Args:
        catalogue: the templates, and the folder to write to.
        is_forced: whether everything is built.

    Raises:
        NoFaceInClip: a recorded clip does not begin with a face.
        MediaError: a recorded clip cannot be read.
        OutputNotWritable, DiskFull: the catalogue's folder cannot be written.
    """
    folder = catalogue.folder
    for template in catalogue:
        if is_up_to_date(template, folder) and not is_forced:
            continue
        if isinstance(template.motion, ClipMotion):
            yield from _build_recorded(template, template.motion, folder)
        else:
            yield from _build_drawn(template, template.motion, folder)
        _remember(template, folder)


def is_up_to_date(template: Template, folder: Path) -> bool:
    """Return whether the built files exist and belong to the current template."""
    names = [template.driving_video_name, template.preview_name]
    if isinstance(template.motion, ClipMotion):
        names.append(template.motion.track)
    is_there = all((folder / name).is_file() for name in names)
    return is_there and _built(folder).get(template.name) == source_hash(template, folder)


def source_hash(template: Template, folder: Path) -> str:
    """Return what the files are built from: SHA-256 (hex) of the curves, or of the clip.

    The format of tracks is part of it: those of another one are built again.
    """
    if not isinstance(template.motion, ClipMotion):
        return template.source_hash()
    with (folder / template.motion.clip).open("rb") as clip:
        return f"{hashlib.file_digest(clip, 'sha256').hexdigest()} track {VERSION}"


def driving_portrait() -> Picture:
    """Return the portrait of the driving videos, uint8 (512, 512, 3) RGB."""
    from skimage.data import astronaut  # noqa: PLC0415 - slow, and seldom needed

    square = astronaut()[15:227, 114:326]
    return np.asarray(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC))


def drawn_frames(motion: CurveMotion | Speech | Track) -> Generator[Picture]:
    """Render a movement on the driving portrait: frames, uint8 (512, 512, 3) RGB."""
    portrait = driving_portrait()
    face = find_faces(portrait)[0]
    engine = MeshEngine()
    crop = engine.crop_for([face], portrait)
    engine.prepare(portrait, [face])
    for batch in engine.animate(None, motion):
        for frame in batch:
            yield paste_back(portrait, frame, crop)


def _build_drawn(template: Template, motion: CurveMotion, folder: Path) -> Iterator[str]:
    with VideoWriter(
        folder / template.driving_video_name,
        SIDE_PX,
        SIDE_PX,
        motion.frame_rate,
        comment=_COMMENT,
        crf=20,
    ) as writer:
        for frame in drawn_frames(motion):
            writer.write(frame)
    yield template.driving_video_name
    with ClipReader(folder / template.driving_video_name) as frames:
        _write_preview(frames, motion.frame_rate, folder / template.preview_name)
    yield template.preview_name


def _build_recorded(template: Template, motion: ClipMotion, folder: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="animato-") as name:
        look = look_at_clip(ClipPart(folder / motion.clip), Path(name))
        if not look.faces:
            raise NoFaceInClip(name=motion.clip)
        with ClipReader(look.path) as frames:
            track = measure_track(frames, look.faces[0], look.frame_rate)
        write_track(track, folder / motion.track)
        yield motion.track
        with ClipReader(look.path) as frames:
            _write_preview(frames, look.frame_rate, folder / template.preview_name)
        yield template.preview_name


def _write_preview(frames: Iterable[Picture], frame_rate: Fraction, target: Path) -> None:
    """Write every second frame, cropped to the centre square and reduced."""
    rate = frame_rate / _PREVIEW_STEP
    side = PREVIEW_SIDE_PX
    with VideoWriter(target, side, side, rate, comment=_COMMENT, crf=26) as writer:
        for frame in islice(frames, 0, None, _PREVIEW_STEP):
            height, width = frame.shape[:2]
            cut = min(height, width)
            upper, left = (height - cut) // 2, (width - cut) // 2
            square = frame[upper : upper + cut, left : left + cut]
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            writer.write(np.asarray(small, dtype=np.uint8))


def _built(folder: Path) -> dict[str, str]:
    path = folder / BUILT_NAME
    try:
        found: dict[str, str] = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _remember(template: Template, folder: Path) -> None:
    built = _built(folder) | {template.name: source_hash(template, folder)}
    with replacing(folder / BUILT_NAME) as part:
        part.write_text(json.dumps(built, indent=2, sort_keys=True) + "\n", "utf-8")
