"""The inside of the mouth, laid between the lips after the photo was warped.

photo with a shut mouth    the driver's mouth, or a painted one
photo that shows teeth     its own teeth over a painted cavity, so that there is one row only; where
                           it shows few, a painted row in their light replaces them as soon as
                           the lips move
other open mouths          as shut ones, when they open much wider than in the photo
covered mouths             nothing: the mask moves with the face
"""

import numpy as np

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import Head
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from inference.mesh.borrowed_mouth import borrowed_mouth
from inference.mesh.lip_edges import LipEdges
from inference.mesh.moment import DrivenMouth, Moment
from inference.mesh.mouth_area import MouthArea
from inference.mesh.mouth_cover import is_mouth_covered
from inference.mesh.own_mouth import OwnMouth, moved_lips, shows_teeth
from inference.mesh.painted_mouth import painted_cavity
from inference.mesh.retarget import SHUT_GAP, SHUT_NOISE
from inference.mesh.sampling import mixed
from inference.mesh.teeth import Arch, PaintedTeeth
from inference.mesh.tone import Tone
from inference.smoothstep import smoothstep

_NARROW, _NARROW_SHADE = 0.08, 0.6  # gap, mouth widths: teeth are in the shade of the lips
_SHADOW = np.array([1, 1.3, 1.4], np.float32)  # of the upper lip
_WARM_SHADE = np.array([0, 0.5, 0.55], np.float32)  # where lips close: red light is left


