"""Where each pixel of a frame is read in the photo, by a mesh of triangles.

    posed face -> triangles, the far ones first -> displacement at the nodes of a grid -> blurred
    -> at each pixel; the eyes and the mouth again with a finer grid

The mesh is the face's and the rings around it; it is filled at the eyes and the mouth, so that lids
and lips never tear. A displacement points from a pixel of the frame to the photo.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from inference.arrays import Doubles, Floats
from inference.faces.head import CornerFrame
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import (
    FACE_POINTS,
    LOWER_LIDS,
    LOWER_OUTER_LIP,
    OVAL,
    UPPER_LIDS,
    UPPER_OUTER_LIP,
    Indices,
)
from inference.mesh.hidden_skin import HiddenSkin
from inference.mesh.placing import RINGS, Posed
from inference.mesh.raster import Flags, Triangles, at_pixels
from inference.smoothstep import smoothstep
from jobs.model import CropBox

_NODES, _WINDOW_NODES = 128, 256  # across the face, about
_BLUR_NODES = 1.3
_WINDOW_BLUR = 1 / 220  # face widths
_STILL_PX = 0.002
_EYE_WINDOW = np.array([0.95, 0.75])  # half its size, eye widths
_MOUTH_MARGIN = 0.12  # face widths
_FADE = 0.08  # face widths
_SEAM = 0.18  # share of a window
_ROOM_NODES = 5  # for the blur round what moved
_UPPER_LIDS_LAST = 1e9
_LEAST_AREA_PX2 = 0.05


@dataclass(frozen=True, eq=False)
class Displacement:
    """How far from each pixel of a part of the frame the photo is read.

    Attributes:
        part: in px of the picture.
        offsets: (h, w, 2) float32, px; 0 where nothing moved.
    """

    part: CropBox
    offsets: Floats


class MeshWarp:
    """Computes displacements for one face.

    Args:
        at_rest: the face as the photo shows it.
        mesh: the canonical mesh.
        size: width and height of the photo, px.

    Attributes:
        box: the part of the photo that can change.
    """

    def __init__(self, at_rest: Posed, mesh: CanonicalMesh, size: tuple[int, int]) -> None:
        self._own = _vertices(at_rest)
        self._hidden = HiddenSkin(at_rest, mesh)
        face_width = at_rest.head.face_width
        self._window_step = max(1, round(face_width / _WINDOW_NODES))
        # A multiple, so that the nodes of both grids stay where they are from frame to frame.
        self._step = self._window_step * max(1, round(face_width / _NODES / self._window_step))
        self._window_blur = max(1.0, face_width * _WINDOW_BLUR) / self._window_step
        self._mouth_margin_px = face_width * _MOUTH_MARGIN
        self.box = CropBox(left=0, upper=0, right=size[0], lower=size[1])
        self.box = self._part(_bounds(at_rest.rings[:, :2]), self._step, 0) or self.box
        fade_px = face_width * _FADE
        self._across = _fading(self.box.left, self.box.right, size[0], fade_px)
        self._down = _fading(self.box.upper, self.box.lower, size[1], fade_px)
        self._triangles = np.concatenate([_ring_triangles(), mesh.triangles])
        self._rings = len(self._triangles) - len(mesh.triangles)
        self._over = np.isin(self._triangles, [lid[1:-1] for lid in UPPER_LIDS]).any(axis=1)
        self._eyes = _eye_triangles(self._triangles)
        # One array for each corner: sums over a short last axis are slow.
        self._corners = np.ascontiguousarray(self._triangles.T)
        self._facing = np.sign(_doubled_areas(self._own, self._corners))

    def displacement(self, posed: Posed) -> Displacement | None:
        """Return the displacement of everything that moves; None if nothing does."""
        target = _vertices(posed)
        offsets = self._hidden.sources(self._own, posed.head)[:, :2] - target[:, :2]
        moved = np.abs(offsets).max(axis=1) > _STILL_PX
        moves = moved[self._corners].any(axis=0)
        if not moves.any():
            return None
        touched = np.zeros(len(target), np.bool_)
        touched[self._triangles[moves]] = True
        part = self._part(_bounds(target[touched, :2]), self._step, _ROOM_NODES)
        if part is None:
            return None
        order = self._order(target, moves)
        triangles = Triangles(target[:, :2], offsets, self._triangles[order], moves[order])
        nodes = triangles.at_nodes(part, self._step, _BLUR_NODES)
        field = at_pixels(nodes, self._step, (part.width, part.height))
        if self._window_step < self._step:
            for bounds in self._windows(posed):
                self._refine(field, part, bounds, triangles)
        self._fade(field, part)
        return Displacement(part, field)

    def _fade(self, field: Floats, part: CropBox) -> None:
        """Let the displacement end at the box's border, which only extreme poses reach."""
        across = self._across[part.left - self.box.left : part.right - self.box.left]
        faded = np.flatnonzero(across < 1)
        field[:, faded] *= across[faded, None]
        down = self._down[part.upper - self.box.upper : part.lower - self.box.upper]
        faded = np.flatnonzero(down < 1)
        field[faded] *= down[faded, None, None]

    def _order(self, target: Doubles, moves: Flags) -> Indices:
        """The triangles in the order of drawing.

        Left out are ring triangles that do not move, slivers, and flipped triangles of the eyes.
        """
        depth = target[:, 2][self._corners].sum(axis=0)
        depth[: self._rings] = np.inf
        depth[self._over] -= _UPPER_LIDS_LAST
        order = np.argsort(-depth, kind="stable")
        areas = _doubled_areas(target, self._corners)
        useless = (np.arange(len(areas)) < self._rings) & ~moves
        unusable = (
            useless | (np.abs(areas) < _LEAST_AREA_PX2) | (self._eyes & (areas * self._facing < 0))
        )
        return np.asarray(order[~unusable[order]])

    def _part(self, bounds: Doubles, step: int, room: int) -> CropBox | None:
        """The part of the box inside (left, upper, right, lower), with `room` steps around it."""
        left, upper = (np.floor(bounds[:2] / step) - room) * step
        right, lower = (np.ceil(bounds[2:] / step) + 1 + room) * step
        left, upper = max(int(left), self.box.left), max(int(upper), self.box.upper)
        right, lower = min(int(right), self.box.right), min(int(lower), self.box.lower)
        if left >= right or upper >= lower:
            return None
        return CropBox(left=left, upper=upper, right=right, lower=lower)

    def _windows(self, posed: Posed) -> list[Doubles]:
        """Bounds of the eyes and of the mouth, px."""
        flat = posed.points[:, :2]
        windows = []
        for eye in (0, 1):
            frame = CornerFrame.of(flat, eye)
            centre = frame.outside(np.array([0.5, 0.0]))
            reach = frame.width * _EYE_WINDOW
            windows.append(np.concatenate([centre - reach, centre + reach]))
        lips = _bounds(flat[np.concatenate([UPPER_OUTER_LIP, LOWER_OUTER_LIP])])
        windows.append(lips + self._mouth_margin_px * np.array([-1, -1, 1, 1]))
        return windows

    def _refine(self, field: Floats, part: CropBox, bounds: Doubles, triangles: Triangles) -> None:
        """Replace the displacement in a window by that of a finer grid, with a soft seam."""
        window = self._part(bounds, self._window_step, 0)
        window = window and common_part(part, window)
        if window is None or not triangles.move_in(window):
            return
        nodes = triangles.at_nodes(window, self._window_step, self._window_blur)
        finer = at_pixels(nodes, self._window_step, (window.width, window.height))
        across = _rising(np.arange(window.left, window.right), bounds[0], bounds[2])
        down = _rising(np.arange(window.upper, window.lower), bounds[1], bounds[3])
        rows = slice(window.upper - part.upper, window.lower - part.upper)
        coarse = field[rows, window.left - part.left : window.right - part.left]
        finer -= coarse
        finer *= (down[:, None] * across)[..., None]
        coarse += finer


