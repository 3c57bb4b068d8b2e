"""Render the faces of a photo: warped once, at its own resolution.

moment -> the face's points in their place -> displacement of the pixels around -> photo warped
-> eyes and mouth drawn over it
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles, Floats, Picture
from inference.faces.head import Head, fit_head
from inference.faces.landmarker import Landmarks
from inference.faces.model_file import CanonicalMesh
from inference.mesh.eyes import Eyes
from inference.mesh.glasses import glasses_of
from inference.mesh.lids import refined_lids
from inference.mesh.moment import Moment
from inference.mesh.mouth import Mouth
from inference.mesh.placing import Placing, Posed
from inference.mesh.retarget import Retargeter
from inference.mesh.shading import FoldShading
from inference.mesh.temples import Temples
from inference.mesh.warp import Displacement, MeshWarp, common_part
from inference.smoothstep import smoothstep
from jobs.model import CropBox

_SEAM = 0.5
_NO_MAP = np.empty(0, np.float32)  # x and y are in one array


class _Place(NamedTuple):
    """Where a face is, px."""

    x: float
    y: float
    width: float


class FaceRenderer:
    """What one face of a photo does.

    Args:
        photo: uint8 (H, W, 3) RGB.
        landmarks: the face.
        scores: its expression scores, (52,).
        mesh: the canonical mesh.

    Attributes:
        box: the part of the photo that can change; frames cover exactly this box.
        head: the face, measured.
    """

    def __init__(
        self, photo: Picture, landmarks: Landmarks, scores: Doubles, mesh: CanonicalMesh
    ) -> None:
        self._photo = photo
        landmarks = refined_lids(photo, landmarks)
        self.head = fit_head(landmarks, mesh)
        self._retargeter = Retargeter(self.head, scores, mesh, glasses_of(photo, landmarks.points))
        self._placing = Placing(self.head)
        height, width = photo.shape[:2]
        self._warp = MeshWarp(self._placing.at_rest, mesh, (width, height))
        self.box: CropBox = self._warp.box
        self._eyes = Eyes(photo, landmarks.points)
        self._mouth = Mouth(photo, landmarks.points, self.head)
        self._folds = FoldShading(photo, landmarks.points, mesh)
        self._temples = Temples(photo, landmarks.points)

    def render(self, moment: Moment) -> Picture:
        """Return one frame of `box` in which only this face moves, see `PhotoRenderer.render`."""
        return PhotoRenderer(self._photo, [self]).render([moment])

    def pose(self, moment: Moment, rest: Doubles | None = None) -> Posed:
        """Return the face at a moment, in its place in the photo; see `PhotoRenderer.render`."""
        shape = self._retargeter.shape(moment, absolute=rest is not None)
        if rest is not None:
            moment = replace(moment, turn=moment.turn + rest - self.head.angles)
        return self._placing.place(shape, moment)

    def displacement(self, posed: Posed, share: Floats | None) -> Displacement | None:
        """Return where the pixels round the posed face are read; None if nothing moves.

        Args:
            posed: the face.
            share: (h, w), how much each pixel of the box follows this face and not another one;
                None for wholly.
        """
        moved = self._warp.displacement(posed)
        if moved is not None and share is not None:
            moved.offsets[...] *= _cut(share, self.box, moved.part)[..., None]
        return moved

    def unfold(self, places: Floats, part: CropBox, posed: Posed, moment: Moment) -> None:
        """Keep the skin round the eyes in place.

        Args:
            places: (h, w, 2), for each pixel of a part its place in the photo, px; changed.
            part: of the photo.
            posed: the face.
            moment: the moment it shows.
        """
        self._eyes.unfold(places, (part.left, part.upper), posed.points, moment.lids)

    def shaded(self, photo: Picture, posed: Posed, moment: Moment) -> Picture:
        """Return the photo (H, W, 3) with what a moment changes in this face's skin."""
        if moment.folds is not None:
            photo = self._folds.shaded(photo, moment.folds)
        return self._temples.without_lashes(photo, posed.points, posed.head.scale / self.head.scale)

    def draw(self, frame: Picture, corner: tuple[int, int], posed: Posed, moment: Moment) -> None:
        """Draw eyes and mouth into a warped photo, in place.

        Args:
            frame: uint8 (h, w, 3) RGB, a part of the warped photo.
            corner: left and upper edge of the part, px.
            posed: the face.
            moment: the moment it shows.
        """
        self._eyes.draw(frame, corner, posed.points, moment.lids, moment.gaze)
        self._mouth.draw(frame, corner, posed.head, posed.gaps, moment)


