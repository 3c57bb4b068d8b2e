"""Engines with networks that show what they are given, and the dots by which that is seen."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from inference.engine import Driving
from inference.engines.fomm import FommEngine
from jobs.model import CropBox, Face
from tests.see_through import SHIFT, at_rest, dots

FACE = Face(number=1, box=CropBox(left=60, upper=60, right=190, lower=190), votes=3)
PLACES = np.array([[70, 60], [170, 70], [60, 180], [160, 190], [115, 128]], float)
REST = at_rest(PLACES[2], align_corners=True)
STEP_PX = 4.0
Make = Callable[..., FommEngine]


def animated(
    engine: FommEngine, frames: Sequence[Picture], photo: Picture | None = None, **driving: Any
) -> list[Picture]:
    """The frames that the engine makes of the photo, the dots if none is given."""
    engine.prepare(dots(PLACES) if photo is None else photo, [FACE])
    batches = engine.animate(Driving(iter(frames), FACE, **driving), None)
    return [frame for batch in batches for frame in batch]


def dots_moved(x_px: float, y_px: float = 0.0) -> Picture:
    return dots(PLACES + np.array([x_px, y_px]))


def going_right(count: int = 4) -> list[Picture]:
    return [dots_moved(STEP_PX * index) for index in range(count)]


def red_dot(picture: Picture) -> npt.NDArray[np.float64]:
    """The centre of the third dot, x then y, px."""
    levels = picture.astype(float)
    redness = np.clip(levels[..., 0] - levels[..., 1:].max(axis=-1) - 20, 0, None)
    rows, columns = np.indices(redness.shape)
    centre = [(columns * redness).sum(), (rows * redness).sum()] / redness.sum()
    return np.asarray(centre, np.float64)


def moved_px(frames: Sequence[Picture]) -> npt.NDArray[np.float64]:
    """How far the third dot is from its rest in each frame, px of the clip, x then y."""
    places = np.array([red_dot(frame) for frame in frames])
    return np.asarray((places - REST) / SHIFT)


def steps_of(frames: Sequence[Picture]) -> npt.NDArray[np.float64]:
    """The same, in steps of the clip."""
    return moved_px(frames) / STEP_PX


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def leaning(by_px: float) -> npt.NDArray[np.float64]:
    """The places with the upper two pushed aside: another pose."""
    return np.asarray(PLACES + by_px * np.array([[1, 0]] * 2 + [[0, 0]] * 3))


def head_turned(picture: npt.NDArray[np.uint8], angle_deg: float) -> npt.NDArray[np.uint8]:
    """The astronaut's head, turned, in a square."""
    around = cv2.getRotationMatrix2D((225, 115), angle_deg, 1.0)
    whole = cv2.warpAffine(picture, around, (512, 512))
    return np.asarray(cv2.resize(whole[0:300, 75:375], (256, 256)), np.uint8)


class Finder:
    """A landmark network that sees the five dots, if there is a white one above on the left."""

    def __init__(self, *, sees: bool = True) -> None:
        self.count = 0
        self._sees = sees

    def largest(self, picture: Picture) -> npt.NDArray[np.float32] | None:
        self.count += 1
        if not self._sees:
            return None
        # The other way round than by keypoints: the white dot tells, not all of them.
        white = np.argwhere((picture[:120] > 200).all(axis=-1)).mean(axis=0)
        return np.array([[-white[1] / 50, 0], [1, 0], [1, 1], [0, 1]], np.float32)

    def faces(self, picture: Picture) -> tuple[Face, ...]:
        assert picture.ndim == 3
        return (FACE,) if self._sees else ()


def engine_with(finder: Finder) -> type[FommEngine]:
    class WithFinder(FommEngine):
        """Has landmarks at hand."""

        _landmark_finder = finder  # type: ignore[assignment]  # all that is asked of it

    return WithFinder
