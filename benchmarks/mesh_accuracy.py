"""How well an engine follows a clip: `python -m benchmarks.mesh_accuracy PHOTOS... --clips ...`.

Photos, clips and results are measured with dlib's 68 landmarks, which no engine uses. It needs
`pip install dlib-bin face_recognition_models`; neither is a dependency of the program, since the
data behind that predictor may not be used commercially.

    a feature   correlation with the driver's x slope against it, over the frames of each pair, mean
    distance    of the landmarks from the photo's moved as the driver's, share of the eyes' distance
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.run import CLI, run
from inference.arrays import Picture
from inference.media.video import ClipReader

Points = npt.NDArray[np.float64]
"""(68, 2), px; NaN where no face was found."""

_PREDICTOR = "face_recognition_models/models/shape_predictor_68_face_landmarks.dat"
_MOVING = slice(17, 68)  # all but the outline of the jaw, which is guessed more than seen
_EYES = (range(36, 42), range(42, 48))
# Points that no expression moves: corners of the eyes, bridge and base of the nose; cm, x to the
# right, y down, z into the picture.
_RIGID = [36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35]
# fmt: off
_RIGID_CM = np.array([
    (-4.45, -2.66, -3.17), (-1.86, -2.59, -3.76), (1.86, -2.59, -3.76), (4.45, -2.66, -3.17),
    (0.0, -2.90, -5.50), (0.0, -1.75, -6.30), (0.0, -0.65, -7.05), (0.0, 0.46, -7.59),
    (-1.41, 1.71, -5.24), (0.0, 2.09, -6.06), (1.41, 1.71, -5.24),
])
# fmt: on
_LEAST_SPREAD = {
    "mouth opening": 0.02,
    "mouth width": 0.015,
    "eye opening": 0.006,
    "brow height": 0.02,
    "yaw": 1.5,
    "pitch": 1.5,
    "roll": 1.5,
}
"""Standard deviation below which a driver does not move a feature: eye distances, degrees."""


class Predictor:
    """dlib's face detector and landmark predictor."""

    def __init__(self) -> None:
        import dlib  # noqa: PLC0415 - a development tool

        path = distribution("face_recognition_models").locate_file(_PREDICTOR)
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor: Any = dlib.shape_predictor(str(path))
        self._rectangle: Any = dlib.rectangle

    def points(self, picture: Picture) -> Points:
        """Return the largest face's points."""
        scale = 800 / max(picture.shape[:2])
        small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)
        boxes = list(self._detector(small, 0)) or list(self._detector(small, 1))
        if not boxes:
            return np.full((68, 2), np.nan)
        box = max(boxes, key=lambda found: found.width())
        # In the full picture, the points are finer.
        left, upper, right, lower = (
            round(side / scale) for side in (box.left(), box.top(), box.right(), box.bottom())
        )
        shape = self._predictor(picture, self._rectangle(left, upper, right, lower))
        return np.array([(point.x, point.y) for point in shape.parts()], np.float64)

    def track(self, frames: Iterable[Picture], step: int) -> Points:
        """Return the points of every `step`-th frame, (n, 68, 2)."""
        return np.array([self.points(frame) for frame in islice(frames, 0, None, step)])


def features(points: Points) -> dict[str, npt.NDArray[np.float64]]:
    """Return what moves in (n, 68, 2): lengths in eye distances, angles in degrees, each (n,)."""
    across = points[:, 45] - points[:, 36]
    unit = np.linalg.norm(across, axis=1)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / unit[:, None]

    def apart(one: int, other: int) -> npt.NDArray[np.float64]:
        return np.linalg.norm(points[:, one] - points[:, other], axis=1) / unit

    lids = [apart(upper, lower) for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46))]
    brows = points[:, 17:27].mean(axis=1) - points[:, [36, 39, 42, 45]].mean(axis=1)
    angles = np.array([_angles(of_frame) for of_frame in points])
    return {
        "mouth opening": (apart(61, 67) + apart(62, 66) + apart(63, 65)) / 3,
        "mouth width": apart(48, 54),
        "eye opening": np.mean(lids, axis=0),
        "brow height": -(brows * down).sum(axis=1) / unit,
        "yaw": angles[:, 0],
        "pitch": angles[:, 1],
        "roll": angles[:, 2],
    }


def _angles(points: Points) -> npt.NDArray[np.float64]:
    """Yaw, pitch and roll, degrees, of one face: a weak-perspective fit to rigid points."""
    if np.isnan(points).any():
        return np.full(3, np.nan)
    model = _RIGID_CM - _RIGID_CM.mean(axis=0)
    seen = points[_RIGID] - points[_RIGID].mean(axis=0)
    linear = np.linalg.lstsq(model, seen, rcond=None)[0].T
    u, _, vt = np.linalg.svd(linear, full_matrices=False)
    first, second = u @ vt
    rotation = np.array([first, second, np.cross(first, second)])
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1, 1))
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.degrees(np.array([yaw, pitch, roll]))


def aligned(points: Points, to: Points) -> Points:
    """Return (n, 68, 2) points laid over one face (68, 2) by similarities of its rigid points."""
    return np.array([_aligned(of_frame, to) for of_frame in points])


