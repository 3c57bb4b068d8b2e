"""The moment of a face that speaks, from the curves of a sound.

    values of a frame -> shape and opening of the mouth, as drawn movements have them
    the same, or a template -> head, eyes and brows

All values are 0 at rest, and rest is the photo itself.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from inference.arrays import Doubles
from inference.faces.head import lip_gaps, mouth_width
from inference.faces.landmarker import POINTS
from inference.faces.model_file import CanonicalMesh
from inference.mesh.curves import OPEN_SHAPE, CurveShapes, Values, values_at
from inference.mesh.expressions import expression_fields, lower_share
from inference.mesh.moment import Moment
from inference.smoothstep import smoothstep
from inference.voice.speech import Speech, SpeechChannel
from jobs.curves import CurveName
from jobs.findings import SPEECH_FRAME_RATE
from jobs.templates import CurveMotion

_Amounts = Mapping[SpeechChannel, float]
# A template leads these; its mouth is left to the sound.
_HEAD_CURVES = frozenset(
    {
        CurveName.YAW,
        CurveName.PITCH,
        CurveName.ROLL,
        CurveName.TX,
        CurveName.TY,
        CurveName.ZOOM,
        CurveName.BLINK_LEFT,
        CurveName.BLINK_RIGHT,
        CurveName.SQUINT,
        CurveName.WIDE,
        CurveName.GAZE_X,
        CurveName.GAZE_Y,
        CurveName.BROW,
        CurveName.BROW_LEFT,
        CurveName.BROW_RIGHT,
        CurveName.BROW_INNER,
        CurveName.BROW_DOWN,
    }
)
# From the left to the right corner: 0, 1 in the middle, 0.
_PROFILE = np.sin(np.linspace(0, np.pi, 11))
# Mouth widths: how far rounded lips stay apart, and lips of which the lower one is at the teeth.
_ROUND_HOLE, _BITE_GAP = 0.11, 0.095
# Shares of the photo's own opening that close when a face speaks, by rounded lips, at the teeth.
_SPEAKING_CLOSES, _ROUND_CLOSES, _BITE_CLOSES = 0.55, 0.5, 0.9
# From the film's ends, which show the photo.
_FADE_FRAMES, _HEAD_FADE_FRAMES = 6.0, 12.0


class SpeechShapes:
    """How the face moves with the channels of a sound.

    Args:
        mesh: the canonical mesh.
    """

    def __init__(self, mesh: CanonicalMesh) -> None:
        self._shapes = CurveShapes.of(mesh)
        self._points = self._shapes.points
        self._width = mouth_width(self._points)
        self._rest_gap = lip_gaps(self._points)[5]
        self._parting = _parting(mesh, self._shapes)
        self._meeting = _meeting(mesh)

    def moment(self, speech: Speech, index: int, head_index: int) -> Moment:
        """Return the moment of a frame.

        Args:
            speech: the curves.
            index: of the frame whose mouth is shown.
            head_index: of the frame whose head, eyes and brows are shown; 0 or more.
        """
        amounts = _amounts_of(speech, index)
        head = self._shapes.moment(_head_values(speech, head_index))
        parted = _summed(amounts, self._parting)
        from_end = min(index, speech.frame_count - 1 - index) / _FADE_FRAMES
        speaking = amounts[SpeechChannel.SPEAKING] * float(smoothstep(from_end))
        kept = 1 - amounts[SpeechChannel.SEAL]
        kept *= 1 - _SPEAKING_CLOSES * speaking
        kept *= 1 - _ROUND_CLOSES * amounts[SpeechChannel.ROUND]
        kept *= 1 - _BITE_CLOSES * amounts[SpeechChannel.BITE]
        return replace(
            head,
            expression=head.expression + parted + _summed(amounts, self._meeting),
            gaps=self._gaps(amounts, parted),
            closing=1 - kept,
            teeth=amounts[SpeechChannel.TEETH],
        )

    def _gaps(self, amounts: _Amounts, parted: Doubles) -> Doubles:
        """How far the inner lips are apart, (11,) mouth widths."""
        rounded, bite = amounts[SpeechChannel.ROUND], amounts[SpeechChannel.BITE]
        opening = float(lip_gaps(self._points + parted)[5] - self._rest_gap) / self._width
        opens = float(smoothstep(amounts[SpeechChannel.JAW] / 0.15))
        gaps = max(opening, 0.0) * OPEN_SHAPE + _ROUND_HOLE * rounded * opens * _PROFILE**2
        gaps *= _PROFILE ** (1.5 * rounded) * (1 - bite)
        gaps += _BITE_GAP * bite * _PROFILE**3
        return np.asarray((1 - amounts[SpeechChannel.SEAL]) * gaps, np.float64)


def _amounts_of(speech: Speech, index: int) -> _Amounts:
    return dict(zip(SpeechChannel, speech.values[index].tolist(), strict=True))


def _head_values(speech: Speech, index: int) -> Values:
    """The values of the curves that move head, eyes and brows."""
    if speech.head is not None:
        values = values_at(speech.head, _repeated_s(speech.head, index / SPEECH_FRAME_RATE))
        share = float(smoothstep((speech.frame_count - 1 - index) / _HEAD_FADE_FRAMES))
        return {name: share * value * (name in _HEAD_CURVES) for name, value in values.items()}
    amounts = _amounts_of(speech, index)
    yaw, pitch, roll = (
        float(np.radians(amounts[name]))
        for name in (SpeechChannel.YAW, SpeechChannel.PITCH, SpeechChannel.ROLL)
    )
    return dict.fromkeys(CurveName, 0.0) | {
        CurveName.YAW: -yaw,  # in a template, it turns to the right
        CurveName.PITCH: pitch,
        CurveName.ROLL: roll,
        CurveName.TX: amounts[SpeechChannel.TX],
        CurveName.TY: amounts[SpeechChannel.TY],
        CurveName.BROW: amounts[SpeechChannel.BROW],
        CurveName.BLINK_LEFT: amounts[SpeechChannel.BLINK],
        CurveName.BLINK_RIGHT: amounts[SpeechChannel.BLINK],
        CurveName.GAZE_X: amounts[SpeechChannel.GAZE_X],
        CurveName.GAZE_Y: amounts[SpeechChannel.GAZE_Y],
    }


def _repeated_s(motion: CurveMotion, time_s: float) -> float:
    """The time in a movement that is repeated; back and forth if it does not end at rest."""
    if motion.seamless:
        return time_s % motion.duration_s
    return motion.duration_s - abs(time_s % (2 * motion.duration_s) - motion.duration_s)


def _summed(amounts: _Amounts, offsets: Mapping[SpeechChannel, Doubles]) -> Doubles:
    return np.tensordot([amounts[name] for name in offsets], np.stack(list(offsets.values())), 1)


def _parting(mesh: CanonicalMesh, shapes: CurveShapes) -> dict[SpeechChannel, Doubles]:
    """The offsets of the points, (478, 3) cm, for each channel that moves the lips apart."""
    named = expression_fields(mesh)
    both = {
        key: named[f"{key}Left"] + named[f"{key}Right"]
        for key in ("mouthSmile", "mouthStretch", "mouthUpperUp", "mouthLowerDown")
    }
    return {
        SpeechChannel.JAW: 0.51 * named["jawOpen"],
        SpeechChannel.ROUND: 1.15 * shapes.offsets[CurveName.PUCKER],
        SpeechChannel.WIDE: 0.16 * both["mouthSmile"] + 0.30 * both["mouthStretch"],
        SpeechChannel.UPPER_LIP: 0.75 * both["mouthUpperUp"],
        SpeechChannel.LOWER_LIP: 0.75 * both["mouthLowerDown"],
    }


def _meeting(mesh: CanonicalMesh) -> dict[SpeechChannel, Doubles]:
    """Likewise for those that change the place where the lips are, or meet."""
    x, y = mesh.points[:, 0], mesh.points[:, 1]
    lower = lower_share(x, y)
    covering = np.exp(-((x / 1.6) ** 2 + ((y - 4.3) / 1.0) ** 2) / 2)  # the teeth
    pressed = np.exp(-((x / 1.9) ** 2 + ((y - 4.3) / 0.8) ** 2) / 2)
    bitten = np.exp(-((x / 1.5) ** 2 + ((y - 5.1) / 0.8) ** 2) / 2) * lower
    return {
        SpeechChannel.ROUND: _of_points(0.25 * covering, 0 * x),
        SpeechChannel.SEAL: _of_points((0.12 - 0.28 * lower) * pressed, 0.12 * pressed),
        SpeechChannel.BITE: _of_points(-0.5 * bitten, 0.25 * bitten),
    }


def _of_points(down: Doubles, back: Doubles) -> Doubles:
    """The offsets of the landmarks, (478, 3), of those of the mesh's vertices, (468,)."""
    offsets = np.zeros((POINTS, 3))
    offsets[: len(down), 1], offsets[: len(back), 2] = down, back
    return offsets
