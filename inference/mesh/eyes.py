"""The eyes: lids that slide over an eyeball, with their lashes.

The mesh alone would squeeze the eyeball, and stretch the skin and the lashes with the lid. So, per
frame:

    unfold   changes the map of source pixels before the photo is warped: the skin between lid and
             brow keeps its place
    draw     lays the eyeball into the opening afterwards, and the lid's skin and lashes over it
"""

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.topology import BROWS
from inference.mesh.eye_texture import LASHES_ABOVE, LASHES_BELOW, EyeTexture
from inference.mesh.lids import LidLines, lids_at
from inference.mesh.sampling import Along, for_colours, mixed
from inference.mesh.tone import shaded
from inference.smoothstep import smoothstep

# Eye widths.
_LOWER_LASHES = 0.03
_MAX_LID_SKIN = 0.5  # between lid and brow
_BEYOND = 0.12  # the corners
_CREASE_DROP = 0.5  # of the eye's opening
_MAX_GAZE = np.array([0.30, 0.12])
_MAX_GAZE_UP = 0.22
_MIN_HANGING = 0.36  # brightness below the darkest lashes of a shut eye
_GAP_WIDTH, _GAP_SHADE = 0.028, 0.36
_FINE_PX = 22  # width of an eye from which on lashes are no blur
_ALL_LID, _ALL_GAZE = 0.06, 0.015  # changes from which on the whole eye is drawn anew
_BROW_A = np.linspace(-0.2, 1.2, 141)  # a at which the brow is known


class Eyes:
    """Both eyes of a photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        points: (478, 2 or more) landmarks in it, px, with `refined_lids`.
    """

    def __init__(self, photo: Picture, points: Doubles) -> None:
        self._eyes = [_Eye(photo, points, eye) for eye in (0, 1)]

    def unfold(
        self, source: Floats, offset: tuple[int, int], points: Doubles, lids: Doubles
    ) -> None:
        """Keep the skin between lid and brow in place; changes `source`.

        Args:
            source: float32 (h, w, 2), for each pixel of the frame its place in the photo, px.
            offset: left and upper edge of the frame in the photo, px.
            points: (478, 2 or more) landmarks to draw, px of the photo.
            lids: (2,) opening of each eye, see `Moment.lids`.
        """
        for eye, lid in zip(self._eyes, lids, strict=True):
            amount = min(1.0, abs(1 - lid) / _ALL_LID)
            if amount > 0:
                area, part = eye.area(points, 1 - lid).inside(source, offset)
                if part.size:
                    eye.unfold(part, area, amount)

    def draw(
        self,
        frame: Picture,
        offset: tuple[int, int],
        points: Doubles,
        lids: Doubles,
        gaze: Doubles,
    ) -> None:
        """Draw both eyes into the warped photo, in place; nothing at rest.

        Args:
            frame: uint8 (h, w, 3) RGB.
            offset: left and upper edge of the frame in the photo, px.
            points: (478, 2 or more) landmarks to draw, px of the photo.
            lids: (2,) opening of each eye, see `Moment.lids`.
            gaze: (2,) how far the irises move, see `Moment.gaze`.
        """
        most = np.where(gaze < 0, (_MAX_GAZE[0], _MAX_GAZE_UP), _MAX_GAZE)
        shift = most * np.tanh(gaze * (1, 0.8) / most)
        shift *= smoothstep((lids.mean() - 0.2) / 0.4)  # landmarks of shut eyes say nothing
        looks = np.hypot(*gaze) / _ALL_GAZE
        for eye, lid in zip(self._eyes, lids, strict=True):
            amount = min(1.0, max(abs(1 - lid) / _ALL_LID, looks))
            if amount == 0:
                continue
            area, part = eye.area(points, 1 - lid).inside(frame, offset)
            if not part.size:
                continue
            before = part.astype(np.float32)
            drawn = before + amount * (eye.drawn(before, area, 1 - lid, shift) - before)
            part[...] = np.clip(np.rint(drawn), 0, 255)


