"""LivePortrait's networks on their device: NumPy arrays in, motion and frames out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference.device import choose_device
from inference.liveportrait.loading import PlainNetworks, load_plain
from inference.liveportrait.motion_extractor import degrees
from inference.liveportrait.warping import SourceState
from inference.neural.precision import choose_dtype

log = logging.getLogger(__name__)

Frames = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MotionHeads:
    """What M finds in B pictures; float32.

    Attributes:
        pitch_deg: (B,).
        yaw_deg: (B,).
        roll_deg: (B,).
        translation: (B, 3).
        expression: (B, 21, 3), offsets of the keypoints.
        scale: (B,).
        keypoints: (B, 21, 3), canonical: without pose and expression.
    """

    pitch_deg: Floats
    yaw_deg: Floats
    roll_deg: Floats
    translation: Floats
    expression: Floats
    scale: Floats
    keypoints: Floats


class Networks:
    """All networks, ready to run.

    Args:
        plain: the networks as published.
        device: where they run.
        dtype: of the convolutions of W and G.
    """

    def __init__(self, plain: PlainNetworks, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.motion_sha256 = plain.motion_sha256
        self._appearance = plain.appearance.to(device)
        self._motion = plain.motion.to(device)
        self._warping = plain.warping.to(device)
        self._generator = plain.generator.to(device)
        self._retargeting = {
            name: network.to(device) for name, network in plain.retargeting.items()
        }

    @torch.inference_mode()
    def appearance(self, photo: Tensor) -> Tensor:
        """Return the volume (B, 32, 16, 64, 64) of photos (B, 3, 256, 256) float32 in [0, 1]."""
        volume: Tensor = self._appearance(photo.to(self.device))
        return volume

    @torch.inference_mode()
    def motion(self, pictures: Tensor) -> MotionHeads:
        """Measure faces in pictures (B, 3, 256, 256) float32 in [0, 1]."""
        outputs: dict[str, Tensor] = self._motion(pictures.to(self.device))
        arrays = {name: output.float().cpu().numpy() for name, output in outputs.items()}
        angles = {
            f"{name}_deg": degrees(outputs[name]).cpu().numpy() for name in ("pitch", "yaw", "roll")
        }
        return MotionHeads(
            **angles,
            translation=arrays["t"],
            expression=arrays["exp"].reshape(-1, 21, 3),
            scale=arrays["scale"][:, 0],
            keypoints=arrays["kp"].reshape(-1, 21, 3),
        )

    @torch.inference_mode()
    def prepare_source(self, feature: Tensor, source_keypoints: Floats) -> SourceState:
        """Compute what depends on the photo only, once.

        Args:
            feature: of the photo, (1, 32, 16, 64, 64).
            source_keypoints: of the photo, (1, 21, 3).
        """
        return self._warping.prepare(feature.to(self.device), self._tensor(source_keypoints))

    @torch.inference_mode()
    def render(self, source: SourceState, driving_keypoints: Floats) -> Frames:
        """Render frames (B, 512, 512, 3) uint8 RGB for driving keypoints (B, 21, 3)."""
        frames = []
        for keypoints in torch.split(self._tensor(driving_keypoints), 1):
            pictures = self._generator(self._warping(source, keypoints))
            frames.append(_as_uint8(pictures).cpu().numpy())
        return np.concatenate(frames)

    def stitch(self, source: Floats, driving: Floats) -> Floats:
        """Return corrections (B, 65): of the photo's keypoints (1, 63) and driving ones (B, 63)."""
        pairs = np.concatenate([np.broadcast_to(source, driving.shape), driving], axis=1)
        return self._retarget("retarget_shoulder", pairs)

    def retarget_lips(self, inputs: Floats) -> Floats:
        """Return corrections (B, 63) of keypoints; inputs (B, 65) as in the published code."""
        return self._retarget("retarget_mouth", inputs)

    def retarget_eyes(self, inputs: Floats) -> Floats:
        """Return corrections (B, 63) of keypoints; inputs (B, 66) as in the published code."""
        return self._retarget("retarget_eye", inputs)

    @torch.inference_mode()
    def _retarget(self, name: str, inputs: Floats) -> Floats:
        outputs: Floats = self._retargeting[name](self._tensor(inputs)).cpu().numpy()
        return outputs

    def _tensor(self, array: Floats) -> Tensor:
        # A copy: torch warns about read-only arrays and rejects negative strides.
        return torch.from_numpy(np.array(array, np.float32)).to(self.device)


def load_networks(paths: Mapping[str, Path], device: str, precision: str) -> Networks:
    """Load all networks onto a device.

    Args:
        paths: converted files by published name, as `inference.liveportrait.files.checkpoints`
            returns them.
        device: as `choose_device` takes it.
        precision: as `choose_dtype` takes it.

    Raises:
        DeviceUnavailable: the device does not exist.
        MediaError, WeightsCorrupt: as `load_plain`.
    """
    place = choose_device(device)
    networks = Networks(load_plain(paths), place, choose_dtype(precision, place))
    log.info("computing on %s in %s", place, networks.dtype)
    return networks


def _as_uint8(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, H, W, 3) uint8, truncated as in the published code."""
    return (255 * pictures.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