def _aligned(points: Points, to: Points) -> Points:
    if np.isnan(points).any():
        return np.full((68, 2), np.nan)
    complex_points, complex_to = points @ [1, 1j], to @ [1, 1j]
    start, end = complex_points[_RIGID], complex_to[_RIGID]
    start_mean, end_mean = start.mean(), end.mean()
    turn = np.vdot(start - start_mean, end - end_mean) / np.vdot(
        start - start_mean, start - start_mean
    )
    moved = (complex_points - start_mean) * turn + end_mean
    return np.stack([moved.real, moved.imag], axis=1)


@dataclass(frozen=True)
class Pair:
    """One photo animated by one clip.

    Attributes:
        correlation: of each feature that the driver moves.
        gain: likewise.
        distance: mean of the moving landmarks from where the driver's motion puts them, in eye
            distances.
        still: the same of the photo itself, if it did not move.
        neutral: of the landmarks from the photo's while the driver is at rest.
        lost: frames in which no face was found.
    """

    correlation: dict[str, float]
    gain: dict[str, float]
    distance: float
    still: float
    neutral: float
    lost: int


def compare(photo: Points, driver: Points, result: Points, neutral: int) -> Pair:
    """Compare the points of a result (n, 68, 2) with its driver's and its photo's (68, 2)."""
    seen = ~(np.isnan(driver) | np.isnan(result)).any(axis=(1, 2))
    correlation, gain = {}, {}
    of_driver, of_result = features(driver[seen]), features(result[seen])
    for name, least in _LEAST_SPREAD.items():
        wanted, got = of_driver[name], of_result[name]
        if wanted.std() >= least:
            correlation[name] = float(np.corrcoef(wanted, got)[0, 1])
            gain[name] = float(np.polyfit(wanted, got, 1)[0])
    unit = np.linalg.norm(photo[45] - photo[36])
    rest = driver[neutral]
    # The driver's motion, turned and scaled as the photo's face is.
    placed = _aligned(rest, photo)
    motion = (aligned(driver, placed) - placed)[:, _MOVING]
    moved = (aligned(result, photo) - photo)[:, _MOVING]

    def length(vectors: Points) -> float:
        return float(np.nanmean(np.linalg.norm(vectors, axis=-1)) / unit)

    return Pair(
        correlation,
        gain,
        distance=length(moved[seen] - motion[seen]),
        still=length(motion[seen]),
        neutral=length(moved[neutral]),
        lost=int(np.isnan(result).any(axis=(1, 2)).sum()),
    )


def main() -> None:
    """Render what is missing, measure it, and print one row per pair and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--clips", nargs="+", type=Path, required=True)
    parser.add_argument("--engine", default="mesh")
    parser.add_argument("--results", type=Path, help="keep the results here, and reuse those there")
    parser.add_argument("--step", type=int, default=2, help="measure every STEP-th frame")
    parser.add_argument("--neutral", type=int, default=0, help="frame of the clips that is at rest")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="animato-") as folder:
        report(options, options.results or Path(folder))


def report(options: argparse.Namespace, folder: Path) -> None:
    """Measure all pairs; results are in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    predictor = Predictor()
    photos = {
        path: predictor.points(np.asarray(Image.open(path).convert("RGB")))
        for path in options.photos
    }
    drivers = {path: _track(predictor, path, options.step) for path in options.clips}
    pairs = []
    for photo, clip in product(options.photos, options.clips):
        result = folder / f"{photo.stem}--{clip.stem}.mp4"
        if not result.exists():
            wish = ("--source_image", photo, "--driving_video", clip, "--output", result)
            run([*CLI, "animate", "--engine", options.engine, "--quiet", *map(str, wish)])
        points = _track(predictor, result, options.step)
        pair = compare(photos[photo], drivers[clip], points, options.neutral // options.step)
        pairs.append(pair)
        _tell(result.stem, [pair], len(points))
    _tell("all pairs", pairs, len(pairs) * len(points))


def _track(predictor: Predictor, path: Path, step: int) -> Points:
    with ClipReader(path) as frames:
        return predictor.track(frames, step)


def _tell(title: str, pairs: Sequence[Pair], frames: int) -> None:
    sys.stdout.write(f"\n{title}\n")
    for name in _LEAST_SPREAD:
        moved = [pair for pair in pairs if name in pair.correlation]
        if moved:
            correlation = np.mean([pair.correlation[name] for pair in moved])
            gain = np.mean([pair.gain[name] for pair in moved])
            cells = f"{correlation:6.2f} x {gain:4.2f}   of {len(moved)}"
            sys.stdout.write(f"  {name:20}{cells}\n")
    distance, still, neutral = (
        100 * np.mean([getattr(pair, name) for pair in pairs])
        for name in ("distance", "still", "neutral")
    )
    lost = sum(pair.lost for pair in pairs)
    sys.stdout.write(
        f"  distance, %         {distance:6.2f}   still photo {still:.2f}, "
        f"ratio {distance / still:.2f}\n"
        f"  at rest, %          {neutral:6.2f}\n"
        f"  faces lost          {lost:6d}   of {frames}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
