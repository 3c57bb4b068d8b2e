"""Choose the faces that move, the driving face and the movement of a wish, for one engine.

The command line and the engine process both use this.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from inference.arrays import Picture
from inference.engine import Driving, Engine, Motion
from inference.faces.finder import centre_face, choose_face, find_faces
from inference.faces.loading import landmarker
from inference.media.gate import ClipPart, LookLimits, look_at_clip
from inference.media.video import ClipReader
from inference.mesh.track import Track, read_track
from inference.process.setup import TRACK_SUFFIX
from inference.speaking import ShownSpeech, speech_of
from inference.template_build import is_up_to_date
from jobs.errors import EngineUnavailable, NoFaceInClip, TemplateNotBuilt
from jobs.findings import ClipFindings
from jobs.model import CropBox, Face
from jobs.templates import Catalogue, ClipMotion, CurveMotion, Template
from jobs.wish import Wish

# The boxes of two face finders for the same face overlap by more than half.
_SAME_FACE_OVERLAP = 0.25


@dataclass(frozen=True)
class TemplateSource:
    """Where templates are loaded from.

    Attributes:
        folder: the catalogue and its files.
        work: scratch folder for recorded templates; it exists.
        limits: how much of a recorded template is used.
        keeps_tracks: whether the track of a person's own clip is kept beside the clip.
    """

    folder: Path
    work: Path
    limits: LookLimits = field(default_factory=LookLimits)
    keeps_tracks: bool = False


@dataclass(frozen=True)
class DrivingClip:
    """A normalised clip that leads the movement, see `inference.engine.Driving`."""

    path: Path
    face: Face
    frame_rate: Fraction
    frame_count: int
    later_faces: tuple[CropBox, ...] = ()
    identity: str | None = None
    track_file: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[Driving]:
        """Open the clip for an engine while the block lasts."""
        with ClipReader(self.path) as frames:
            yield Driving(
                frames,
                self.face,
                self.later_faces,
                self.frame_rate,
                self.identity,
                reopen=lambda part: ClipReader(self.path, part=part),
                frame_count=self.frame_count,
                track_file=self.track_file,
            )


def faces_to_move(wish: Wish, engine: Engine, photo: Picture) -> tuple[Face, ...]:
    """Return the photo's faces that move, at least one.

    Args:
        wish: what is wanted.
        engine: it may have a face finder of its own.
        photo: the normalised photo, uint8 (H, W, 3) RGB.

    Raises:
        NoFaceFound: no face was chosen, and there is none.
        EngineUnavailable: the engine cannot move that many.
    """
    if wish.face_count > engine.max_faces:
        needs = f"an order for fewer faces: it moves {engine.max_faces}, let another move more"
        raise EngineUnavailable(name=engine.name, needs=needs)
    chosen = tuple(Face(number=1, box=box, votes=0) for box in wish.face_boxes)
    if chosen and wish.is_face_drawn:
        return chosen
    if not engine.needs_face:
        return (centre_face(photo.shape[1], photo.shape[0]),)
    faces = engine.faces_of(lambda: photo, wish.photo.faces)
    if not chosen:
        return (choose_face(faces, None, wish.photo.name or wish.photo.path.name),)
    return tuple(_same_face(one, faces) for one in chosen)


def faces_to_spare(wish: Wish, moving: Sequence[Face]) -> tuple[Face, ...]:
    """Return the photo's other faces, which stay as they are."""
    return tuple(
        face
        for face in wish.photo.faces
        if not any(_is_at_same_place(face.box, one.box) for one in moving)
    )


def motions_side_by_side(
    wish: Wish, engine: Engine, source: TemplateSource
) -> tuple[CurveMotion | Track, ...]:
    """Return the movements that one video shows side by side.

    Raises:
        EngineUnavailable: the engine needs a clip for each movement.
        UnknownTemplate: one is not in the catalogue.
        BrokenTrack: a recorded one's track cannot be used.
    """
    if not engine.evaluates_motions:
        needs = "a clip, and so shows one movement at a time: let another engine show several"
        raise EngineUnavailable(name=engine.name, needs=needs)
    catalogue = Catalogue.load(source.folder)
    templates = [catalogue.get(name) for name in wish.movement.templates]
    return tuple(_motion_of(template, source.folder) for template in templates)


