"""Motion from curves: a template's head, brows, lips and eyelids, evaluated for one face.

No clip and no tracker: each parameter is a curve over time, and each has a shape on the canonical
frame. All are 0 at rest, so the first frame is the photo itself. Turns are good to about 0.3 rad.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from inference.flow.canonical import (
    CENTRE,
    HALF_BOX,
    LAYOUT,
    MOUTH_HALF_WIDTH,
    SIZE,
    Affine,
    Anchors,
    Floats,
    similarity,
)
from inference.flow.field import (
    bump,
    canonical_grid,
    elliptic_radius,
    regularise,
    smooth_step,
    unfold,
)
from inference.mesh.curves import values_at
from jobs.templates import CurveMotion, CurveName

_NECK = (CENTRE, CENTRE + 1.3 * HALF_BOX)


@dataclass(frozen=True)
class Parameters:
    """One moment of a movement; all 0 at rest.

    yaw, pitch and roll in rad; tx and ty in canonical px; the others from 0 to 1.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    tx: float = 0.0
    ty: float = 0.0
    smile: float = 0.0
    jaw: float = 0.0
    pucker: float = 0.0
    brow: float = 0.0
    blink_left: float = 0.0
    blink_right: float = 0.0


def parameters_at(motion: CurveMotion, time_s: float) -> Parameters:
    """The movement's parameters at a time from its start, s; other channels are left out."""
    values = values_at(motion, time_s)
    return Parameters(**{part.name: values[CurveName(part.name)] for part in fields(Parameters)})


class ProceduralMotion:
    """The shapes of all parameters for one face, ready to be mixed.

    Args:
        anchors: the face's eyes and mouth, canonical px.
    """

    def __init__(self, anchors: Anchors) -> None:
        x, y = anchors.mouth
        corner = MOUTH_HALF_WIDTH
        self._mouth = anchors.mouth
        self._depth = _head_depth()
        self._brows = np.maximum(
            *(
                bump((bx, by - 2.0), 20.0, 9.0)
                for bx, by in (LAYOUT["brow_middle_left"], LAYOUT["brow_middle_right"])
            )
        )
        self._smile = np.zeros((SIZE, SIZE, 2), np.float32)
        self._pucker = np.zeros((SIZE, SIZE, 2), np.float32)
        for side in (-1.0, 1.0):
            # Narrower than the mouth, so that its middle stays and does not thicken.
            at_corner = bump((x + side * corner, y), 10.0, 11.0)
            self._smile[..., 0] += 6.5 * side * at_corner
            self._smile[..., 1] -= 6.5 * at_corner
            self._smile[..., 1] -= 3.0 * bump((x + side * (corner + 16.0), y - 26.0), 16.0, 14.0)
            self._pucker[..., 0] -= 6.0 * side * bump((x + side * corner, y), 14.0, 12.0)
        self._smile[..., 1] += 2.0 * bump((x, y + 3.0), 14.0, 7.0)
        self._jaw = jaw_field(anchors)

    def pose(self, now: Parameters) -> Affine:
        """Head movement: a roll about the neck and a shift, canonical px."""
        pose = similarity(1.0, now.roll, _NECK)
        pose[0, 2] += now.tx + 0.18 * HALF_BOX * math.sin(now.yaw)
        pose[1, 2] += now.ty + 0.10 * HALF_BOX * math.sin(now.pitch)
        return pose

    def field(self, now: Parameters) -> Floats:
        """Displacement of the face under the head movement, regularised; exactly 0 at rest."""
        field = now.smile * self._smile + now.pucker * self._pucker + now.jaw * self._jaw
        field[..., 0] += self._depth * math.sin(now.yaw)
        field[..., 1] += self._depth * math.sin(now.pitch)
        field[..., 1] -= 7.0 * now.brow * self._brows
        if not field.any():
            return np.asarray(field, dtype=np.float32)
        return unfold(*regularise(np.asarray(field, dtype=np.float32)))


def _head_depth() -> Floats:
    """Distance of the head's surface from its axis, px: an ellipsoid with a nose."""
    radius = np.minimum(
        1.0, elliptic_radius(canonical_grid(), (CENTRE, 132.0), 1.05 * HALF_BOX, 1.35 * HALF_BOX)
    )
    depth = 0.95 * HALF_BOX * np.sqrt(1.0 - radius * radius)
    return np.asarray(depth + 10.0 * bump(LAYOUT["nose_tip"], 9.0, 14.0), dtype=np.float32)


def jaw_field(anchors: Anchors) -> Floats:
    """Displacement for a fully open jaw: lower lip and chin go down, the upper lip a little up."""
    mouth_x, mouth_y = anchors.mouth
    grid = canonical_grid()
    dx, dy = grid[..., 0] - mouth_x, grid[..., 1] - mouth_y
    below = 1.0 / (1.0 + np.exp(np.clip(-dy / 0.7, -50.0, 50.0)))
    down = np.maximum(dy, 0.0)
    lip = np.exp(-0.5 * np.abs(dx / (0.78 * MOUTH_HALF_WIDTH)) ** 2.6)
    chin = np.exp(-0.5 * (dx / (1.5 * MOUTH_HALF_WIDTH)) ** 4)
    fade = 1.0 - smooth_step((dy - 34.0) / 40.0)
    near = np.exp(-down / 22.0)
    field = np.zeros((SIZE, SIZE, 2), np.float32)
    field[..., 1] = 26.0 * below * fade * (lip * near + 0.75 * chin * (1.0 - near))
    field[..., 1] -= 3.5 * (1.0 - below) * lip * np.exp(-np.maximum(-dy, 0.0) / 9.0)
    return field
