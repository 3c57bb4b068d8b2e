"""From what the motion network sees in a clip to the key points that a photo's face moves to.

    driving, measured from its rest -> key points -> stitched to the shoulders -> scaled

The formulas are those of the published code (Guo et al. 2024), its option `expression-friendly`
aside, which changes nothing where movements are relative.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inference.arrays import Floats

Mask = npt.NDArray[np.bool_]

POINTS = 21

_LIPS = (6, 12, 14, 17, 19, 20)
_EYES = (11, 13, 15, 16, 18)
# Of an expression that is taken over as it is: whole points, and single axes of further ones. The
# others differ from person to person.
_TAKEN_POINTS = (1, 2, 6, *range(11, POINTS))
_TAKEN_AXES = ((3, 1), (4, 1), (5, 2), (8, 2), (9, 1), (9, 2))
# Lips are open from this ratio of height to width on.
_OPEN_LIPS = 0.03
# What a face at rest looks like to the network, in millionths: a single picture has no frame from
# which its expression could be measured.
# fmt: off
_REST = np.array([
    [-94, 242, -40], [209, 468, 13], [-125, 325, 4], [120, -457, 54], [-265, -75, -16],
    [-33, -183, -4], [0, 0, 2], [-541, 2633, 7], [-12, 5, 10], [1, 5, -409], [167, -20, -89],
    [-15, 82, 6], [0, 3, 2], [-66, -68, -3], [-833, -1796, -3], [7, 37, -2], [-5, 7, -10],
    [-637, -1166, 56], [283, -15, 11], [-4, -15091, -2549], [222, 5628, 2726],
]) * np.float32(1e-6)
# fmt: on


class Retargeting(Protocol):
    """The small networks that adjust key points, see `inference.liveportrait.networks`."""

    def stitch(self, source: Floats, driving: Floats) -> Floats:
        """Return offsets (B, 65) of the points, then of all in x and y."""

    def retarget_lips(self, inputs: Floats) -> Floats:
        """Return offsets (B, 63) of inputs (B, 65)."""

    def retarget_eyes(self, inputs: Floats) -> Floats:
        """Return offsets (B, 63) of inputs (B, 66)."""


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """What the motion network sees in n pictures; all float32.

    Attributes:
        angles: (n, 3) pitch, yaw and roll, degrees.
        translation: (n, 3).
        expression: (n, 21, 3) offsets of the key points.
        scale: (n,).
    """

    angles: Floats
    translation: Floats
    expression: Floats
    scale: Floats

    def __len__(self) -> int:
        return len(self.scale)

    def mean(self, frames: npt.NDArray[Any]) -> "FaceMotion":
        """Return the mean of some frames, n = 1."""
        parts = (self.angles, self.translation, self.expression, self.scale)
        return FaceMotion(*(part[frames].mean(axis=0, keepdims=True) for part in parts))


@dataclass(frozen=True, eq=False)
class SourceFace:
    """The face of a photo.

    Attributes:
        keypoints: (21, 3) canonical, without pose and expression.
        motion: n = 1.
        lids: (2,) height / width of each eye, image left first.
        lips: height / width of the mouth.
    """

    keypoints: Floats
    motion: FaceMotion
    lids: Floats
    lips: float

    @property
    def points(self) -> Floats:
        """The key points as they are in the photo, (1, 21, 3)."""
        motion = self.motion
        rotation = rotations(motion.angles)
        return _posed(self.keypoints, rotation, motion.expression, motion.scale, motion.translation)


@dataclass(frozen=True)
class MotionOptions:
    """How a clip's motion is transferred.

    Attributes:
        relative: transfer the differences from the driver's rest, not the driver's own pose.
        region: what moves; one of `inference.engine_options.REGIONS`.
        stitching: adjust the points so that the square fits its surroundings.
        normalise_lips: shut the photo's lips first.
        retarget_eyes: open and shut the eyes by the opening of the driver's alone.
        retarget_lips: likewise the lips.
        strength: of the movement.
    """

    relative: bool = True
    region: str = "all"
    stitching: bool = True
    normalise_lips: bool = False
    retarget_eyes: bool = False
    retarget_lips: bool = False
    strength: float = 1.0


def rotations(angles: Floats) -> npt.NDArray[np.float64]:
    """Return the matrices (n, 3, 3), for row vectors, of angles (n, 3) pitch, yaw, roll, degrees.

    Each is the transpose of Rz(roll) Ry(yaw) Rx(pitch).
    """
    (cx, cy, cz), (sx, sy, sz) = (
        wave(np.radians(angles, dtype=float).T) for wave in (np.cos, np.sin)
    )
    rows = [
        [cz * cy, sz * cy, -sy],
        [cz * sy * sx - sz * cx, sz * sy * sx + cz * cx, cy * sx],
        [cz * sy * cx + sz * sx, sz * sy * cx - cz * sx, cy * cx],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def still_rest(driving: FaceMotion, region: str) -> FaceMotion:
    """Return the rest from which a single picture's expression is measured, n = 1."""
    rest = np.zeros_like(_REST) if region == "eyes" else _REST
    return FaceMotion(driving.angles, driving.translation, rest[None], driving.scale)


