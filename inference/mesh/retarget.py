"""Carry a moment over to the photo's face: where its points come to lie in the head's own frame.

    moment -> expression, without what the photo shows already -> brows, mouth -> lids -> inner lips

Without any difference the result is exactly the photo's own points.
"""

from dataclasses import dataclass

import numpy as np

from inference.arrays import Doubles
from inference.faces.head import CornerFrame, Head, mouth_width
from inference.faces.landmarker import POINTS, SCORES
from inference.faces.model_file import CanonicalMesh
from inference.faces.topology import (
    BROWS,
    FACE_POINTS,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    Indices,
)
from inference.mesh.expressions import expression_fields, expression_of, lower_share
from inference.mesh.glasses import rigid_skin
from inference.mesh.moment import Moment
from inference.smoothstep import smoothstep

SHUT_GAP = 0.05
"""Lips whose largest gap is smaller, in mouth widths, are shut."""
SHUT_NOISE = 0.025
"""Gaps of shut lips that are not seen."""
_LIPS = np.array([13, 14])
_MOUTH_REACH_CM, _SIZE_REACH_CM = 3.5, 3.2
_LEAST_OVERLAP_CM2 = 1.0
_BROW_GAIN, _BROW_LIMIT_CM = 0.3, 0.85
_MOUTH_SIZES = (0.7, 1.3)
# How far a shut upper lid crosses the lower one along its line, and how far the lower one rises.
_CROSSING = 0.03 * np.array([0.5, 0.9, 1, 1, 1, 0.9, 0.5])
_LOWER_LID_RISE = 0.05
_LID_SKIN_SHARE, _LEAST_LID_SKIN = 0.85, 0.05
_GAP_NOISE = 0.008
_LEAST_GAP = 0.012
_NEAR_LIPS_CM = 0.25
_LIP_BODY_CM = 1.1
_UPPER_CLOSES, _LOWER_CLOSES = 0.24, 0.56  # shares of the distance
_USUAL_OPENING = 0.25  # of lips, mouth widths; those that are open wider close more
_YIELDING = 0.65  # share of the photo's own expression that lips lose when they close


@dataclass(frozen=True, eq=False)
class Shape:
    """The photo's face with another expression.

    Attributes:
        points: (478, 3) float64 in the head's frame, cm.
        gaps: (11,) how far the inner lips are apart, mouth widths; 0 where they are shut.
        overlap: 0 to 1, the share of the photo's own expression that the moment contains.
    """

    points: Doubles
    gaps: Doubles
    overlap: float


