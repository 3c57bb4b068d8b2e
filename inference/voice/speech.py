"""How a face speaks: the curves of mouth and head over time."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from jobs.findings import SPEECH_FRAME_RATE
from jobs.templates import CurveMotion

Floats = npt.NDArray[np.float32]


class SpeechChannel(StrEnum):
    """What a curve moves; 0 is rest, 1 the whole movement.

    Angles are in degrees, shifts in the units of a template's curves `tx` and `ty`.
    """

    JAW = "jaw"
    WIDE = "wide"
    ROUND = "round"
    UPPER_LIP = "upper_lip"
    LOWER_LIP = "lower_lip"
    TEETH = "teeth"
    SEAL = "seal"
    BITE = "bite"
    SPEAKING = "speaking"
    BROW = "brow"
    BLINK = "blink"
    GAZE_X = "gaze_x"
    GAZE_Y = "gaze_y"
    YAW = "yaw"
    PITCH = "pitch"
    ROLL = "roll"
    TX = "tx"
    TY = "ty"


@dataclass(frozen=True, eq=False)
class Speech:
    """The curves of a sound, `SPEECH_FRAME_RATE` values per second.

    Attributes:
        values: (n, len(SpeechChannel)) float32, the channels in the order of `SpeechChannel`.
        head: a drawn movement that leads head, eyes and brows instead; it is repeated.
    """

    values: Floats
    head: CurveMotion | None = None

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return len(self.values)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return Fraction(SPEECH_FRAME_RATE)

    def curve(self, channel: SpeechChannel) -> Floats:
        """Return the values of one channel, (n,)."""
        return np.asarray(self.values[:, list(SpeechChannel).index(channel)])