class Mouth:
    """The mouth of a photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px.
        head: fitted to them.
    """

    def __init__(self, photo: Picture, points: Doubles, head: Head) -> None:
        self._head = head
        self._gap = float(head.gaps.max())
        self._tone = Tone.of(photo, points)
        self._is_covered = is_mouth_covered(photo, points)
        self._own = own = None
        if self._gap >= SHUT_GAP and shows_teeth(photo, points, self._tone):
            self._own = own = OwnMouth(photo, points, head, self._tone)
        edge, enamel = (None, None) if own is None else (own.edge, own.enamel)
        self._arch = Arch(head, edge)
        self._lip_edges = LipEdges(photo, points) if self._gap >= SHUT_GAP else None
        self._teeth = PaintedTeeth(self._arch, head.scale, self._tone, enamel)
        self._shade = np.float32(1) if enamel is None else enamel / self._teeth.enamel

    def draw(
        self,
        frame: Picture,
        offset: tuple[int, int],
        target: Head,
        gaps: Doubles,
        moment: Moment,
    ) -> None:
        """Fill the opening between the lips in the warped photo, in place; nothing at rest.

        Args:
            frame: uint8 (h, w, 3) RGB.
            offset: left and upper edge of the frame in the photo, px.
            target: the head to draw, in the photo's px.
            gaps: (11,) distances of its inner lips, mouth widths.
            moment: its mouth is drawn between the lips; without one, the inside is painted.
        """
        driven = moment.mouth
        gap = float(gaps.max())
        speaks = _speaks(moment)
        moves = max(speaks, smoothstep((self._moved(target) - 0.02) / 0.12))
        if self._lip_edges is not None:
            self._lip_edges.draw(frame, offset, target, gap, moves)
        opacity = self._opacity(gap, moves, speaks)
        if opacity == 0:
            return
        area = MouthArea(frame.shape, offset, *self._lips(target, speaks))
        part = frame[area.rows, area.columns]
        if not part.size:
            return
        painted = 1.0 if driven is None or self._own else _stretched(driven, gap)
        colour = np.zeros(part.shape, np.float32)
        if painted > 0:
            colour += painted * self._painted(area, target, moment, gap)
        if driven is not None and painted < 1:
            colour += (1 - painted) * borrowed_mouth(area, driven, self._tone)
        colour = self._tone.kept_to_hue(np.clip(colour, 0, 255))
        drawn = mixed(part.astype(np.float32), colour, opacity * area.alpha)
        part[...] = np.clip(np.rint(drawn), 0, 255)

    def _opacity(self, gap: float, moves: float, speaks: float) -> float:
        """How opaque the filling is, 0 to 1."""
        if self._is_covered:
            return 0.0
        if self._own is not None:
            return moves * smoothstep((gap - 0.01) / 0.02)
        if self._gap >= SHUT_GAP:
            wider = smoothstep((gap - 1.15 * self._gap - 0.03) / 0.08)
            return max(wider, speaks * smoothstep((gap - 0.012) / 0.05))
        return smoothstep((gap - max(0.012, self._gap - SHUT_NOISE)) / 0.05)

    def _lips(self, target: Head, speaks: float) -> tuple[Doubles, Doubles]:
        """The outline of the opening; wider, where stretched teeth must be covered."""
        flat = target.projected(target.points)[:, :2]
        upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
        if self._gap >= SHUT_GAP and self._own is None:
            wide = (1 - speaks) * smoothstep((self._gap - 0.04) / 0.06)
            upper = upper + 0.3 * wide * (flat[UPPER_OUTER_LIP] - upper)
            lower = lower + 0.12 * wide * (flat[LOWER_OUTER_LIP] - lower)
        return upper, lower

    def _painted(self, area: MouthArea, target: Head, moment: Moment, gap: float) -> Floats:
        points = self._arch.at(target, area.places)
        inside = painted_cavity(area, gap, self._tone)
        if moment.teeth > 0:
            inside = self._teeth.lower_over(inside, points, moment.teeth)
        moved = self._moved(target)
        shown, own = self._painted_share(moment, gap, moved), inside
        if self._own is not None and shown < 1:
            own = self._own.over(inside, points, target)
            left = 1 - _NARROW_SHADE * (1 - smoothstep(gap / _NARROW))
            own *= left ** (1 + moment.closing * _WARM_SHADE)
        if shown > 0:
            lit = 0.4 + 0.6 * smoothstep(np.minimum(area.a, 1 - area.a) / 0.22)
            colour = mixed(inside, self._teeth.over(inside, points), lit)
            if self._own is not None:  # at first in the light in which the photo's teeth are
                speaks = _speaks(moment)
                lighter = (1 - speaks) * smoothstep((moved - 0.15) / 0.6)
                lighter += 0.7 * speaks * smoothstep((gap - 0.3 * self._gap) / 0.3)
                colour *= self._shade + (1 - self._shade) * np.float32(lighter)
            shadow = 0.3 * np.exp(-((area.below / 0.025) ** 2))
            own = own + shown * (colour * (1 - shadow[..., None]) ** _SHADOW - own)
        return np.asarray(own, np.float32)

    def _painted_share(self, moment: Moment, gap: float, moved: float) -> float:
        """How much of painted upper teeth is seen, 0 to 1."""
        if self._own is None:
            return max(smoothstep((gap - 0.03) / 0.08), moment.teeth * smoothstep(gap / 0.04))
        # A face that speaks keeps the painted teeth also where its lips pass the photo's.
        share = max(smoothstep((moved - 0.05) / 0.25), _speaks(moment))
        return float(self._own.missing * share)

    def _moved(self, target: Head) -> float:
        """How far the lips are from those of the photo, cm."""
        return moved_lips(target.points - self._head.points)


def _speaks(moment: Moment) -> float:
    """Whether a face speaks, 0 to 1; then all of the mouth's inside is drawn, in all frames."""
    return smoothstep(2.5 * moment.closing)


def _stretched(driven: DrivenMouth, gap: float) -> float:
    """Whether the driver's mouth would be stretched too far in a photo's open one, 0 to 1."""
    own = float(np.linalg.norm(driven.lower - driven.upper, axis=1).max())
    width = float(np.linalg.norm(driven.upper[-1] - driven.upper[0]))
    return smoothstep((gap * width / max(own, 1e-6) - 1.4) / 0.4)