class Retargeter:
    """Carries moments over to one face.

    Args:
        head: the photo's face.
        scores: its expression scores, (52,).
        mesh: the canonical mesh.
        glasses: how surely it wears glasses, 0 to 1.
    """

    def __init__(
        self, head: Head, scores: Doubles, mesh: CanonicalMesh, glasses: float = 0.0
    ) -> None:
        self._head = head
        canonical = np.zeros((POINTS, 3))
        canonical[:FACE_POINTS] = mesh.points
        self._near = near = _bell(canonical, canonical[_LIPS].mean(axis=0), _MOUTH_REACH_CM)
        fields = expression_fields(mesh)
        self._expression = expression_of(scores, fields)
        self._own = self._expression * near[:, None]
        only_jaw = np.where(np.arange(len(SCORES)) == SCORES.index("jawOpen"), scores, 0)
        self._own_jaw = expression_of(only_jaw, fields)
        self._lip_bodies = _lip_bodies(mesh)
        self._eagerness = max(1.0, float(head.gaps.max()) / _USUAL_OPENING)
        self._free = np.ones((POINTS, 1))
        self._free[:FACE_POINTS, 0] -= glasses * rigid_skin(mesh)
        self._brows = _brow_weights(canonical[:, 1])
        lips = head.points[_LIPS].mean(axis=0)
        self._near_mouth = _bell(head.points, lips, _SIZE_REACH_CM)[:, None]
        self._lids = [_Lid.of(head.points, eye) for eye in (0, 1)]
        self._jaw = expression_fields(mesh)["jawOpen"]

    def shape(self, moment: Moment, *, absolute: bool = False) -> Shape:
        """Return the face at a moment.

        Args:
            moment: what the driver does.
            absolute: the driver's expression replaces that of the photo, and is not added to it.
        """
        change = moment.gaps
        closing = 1 - (1 - moment.closing) ** self._eagerness
        if absolute:
            offsets, overlap = moment.expression - self._expression, 0.0
            change = change - self._head.gaps
        else:
            offsets, overlap = self._without_own(moment.expression)
        offsets = self._with_brows(offsets) - self._yielding(closing)
        if moment.mouth_width > 0:
            ratio = mouth_width(self._head.points) / moment.mouth_width
            size = float(np.clip(ratio, *_MOUTH_SIZES))
            offsets = offsets * (1 + (size - 1) * self._near_mouth)
        offsets = offsets * self._free
        points = self._head.points + offsets
        points -= self._closed_jaw(points, change)
        for lid, opening in zip(self._lids, moment.lids, strict=True):
            lid.move(points, self._head.points, offsets, float(opening))
        gaps, distances = self._gaps(change, overlap, closing)
        distances = distances * mouth_width(points)
        self._close_lips(points, distances, closing)
        self._part_lips(points, distances, closing)
        return Shape(points, gaps, overlap)

    def _without_own(self, offsets: Doubles) -> tuple[Doubles, float]:
        """Remove what the photo shows already: of two smiles the larger one, not the sum."""
        size = float(np.vdot(self._own, self._own))
        if size <= _LEAST_OVERLAP_CM2:
            return offsets, 0.0
        overlap = float(np.clip(np.vdot(offsets, self._own) / size, 0, 1))
        # Only what the moment moves too: a shut smile does not take back the photo's bared teeth.
        shown = np.where(offsets * self._own > 0, np.minimum(np.abs(offsets), abs(self._own)), 0)
        return offsets - overlap * np.sign(offsets) * shown, overlap

    def _closed_jaw(self, points: Doubles, change: Doubles) -> Doubles:
        """How far the jaw goes up when an open mouth shuts, (478, 3) cm; else its lips would swell.

        Args:
            points: with the moment's expression, whose own jaw may close the mouth already.
            change: of the gaps, mouth widths.
        """
        if self._head.gaps.max() < SHUT_GAP:
            return np.zeros(1)
        inner = slice(1, -1)
        upper, lower = UPPER_INNER_LIP[inner], LOWER_INNER_LIP[inner]
        own = self._head.gaps[inner]
        wanted = mouth_width(points) * np.maximum(0, own + np.minimum(0, change[inner]))
        shuts = np.maximum(0, mouth_width(self._head.points) * own - wanted)
        too_far = np.clip(points[lower, 1] - points[upper, 1] - wanted, 0, shuts)
        # Lips that are pursed become thicker.
        too_far *= smoothstep((mouth_width(points) / mouth_width(self._head.points) - 0.4) / 0.6)
        share = too_far / (self._jaw[lower, 1] - self._jaw[upper, 1])
        along = np.maximum.accumulate(self._head.points[upper, 0])
        share = np.interp(self._head.points[:, 0], along, share)
        return np.asarray(share[:, None] * self._jaw, np.float64)

    def _with_brows(self, offsets: Doubles) -> Doubles:
        """Amplify the brows, which the network measures too small, and bound them."""
        offsets = offsets * (1 + _BROW_GAIN * self._brows[:, None])
        down = offsets[:, 1]
        bounded = _BROW_LIMIT_CM * np.tanh(down / _BROW_LIMIT_CM)
        offsets[:, 1] = down + self._brows * (bounded - down)
        return offsets

    def _gaps(self, change: Doubles, overlap: float, closing: float) -> tuple[Doubles, Doubles]:
        """Return the gaps of the lips, and the distances of the points; mouth widths."""
        own = self._head.gaps * (1 - closing)
        change = np.sign(change) * np.maximum(np.abs(change) - _GAP_NOISE, 0)
        if self._head.gaps.max() >= SHUT_GAP:
            gaps = np.maximum(0, own + change - overlap * np.minimum(own, np.maximum(change, 0)))
            return gaps, gaps
        gaps = np.maximum(0, np.maximum(own - SHUT_NOISE, 0) + change)
        gaps[gaps < _LEAST_GAP] = 0
        # Points of shut lips are not on one line: they keep their places until the lips part.
        return gaps, np.maximum(own, gaps)

    def _yielding(self, closing: float) -> Doubles:
        """What lips that close take back of the photo's own expression, (478, 3) cm."""
        own_lips = self._own - self._own_jaw * self._near[:, None]
        return closing * self._own_jaw + _YIELDING * closing**2 * own_lips

    def _close_lips(self, points: Doubles, distances: Doubles, closing: float) -> None:
        """Move the lips as a whole towards each other, or they would swell when they close."""
        lips = self._head.points[UPPER_INNER_LIP]
        too_far = points[LOWER_INNER_LIP, 1] - points[UPPER_INNER_LIP, 1] - distances
        along = np.maximum.accumulate(lips[:, 0])
        share = np.interp(self._head.points[:, 0], along, np.maximum(too_far, 0))
        points[:, 1] += closing * share * self._lip_bodies

    def _part_lips(self, points: Doubles, distances: Doubles, closing: float) -> None:
        """Set the distances of the inner lips' points, cm, and keep the middles."""
        inner = slice(1, -1)
        upper, lower = UPPER_INNER_LIP[inner], LOWER_INNER_LIP[inner]
        own = self._head.points[lower] - self._head.points[upper]
        own_lengths = np.linalg.norm(own, axis=1)
        apart = points[lower] - points[upper]
        lengths = np.linalg.norm(apart, axis=1)
        along = apart / np.maximum(lengths, 1e-9)[:, None]
        along[(lengths < _NEAR_LIPS_CM) | (apart[:, 1] < 0)] = 0, 1, 0
        # A lower lip behind the teeth lies behind the upper lip, too.
        along += min(1.0, 2 * closing) * (np.array([0, 1, 0]) - along)
        # Added to the photo's own vector, so that lips at rest are not moved.
        half = (own + along * (distances[inner] - own_lengths)[:, None]) / 2
        half += closing * (along * distances[inner, None] / 2 - half)
        middle = (points[lower] + points[upper]) / 2
        points[upper], points[lower] = middle - half, middle + half