def common_part(box: CropBox, other: CropBox) -> CropBox | None:
    """Return what two boxes have in common, if anything."""
    left, upper = max(box.left, other.left), max(box.upper, other.upper)
    right, lower = min(box.right, other.right), min(box.lower, other.lower)
    if left >= right or upper >= lower:
        return None
    return CropBox(left=left, upper=upper, right=right, lower=lower)


def _vertices(posed: Posed) -> Doubles:
    """The vertices of the mesh (720, 3): of the face, and of the rings around it."""
    return np.concatenate([posed.points[:FACE_POINTS], posed.rings])


def _ring_triangles() -> Indices:
    """The triangles between the face's border and the rings, the outer ones first."""
    circles = [OVAL, *(FACE_POINTS + np.arange(len(RINGS) * len(OVAL)).reshape(len(RINGS), -1))]
    found = []
    for inner, outer in reversed(list(itertools.pairwise(circles))):
        inner_next, outer_next = np.roll(inner, -1), np.roll(outer, -1)
        found.append(np.stack([inner, outer, outer_next], axis=1))
        found.append(np.stack([inner, outer_next, inner_next], axis=1))
    return np.concatenate(found)


def _eye_triangles(triangles: Indices) -> Flags:
    """Which triangles have all their corners on the lids of one eye."""
    lids = [np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye]]) for eye in (0, 1)]
    inside = [np.isin(triangles, lid).all(axis=1) for lid in lids]
    return np.asarray(inside[0] | inside[1])


def _doubled_areas(points: Doubles, corners: Indices) -> Doubles:
    """Twice the areas of triangles, negative for those that turn the other way.

    Args:
        points: (N, 2 or more).
        corners: (3, T), numbers of points.
    """
    x, y = points[:, 0][corners], points[:, 1][corners]
    doubled = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    return np.asarray(doubled, np.float64)


def _bounds(points: Doubles) -> Doubles:
    """Left, upper, right, lower of points (..., 2)."""
    flat = points.reshape(-1, 2)
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)])


def _fading(begin: int, end: int, limit: int, reach: float) -> Floats:
    """1 in a range, falling to 0 at its ends that are not those of the picture, 0 to `limit`."""
    place = np.arange(begin, end)
    from_begin = place - begin if begin > 0 else np.full(place.shape, np.inf)
    from_end = end - 1 - place if end < limit else np.full(place.shape, np.inf)
    return smoothstep(np.minimum(from_begin, from_end) / reach).astype(np.float32)


def _rising(place: Indices, begin: float, end: float) -> Floats:
    """1 in a range, falling to 0 over its outer parts."""
    from_end = np.minimum(place - begin, end - place) / (_SEAM * (end - begin))
    return np.asarray(np.clip(from_end, 0, 1), np.float32)
