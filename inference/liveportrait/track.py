"""The motion track of a clip: what the networks see in each of its frames; kept for templates."""

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from inference.arrays import Floats
from inference.checked_npz import UNREADABLE, ArrayForm, demand, read_array, read_count, write_npz
from inference.liveportrait.motion import POINTS, FaceMotion
from inference.liveportrait.smoothing import noise_variance, smoothed
from inference.mesh.smoothing import eased

log = logging.getLogger(__name__)

VERSION = 1
"""Of the file's format and of how a clip is measured."""
_MAX_FRAMES = 20_000
_LIMIT = 1000.0
# The least smoothing, s. A blink lasts three frames, and lips shut for two, so expressions keep
# almost all they have; a head is heavier.
_SMOOTH_EXPRESSION_S, _SMOOTH_POSE_S = 0.01, 0.03


@dataclass(frozen=True, eq=False)
class MotionTrack:
    """What a clip's face does; n frames.

    Attributes:
        angles: (n, 3) float32, as in `FaceMotion`, like the next three.
        translation: (n, 3) float32.
        expression: (n, 21, 3) float32.
        scale: (n,) float32.
        openings: (n, 3) float32, see `inference.liveportrait.landmarks`.
        shown: (n,) bool, whether the face is seen, or was a moment before; elsewhere it rests.
        calm: (n,) bool, the frames with the least expression, at least one.
    """

    angles: Floats
    translation: Floats
    expression: Floats
    scale: Floats
    openings: Floats
    shown: npt.NDArray[np.bool_]
    calm: npt.NDArray[np.bool_]

    FORMS: ClassVar[dict[str, ArrayForm]] = {
        "angles": ArrayForm(np.float32, (3,), -_LIMIT, _LIMIT),
        "translation": ArrayForm(np.float32, (3,), -_LIMIT, _LIMIT),
        "expression": ArrayForm(np.float32, (POINTS, 3), -_LIMIT, _LIMIT),
        "scale": ArrayForm(np.float32, (), -_LIMIT, _LIMIT),
        "openings": ArrayForm(np.float32, (3,), 0, _LIMIT),
        "shown": ArrayForm(np.bool_, (), 0, 1),
        "calm": ArrayForm(np.bool_, (), 0, 1),
    }

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return len(self.scale)

    def played(self, frame_rate: float, smooth_s: float = 0.0) -> "PlayedMotion":
        """Return the motion as it is transferred: smoothed, and at rest where no face is seen.

        Args:
            frame_rate: frames per second.
            smooth_s: over how long it is smoothed at least, s.
        """
        pose = noise_variance(max(smooth_s, _SMOOTH_POSE_S), frame_rate)
        expression = noise_variance(max(smooth_s, _SMOOTH_EXPRESSION_S), frame_rate)
        motion = FaceMotion(
            angles=smoothed(self.angles, pose),
            translation=smoothed(self.translation, pose),
            expression=smoothed(self.expression, expression),
            scale=self.scale,
        )
        rest = motion.mean(self.calm)

        def kept(values: Floats, at_rest: Floats) -> Floats:
            return at_rest + eased(values - at_rest, self.shown, frame_rate)

        motion = FaceMotion(
            angles=kept(motion.angles, rest.angles),
            translation=kept(motion.translation, rest.translation),
            expression=kept(motion.expression, rest.expression),
            # The network's scale goes up and down with the mouth, and with it the whole head.
            scale=np.repeat(rest.scale, self.frame_count),
        )
        return PlayedMotion(motion, rest, kept(self.openings, self.openings[self.calm].mean(0)))


@dataclass(frozen=True, eq=False)
class PlayedMotion:
    """A motion that is ready for a photo.

    Attributes:
        motion: n frames.
        rest: n = 1, what movements are measured from.
        openings: (n, 3) of both eyes and the mouth.
    """

    motion: FaceMotion
    rest: FaceMotion
    openings: Floats


def write_track(path: Path, track: MotionTrack) -> None:
    """Keep a track; if that fails, the clip is measured again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_npz(path, **{name: getattr(track, name) for name in track.FORMS})
    except OSError as error:
        log.warning("could not keep the motion track of a template: %s", error)


def read_track(path: Path) -> MotionTrack | None:
    """Return a track that was kept; None if there is none, or the file is not one."""
    try:
        with zipfile.ZipFile(path) as archive:
            count = read_count(archive, "scale", _MAX_FRAMES)
            arrays = {
                name: read_array(archive, name, form, count)
                for name, form in MotionTrack.FORMS.items()
            }
            demand(arrays["calm"].any(), "no frame is calm")
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        log.warning("measuring the template again: %s is unusable (%s)", path.name, error)
        return None
    return MotionTrack(**arrays)
