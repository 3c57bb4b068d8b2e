"""The eyes: lids that slide over an eyeball, with their lashes.

The mesh alone would squeeze the eyeball, and stretch the skin and the lashes with the lid. So, per
frame:

    unfold   changes the map of source pixels before the photo is warped: the skin between lid and
             brow keeps its place
    draw     lays the eyeball into the opening afterwards, and the lid's skin and lashes over it
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.mesh.eye_texture import LASHES_ABOVE, LASHES_BELOW, EyeTexture, smooth
from inference.mesh.head import EyeFrame
from inference.mesh.lids import LidLines
from inference.mesh.topology import BROWS

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

# Eye widths.
_LOWER_LASHES = 0.03
_MAX_LID_SKIN = 0.5  # between lid and brow
_MIN_HANGING = 0.35  # brightness below the darkest lashes of a shut eye
_MAX_GAZE = (0.30, 0.12)


@dataclass(frozen=True, eq=False)
class _Area:
    """The pixels of a box round an eye: where they are in the frame, and (a, b) of each."""

    rows: slice
    columns: slice
    a: Floats
    b: Floats
    width: float
    upper: Floats
    lower: Floats


class _Eye:
    """One eye of the photo."""

    def __init__(self, photo: Picture, points: Doubles, eye: int) -> None:
        self.number = eye
        self.lines = LidLines.of(points, eye)
        self.texture = EyeTexture.of(photo, points, eye)
        brow = self.lines.frame.inside(points[BROWS[eye], :2])
        self._brow = brow[np.argsort(brow[:, 0])]

    def unfold(self, source: Floats, area: _Area, amount: float) -> None:
        """Mix into `source` the photo's own place of the skin between lid and brow."""
        above = self.lines.upper_at(area.a) - area.b
        brow = np.interp(area.a, self._brow[:, 0], self._brow[:, 1])
        height = np.clip(self.lines.upper_at(area.a) - brow, 0.1, _MAX_LID_SKIN)
        kept = smooth((0.95 - above / height) / 0.35) * smooth((area.lower + 0.1 - area.b) / 0.1)
        kept *= smooth(np.minimum(area.a + 0.12, 1.12 - area.a) / 0.15) * amount
        spots = self.lines.frame.outside(np.stack([area.a, area.b], axis=-1))
        source += kept[..., None].astype(np.float32) * (spots.astype(np.float32) - source)

    def draw(self, frame: Floats, area: _Area, closing: float, shift: Doubles) -> Floats:
        """Return the frame's part with this eye drawn."""
        texture, was = self.texture, self.lines.upper_at(area.a)
        below = area.b - area.upper
        shut = smooth((closing - 0.45) / 0.45)
        lashes = texture.sample(texture.lashes, area.a, was + below)
        hanging = texture.sample(texture.lashes, area.a, was + 0.8 * below)
        hanging *= texture.sample(texture.lashes, area.a, was - below)
        from_nose = 1 - area.a if self.number == 0 else area.a
        hanging = 1 - (1 - _MIN_HANGING) * (0.3 + 0.7 * smooth(from_nose / 0.5)) * (1 - hanging)

        skin = texture.sample(texture.skin, area.a, area.b)
        alpha = self._ball_alpha(area)[..., None]
        seen = frame + alpha * (self._ball(area, below, closing, shift) - frame)
        # Remains of the squeezed eye lie beneath the lashes of a shut one.
        remains = shut * smooth((area.lower + 0.1 - area.b) / 0.06) * (below > -0.03)
        seen += remains[..., None] * (skin - seen)
        strip = smooth((LASHES_BELOW - below) / 0.03) * (below > -0.03)
        strip *= smooth(np.minimum(area.a, 1 - area.a) / 0.06)
        own = texture.sample(texture.photo, area.a, was + below)
        own += shut * (seen * hanging[..., None] - own)
        seen += strip[..., None] * (own - seen)

        skin *= (lashes ** (1 - shut))[..., None]
        covered = np.clip(0.5 - area.width * below, 0, 1)
        covered *= smooth((LASHES_ABOVE + 0.06 - np.minimum(was, area.upper) + area.b) / 0.03)
        covered *= smooth(np.minimum(area.a + 0.08, 1.08 - area.a) / 0.1)
        return np.asarray(seen + covered[..., None] * (skin - seen), np.float32)

    def _ball_alpha(self, area: _Area) -> Floats:
        bottom = area.lower - _LOWER_LASHES * smooth(np.minimum(area.a, 1 - area.a) / 0.12)
        alpha = np.clip(area.width * np.minimum(area.b - area.upper, bottom - area.b) + 0.5, 0, 1)
        alpha *= np.clip(area.width * np.minimum(area.a, 1 - area.a), 0, 1)
        return np.asarray(alpha, np.float32)

    def _ball(self, area: _Area, below: Floats, closing: float, shift: Doubles) -> Floats:
        texture = self.texture
        white = texture.sample(texture.white, area.a, area.b)
        a, b = area.a - np.float32(shift[0]), area.b - np.float32(shift[1])
        iris = texture.sample(texture.iris, a, b)
        ball = white + iris[..., 3:] * (iris[..., :3] - white)
        shadow = 0.25 * max(0.0, closing) * np.clip(1 - below / 0.12, 0, 1)
        return np.asarray(ball * (1 - shadow[..., None]), np.float32)


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
        for eye in self._eyes:
            amount = _amount(lids[eye.number])
            if amount > 0:
                area = _area(source.shape, offset, LidLines.of(points, eye.number), eye.lines)
                eye.unfold(source[area.rows, area.columns], area, amount)

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
            offset: see `unfold`, as `points` and `lids`.
            gaze: (2,) how far the irises move, see `Moment.gaze`.
        """
        shift = np.array(
            [
                _MAX_GAZE[0] * np.tanh(gaze[0] / _MAX_GAZE[0]),
                _MAX_GAZE[1] * np.tanh(0.8 * gaze[1] / _MAX_GAZE[1]),
            ]
        )
        shift *= smooth((lids.mean() - 0.2) / 0.4)  # landmarks of shut eyes say nothing
        for eye in self._eyes:
            lid = float(lids[eye.number])
            amount = max(_amount(lid), min(1.0, float(np.hypot(*gaze)) / 0.015))
            if amount == 0:
                continue
            area = _area(frame.shape, offset, LidLines.of(points, eye.number), eye.lines)
            part = frame[area.rows, area.columns]
            before = part.astype(np.float32)
            drawn = before + amount * (eye.draw(before, area, 1 - lid, shift) - before)
            part[...] = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def _amount(lid: float) -> float:
    """How much of the eye is drawn anew: 0 at rest, 1 as soon as the lids have moved."""
    return min(1.0, abs(1 - float(lid)) / 0.06)


def _area(shape: tuple[int, ...], offset: tuple[int, int], lines: LidLines, own: LidLines) -> _Area:
    """The part of the frame round an eye."""
    frame: EyeFrame = lines.frame
    b = np.concatenate([lines.upper, lines.lower, own.upper])
    top, bottom = b.min() - _MAX_LID_SKIN, b.max() + 0.12
    corners = np.array([[a, v] for a in (-0.12, 1.12) for v in (top, bottom)])
    places = frame.outside(corners) - offset
    limit = [shape[1], shape[0]]
    low = np.clip(np.floor(places.min(axis=0)).astype(int), 0, limit)
    high = np.clip(np.ceil(places.max(axis=0)).astype(int) + 1, low, limit)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    inside = frame.inside(np.stack([x, y], axis=-1) + np.array(offset)).astype(np.float32)
    return _Area(
        rows=slice(low[1], high[1]),
        columns=slice(low[0], high[0]),
        a=inside[..., 0],
        b=inside[..., 1],
        width=frame.width,
        upper=lines.upper_at(inside[..., 0]),
        lower=lines.lower_at(inside[..., 0]),
    )
