"""Render one face of a photo: warped once, at its own resolution."""

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.landmarker import Landmarks
from inference.faces.model_file import CanonicalMesh
from inference.mesh.expressions import Doubles
from inference.mesh.head import fit_head
from inference.mesh.moment import Moment
from inference.mesh.placing import Placing
from inference.mesh.raster import Floats
from inference.mesh.retarget import Retargeter
from inference.mesh.warp import MeshWarp
from jobs.model import CropBox

Picture = npt.NDArray[np.uint8]


class FaceRenderer:
    """Renders one face of one photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        landmarks: the face.
        scores: its expression scores, (52,).
        mesh: the canonical mesh.

    Attributes:
        box: the part of the photo that can change; frames cover exactly this box.
    """

    def __init__(
        self, photo: Picture, landmarks: Landmarks, scores: Doubles, mesh: CanonicalMesh
    ) -> None:
        self._photo = photo
        head = fit_head(landmarks, mesh)
        self._retargeter = Retargeter(head, scores, mesh)
        self._placing = Placing(head)
        height, width = photo.shape[:2]
        self._warp = MeshWarp(self._placing.at_rest, mesh, (width, height))
        self.box: CropBox = self._warp.box
        self._part = photo[self.box.upper : self.box.lower, self.box.left : self.box.right]

    def render(self, moment: Moment) -> Picture:
        """Return one frame of `box`, uint8 (h, w, 3) RGB; at rest exactly the photo's pixels."""
        posed = self._placing.place(self._retargeter.shape(moment), moment)
        frame = self._part.copy()
        moved = self._warp.displacement(posed)
        if moved is None:
            return frame
        part, offsets = moved.part, moved.offsets
        offsets[..., 0] += np.arange(part.left, part.right, dtype=np.float32)
        offsets[..., 1] += np.arange(part.upper, part.lower, dtype=np.float32)[:, None]
        left, upper = part.left - self.box.left, part.upper - self.box.upper
        frame[upper : upper + part.height, left : left + part.width] = self._read(offsets)
        return frame

    def _read(self, places: Floats) -> Picture:
        """The photo at places (h, w, 2) px."""
        # OpenCV 5.0.0 never returns from reflecting with both coordinates in one array.
        x, y = cv2.split(places)
        read = cv2.remap(self._photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(read, np.uint8)
