"""LivePortrait's networks on their device: NumPy arrays in, motion and frames out."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from inference.arrays import Floats
from inference.device import choose_device
from inference.liveportrait.fast_generator import FastGenerator
from inference.liveportrait.fast_warping import accelerate_warping, fold_warping
from inference.liveportrait.loading import PlainNetworks, load_plain
from inference.liveportrait.motion_extractor import HEADS, degrees
from inference.liveportrait.warping import SourceState, WarpingNetwork
from inference.neural.computing import Computing, are_finite
from inference.neural.folding import fold_norms
from inference.neural.precision import choose_dtype
from jobs.errors import EngineFailed

log = logging.getLogger(__name__)

Frames = npt.NDArray[np.uint8]

# Frames; on a CPU, each core renders one at a time.
_BATCH = {"cpu": 2, "mps": 4, "cuda": 16}
# Larger weights of W and G have been transformed; those of F and M are used as they are.
_SMALL_BYTES = 1_000_000


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
        load: loads the networks as published.
        device: where they run.
        dtype: of the convolutions of G, and on GPUs of W; replaced by float32, once, when a frame
            contains NaN or infinity.

    Attributes:
        dtype: as above, now.
        modules: F, M, W and G as they run, by these letters.
        motion_sha256: hex hash of M's published file; the cache key of what M measures.
    """

    def __init__(
        self, load: Callable[[], PlainNetworks], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.device = device
        self._load = load
        self._computing = Computing("liveportrait", device, _BATCH.get(device.type, 2))
        self._prepare(dtype)

    def _prepare(self, dtype: torch.dtype) -> None:
        # Those of another precision are no longer needed.
        self.modules: dict[str, nn.Module] = {}
        plain, uses_tiles = self._load(), self.device.type == "cpu"
        self.dtype = dtype
        self.motion_sha256 = plain.motion_sha256
        fold_norms(plain.appearance)
        if uses_tiles:
            accelerate_warping(plain.warping)
        else:
            fold_warping(plain.warping, dtype)
        generator = FastGenerator(plain.generator, dtype, uses_tiles=uses_tiles)
        networks: dict[str, nn.Module] = {
            "F": plain.appearance,
            "M": plain.motion,
            "W": plain.warping,
            "G": generator.eval(),
        }
        self.modules = {name: network.to(self.device) for name, network in networks.items()}
        self._retargeting = {
            name: network.to(self.device) for name, network in plain.retargeting.items()
        }
        # Copies: a single bias that was read as it is keeps its whole file in memory.
        for network in self.modules.values():
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.nbytes < _SMALL_BYTES:
                    tensor.data = tensor.data.clone()

    @property
    def batch_size(self) -> int:
        """How many frames are best rendered together: on a CPU a multiple of its cores."""
        return self._computing.batch_size

    def appearance(self, photo: Tensor) -> Tensor:
        """Return the volume (B, 32, 16, 64, 64) of photos (B, 3, 256, 256) float32 in [0, 1]."""
        with self._computing.session():
            return cast(Tensor, self.modules["F"](photo.to(self.device)))

    def motion(self, pictures: Tensor) -> MotionHeads:
        """Measure faces in pictures (B, 3, 256, 256) float32 in [0, 1]."""
        with self._computing.session():
            batches = list(
                self._computing.in_batches(
                    len(pictures), lambda part: self.modules["M"](pictures[part].to(self.device))
                )
            )
            outputs = {name: torch.cat([batch[name] for batch in batches]) for name in HEADS}
            angles = {
                f"{name}_deg": degrees(outputs[name]).cpu().numpy()
                for name in ("pitch", "yaw", "roll")
            }
            arrays = {name: output.cpu().numpy() for name, output in outputs.items()}
        return MotionHeads(
            **angles,
            translation=arrays["t"],
            expression=arrays["exp"].reshape(-1, 21, 3),
            scale=arrays["scale"][:, 0],
            keypoints=arrays["kp"].reshape(-1, 21, 3),
        )

    def prepare_source(self, feature: Tensor, source_keypoints: Floats) -> SourceState:
        """Compute what depends on the photo only, once.

        Args:
            feature: of the photo, (1, 32, 16, 64, 64).
            source_keypoints: of the photo, (1, 21, 3).
        """
        with self._computing.session():
            keypoints = self._tensor(source_keypoints)
            warping = cast(WarpingNetwork, self.modules["W"])
            return warping.prepare(feature.to(self.device), keypoints)

    def render(self, source: SourceState, driving_keypoints: Floats) -> Frames:
        """Render frames (B, 512, 512, 3) uint8 RGB for driving keypoints (B, 21, 3).

        Raises:
            EngineFailed: a frame contains NaN or infinity even in float32.
        """
        with self._computing.session():
            pictures = self._predicted(source, driving_keypoints)
            return np.concatenate([_as_uint8(batch).cpu().numpy() for batch in pictures])

    def predict(self, source: SourceState, driving_keypoints: Floats) -> Floats:
        """Like `render`, but not rounded: (B, 3, 512, 512) float32 in [0, 1]."""
        with self._computing.session():
            pictures = self._predicted(source, driving_keypoints)
            return np.concatenate([batch.cpu().numpy() for batch in pictures])

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

    def _predicted(self, source: SourceState, driving: Floats) -> list[Tensor]:
        """Batches of finite pictures (B, 3, H, W) on the device."""
        pictures = self._predict_in_batches(source, driving)
        if are_finite(pictures):
            return pictures
        if self.dtype != torch.float32:
            log.warning("a frame in %s is not finite: switching to float32", self.dtype)
            self._prepare(torch.float32)
            pictures = self._predict_in_batches(source, driving)
        if not are_finite(pictures):
            raise EngineFailed(name="liveportrait", reason="a frame contains NaN or infinity")
        return pictures

    def _predict_in_batches(self, source: SourceState, driving: Floats) -> list[Tensor]:
        keypoints = self._tensor(driving)

        def one(part: Tensor) -> Tensor:
            return cast(Tensor, self.modules["G"](self.modules["W"](source, part)))

        return list(
            self._computing.in_batches(
                len(keypoints), lambda part: self._computing.one_core_each(one, keypoints[part])
            )
        )

    def _retarget(self, name: str, inputs: Floats) -> Floats:
        with self._computing.session():
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
    networks = Networks(partial(load_plain, paths), place, choose_dtype(precision, place))
    log.info("computing on %s in %s", place, networks.dtype)
    return networks


def _as_uint8(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, H, W, 3) uint8, truncated as in the published code."""
    return (255 * pictures.clamp(0, 1)).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