@dataclass(frozen=True, eq=False)
class _Lid:
    """The lids of one eye, and the skin above that follows the upper one.

    Attributes:
        eye: 0 or 1.
        heights: from upper to lower lid, (9, 3) cm, 0 at the corners.
        crossings: how far the upper lid goes beyond the lower one when shut, (7, 3) cm.
        skin: the vertices of the skin above.
        follow: how much each of them follows each point of the lid, (n, 9).
    """

    eye: int
    heights: Doubles
    crossings: Doubles
    skin: Indices
    follow: Doubles

    @classmethod
    def of(cls, points: Doubles, eye: int) -> "_Lid":
        upper, lower = UPPER_LIDS[eye], LOWER_LIDS[eye]
        heights = points[lower] - points[upper]
        frame = CornerFrame.of(points[:, :2], eye)
        lengths = np.maximum(np.linalg.norm(heights[1:-1], axis=1), 1e-9)
        crossings = heights[1:-1] * (_CROSSING * frame.width / lengths)[:, None]
        a, b = frame.inside(points[:FACE_POINTS, :2]).T
        line, brow = a[upper], BROWS[eye]
        lid_b = np.interp(a, line, b[upper])
        above = lid_b - b
        reach = np.maximum(
            _LEAST_LID_SKIN, _LID_SKIN_SHARE * (lid_b - np.interp(a, a[brow], b[brow]))
        )
        share = 1 - above / reach
        follows = (a > 0) & (a < 1) & (above > 0) & (share > 0)
        follows[np.concatenate([upper, lower])] = False
        skin = np.flatnonzero(follows)
        weights = np.stack([np.interp(a[skin], line, row) for row in np.eye(len(upper))], axis=1)
        return cls(eye, heights, crossings, skin, share[skin, None] * weights)

    def move(self, points: Doubles, own: Doubles, offsets: Doubles, opening: float) -> None:
        """Set the lids in `points`, from the photo's `own` points and the expression's offsets."""
        upper, lower = UPPER_LIDS[self.eye], LOWER_LIDS[self.eye]
        shift = offsets[upper[[0, -1]]].mean(axis=0)
        down = self.heights * (1 - opening)
        inner = slice(1, -1)
        beyond = self.crossings * max(0.0, 1 - opening)
        points[upper[inner]] = own[upper[inner]] + shift + down[inner] + beyond
        points[lower[inner]] = own[lower[inner]] + shift - _LOWER_LID_RISE * down[inner]
        points[self.skin] += self.follow @ down


def _lip_bodies(mesh: CanonicalMesh) -> Doubles:
    """How far each point moves down when the lips above or below it close, (478,), for 1."""
    share = np.zeros(POINTS)
    x, y = mesh.points[:, 0], mesh.points[:, 1]
    of_jaw = lower_share(x, y)
    share[:FACE_POINTS] = _UPPER_CLOSES * (1 - of_jaw) - _LOWER_CLOSES * of_jaw
    share[:FACE_POINTS] *= np.exp(-(((y - y[_LIPS].mean()) / _LIP_BODY_CM) ** 2) / 2)
    return share


def _bell(points: Doubles, centre: Doubles, reach: float) -> Doubles:
    """1 at a centre in x and y, falling with a deviation of `reach`."""
    squares = ((points[:, :2] - centre[:2]) ** 2).sum(axis=1)
    return np.asarray(np.exp(-squares / (2 * reach**2)), np.float64)


def _brow_weights(y: Doubles) -> Doubles:
    """How much each point of the canonical mesh belongs to the brows, (478,)."""
    return smoothstep(-3.2 - y) * np.interp(-y, [5.6, 8], [1, 0])
