"""How a face speaks: the curves of mouth and head over time."""

import zipfile
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import numpy as np

from inference.arrays import Floats
from inference.checked_npz import UNREADABLE, ArrayForm, demand, read_array, read_count, write_npz
from jobs.errors import BrokenSpeech
from jobs.findings import SPEECH_FRAME_RATE, VOICE_MAX_S
from jobs.templates import CurveMotion


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


_VERSION = 1
_LIMITS = dict.fromkeys(SpeechChannel, (0.0, 1.0)) | {
    SpeechChannel.JAW: (0.0, 1.4),
    **dict.fromkeys((SpeechChannel.GAZE_X, SpeechChannel.GAZE_Y), (-1.0, 1.0)),
    **dict.fromkeys((SpeechChannel.YAW, SpeechChannel.PITCH, SpeechChannel.ROLL), (-20.0, 20.0)),
    **dict.fromkeys((SpeechChannel.TX, SpeechChannel.TY), (-40.0, 40.0)),
}
CURVES = ArrayForm(
    np.float32,
    (len(SpeechChannel),),
    np.array([_LIMITS[channel][0] for channel in SpeechChannel], np.float32),
    np.array([_LIMITS[channel][1] for channel in SpeechChannel], np.float32),
)
"""The form and the limits of `Speech.values`."""
_MAX_FRAMES = VOICE_MAX_S * SPEECH_FRAME_RATE


def write_speech(speech: Speech, path: Path) -> None:
    """Write the curves of a speech as a compressed npz file; `head` is not kept."""
    write_npz(path, version=np.array([_VERSION]), values=CURVES.cut(speech.values))


def read_speech(path: Path) -> Speech:
    """Read the curves of a speech; the file may be anything.

    Raises:
        BrokenSpeech: it is something else, of another version, or has a wrong size or value.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (version,) = read_array(archive, "version", ArrayForm(np.int64, (), 0, 1000), 1)
            demand(version == _VERSION, "its version is not known")
            count = read_count(archive, "values", _MAX_FRAMES)
            return Speech(read_array(archive, "values", CURVES, count))
    except UNREADABLE as error:
        raise BrokenSpeech(name=path.name, reason=str(error) or "unreadable") from error
