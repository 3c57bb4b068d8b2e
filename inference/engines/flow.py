"""The classical engine: a face warped by measured or drawn motion. No network, no weights, no GPU.

Motion comes from dense optical flow of a driving clip, or straight from a template's curves. The
photo keeps its own resolution and its background. A network engine is better on large head turns
and wide mouths.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain

from inference.engine import Driving, Engine, EngineCrop, Picture
from inference.flow.canonical import Placement, crop_to_canonical
from inference.flow.mouth import (
    DRIVER_LIP_OFFSET_PX,
    PROCEDURAL_LIP_OFFSET_PX,
    DriverMouth,
    PaintedMouth,
    moved_lips,
    shows_open_mouth,
)
from inference.flow.placement import place_face
from inference.flow.procedural import ProceduralMotion, parameters_at
from inference.flow.renderer import FaceMotion, FaceRenderer, work_area
from inference.flow.track import Track
from inference.flow.tracker import track_face
from inference.flow.transfer import MotionTransfer, limit_pose
from inference.overlap import ahead
from jobs.model import Face
from jobs.templates import CurveMotion

_BATCH = 5
_MIN_JAW = 0.02


class FlowEngine(Engine):
    """Warps the photo; one face."""

    name = "flow"
    title = (
        "Classical: fast, no GPU; for large head turns and wide mouths a network engine is better"
    )
    label = "Made with AI software: a photo warped by computer vision"
    button = "Sharper"
    credits = "drawn movements and optical flow, no trained weights"
    preference = 10
    digital_source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"

    @classmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """Nothing: what it uses comes with the base installation."""
        return ()

    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:
        """Four box widths round the face, cut at the photo's borders; no seam, so no feathering."""
        placement = place_face(photo, faces[0].box)
        return EngineCrop(work_area(photo.shape[1], photo.shape[0], placement))

    def prepare(self, photo: Picture, faces: Sequence[Face]) -> None:
        """Places the face and everything that hangs on it."""
        self._placement = place_face(photo, faces[0].box)
        self._renderer = FaceRenderer(photo, self._placement)
        self._face = crop_to_canonical(photo, self._placement.canonical_from_picture)
        # Laid over teeth that the photo shows, any fill is a dark slab.
        self._may_fill = not shows_open_mouth(self._face, self._placement.anchors)
        self._painted_mouth = PaintedMouth(self._face, self._placement.anchors)

    def animate(
        self, driving: Driving | None, motion: CurveMotion | Track | None
    ) -> Iterator[Sequence[Picture]]:
        """The frames, five at a time; measuring a clip runs beside rendering."""
        if isinstance(motion, CurveMotion):
            moments = ahead(self._moments_of_curves(motion), size=_BATCH)
        elif motion is not None:
            moments = ahead(self._moments_of_track(motion), size=_BATCH)
        elif driving is not None:
            moments = self._moments_of_clip(driving)
        else:
            message = "the engine needs a clip or a motion"
            raise ValueError(message)
        batch: list[Picture] = []
        # Closed here, so that no thread measures on after a failure.
        with closing(moments):
            for moment in moments:
                batch.append(self._renderer.render(moment))
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _moments_of_curves(self, motion: CurveMotion) -> Generator[FaceMotion]:
        anchors = self._placement.anchors
        procedural = ProceduralMotion(anchors)
        for index in range(motion.frame_count):
            now = parameters_at(motion, index / motion.fps)
            field = procedural.field(now)
            mouth = None
            if self._may_fill and now.jaw > _MIN_JAW:
                lips = moved_lips(field, anchors, PROCEDURAL_LIP_OFFSET_PX)
                mouth = self._painted_mouth.fill(lips)
            closing = (now.blink_left, now.blink_right)
            yield FaceMotion(procedural.pose(now), field, closing, mouth)

    def _moments_of_track(self, track: Track) -> Generator[FaceMotion]:
        anchors = self._placement.anchors
        driver = Placement(self._placement.canonical_from_picture, track.anchors, refined=True)
        transfer = MotionTransfer(self._placement, driver)
        for index in range(track.frame_count):
            field = transfer.stored_field(track.field_at(index))
            mouth = None
            if self._may_fill:
                mouth = self._painted_mouth.fill(moved_lips(field, anchors, DRIVER_LIP_OFFSET_PX))
            yield FaceMotion(limit_pose(track.pose_at(index)), field, mouth=mouth)

    def _moments_of_clip(self, driving: Driving) -> Generator[FaceMotion]:
        anchors = self._placement.anchors
        first = next(driving.frames, None)
        if first is None:
            return
        driver = place_face(first, driving.face.box)
        transfer = MotionTransfer(self._placement, driver)
        driver_face = crop_to_canonical(first, driver.canonical_from_picture)
        driver_mouth = DriverMouth(self._face, driver_face, transfer.positions)
        frames = chain([first], driving.frames)
        with closing(ahead(track_face(frames, driver), size=2 * _BATCH)) as tracked_frames:
            for tracked in tracked_frames:
                field = transfer.field(tracked.field, tracked.confidence)
                mouth = None
                if self._may_fill:
                    lips = moved_lips(field, anchors, DRIVER_LIP_OFFSET_PX)
                    mouth = driver_mouth.fill(tracked.stabilised, lips)
                yield FaceMotion(limit_pose(tracked.pose), field, mouth=mouth)


ENGINE = FlowEngine
