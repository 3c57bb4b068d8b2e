"""A blink drawn by geometry: the upper lid is stretched down, the lashes travel with its edge.

Flow measures blinks badly, and a photo with open eyes has no closed lid to show; stretching its own
skin looks right.
"""

import cv2
import numpy as np

from inference.flow.canonical import Floats, Picture
from inference.flow.field import smooth_step

_HALF_WIDTH_PX = 12.2
_UPPER_ARCH_PX = 4.5
_LOWER_ARCH_PX = 4.3
_LASH_LINE_PX = 1.2
_STRETCHED_PX = 0.62 * 17.9
"""Where the skin begins to stretch: 0.62 of the way from the eye to the brow, which stays."""
_SEARCHED_PX = np.arange(-3.0, 3.01, 0.5, dtype=np.float32)

REACH_PX = 18.0
"""No point farther than this from an eye's centre is moved by its lid."""
MIN_CLOSING = 0.02


class Eyelid:
    """The upper lid of one eye.

    Args:
        face: the photo's canonical face, uint8 (256, 256, 3) RGB.
        eye: the eye's centre, canonical px.
    """

    def __init__(self, face: Picture, eye: tuple[float, float]) -> None:
        self.eye = eye
        self._lash_offset_px = _find_lashes(face, eye)

    def close(self, positions: Floats, closing: float) -> Floats:
        """Where to read the photo so that the eye is closed.

        Args:
            positions: (..., 2) canonical px, where the photo would be read with the eye open.
            closing: 0 open to 1 closed.

        Returns:
            (..., 2): the positions with y changed round the eye; elsewhere, and at rest, as given.
        """
        if closing <= MIN_CLOSING:
            return positions
        x, y = positions[..., 0], positions[..., 1]
        arch = _arch(x - np.float32(self.eye[0]))
        upper = self.eye[1] - _UPPER_ARCH_PX * np.sqrt(arch) - 0.5 + self._lash_offset_px
        lower = self.eye[1] + _LOWER_ARCH_PX * arch + 0.5
        share = closing * smooth_step(4.0 * arch)
        lid = upper + share * np.maximum(lower - upper - _LASH_LINE_PX, 0.0)
        top = self.eye[1] - _STRETCHED_PX
        stretched = top + (y - top) * (upper - top) / (lid - top)
        # Below the lid's edge come its lashes, then the eye where it always was.
        lashes = smooth_step(2.0 - (y - lid) / np.float32(_LASH_LINE_PX))
        moved = np.where(y < lid, stretched, y - lashes * (lid - upper))
        inside = (y >= top) & (y <= lower) & (arch > 0)
        return np.stack([x, np.where(inside, moved, y)], axis=-1).astype(np.float32)


def _arch(across_px: Floats) -> Floats:
    """1 over the eye's centre, 0 from its corners outwards: a parabola."""
    across = across_px / np.float32(_HALF_WIDTH_PX)
    return np.maximum(np.float32(0.0), 1.0 - across * across)


def _find_lashes(face: Picture, eye: tuple[float, float]) -> float:
    """How far below the mean face's upper lid line the photo's lies, px; at most 2.5 either way.

    It is where brightness falls most from one row to the next along a line of that shape.
    """
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across = np.arange(-8.0, 8.01, 0.5, dtype=np.float32)
    line = eye[1] - _UPPER_ARCH_PX * np.sqrt(_arch(across)) - 0.5
    columns = np.broadcast_to(eye[0] + across, (len(_SEARCHED_PX), len(across)))
    rows = line[None] + _SEARCHED_PX[:, None]
    read = cv2.remap(
        grey,
        columns.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    level = read.mean(axis=1)
    fall = (level[:-2] - level[2:]) / max(float(np.abs(level[:-2] - level[2:]).max()), 1e-3)
    offsets = _SEARCHED_PX[1:-1]
    return float(offsets[int((fall - 0.05 * offsets**2).argmax())])
