"""What a driver's face does at one time, without regard to the photo that will follow it."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles
from inference.faces.landmarker import POINTS


def _zeros(*shape: int) -> Doubles:
    return np.zeros(shape)


@dataclass(frozen=True, eq=False)
class DrivenMouth:
    """The pixels of a driver's mouth in one frame.

    Attributes:
        picture: uint8 (h, w, 3) RGB, the part of the frame round the lips.
        upper: (11, 2) float64, the inner points of the upper lip, px of `picture`.
        lower: likewise of the lower lip.
        skin: (3,) RGB of the cheeks, grey levels.
    """

    picture: npt.NDArray[np.uint8]
    upper: Doubles
    lower: Doubles
    skin: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Moment:
    """The difference of a driver's face from its neutral face; the default is no difference.

    Attributes:
        expression: (478, 3) float64, offsets of the landmarks in the head's frame, cm.
        turn: (3,) yaw, pitch and roll, radians.
        zoom: size of the head / its size at rest.
        shift: (2,) of the neck in the picture, right and down, cm.
        lids: (2,) opening of each eye / opening at rest: 0 shut, 1 at rest, more is wider.
        gaze: (2,) how far the irises moved, right and down, eye widths; mean of both eyes.
        gaps: (11,) change of the distances of the inner lips, mouth widths.
        closing: how much of the photo's own opening of the lips is closed, 0 to 1.
        teeth: how near the rows of teeth are to each other, 0 to 1 for together.
        mouth_width: of the driver at rest, cm; 0 for that of the photo.
        mouth: pixels for the inside of the mouth; None: it is painted.
        folds: (64, 64) int8, where the skin gets brighter and darker, see `FoldShading`; None for
            nowhere.
    """

    expression: Doubles = field(default_factory=lambda: _zeros(POINTS, 3))
    turn: Doubles = field(default_factory=lambda: _zeros(3))
    zoom: float = 1.0
    shift: Doubles = field(default_factory=lambda: _zeros(2))
    lids: Doubles = field(default_factory=lambda: np.ones(2))
    gaze: Doubles = field(default_factory=lambda: _zeros(2))
    gaps: Doubles = field(default_factory=lambda: _zeros(11))
    closing: float = 0.0
    teeth: float = 0.0
    mouth_width: float = 0.0
    mouth: DrivenMouth | None = None
    folds: npt.NDArray[np.int8] | None = None

    def scaled(self, strength: float) -> "Moment":
        """Return the moment with a weaker or stronger movement.

        Args:
            strength: factor of all differences. Eyes and lips that are shut stay shut.
        """
        folds = self.folds
        if folds is not None:
            folds = np.clip(np.rint(strength * folds), -127, 127).astype(np.int8)
        return replace(
            self,
            expression=strength * self.expression,
            turn=strength * self.turn,
            zoom=self.zoom**strength,
            shift=strength * self.shift,
            lids=np.maximum(0, 1 - _scaled_closing(1 - self.lids, strength)),
            gaze=strength * self.gaze,
            gaps=strength * self.gaps,
            closing=float(np.clip(_scaled_closing(np.array(self.closing), strength), 0, 1)),
            teeth=min(1.0, strength * self.teeth),
            folds=folds,
        )


def _scaled_closing(closing: Doubles, strength: float) -> Doubles:
    """A weaker or stronger closing; 1, shut, does not get weaker."""
    shut = np.clip(closing, 0, 1)
    return np.asarray(strength * closing + max(0.0, 1 - strength) * shut**2, np.float64)