def one_movement(
    wish: Wish, engine: Engine, source: TemplateSource
) -> "DrivingClip | ShownSpeech | Motion":
    """Return the movement of a clip, a voice or one template, in the form that the engine takes.

    Raises:
        UnknownTemplate: it is not in the catalogue.
        BrokenTrack, BrokenSpeech: a recorded one's track or a voice's curves cannot be used.
        RecordedHead: it goes with a voice, and is a recorded one.
        TemplateNotBuilt: its driving video is missing or out of date, and the engine needs it.
        NoFaceInClip: the clip shows no face at its beginning, and the engine needs one.
    """
    if wish.clip is not None:
        found = _driving_clip(wish.clip, engine, wish.driving_face_box)
        if source.keeps_tracks and wish.driving_face_box is None:  # a track belongs to one face
            return replace(found, track_file=found.path.with_suffix(TRACK_SUFFIX))
        return found
    name = wish.movement.template
    template = Catalogue.load(source.folder).get(name) if name else None
    if wish.voice is not None:
        speech, weights = speech_of(wish.voice, template), source.limits.checkpoints_dir
        return speech if engine.evaluates_motions else ShownSpeech.of(speech, weights)
    assert template is not None  # noqa: S101 - see Movement
    if engine.evaluates_motions:
        return _motion_of(template, source.folder)
    if isinstance(template.motion, ClipMotion):
        return _recorded(template, template.motion, engine, source)
    path = source.folder / template.driving_video_name
    if not is_up_to_date(template, source.folder):
        raise TemplateNotBuilt(name=template.name)
    network = landmarker(source.limits.checkpoints_dir)
    face = find_faces(_first_frame(path), network)[0]
    motion, identity = template.motion, template.source_hash()
    return DrivingClip(path, face, motion.frame_rate, motion.frame_count, (), identity)


def _motion_of(template: Template, folder: Path) -> CurveMotion | Track:
    motion = template.motion
    return motion if isinstance(motion, CurveMotion) else read_track(folder / motion.track)


def _recorded(
    template: Template, motion: ClipMotion, engine: Engine, source: TemplateSource
) -> DrivingClip:
    """A recorded template's clip; it goes through the gate like any other."""
    clip = look_at_clip(ClipPart(source.folder / motion.clip), source.work, source.limits)
    # How much of it is seen, and how large, depends on the limits.
    identity = f"{template.source_hash()} {clip.frame_count} x {clip.width}"
    return _driving_clip(clip, engine, None, identity)


def _driving_clip(
    clip: ClipFindings, engine: Engine, box: CropBox | None, identity: str | None = None
) -> DrivingClip:
    """The clip with the face that leads: the given one, else the largest."""
    # Later places were found near the gate's face, and tell nothing about another one.
    later: tuple[CropBox, ...] = ()
    if not engine.needs_driving_face:
        face, later = centre_face(clip.width, clip.height), clip.later_faces
    elif box is not None:
        face = Face(number=1, box=box, votes=0)
    else:
        faces = engine.faces_of(lambda: _first_frame(clip.path), clip.faces)
        if not faces:
            raise NoFaceInClip(name=clip.name or clip.path.name)
        face = faces[0]
        if clip.faces and _is_same(face.box, clip.faces[0].box):
            later = clip.later_faces
    return DrivingClip(clip.path, face, clip.frame_rate, clip.frame_count, later, identity)


def _first_frame(path: Path) -> Picture:
    with ClipReader(path) as frames:
        return next(frames)


def _same_face(chosen: Face, faces: Sequence[Face]) -> Face:
    """The chosen face as the engine's finder sees it; as it was chosen, if it does not."""
    same = [face for face in faces if _is_same(face.box, chosen.box)]
    return max(same, key=lambda face: face.box.overlap(chosen.box), default=chosen)


def _is_at_same_place(box: CropBox, other: CropBox) -> bool:
    """Whether one box holds the middle of the other: a drawn box may be much larger or smaller."""
    (x, y), (other_x, other_y) = box.centre, other.centre
    reach = max(box.width, other.width) / 2
    return max(abs(x - other_x), abs(y - other_y)) <= reach


def _is_same(box: CropBox, other: CropBox) -> bool:
    """Whether two face finders mean the same face."""
    return box.overlap(other) > _SAME_FACE_OVERLAP