class PhotoRenderer:
    """Renders the faces of one photo together.

    Args:
        photo: uint8 (H, W, 3) RGB.
        faces: those that move; at least one. Where their boxes meet, each moves what is nearest to
            it.
        still: boxes of the photo's other faces; what is nearest to them stays.

    Attributes:
        box: the part of the photo that can change; frames cover exactly this box.
    """

    def __init__(
        self, photo: Picture, faces: Sequence[FaceRenderer], still: Sequence[CropBox] = ()
    ) -> None:
        self._photo = photo
        self._faces = faces
        self.box = CropBox(
            left=min(face.box.left for face in faces),
            upper=min(face.box.upper for face in faces),
            right=max(face.box.right for face in faces),
            lower=max(face.box.lower for face in faces),
        )
        self._shares = _shares(faces, still)

    def render(self, moments: Sequence[Moment], rest: Doubles | None = None) -> Picture:
        """Return one frame of `box`, uint8 (h, w, 3) RGB; at rest exactly the photo's pixels.

        Args:
            moments: one for each face.
            rest: (3,) yaw, pitch and roll of the driver at rest, radians, if the faces take over
                its pose and expression as they are; None: only how they change.
        """
        photo, box = self._photo, self.box
        faces = [
            (face, face.pose(moment, rest), moment)
            for face, moment in zip(self._faces, moments, strict=True)
        ]
        for face, posed, moment in faces:
            photo = face.shaded(photo, posed, moment)
        frame = photo[box.upper : box.lower, box.left : box.right].copy()
        moved = [
            face.displacement(posed, share)
            for (face, posed, _), share in zip(faces, self._shares, strict=True)
        ]
        for index, one in enumerate(moved):
            if one is None:
                continue
            others = moved[:index] + moved[index + 1 :]
            places = _places(one, [other for other in others if other is not None])
            for face, posed, moment in faces:
                face.unfold(places, one.part, posed, moment)
            _cut(frame, box, one.part)[...] = _read(photo, places)
        for face, posed, moment in faces:
            face.draw(frame, (box.left, box.upper), posed, moment)
        return frame


def _read(photo: Picture, places: Floats) -> Picture:
    """The photo at places (h, w, 2) px."""
    # In steps of 1/32 px: fast, and what does not move but for rounding is exactly the photo.
    whole, fractions = cv2.convertMaps(places, _NO_MAP, cv2.CV_16SC2)
    read = cv2.remap(photo, whole, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(read, np.uint8)


def _places(own: Displacement, others: Sequence[Displacement]) -> Floats:
    """Where the pixels of a part are read in the photo, (h, w, 2) px."""
    part = own.part
    places = own.offsets.copy() if others else own.offsets
    for other in others:
        common = common_part(part, other.part)
        if common is not None:
            _cut(places, part, common)[...] += _cut(other.offsets, other.part, common)
    places[..., 0] += np.arange(part.left, part.right, dtype=np.float32)
    places[..., 1] += np.arange(part.upper, part.lower, dtype=np.float32)[:, None]
    return places


def _shares(faces: Sequence[FaceRenderer], still: Sequence[CropBox]) -> list[Floats | None]:
    """How much the pixels of each face's box follow it: where boxes meet, the nearest face.

    None where no other box is met. Distances are in face widths. The shares change softly half-way
    between two faces.
    """
    resting = [(box, _Place(*box.centre, box.width)) for box in still]
    moving = [(face.box, _place_of(face.head)) for face in faces]
    shares: list[Floats | None] = []
    for index, face in enumerate(faces):
        others = [*moving[:index], *moving[index + 1 :], *resting]
        near = [place for box, place in others if common_part(face.box, box)]
        if not near:
            shares.append(None)
            continue
        own = _distance(_place_of(face.head), face.box)
        share = np.ones_like(own)
        for other in near:
            from_other = _distance(other, face.box)
            share *= smoothstep(0.5 + (from_other - own) / (from_other + own) / (2 * _SEAM))
        shares.append(share.astype(np.float32))
    return shares


def _place_of(head: Head) -> _Place:
    x, y = head.projected(np.zeros(3))[:2]
    return _Place(float(x), float(y), head.face_width)


def _distance(place: _Place, box: CropBox) -> Doubles:
    """The distance of the box's pixels from the middle of a face, (h, w), in its width."""
    from_x = np.arange(box.left, box.right) - place.x
    from_y = np.arange(box.upper, box.lower) - place.y
    return np.asarray(np.hypot(from_x, from_y[:, None]) / place.width + 1e-6, np.float64)


def _cut(array: npt.NDArray[Any], box: CropBox, part: CropBox) -> npt.NDArray[Any]:
    """The part of an array that covers `box`."""
    rows = slice(part.upper - box.upper, part.lower - box.upper)
    return array[rows, part.left - box.left : part.right - box.left]