class _Area:
    """The pixels of a box round an eye: where they are in the photo, and (a, b) of each.

    Args:
        lines: the lids to draw.
        own: the lids in the photo.
        brow: b of the photo's brow at `_BROW_A`.
        closing: how far the eye is shut, 0 to 1; less than 0: opened wide.
    """

    def __init__(self, lines: LidLines, own: LidLines, brow: Floats, closing: float) -> None:
        frame = lines.frame
        b = np.concatenate([lines.upper, lines.lower, own.upper])
        ends = (b.min() - _MAX_LID_SKIN, b.max() + 0.12)
        corners = np.array([[a, end] for a in (-_BEYOND, 1 + _BEYOND) for end in ends])
        places = frame.outside(corners)
        self.corner = np.floor(places.min(axis=0)).astype(int)
        self.a, self.b = frame.of_pixels(
            self.corner.tolist(), (np.ceil(places.max(axis=0)).astype(int) + 1).tolist()
        )
        self.width = frame.width
        self.upper, self.lower, self.was_upper, self.was_lower = lids_at(self.a, lines, own)
        self.from_corners = np.minimum(self.a, 1 - self.a)
        self.below = self.b - self.upper
        brow_b = Along((self.a - _BROW_A[0]) / (_BROW_A[1] - _BROW_A[0]), len(_BROW_A)).on(brow)
        self.skin_height = np.clip(self.was_upper - brow_b, 0.1, _MAX_LID_SKIN)
        self.lid_b = self._lid_b(closing)

    def _lid_b(self, closing: float) -> Floats:
        """Where in the photo the lid's skin is, b: the crease sinks a little with the lid."""
        line, height = self.was_upper, 0.95 * self.skin_height
        drop = _CREASE_DROP * max(0.0, closing) * (self.was_lower - line)
        above = line - (line + drop - self.b) * height / (height + drop)
        room = np.maximum(self.upper - line - drop, 1e-3)
        below = line + (self.b - line - drop) * (self.upper - line) / room
        moved = np.where(self.b < line + drop, above, below)
        is_lid = (self.b > line - height) & (self.b < self.upper) & (drop > 0)
        return np.where(is_lid, moved, self.b).astype(np.float32)

    def inside(
        self, frame: npt.NDArray[Any], offset: tuple[int, int]
    ) -> tuple["_Area", npt.NDArray[Any]]:
        """Return the part of the area inside a frame (h, w, ...), and that of the frame.

        Args:
            frame: a part of the photo.
            offset: its left and upper edge in the photo, px.
        """
        corner = self.corner - offset
        size = np.array(self.a.shape[::-1])
        first, last = np.maximum(-corner, 0), np.minimum(size, frame.shape[1::-1] - corner)
        last = np.maximum(first, last)
        rows, columns = (slice(corner[i] + first[i], corner[i] + last[i]) for i in (1, 0))
        if (last - first == size).all():
            return self, frame[rows, columns]
        part = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value.ndim == 2:
                setattr(part, name, value[first[1] : last[1], first[0] : last[0]])
        return part, frame[rows, columns]


