"""The 68 landmarks of each face, by the library face-alignment with weights from our store.

It finds faces that `inference/faces/finder.py` misses. On a CPU it takes seconds per picture, so it
is used for photos and a few frames of a clip.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import numpy.typing as npt

from inference.arrays import Picture
from inference.extras import NEURAL_COMMAND
from inference.faces.finder import resize
from jobs.model import CropBox, Face

Points = npt.NDArray[np.float32]
# (N, 4) float64: left, upper, right, lower in px.
Boxes = npt.NDArray[np.float64]

_DEPENDENCIES = ("torch", "numba", "scipy")
# Of the 68 points, the jaw from ear to ear, then the brows.
_JAW, _BROWS = slice(0, 17), slice(17, 27)
# Larger pictures are reduced to this: the detector's time grows with the picture.
_SIDE_PX = 640

_HUB = threading.Lock()


def unmet_landmark_needs() -> tuple[str, ...]:
    """Return the missing libraries, with what to type; nothing is imported."""
    is_there = all(find_spec(name) is not None for name in (*_DEPENDENCIES, "face_alignment"))
    return () if is_there else (f"the library face-alignment: {NEURAL_COMMAND}",)


class LandmarkFinder:
    """Finds faces and their landmarks; both networks stay in memory.

    The library gets our two files and never downloads any.

    Args:
        detector_weights: the face detector's file (s3fd), its hash already verified.
        landmark_weights: the landmark network's file (2DFAN4), likewise.
        device: `cpu`, `mps`, `cuda`, `cuda:1` ...

    Raises:
        FileNotFoundError: a file does not exist.
    """

    def __init__(
        self,
        detector_weights: Path,
        landmark_weights: Path,
        device: str,
    ) -> None:
        face_alignment = load_library()
        address = face_alignment.api.models_urls["2DFAN-4"]
        with _hub_folder_with(landmark_weights, Path(urlparse(address).path).name):
            self._networks: Any = face_alignment.FaceAlignment(
                face_alignment.LandmarksType.TWO_D,
                device=device,
                flip_input=False,
                face_detector_kwargs={"path_to_detector": str(detector_weights.resolve())},
                # Compiling needs a compiler, takes minutes and writes to the home folder.
                compile=False,
            )

    def find(self, picture: Picture) -> list[Points]:
        """Return the landmarks of each face, the largest first: (68, 2) float32, x then y, px.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        scale = min(1.0, _SIDE_PX / max(picture.shape[:2]))
        small = resize(picture, scale) if scale < 1 else np.ascontiguousarray(picture)
        points = self._landmarks(small, self._boxes(small))
        found = [np.asarray(of_face / scale, dtype=np.float32) for of_face in points]
        return sorted(found, key=lambda of_face: face_box(of_face).width, reverse=True)

    def largest(self, picture: Picture) -> Points | None:
        """Return the landmarks of the largest face; None if there is none."""
        return next(iter(self.find(picture)), None)

    def faces(self, picture: Picture) -> tuple[Face, ...]:
        """Return the faces with boxes like those of `find_faces`, the largest first.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        found = enumerate(self.find(picture), start=1)
        return tuple(Face(number=number, box=face_box(points), votes=1) for number, points in found)

    def _boxes(self, picture: Picture) -> Boxes:
        found = self._networks.face_detector.detect_from_image(picture)
        boxes = np.array([box[:4] for box in found], dtype=np.float64).reshape(-1, 4)
        # The library fails on boxes without area or outside the picture.
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        height, width = picture.shape[:2]
        is_inside = np.all((centres > 0) & (centres < (width, height)), axis=1)
        has_area = np.all(boxes[:, 2:] - boxes[:, :2] >= 1, axis=1)
        return np.asarray(boxes[is_inside & has_area], np.float64)

    def _landmarks(self, picture: Picture, boxes: Boxes) -> Sequence[Points]:
        # Without boxes, the library warns and returns None.
        if not len(boxes):
            return []
        found: list[Points] = self._networks.get_landmarks_from_image(
            picture, detected_faces=list(boxes)
        )
        return found


def face_box(landmarks: npt.NDArray[np.floating]) -> CropBox:
    """Return the square that `find_faces` would return: from the brows' upper edge to the chin.

    Args:
        landmarks: the 68 points, (68, 2), px.
    """
    upper = float(landmarks[_BROWS, 1].min())
    lower = float(landmarks[_JAW, 1].max())
    jaw, brows = landmarks[_JAW, 0], landmarks[_BROWS, 0]
    # For a turned head, the jaw alone would shift the box towards the ear.
    centre = float(np.mean([jaw.min() + jaw.max(), brows.min() + brows.max()])) / 2
    side = max(1, round(lower - upper))
    left, top = round(centre - side / 2), round((upper + lower) / 2 - side / 2)
    return CropBox(left=left, upper=top, right=left + side, lower=top + side)


def load_library() -> Any:
    """Import `face_alignment` with numba's compiler disabled."""
    import numba  # noqa: PLC0415 - both are slow to import

    # Compiling its two short loops takes seven seconds in each process, and saves two milliseconds
    # per picture.
    config: Any = numba.config
    usual, config.DISABLE_JIT = config.DISABLE_JIT, True
    try:
        import face_alignment  # noqa: PLC0415
    finally:
        config.DISABLE_JIT = usual
    return face_alignment


@contextmanager
def _hub_folder_with(file: Path, name: str) -> Iterator[None]:
    """Set torch's download folder to a temporary one that contains only this file."""
    import torch  # noqa: PLC0415 - slow to import

    # It is a global setting of the process.
    with _HUB, tempfile.TemporaryDirectory(prefix="hub-") as folder:
        usual = torch.hub.get_dir()
        checkpoints = Path(folder) / "checkpoints"
        checkpoints.mkdir()
        # With a dangling link, the library would download the file.
        (checkpoints / name).symlink_to(file.resolve(strict=True))
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(usual)
