"""Rendering: the photo warped once, at its own resolution, by head movement and expression.

The warp lives on a work grid of 256 x 256 nodes that covers four box widths round the face; outside
it no pixel of the photo is touched, and at its border the displacement is 0, so the result needs no
paste-back and has no seam.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from inference.flow.canonical import (
    CENTRE,
    HALF_BOX,
    SIZE,
    Affine,
    Floats,
    Picture,
    Placement,
    compose,
    crop_to_canonical,
    invert,
    transform,
)
from inference.flow.eyelid import MIN_CLOSING, REACH_PX, Eyelid
from inference.flow.field import blur, jacobian, sample, smooth_step
from inference.flow.mouth import MouthFill
from jobs.model import CropBox

_NODE_STEP_PX = 2.0
_FIRST_NODE_PX = -128.0
_RAMP_PX = 16.0
_MAX_MISS_PX = 0.1
_NEWTON_STEPS = 8


@dataclass(frozen=True)
class FaceMotion:
    """All that one frame changes.

    Attributes:
        pose: similarity, canonical px: the head's movement.
        field: float32 (256, 256, 2), canonical px: the expression, without folds.
        closing: of the left and the right eyelid, 0 open to 1 closed (left: smaller x).
        mouth: what to lay between the lips, if anything.
    """

    pose: Affine
    field: Floats
    closing: tuple[float, float] = (0.0, 0.0)
    mouth: MouthFill | None = None


@dataclass(frozen=True)
class _Window:
    """A part of the region of interest, as slices of its arrays."""

    rows: slice
    columns: slice


class FaceRenderer:
    """Renders one face of one photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        placement: the face.

    Attributes:
        box: the part of the photo that can change; frames cover exactly this box.
    """

    def __init__(self, photo: Picture, placement: Placement) -> None:
        self._photo = photo
        self._placement = placement
        self._nodes = _work_grid()
        face = crop_to_canonical(photo, placement.canonical_from_picture)
        # Eyes that were not found cannot be closed: a lid in the wrong place is horrible.
        eyes = (placement.anchors.eye_left, placement.anchors.eye_right)
        self._eyelids = [Eyelid(face, eye) for eye in eyes if placement.refined]
        to_picture = placement.picture_from_canonical
        self._linear_to_picture = to_picture[:, :2].T.astype(np.float32)
        self.box = work_area(photo.shape[1], photo.shape[0], placement)
        x, y = np.meshgrid(
            np.arange(self.box.left, self.box.right, dtype=np.float32),
            np.arange(self.box.upper, self.box.lower, dtype=np.float32),
        )
        self._pixels = np.dstack([x, y])
        node_from_canonical = np.array(
            [
                [1 / _NODE_STEP_PX, 0.0, -_FIRST_NODE_PX / _NODE_STEP_PX],
                [0.0, 1 / _NODE_STEP_PX, -_FIRST_NODE_PX / _NODE_STEP_PX],
            ]
        )
        node_from_picture = compose(node_from_canonical, placement.canonical_from_picture)
        self._node_of_pixel = transform(node_from_picture, self._pixels)
        self._ramp = _ramp(photo.shape[1], photo.shape[0], placement)[..., None]

    def render(self, motion: FaceMotion) -> Picture:
        """One frame of `box`, uint8 (h, w, 3) RGB; without motion exactly the photo's pixels."""
        with_head = self._undo_head(motion.pose)
        positions = _undo_expression(with_head, motion.field)
        shift = ((positions - self._nodes) * self._ramp) @ self._linear_to_picture
        shift_of_pixel = sample(np.asarray(shift, dtype=np.float32), self._node_of_pixel)
        read_at = np.asarray(self._pixels + shift_of_pixel, dtype=np.float32)
        for eyelid, closing in zip(self._eyelids, motion.closing, strict=False):
            if closing > MIN_CLOSING:
                self._close_eye(read_at, eyelid, closing, motion)
        warped = cv2.remap(
            self._photo,
            read_at[..., 0],
            read_at[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        frame = np.asarray(warped, dtype=np.uint8)
        if motion.mouth is not None:
            self._lay_mouth(frame, with_head, motion)
        return frame

    def _undo_head(self, pose: Affine) -> Floats:
        """Where each node was before the head moved; the surroundings stay."""
        before = transform(invert(pose), self._nodes)
        # In canonical px the blur's sigma is 2: one node.
        weight = blur(_head_weight(before), 2.0 / _NODE_STEP_PX)
        return np.asarray(self._nodes + weight[..., None] * (before - self._nodes), np.float32)

    def _close_eye(
        self, read_at: Floats, eyelid: Eyelid, closing: float, motion: FaceMotion
    ) -> None:
        """Changes `read_at` in place where the eye is in this frame."""
        window = self._window_of(np.array(eyelid.eye), REACH_PX, motion)
        if window is None:
            return
        to_canonical = self._placement.canonical_from_picture
        part = read_at[window.rows, window.columns]
        closed = eyelid.close(transform(to_canonical, part), closing)
        read_at[window.rows, window.columns] = transform(
            self._placement.picture_from_canonical, closed
        )

    def _lay_mouth(self, frame: Picture, with_head: Floats, motion: FaceMotion) -> None:
        """Blends the mouth's inside into `frame`, in place."""
        fill = motion.mouth
        window = self._window_of(np.array(self._placement.anchors.mouth), 48.0, motion)
        if fill is None or window is None:
            return
        nodes = np.ascontiguousarray(self._node_of_pixel[window.rows, window.columns])
        positions = sample(with_head, nodes, border=cv2.BORDER_REPLICATE)
        alpha = sample(fill.alpha, positions)[..., None]
        colour = sample(fill.colour, positions)
        part = frame[window.rows, window.columns]
        part[...] = np.rint(part + alpha * (colour - part)).astype(np.uint8)

    def _window_of(
        self,
        point: "np.ndarray[tuple[int], np.dtype[np.float64]]",
        reach_px: float,
        motion: FaceMotion,
    ) -> _Window | None:
        """The pixels that may show what lies within `reach_px` of a point; None if none can."""
        moved = point + sample(motion.field, point.astype(np.float32)[None])[0]
        corners = moved + reach_px * 1.3 * np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])
        to_picture = compose(self._placement.picture_from_canonical, motion.pose)
        seen = transform(to_picture, corners) - [self.box.left, self.box.upper]
        size = [self.box.width, self.box.height]
        left, upper = np.clip(np.floor(seen.min(axis=0)), 0, size).astype(int)
        right, lower = np.clip(np.ceil(seen.max(axis=0)) + 1, 0, size).astype(int)
        if right <= left or lower <= upper:
            return None
        return _Window(slice(upper, lower), slice(left, right))