class _Eye:
    """One eye of the photo."""

    def __init__(self, photo: Picture, points: Doubles, eye: int) -> None:
        self._number = eye
        self._lines = LidLines.of(points, eye)
        self._texture = EyeTexture.of(photo, points, eye)
        brow = self._lines.frame.inside(points[BROWS[eye], :2])
        brow = brow[np.argsort(brow[:, 0])]
        self._brow = np.interp(_BROW_A, brow[:, 0], brow[:, 1]).astype(np.float32)
        self._area: tuple[Doubles, float, _Area] | None = None

    def area(self, points: Doubles, closing: float) -> _Area:
        """Return the pixels round the eye; both steps of a frame ask for the same ones."""
        last = self._area
        if last is None or last[0] is not points or last[1] != closing:
            lines = LidLines.of(points, self._number)
            area = _Area(lines, self._lines, self._brow, closing)
            last = self._area = (points, closing, area)
        return last[2]

    def unfold(self, source: Floats, area: _Area, amount: float) -> None:
        """Mix into `source` the place of the skin between lid and brow."""
        kept = smoothstep((0.95 - (area.was_upper - area.b) / area.skin_height) / 0.35)
        kept *= smoothstep((area.lower + 0.1 - area.b) / 0.1)
        kept *= smoothstep((area.from_corners + _BEYOND) / 0.15)
        kept *= amount
        for axis, own in enumerate(self._lines.frame.places(area.a, area.lid_b)):
            source[..., axis] += kept * (own - source[..., axis])

    def drawn(self, frame: Floats, area: _Area, closing: float, shift: Doubles) -> Floats:
        """Return the frame's part with this eye drawn."""
        texture, below = self._texture, area.below
        shut = smoothstep((closing - 0.45) / 0.45)
        beside = smoothstep((area.from_corners + 0.08) / 0.1)  # nothing far from the corners
        skin = texture.sample(texture.skin, area.a, area.lid_b)
        seen = mixed(frame, self._ball(area, closing, shift), self._ball_alpha(area, shift))
        own = texture.sample(texture.photo, area.a, area.was_upper + below)
        if shut > 0:
            # Remains of the squeezed eye lie beneath the lashes of a shut one.
            remains = shut * smoothstep((area.lower + 0.1 - area.b) / 0.06) * beside
            seen = mixed(seen, skin, remains * (below > -0.03))
            own += shut * (shaded(seen, self._hanging_lashes(area)) - own)
        strip = smoothstep((LASHES_BELOW - below) / max(0.03, 1.5 / area.width)) * smoothstep(
            area.from_corners / 0.06
        )
        seen = mixed(seen, own, strip * (below > -0.03))

        if shut < 1:
            skin *= for_colours(self._lashes(area, below) ** (1 - shut))
        covered = np.clip(0.5 - area.width * below, 0, 1)
        above = np.minimum(area.was_upper, area.upper) - area.b
        covered *= smoothstep((LASHES_ABOVE + 0.06 - above) / 0.03)
        seen = mixed(seen, skin, covered * beside)
        return shaded(seen, 1 - shut * self._gap_shade(area)) if shut > 0 else seen

    def _lashes(self, area: _Area, below: Floats) -> Floats:
        return self._texture.sample(self._texture.lashes, area.a, area.was_upper + below)

    def _hanging_lashes(self, area: _Area) -> Floats:
        """What the lashes of a shut eye leave of the brightness; they are thin near the nose."""
        texture = self._texture
        ends = [area.was_upper + 0.8 * area.below, area.was_upper - area.below]
        one, other = (texture.sample(texture.fringe, area.a, b) for b in ends)
        lashes = one * other
        from_nose = 1 - area.a if self._number == 0 else area.a
        strength = (1 - _MIN_HANGING) * (0.3 + 0.7 * smoothstep(from_nose / 0.5))
        strength *= min(1.0, 0.45 + 0.55 * area.width / _FINE_PX)
        return np.asarray(1 - strength * (1 - lashes), np.float32)

    def _gap_shade(self, area: _Area) -> Floats:
        """How dark the line is in which shut lids meet; lashes alone may be thin."""
        width = max(_GAP_WIDTH, 0.7 / area.width)
        line = np.exp(-((area.below / width) ** 2)) * smoothstep(area.from_corners / 0.2)
        return np.asarray(_GAP_SHADE * _GAP_WIDTH / width * line, np.float32)

    def _ball_alpha(self, area: _Area, shift: Doubles) -> Floats:
        # Where an iris that moved was, none of it remains above the lower lid.
        lashes = _LOWER_LASHES * (1 - smoothstep(float(np.hypot(*shift)) / 0.05))
        bottom = area.lower - lashes * smoothstep(area.from_corners / 0.12)
        alpha = np.clip(area.width * np.minimum(area.below, bottom - area.b) + 0.5, 0, 1)
        return np.asarray(alpha * np.clip(area.width * area.from_corners, 0, 1), np.float32)

    def _ball(self, area: _Area, closing: float, shift: Doubles) -> Floats:
        texture = self._texture
        white = texture.sample(texture.white, area.a, area.b)
        iris = texture.sample(texture.iris, area.a - shift[0], area.b - shift[1])
        ball = mixed(white, iris[..., :3], iris[..., 3])
        # Until the iris moves, the photo itself shows the ball best.
        still = smoothstep((area.b - area.was_upper - 0.03) / 0.04)
        still *= 1 - smoothstep(float(np.hypot(*shift)) / 0.03)
        still *= smoothstep((area.was_lower - area.b + 0.01) / 0.03)
        ball = mixed(ball, texture.sample(texture.photo, area.a, area.b), still)
        shadow = 0.25 * min(1.0, max(closing, -8 * closing)) * np.clip(1 - area.below / 0.12, 0, 1)
        return np.asarray(ball * for_colours(1 - shadow), np.float32)
