"""The track of a clip: how its face moves, measured once and kept.

It holds no pictures. The inside of a driver's mouth is cut from the clip's frames when a photo is
rendered; a track without its clip is rendered with a painted mouth.
"""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from inference.arrays import Floats, Picture
from inference.checked_npz import UNREADABLE, ArrayForm, demand, read_array, read_count, write_npz
from inference.faces.landmarker import POINTS
from inference.mesh.moment import DrivenMouth, Moment
from inference.mesh.shading import SIDE, Folds
from jobs.errors import BrokenTrack
from jobs.model import CropBox

Halves = npt.NDArray[np.float16]
Corner = npt.NDArray[np.int64]

VERSION = 3
"""Of the file's format and of how it is measured; clips of other versions are measured again."""
_MAX_FRAMES = 3600
_MAX_SIDE_PX = 16_384
_LIP_POINTS = 11  # of each inner lip
_LEAST_MOUTH_PX = 2.0
_MOUTH_ROOM_PX = 4


@dataclass(frozen=True, eq=False)
class Track:
    """Movement of a clip's face against its neutral face; n frames, 0 is rest.

    Attributes:
        frame_rate: frames per second, exact.
        frame_size: width and height of the clip's frames, px.
        rest_angles: (3,) yaw, pitch and roll of the neutral face, radians.
        mouth_width: of the neutral face, cm.
        expression: (n, 478, 3) float16, as in `Moment`, like the next six.
        turn: (n, 3) float32.
        log_zoom: (n,) float32, logarithm of the zoom.
        shift: (n, 2) float32.
        opening: (n, 2) float32, of the lids, minus 1.
        gaze: (n, 2) float32.
        gaps: (n, 11) float32.
        lips: (n, 22, 2) float32, inner points of the upper, then of the lower lip, px of the frame.
        skin: (n, 3) float32, RGB of the cheeks, grey levels.
        folds: (n, 64, 64) int8, as in `Moment`.
        mouth_frames: (n,) int32, the frame from which the mouth is taken; -1 for none.
    """

    frame_rate: Fraction
    frame_size: tuple[int, int]
    rest_angles: Floats
    mouth_width: float
    expression: Halves
    turn: Floats
    log_zoom: Floats
    shift: Floats
    opening: Floats
    gaze: Floats
    gaps: Floats
    lips: Floats
    skin: Floats
    folds: Folds
    mouth_frames: npt.NDArray[np.int32]

    FORMS: ClassVar[dict[str, ArrayForm]] = {
        "expression": ArrayForm(np.float16, (POINTS, 3), -8, 8),
        "turn": ArrayForm(np.float32, (3,), -10, 10),
        "log_zoom": ArrayForm(np.float32, (), -4, 4),
        "shift": ArrayForm(np.float32, (2,), -1000, 1000),
        "opening": ArrayForm(np.float32, (2,), -1, 1),
        "gaze": ArrayForm(np.float32, (2,), -4, 4),
        "gaps": ArrayForm(np.float32, (_LIP_POINTS,), -4, 4),
        "lips": ArrayForm(np.float32, (2 * _LIP_POINTS, 2), -2 * _MAX_SIDE_PX, 3 * _MAX_SIDE_PX),
        "skin": ArrayForm(np.float32, (3,), 0, 255),
        "folds": ArrayForm(np.int8, (SIDE, SIDE), -127, 127),
        "mouth_frames": ArrayForm(np.int32, (), -1, _MAX_FRAMES),
    }

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return len(self.turn)

    def moment(self, index: int, mouth: DrivenMouth | None = None) -> Moment:
        """Return what the face does in a frame.

        Args:
            index: of the frame.
            mouth: the driver's mouth, see `moments`.
        """
        return Moment(
            expression=self.expression[index].astype(np.float64),
            turn=self.turn[index].astype(np.float64),
            zoom=float(np.exp(self.log_zoom[index])),
            shift=self.shift[index].astype(np.float64),
            lids=1 + self.opening[index].astype(np.float64),
            gaze=self.gaze[index].astype(np.float64),
            gaps=self.gaps[index].astype(np.float64),
            mouth_width=self.mouth_width,
            mouth=mouth,
            folds=self.folds[index] if self.folds[index].any() else None,
        )

    @property
    def mouth_part(self) -> CropBox | None:
        """The part of the clip's frames that shows the mouth; None if it never does.

        Its sides are even, and there are some px around the mouth, so that the colours of a clip
        that stores them at half the resolution are the same as those of whole frames.
        """
        whole = np.array(self.frame_size)
        boxes = [self._mouth_box(index) for index in np.unique(self.mouth_frames) if index >= 0]
        shown = [(low, high) for low, high in boxes if (low < np.minimum(high, whole)).all()]
        if not shown:
            return None
        lows, highs = (np.array(corners) for corners in zip(*shown, strict=True))
        left, upper = np.maximum(lows.min(axis=0) - _MOUTH_ROOM_PX, 0) // 2 * 2
        right, lower = np.minimum((highs.max(axis=0) + _MOUTH_ROOM_PX + 1) // 2 * 2, whole)
        return CropBox(left=left, upper=upper, right=right, lower=lower)

    def moments(
        self, frames: Iterable[Picture] = (), part: CropBox | None = None
    ) -> Iterator[Moment]:
        """Yield the moment of each frame.

        Args:
            frames: of the clip, uint8 (h, w, 3) RGB, in order, for the mouth; frames of another
                size are not used, and none are needed.
            part: of the clip's frames that `frames` show; None for all.
        """
        pictures = iter(frames)
        size = self.frame_size if part is None else (part.width, part.height)
        corner = (0, 0) if part is None else (part.left, part.upper)
        mouth: DrivenMouth | None = None
        for index, source in enumerate(self.mouth_frames):
            frame = next(pictures, None)
            if source < 0 or frame is None or frame.shape[1::-1] != size:
                mouth = None
            elif source == index:
                mouth = self._mouth(frame, corner, index)
            yield self.moment(index, mouth)

    def _mouth_box(self, index: int) -> tuple[Corner, Corner]:
        """The lips in a frame and some px around them: the left upper corner, the right lower one.

        The latter may be outside the frame, and even left of the former or above it.
        """
        lips = self.lips[index]
        reach = 0.15 * float(np.ptp(lips[:, 0])) + 2
        low = np.maximum(np.floor(lips.min(axis=0) - reach), 0).astype(np.int64)
        return low, np.ceil(lips.max(axis=0) + reach).astype(np.int64)

    def _mouth(self, frame: Picture, corner: tuple[int, int], index: int) -> DrivenMouth | None:
        """The lips in a frame whose left upper corner is given; None if outside, or tiny."""
        low, high = self._mouth_box(index)
        left, upper = low - corner
        right, lower = np.maximum(low, high) - corner
        picture = frame[upper:lower, left:right].copy()
        lips = self.lips[index].astype(np.float64)
        width = np.linalg.norm(lips[_LIP_POINTS - 1] - lips[0])
        if not picture.size or width < _LEAST_MOUTH_PX:
            return None
        lips -= low
        return DrivenMouth(picture, lips[:_LIP_POINTS], lips[_LIP_POINTS:], self.skin[index])


def write_track(track: Track, path: Path) -> None:
    """Write a track as a compressed npz file, about 3 KB per frame."""
    write_npz(
        path,
        version=np.array([VERSION], np.int64),
        frame_rate=np.array(track.frame_rate.as_integer_ratio(), np.int64),
        frame_size=np.array(track.frame_size, np.int64),
        rest_angles=track.rest_angles.astype(np.float32),
        mouth_width=np.array([track.mouth_width], np.float32),
        **{name: getattr(track, name).astype(form.dtype) for name, form in track.FORMS.items()},
    )


def read_track(path: Path) -> Track:
    """Read a track; the file may be anything.

    Raises:
        BrokenTrack: it is not a track, is of another version, or has a wrong shape, size or value.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except UNREADABLE as error:
        raise BrokenTrack(name=path.name, reason=str(error) or "unreadable") from error


def _read(archive: zipfile.ZipFile) -> Track:
    """The track in an open file; raises one of `UNREADABLE` with what is wrong with it."""
    (version,) = read_array(archive, "version", ArrayForm(np.int64, (), 0, 1000), 1)
    demand(version == VERSION, "its version is not known")
    rate = read_array(archive, "frame_rate", ArrayForm(np.int64, (), 1, 10_000_000), 2)
    size = read_array(archive, "frame_size", ArrayForm(np.int64, (), 1, _MAX_SIDE_PX), 2)
    (mouth_width,) = read_array(archive, "mouth_width", ArrayForm(np.float32, (), 0.1, 20), 1)
    count = read_count(archive, "log_zoom", _MAX_FRAMES)
    arrays = {name: read_array(archive, name, form, count) for name, form in Track.FORMS.items()}
    is_past = (arrays["mouth_frames"] <= np.arange(count)).all()
    demand(is_past, "mouth_frames has a wrong value")
    return Track(
        frame_rate=Fraction(int(rate[0]), int(rate[1])),
        frame_size=(int(size[0]), int(size[1])),
        rest_angles=read_array(archive, "rest_angles", ArrayForm(np.float32, (), -10, 10), 3),
        mouth_width=float(mouth_width),
        **arrays,
    )
