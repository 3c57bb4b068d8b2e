"""Render one face of a photo: warped once, at its own resolution."""

import cv2
import numpy as np
import numpy.typing as npt

from inference.faces.landmarker import Landmarks
from inference.faces.model_file import CanonicalMesh
from inference.mesh.expressions import Doubles
from inference.mesh.eyes import Eyes
from inference.mesh.head import fit_head
from inference.mesh.lids import refined_lids
from inference.mesh.moment import Moment
from inference.mesh.mouth import Mouth
from inference.mesh.placing import Placing, Posed
from inference.mesh.raster import Floats
from inference.mesh.retarget import Retargeter
from inference.mesh.warp import Displacement, MeshWarp
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
        landmarks = refined_lids(photo, landmarks)
        head = fit_head(landmarks, mesh)
        self._retargeter = Retargeter(head, scores, mesh)
        self._placing = Placing(head)
        height, width = photo.shape[:2]
        self._warp = MeshWarp(self._placing.at_rest, mesh, (width, height))
        self.box: CropBox = self._warp.box
        self._eyes = Eyes(photo, landmarks.points)
        self._mouth = Mouth(photo, landmarks.points, head)
        self._part = photo[self.box.upper : self.box.lower, self.box.left : self.box.right]

    def render(self, moment: Moment) -> Picture:
        """Return one frame of `box`, uint8 (h, w, 3) RGB; at rest exactly the photo's pixels."""
        posed = self._placing.place(self._retargeter.shape(moment), moment)
        frame = self._part.copy()
        moved = self._warp.displacement(posed)
        if moved is not None:
            self._warp_into(frame, moved, posed, moment)
        corner = (self.box.left, self.box.upper)
        self._eyes.draw(frame, corner, posed.points, moment.lids, moment.gaze)
        self._mouth.draw(frame, corner, posed.head, posed.gaps, moment.mouth)
        return frame

    def _warp_into(self, frame: Picture, moved: Displacement, posed: Posed, moment: Moment) -> None:
        part, places = moved.part, moved.offsets
        places[..., 0] += np.arange(part.left, part.right, dtype=np.float32)
        places[..., 1] += np.arange(part.upper, part.lower, dtype=np.float32)[:, None]
        self._eyes.unfold(places, (part.left, part.upper), posed.points, moment.lids)
        left, upper = part.left - self.box.left, part.upper - self.box.upper
        frame[upper : upper + part.height, left : left + part.width] = self._read(places)

    def _read(self, places: Floats) -> Picture:
        """The photo at places (h, w, 2) px."""
        # OpenCV 5.0.0 never returns from reflecting with both coordinates in one array.
        x, y = cv2.split(places)
        read = cv2.remap(self._photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(read, np.uint8)
