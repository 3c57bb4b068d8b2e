"""Faces, motions and clips for tests, and networks that leave points alone."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from inference.arrays import Floats, Picture
from inference.engine import Driving
from inference.liveportrait.motion import FaceMotion, SourceFace
from inference.media.video import ClipReader
from jobs.model import CropBox, Face
from jobs.templates import SHIPPED_TEMPLATES

# Of the driving videos, 512 px.
FACE = Face(number=1, box=CropBox(left=150, upper=140, right=390, lower=380), votes=3)


def some(seed: int, *shape: int, scale: float = 0.1) -> Floats:
    """Numbers that look like nothing."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def motion(count: int, seed: int = 1) -> FaceMotion:
    """A motion of all that a face has."""
    return FaceMotion(
        angles=some(seed, count, 3, scale=10),
        translation=some(seed + 1, count, 3),
        expression=some(seed + 2, count, 21, 3, scale=0.02),
        scale=1.3 + some(seed + 3, count),
    )


def photo_face(**changes: Any) -> SourceFace:
    """The face of a photo, its mouth shut."""
    plain: dict[str, Any] = {
        "keypoints": some(9, 21, 3),
        "motion": motion(1, 7),
        "lids": some(8, 2),
        "lips": 0.01,
    }
    return SourceFace(**(plain | changes))


class NoNetworks:
    """Retargeting networks that return nothing but zeros, and say what they were given."""

    def __init__(self, lips: float = 0.0, eyes: float = 0.0, stitch: float = 0.0) -> None:
        self.given: dict[str, Floats] = {}
        self._offsets = {"lips": lips, "eyes": eyes, "stitch": stitch}

    def stitch(self, source: Floats, driving: Floats) -> Floats:
        assert source.shape == (1, 63)
        return self._answer("stitch", driving, 65)

    def retarget_lips(self, inputs: Floats) -> Floats:
        return self._answer("lips", inputs, 63)

    def retarget_eyes(self, inputs: Floats) -> Floats:
        return self._answer("eyes", inputs, 63)

    def _answer(self, name: str, given: Floats, width: int) -> Floats:
        self.given[name] = given
        return np.full((len(given), width), self._offsets[name], np.float32)


def template_frames(name: str, first: int, end: int, step: int = 1) -> list[Picture]:
    """Some frames of a shipped movement."""
    with closing(ClipReader(SHIPPED_TEMPLATES / f"{name}.mp4")) as frames:
        return list(islice(frames, first, end, step))


def driving_of(frames: Sequence[Picture], **changes: Any) -> Driving:
    """A clip of these frames, which can be read again."""

    @contextmanager
    def again(part: CropBox) -> Iterator[Iterator[Picture]]:
        sides = part.left % 2, part.upper % 2, part.width % 2, part.height % 2
        assert sides == (0, 0, 0, 0)
        yield (frame[part.upper : part.lower, part.left : part.right] for frame in frames)

    plain: dict[str, Any] = {
        "face": FACE,
        "frame_rate": Fraction(25),
        "reopen": again,
        "frame_count": len(frames),
    }
    return Driving(iter(frames), **(plain | changes))
