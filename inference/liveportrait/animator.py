"""The networks at work: pictures in, faces ready to be moved, animated squares out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.arrays import Floats, Picture
from inference.liveportrait.motion import (
    FaceMotion,
    MotionOptions,
    SourceFace,
    adjusted,
    moved,
    still_rest,
)
from inference.liveportrait.networks import MotionHeads, Networks
from inference.liveportrait.track import PlayedMotion
from inference.liveportrait.warping import SourceState


@dataclass(frozen=True, eq=False)
class PreparedFace:
    """A face of a photo, ready to be moved.

    Attributes:
        source: its key points.
        state: what the networks need of its picture.
    """

    source: SourceFace
    state: SourceState


class Animator:
    """Moves faces.

    Args:
        networks: ready to run.
        options: how motion is transferred.
    """

    def __init__(self, networks: Networks, options: MotionOptions) -> None:
        self._networks = networks
        self._options = options

    def extract(self, pictures: Picture) -> FaceMotion:
        """Return what the motion network sees in pictures, uint8 (B, 256, 256, 3) RGB."""
        return _motion_of(self._networks.motion(_tensor(pictures)))

    def prepare(self, picture: Picture, openings: Sequence[float]) -> PreparedFace:
        """Prepare a face.

        Args:
            picture: its square, uint8 (256, 256, 3) RGB.
            openings: of both eyes and the mouth, see `inference.liveportrait.landmarks`.
        """
        tensor = _tensor(picture[None])
        heads = self._networks.motion(tensor)
        *lids, lips = openings
        source = SourceFace(heads.keypoints[0], _motion_of(heads), np.array(lids, np.float32), lips)
        feature = self._networks.appearance(tensor)
        return PreparedFace(source, self._networks.prepare_source(feature, source.points))

    def keypoints(self, face: PreparedFace, played: PlayedMotion) -> Floats:
        """Return the key points (n, 21, 3) that a motion of n frames moves a face to."""
        motion, rest = played.motion, played.rest
        if len(motion) == 1:
            rest = still_rest(motion, self._options.region)
        points = moved(face.source, motion, rest, self._options)
        openings = played.openings[:, 0], played.openings[:, 2]
        return adjusted(face.source, points, openings, self._networks, self._options)

    def render(self, face: PreparedFace, keypoints: Floats) -> Picture:
        """Return frames (B, 512, 512, 3) uint8 RGB of a face's square for key points (B, 21, 3)."""
        return self._networks.render(face.state, keypoints)


def _motion_of(heads: MotionHeads) -> FaceMotion:
    angles = np.stack([heads.pitch_deg, heads.yaw_deg, heads.roll_deg], axis=1)
    return FaceMotion(angles, heads.translation, heads.expression, heads.scale)


def _tensor(pictures: Picture) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