def moved(
    source: SourceFace, driving: FaceMotion, rest: FaceMotion, options: MotionOptions
) -> Floats:
    """Return the key points (n, 21, 3) that the driving frames move the face to.

    Args:
        source: the photo's face.
        driving: n frames.
        rest: n = 1, from which relative movements are measured.
        options: relative or not, and the region.
    """
    own, relative = source.motion, options.relative
    rotation, translation, scale = rotations(own.angles), own.translation, own.scale
    if options.region in ("all", "pose"):
        rotation = rotations(driving.angles)
        translation = driving.translation
        if relative:
            rotation = rotation @ rotations(rest.angles)[0].T @ rotations(own.angles)[0]
            translation = own.translation + driving.translation - rest.translation
    if options.region == "all" and relative:
        scale = own.scale * driving.scale / rest.scale
    expression = driving.expression
    if relative:
        expression = own.expression + driving.expression - rest.expression
    expression = np.where(_driven(options.region, relative=relative), expression, own.expression)
    return _posed(source.keypoints, rotation, expression, scale, translation)


def adjusted(
    source: SourceFace,
    points: Floats,
    openings: tuple[Floats, Floats],
    networks: Retargeting,
    options: MotionOptions,
) -> Floats:
    """Return the driven key points (n, 21, 3) as they are rendered.

    Args:
        source: the photo's face.
        points: (n, 21, 3), of `moved`.
        openings: of the driver's left eye and of the lips in each frame, (n,), as in `SourceFace`.
        networks: adjust the points.
        options: stitching and all that follow it.
    """
    at_rest = source.points
    lids, lips = (np.asarray(opening, np.float32)[:, None] for opening in openings)
    shut_lips = np.zeros_like(at_rest)
    if options.retarget_eyes or options.retarget_lips:
        # As published: then nothing else of the face moves.
        points = np.repeat(at_rest, len(points), axis=0) if options.relative else points.copy()
        if options.retarget_eyes:
            own = np.broadcast_to(source.lids, (len(points), 2))
            points += _offsets(networks.retarget_eyes(_inputs(at_rest, own, lids)))
        if options.retarget_lips:
            own = np.full((len(points), 1), source.lips, np.float32)
            points += _offsets(networks.retarget_lips(_inputs(at_rest, own, lips)))
    elif options.normalise_lips and source.lips >= _OPEN_LIPS:
        own, shut = np.array([[[source.lips]], [[0.0]]], np.float32)
        shut_lips = _offsets(networks.retarget_lips(_inputs(at_rest, own, shut)))
    if options.stitching:
        flat = points.reshape(len(points), -1)
        offsets = networks.stitch(at_rest.reshape(1, -1), flat)
        points = points + _offsets(offsets[:, :-2])
        points[..., :2] += offsets[:, None, -2:]
    points = points + shut_lips
    return np.asarray(at_rest + options.strength * (points - at_rest), np.float32)


def _driven(region: str, *, relative: bool) -> Mask:
    """Which entries (21, 3) of the expression are the driver's."""
    driven = np.zeros((POINTS, 3), np.bool_)
    if region in ("all", "expression") and not relative:
        driven[list(_TAKEN_POINTS)] = True
        driven[tuple(zip(*_TAKEN_AXES, strict=True))] = True
        return driven
    points: Mapping[str, Any] = {"pose": [], "lips": _LIPS, "eyes": _EYES}
    driven[list(points.get(region, range(POINTS)))] = True
    return driven


def _posed(
    keypoints: Floats,
    rotation: npt.NDArray[np.float64],
    expression: Floats,
    scale: Floats,
    translation: Floats,
) -> Floats:
    """The key points (n, 21, 3) with pose and expression; they do not move in depth."""
    points = scale[:, None, None] * (keypoints @ rotation + expression)
    points = points + translation[:, None] * np.array([1, 1, 0])
    return np.asarray(points, np.float32)


def _inputs(at_rest: Floats, own: Floats, driving: Floats) -> Floats:
    """Inputs of a retargeting network: the photo's points, its openings, the driver's opening."""
    points = np.broadcast_to(at_rest.reshape(1, -1), (len(driving), at_rest.size))
    return np.concatenate([points, own, driving], axis=1, dtype=np.float32)


def _offsets(flat: Floats) -> Floats:
    return flat.reshape(-1, POINTS, 3)
