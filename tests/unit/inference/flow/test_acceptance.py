"""A driver whose motion is known exactly: it is found, and the photo moved by it looks like it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from inference.flow.canonical import LAYOUT, Floats, Picture, Placement, Points, transform
from inference.flow.field import sample
from inference.flow.mouth import DRIVER_LIP_OFFSET_PX, DriverMouth, moved_lips, shows_open_mouth
from inference.flow.procedural import Parameters, ProceduralMotion, parameters_at
from inference.flow.renderer import FaceMotion, FaceRenderer
from inference.flow.tracker import TrackedFrame, Tracker
from inference.flow.transfer import MotionTransfer, limit_pose
from jobs.model import CropBox
from jobs.templates import CurveMotion, CurveName

FRAME_COUNT, FPS = 100, 25
# The inner lips are left out: when a mouth opens, pixels appear there that nobody has seen before.
POINT_NAMES = [name for name in LAYOUT if "lip_inner" not in name]
POINTS: Points = np.array([LAYOUT[name] for name in POINT_NAMES])
ALL = np.ones(len(POINT_NAMES), np.bool_)
MOUTH = np.array(["lip" in name or "mouth" in name for name in POINT_NAMES])

NOD = CurveMotion(
    duration_s=4,
    curves={
        CurveName.PITCH: ((0, 0), (0.5, 0.16), (1, -0.09), (1.5, 0.13), (2, 0)),
        CurveName.SMILE: ((1.2, 0), (2, 1), (3.3, 1), (4, 0)),
        CurveName.BROW: ((1.6, 0), (2, 0.5), (3, 0.3), (4, 0)),
        CurveName.ROLL: ((0, 0), (2, 0.05), (3, 0.05), (4, 0)),
    },
    blinks=(0.6, 2.6),
)
LOOK_AROUND = CurveMotion(
    duration_s=4,
    curves={
        CurveName.YAW: ((0, 0), (0.6, -0.3), (1.3, -0.3), (2.1, 0.3), (2.9, 0.3), (3.6, 0)),
        CurveName.PITCH: ((1.3, 0), (1.7, -0.1), (2.1, 0)),
        CurveName.ROLL: ((0, 0), (0.6, -0.04), (1.3, -0.04), (2.1, 0.05), (2.9, 0.05), (3.6, 0)),
        CurveName.BROW: ((2.1, 0), (2.5, 0.7), (3, 0.7), (3.5, 0)),
    },
    blinks=(0.35, 1.7, 3.2),
)


def talk(time_s: float) -> Parameters:
    """A talking head; no template, only a hard driver."""

    def wave(frequency: float, phase: float = 0.0) -> float:
        return math.sin(2 * math.pi * frequency * time_s + phase)

    ends = min(1.0, time_s / 0.3) * min(1.0, max(0.0, (4 - time_s) / 0.4))
    blink = max(math.exp(-(((time_s - at_s) / 0.115) ** 4)) for at_s in (1.1, 2.9))
    jaw = 0.42 * abs(wave(2.1)) * (0.6 + 0.4 * wave(0.63, 1)) + 0.12 * wave(4.7)
    return Parameters(
        jaw=ends * max(0.0, jaw),
        pucker=0.4 * ends * max(0.0, wave(0.9, 2)),
        smile=0.25 * ends * max(0.0, wave(0.4)),
        yaw=0.1 * ends * wave(0.45),
        pitch=0.05 * ends * wave(0.8),
        brow=0.4 * ends * max(0.0, wave(0.5)),
        blink_left=blink,
        blink_right=blink,
    )


@dataclass(frozen=True)
class Limits:
    """What a driver must reach; px are canonical ones."""

    error_px: float
    mouth_error_px: float
    ssim: float
    least_motion_px: float


@dataclass(frozen=True)
class Scores:
    """What a driver reached, means over the compared frames."""

    error_px: float
    mouth_error_px: float
    motion_px: float
    ssim: float
    still_ssim: float


class Stage:
    """The portrait as driver and as photo.

    Args:
        photo: the portrait.
        placement: its face.
        box: the part of the photo that is judged.
    """

    def __init__(self, photo: Picture, placement: Placement, renderer: FaceRenderer) -> None:
        self.photo = photo
        self.placement = placement
        self.renderer = renderer
        self.motion = ProceduralMotion(placement.anchors)
        self.transfer = MotionTransfer(placement, placement)

    def whole(self, motion: FaceMotion) -> Picture:
        frame = self.photo.copy()
        box = self.renderer.box
        frame[box.upper : box.lower, box.left : box.right] = self.renderer.render(motion)
        return frame

    def rerendered(self, tracked: TrackedFrame, mouth: DriverMouth | None) -> Picture:
        field = self.transfer.field(tracked.field, tracked.confidence)
        lips = moved_lips(field, self.placement.anchors, DRIVER_LIP_OFFSET_PX)
        fill = None if mouth is None else mouth.fill(tracked.stabilised, lips)
        return self.whole(FaceMotion(limit_pose(tracked.pose), field, mouth=fill))

    def score(
        self, parameters: Callable[[float], Parameters], box: CropBox, face: Picture
    ) -> Scores:
        """The tracker sees every frame; every fourth one is compared."""
        mouth = None
        if not shows_open_mouth(face, self.placement.anchors):
            mouth = DriverMouth(face, face, self.transfer.positions)
        tracker = Tracker(self.photo, self.placement)
        view = np.s_[box.upper - 20 : box.lower + 40, box.left - 10 : box.right + 10]
        rows = []
        for index in range(1, FRAME_COUNT):
            now = parameters(index / FPS)
            pose, field = self.motion.pose(now), self.motion.field(now)
            closing = (now.blink_left, now.blink_right)
            driving = self.whole(FaceMotion(pose, field, closing))
            tracked = tracker.follow(driving)
            if index % 4 != 1:
                continue
            truth = transform(pose, moved(field))
            error = np.linalg.norm(transform(tracked.pose, moved(tracked.field)) - truth, axis=1)
            motion_px = np.linalg.norm(truth - POINTS, axis=1).mean()
            seen = driving[view]
            ssim, still_ssim = (
                structural_similarity(seen, other[view], channel_axis=2)
                for other in (self.rerendered(tracked, mouth), self.photo)
            )
            rows.append((error[ALL].mean(), error[MOUTH].mean(), motion_px, ssim, still_ssim))
        return Scores(*(float(mean) for mean in np.mean(rows, axis=0)))


def moved(field: Floats) -> Points:
    shift: Points = sample(field, POINTS.astype(np.float32)).astype(np.float64)
    return POINTS + shift


DRIVERS: dict[str, tuple[Callable[[float], Parameters], Limits]] = {
    "nod and smile": (
        lambda time_s: parameters_at(NOD, time_s),
        Limits(error_px=0.6, mouth_error_px=1.0, ssim=0.90, least_motion_px=3.0),
    ),
    "look around": (
        lambda time_s: parameters_at(LOOK_AROUND, time_s),
        Limits(error_px=1.6, mouth_error_px=1.6, ssim=0.78, least_motion_px=10.0),
    ),
    "talk": (
        talk,
        Limits(error_px=0.6, mouth_error_px=1.0, ssim=0.88, least_motion_px=3.0),
    ),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_known_movement_is_found_and_looks_the_same_on_the_photo(
    portrait: Picture,
    portrait_box: CropBox,
    placement: Placement,
    renderer: FaceRenderer,
    face: Picture,
    driver: str,
) -> None:
    parameters, limits = DRIVERS[driver]
    scores = Stage(portrait, placement, renderer).score(parameters, portrait_box, face)
    assert scores.motion_px > limits.least_motion_px  # or nothing would have been found
    assert scores.error_px < limits.error_px
    assert scores.mouth_error_px < limits.mouth_error_px
    assert scores.ssim > limits.ssim
    assert scores.ssim > scores.still_ssim + 0.2
