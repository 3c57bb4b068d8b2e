"""A stored track: the motion of a recorded clip as 40 local affine movements per frame.

Keypoints with Jacobians, as in FOMM: near a point p with displacement c and Jacobian J a field is c
+ J (x - p).
"""

import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from inference.flow.canonical import (
    SIZE,
    TRACK_POINTS,
    Affine,
    Anchors,
    Floats,
    Picture,
    Placement,
)
from inference.flow.field import canonical_grid, face_mask, regularise, sample
from inference.flow.tracker import IDENTITY, track_face
from jobs.errors import BrokenTrack
from jobs.templates import CurveMotion, Template

_VERSION = 1
_MAX_FRAMES = 3600
_MAX_BYTES = 32_000_000
# All that numpy and zipfile raise over a file that is not what it should be; MemoryError: a header
# may claim any size.
_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
_MAX_VALUE = 10_000.0
_POINTS = len(TRACK_POINTS)
_REACH_PX = 9.0
_STEP_PX = 4.0


@dataclass(frozen=True)
class Track:
    """Motion of a clip against its first frame; n frames, all arrays float32.

    Attributes:
        frame_rate: frames per second, exact.
        pose: (n, 2, 3) head movement, canonical px, before any limit; the first is the identity.
        value: (n, 40, 2) displacement at the track points, canonical px; the first is 0.
        jacobian: (n, 40, 2, 2) of the field at the track points, columns d/dx and d/dy.
        confidence: (n, 40) of the measurement, about 0 to 1.
        anchors: eyes and mouth of the first frame's face.
    """

    frame_rate: Fraction
    pose: Floats
    value: Floats
    jacobian: Floats
    confidence: Floats
    anchors: Anchors

    _SHAPES: ClassVar[dict[str, tuple[int, ...]]] = {
        "pose": (2, 3),
        "value": (_POINTS, 2),
        "jacobian": (_POINTS, 2, 2),
        "confidence": (_POINTS,),
    }

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return len(self.pose)

    def pose_at(self, index: int) -> Affine:
        """Head movement of a frame, float64 (2, 3)."""
        return np.asarray(self.pose[index], dtype=np.float64)

    def field_at(self, index: int) -> Floats:
        """The field of a frame, (256, 256, 2) canonical px, rebuilt from its points."""
        weights = _point_weights()
        jacobian = self.jacobian[index]
        offset = self.value[index] - np.einsum("kij,kj->ki", jacobian, _points())
        mixed = weights @ np.column_stack([offset, jacobian.reshape(_POINTS, 4)])
        mixed = mixed.reshape(SIZE, SIZE, 6)
        grid = canonical_grid()
        x, y = grid[..., :1], grid[..., 1:]
        field = mixed[..., :2] + mixed[..., 2::2] * x + mixed[..., 3::2] * y
        return np.asarray(field * face_mask()[..., None], dtype=np.float32)

    def save(self, path: Path) -> None:
        """Writes a compressed npz without pickled objects, about 1 KB per frame."""
        part = path.with_name(f".{path.name}.part.npz")
        np.savez_compressed(
            part,
            version=np.int64(_VERSION),
            frame_rate=np.array(self.frame_rate.as_integer_ratio(), np.int64),
            points=_points(),
            anchors=self.anchors.array.astype(np.float32),
            **{name: getattr(self, name).astype(np.float32) for name in self._SHAPES},
        )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Track":
        """The track of a file.

        Raises:
            BrokenTrack: the file is not a track, is of another version, or fails a check of shape,
                size or value.
        """
        try:
            _demand(path.stat().st_size <= _MAX_BYTES, "it is too large")
            with zipfile.ZipFile(path) as archive:
                # Said by the archive's index, before anything is unpacked.
                _demand(
                    sum(member.file_size for member in archive.infolist()) <= 2 * _MAX_BYTES,
                    "it is too large",
                )
            with np.load(path, allow_pickle=False) as stored:
                return cls._checked(stored)
        except _UNREADABLE as error:
            raise BrokenTrack(name=path.name, reason=str(error) or "unreadable") from error

    @classmethod
    def _checked(cls, stored: Any) -> "Track":
        """The track in an open npz; a ValueError or KeyError says what is wrong with it."""
        _demand(np.array_equal(stored["version"], _VERSION), "its version is not known")
        arrays = {name: np.asarray(stored[name], dtype=np.float32) for name in cls._SHAPES}
        count = len(np.atleast_1d(arrays["pose"]))
        _demand(1 <= count <= _MAX_FRAMES, f"it has {count} frames")
        for name, shape in cls._SHAPES.items():
            # Not larger than any movement; false for NaN too.
            is_sane = bool((np.abs(arrays[name]) <= _MAX_VALUE).all())
            is_sound = arrays[name].shape == (count, *shape) and is_sane
            _demand(is_sound, f"{name} has a wrong shape or value")
        _demand(np.array_equal(stored["points"], _points()), "its points are not this version's")
        is_moved = arrays["value"][0].any() or arrays["jacobian"][0].any()
        is_at_rest = np.allclose(arrays["pose"][0], IDENTITY) and not is_moved
        _demand(is_at_rest, "its first frame is not at rest")
        anchors = np.asarray(stored["anchors"], dtype=np.float64)
        is_on_face = anchors.shape == (3, 2) and ((anchors > 0) & (anchors < SIZE)).all()
        _demand(is_on_face, "its anchors lie outside the face")
        rate = np.asarray(stored["frame_rate"], dtype=np.int64)
        _demand(rate.shape == (2,) and (rate > 0).all(), "its frame rate is no positive fraction")
        named = Anchors(*((float(x), float(y)) for x, y in anchors))
        return cls(Fraction(int(rate[0]), int(rate[1])), anchors=named, **arrays)