def work_area(width: int, height: int, placement: Placement) -> CropBox:
    """The part of a photo of `width` x `height` px that the work grid covers."""
    corners = transform(placement.picture_from_canonical, _grid_corners())
    left, upper = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1])
    right, lower = np.clip(np.ceil(corners.max(axis=0)) + 1, [left + 1, upper + 1], [width, height])
    return CropBox(left=int(left), upper=int(upper), right=int(right), lower=int(lower))


def _work_grid() -> Floats:
    """(256, 256, 2): the nodes, canonical px."""
    line = _FIRST_NODE_PX + _NODE_STEP_PX * np.arange(SIZE, dtype=np.float32)
    return np.dstack(np.meshgrid(line, line)).astype(np.float32)


def _grid_corners() -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """(4, 2): upper left, upper right, lower left, lower right node, canonical px."""
    low, high = _FIRST_NODE_PX, _FIRST_NODE_PX + _NODE_STEP_PX * (SIZE - 1)
    return np.array([[low, low], [high, low], [low, high], [high, high]])


def _ramp(width: int, height: int, placement: Placement) -> Floats:
    """(256, 256): 0 at each side of the grid that lies inside the photo, 1 from 16 px inwards."""
    nodes = np.arange(SIZE, dtype=np.float32) * (_NODE_STEP_PX / _RAMP_PX)
    rise = smooth_step(nodes)
    one = np.ones(SIZE, np.float32)
    corners = _grid_corners()
    inside = [
        _crosses(corners[[start, end]], width, height, placement)
        for start, end in ((0, 2), (1, 3), (0, 1), (2, 3))
    ]
    left, right, top, bottom = (rise if side else one for side in inside)
    return np.asarray(np.outer(top * bottom[::-1], left * right[::-1]), dtype=np.float32)


def _crosses(
    ends: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    width: int,
    height: int,
    placement: Placement,
) -> bool:
    """Whether any part of a side of the grid lies inside the photo."""
    share = np.linspace(0.0, 1.0, 2 * SIZE)[:, None]
    line = transform(placement.picture_from_canonical, ends[0] + share * (ends[1] - ends[0]))
    inside = (line >= -1.0) & (line <= [width, height])
    return bool(inside.all(axis=1).any())


def _head_weight(points: Floats) -> Floats:
    """How much each canonical point (..., 2) moves with the head: 1 on it, 0 beyond two radii."""
    dx = (points[..., 0] - np.float32(CENTRE)) / np.float32(1.25 * HALF_BOX)
    below = points[..., 1] - np.float32(CENTRE)
    radius_y = np.where(below > 0, np.float32(1.45 * HALF_BOX), np.float32(1.75 * HALF_BOX))
    return smooth_step((2.1 - np.hypot(dx, below / radius_y)) / 1.05)


def _undo_expression(target: Floats, field: Floats) -> Floats:
    """Positions p with p + field(p) = target; all (256, 256, 2), canonical px.

    Damped fixed-point steps; they swing where the field stretches nearly threefold, as in an
    opening mouth, and what they leave there is solved by Newton's method.
    """
    if not field.any():
        return target
    position = target - sample(field, target)
    for _ in range(6):
        position += np.float32(0.7) * (target - sample(field, position) - position)
    miss = target - sample(field, position) - position
    open_nodes = np.einsum("ijk,ijk->ij", miss, miss) > _MAX_MISS_PX**2
    if open_nodes.any():
        position[open_nodes] = _solve(target[open_nodes], position[open_nodes], field)
    return position


def _solve(target: Floats, start: Floats, field: Floats) -> Floats:
    """Positions p with p + field(p) = target, (N, 2), by Newton steps from `start`.

    Each step is at most 6 px long; of all places a point visits, the one that fits best is kept.
    """
    gradient = jacobian(field)
    position, best = start, start
    least = np.full(len(start), np.inf, np.float32)
    for step in range(_NEWTON_STEPS + 1):
        miss = target - sample(field, position) - position
        error = np.einsum("nk,nk->n", miss, miss)
        best = np.where((error < least)[:, None], position, best)
        least = np.minimum(error, least)
        if step == _NEWTON_STEPS:
            break
        a, b, c, d = np.moveaxis(sample(gradient, position), -1, 0)
        determinant = np.maximum((1 + a) * (1 + d) - b * c, 0.05)
        move_x = ((1 + d) * miss[:, 0] - b * miss[:, 1]) / determinant
        move_y = ((1 + a) * miss[:, 1] - c * miss[:, 0]) / determinant
        length = np.maximum(np.hypot(move_x, move_y), 1e-6)
        shorter = np.minimum(1.0, 6.0 / length)
        position = position + np.column_stack([move_x * shorter, move_y * shorter])
    return np.asarray(best, dtype=np.float32)
