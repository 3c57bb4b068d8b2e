"""The 68 landmarks of each face, by the library face-alignment and weights of our own keeping.

Where its two files are there, it finds faces that the votes of `inference/faces/finder.py` miss.
On a processor it takes seconds a picture: it is for photos and a few frames of a clip.
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

from inference.extras import NEURAL_COMMAND
from inference.faces.finder import resize
from jobs.model import CropBox, Face

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
# (N, 4) float64: left, upper, right, lower in px.
Boxes = npt.NDArray[np.float64]

_BESIDES = ("torch", "numba", "scipy")
# The usual 68 points: the jaw from ear to ear, then the brows.
_JAW, _BROWS = slice(0, 17), slice(17, 27)
# The detector's time grows with the picture; a face too small for this is too small to animate.
_SIDE_PX = 640

_HUB = threading.Lock()


def unmet_landmark_needs() -> tuple[str, ...]:
    """What is missing before landmarks can be found, each with what to type; empty if nothing.

    Only the libraries are looked for, and none is loaded; weights are the caller's matter.
    """
    is_there = all(find_spec(name) is not None for name in (*_BESIDES, "face_alignment"))
    return () if is_there else (f"the library face-alignment: {NEURAL_COMMAND}",)


class LandmarkFinder:
    """Finds faces and their landmarks; made once, it keeps both networks in memory.

    The library is handed our two files and never fetches any.

    Args:
        detector_weights: s3fd, the face detector's file, its hash already checked.
        landmark_weights: 2DFAN4, the landmark network's, likewise.
        device: `cpu`, `mps`, `cuda`, `cuda:1` ...
        side_px: larger pictures are reduced to this before anything is looked for.

    Raises:
        FileNotFoundError: a file is not there.
    """

    def __init__(
        self,
        detector_weights: Path,
        landmark_weights: Path,
        device: str,
        *,
        side_px: int = _SIDE_PX,
    ) -> None:
        face_alignment = load_library()
        self._side_px = side_px
        address = face_alignment.api.models_urls["2DFAN-4"]
        with _hub_folder_with(landmark_weights, Path(urlparse(address).path).name):
            self._networks: Any = face_alignment.FaceAlignment(
                face_alignment.LandmarksType.TWO_D,
                device=device,
                flip_input=False,
                face_detector_kwargs={"path_to_detector": str(detector_weights.resolve())},
                # It would need a compiler, take minutes and write into the home folder.
                compile=False,
            )

    def find(self, picture: Picture) -> list[Points]:
        """The landmarks of each face, the largest first: (68, 2) float32, x then y, in px.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        scale = min(1.0, self._side_px / max(picture.shape[:2]))
        small = resize(picture, scale) if scale < 1 else np.ascontiguousarray(picture)
        points = self._landmarks(small, self._boxes(small))
        found = [np.asarray(of_face / scale, dtype=np.float32) for of_face in points]
        return sorted(found, key=lambda of_face: face_box(of_face).width, reverse=True)

    def largest(self, picture: Picture) -> Points | None:
        """The landmarks of the largest face, as `find` gives them; None if there is none."""
        return next(iter(self.find(picture)), None)

    def faces(self, picture: Picture) -> tuple[Face, ...]:
        """The faces with boxes as `find_faces` gives them, numbered from 1, the largest first.

        Args:
            picture: uint8 (H, W, 3) RGB.
        """
        found = enumerate(self.find(picture), start=1)
        return tuple(Face(number=number, box=face_box(points), votes=1) for number, points in found)

    def _boxes(self, picture: Picture) -> Boxes:
        found = self._networks.face_detector.detect_from_image(picture)
        boxes = np.array([box[:4] for box in found], dtype=np.float64).reshape(-1, 4)
        # The library cannot cut out what has no area or lies beside the picture.
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        height, width = picture.shape[:2]
        is_inside = np.all((centres > 0) & (centres < (width, height)), axis=1)
        has_area = np.all(boxes[:, 2:] - boxes[:, :2] >= 1, axis=1)
        return np.asarray(boxes[is_inside & has_area], np.float64)

    def _landmarks(self, picture: Picture, boxes: Boxes) -> Sequence[Points]:
        # Asked about no face, the library warns and gives no list.
        if not len(boxes):
            return []
        found: list[Points] = self._networks.get_landmarks_from_image(
            picture, detected_faces=list(boxes)
        )
        return found


def face_box(landmarks: npt.NDArray[np.floating]) -> CropBox:
    """The square that `find_faces` would put round a face: from the brows' upper edge to the chin.

    Args:
        landmarks: the 68 points, (68, 2), px.
    """
    upper = float(landmarks[_BROWS, 1].min())
    lower = float(landmarks[_JAW, 1].max())
    jaw, brows = landmarks[_JAW, 0], landmarks[_BROWS, 0]
    # Of a head that is turned, the jaw alone would draw the box to the ear.
    centre = float(np.mean([jaw.min() + jaw.max(), brows.min() + brows.max()])) / 2
    side = max(1, round(lower - upper))
    left, top = round(centre - side / 2), round((upper + lower) / 2 - side / 2)
    return CropBox(left=left, upper=top, right=left + side, lower=top + side)


def load_library() -> Any:
    """The module `face_alignment`, as Python and not as machine code."""
    # Imported late: both take seconds.
    import numba  # noqa: PLC0415

    # It has two short loops compiled when they are first used, in each process anew: seven seconds
    # of work to save two milliseconds a picture.
    config: Any = numba.config
    usual, config.DISABLE_JIT = config.DISABLE_JIT, True
    try:
        import face_alignment  # noqa: PLC0415
    finally:
        config.DISABLE_JIT = usual
    return face_alignment


@contextmanager
def _hub_folder_with(file: Path, name: str) -> Iterator[None]:
    """A stretch of code for which torch's download folder holds nothing but this file."""
    import torch  # noqa: PLC0415 - whoever comes here has it

    # The folder is one for the whole process.
    with _HUB, tempfile.TemporaryDirectory(prefix="hub-") as folder:
        usual = torch.hub.get_dir()
        checkpoints = Path(folder) / "checkpoints"
        checkpoints.mkdir()
        # A link that leads nowhere would be taken for a file that is still to be fetched.
        (checkpoints / name).symlink_to(file.resolve(strict=True))
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(usual)