def _demand(condition: object, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def motion_of(template: Template, folder: Path) -> CurveMotion | Track:
    """The template's motion as engines evaluate it.

    Args:
        template: a drawn or a recorded one.
        folder: of its catalogue.

    Raises:
        BrokenTrack: the recorded one's stored track cannot be used.
    """
    motion = template.motion
    return motion if isinstance(motion, CurveMotion) else Track.load(folder / motion.track)


def measure_track(frames: Iterable[Picture], placement: Placement, frame_rate: Fraction) -> Track:
    """The track of a clip, uint8 (H, W, 3) RGB frames; `placement` is the face in the first one."""
    pose, value, jacobian, confidence = [], [], [], []
    for tracked in track_face(frames, placement):
        field, _ = regularise(tracked.field, tracked.confidence)
        pose.append(tracked.pose)
        value.append(sample(field, _points()))
        jacobian.append(_jacobian_at(field))
        confidence.append(sample(tracked.confidence, _points()))
    return Track(
        frame_rate,
        np.asarray(pose, dtype=np.float32),
        np.asarray(value, dtype=np.float32),
        np.asarray(jacobian, dtype=np.float32),
        np.asarray(confidence, dtype=np.float32),
        placement.anchors,
    )


@cache
def _points() -> Floats:
    return TRACK_POINTS.astype(np.float32)


@cache
def _point_weights() -> Floats:
    """(65536, 40): how much each pixel follows each point."""
    distance = canonical_grid().reshape(-1, 1, 2) - _points()[None]
    weight = np.exp(-np.einsum("ijk,ijk->ij", distance, distance) / (2 * _REACH_PX**2))
    return np.asarray(weight / (weight.sum(axis=1, keepdims=True) + 0.02), dtype=np.float32)


def _jacobian_at(field: Floats) -> npt.NDArray[np.float32]:
    """(40, 2, 2): central differences of a field at the track points."""
    step_x = np.array([_STEP_PX, 0.0], np.float32)
    step_y = np.array([0.0, _STEP_PX], np.float32)
    d_dx = (sample(field, _points() + step_x) - sample(field, _points() - step_x)) / (2 * _STEP_PX)
    d_dy = (sample(field, _points() + step_y) - sample(field, _points() - step_y)) / (2 * _STEP_PX)
    return np.stack([d_dx, d_dy], axis=-1)
