"""The model on its device: NumPy arrays in, keypoints and animated frames out.

Tensors do not leave this module.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference.arrays import Picture
from inference.device import choose_device
from inference.fomm.accelerated import accelerated_detector, accelerated_generator
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.generator import EncodedSource, Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.fomm.loading import load_networks
from inference.motion import Keypoints
from inference.neural.computing import Computing, are_finite
from inference.neural.precision import choose_dtype
from jobs.errors import EngineFailed

log = logging.getLogger(__name__)


# Batch sizes. On a CPU, the decoder processes one picture per core, so the batch has at least one
# for each.
_BATCH = {"cpu": 8, "mps": 8, "cuda": 16}


@dataclass(frozen=True)
class Source:
    """A prepared photo.

    Attributes:
        keypoints: of the photo, B = 1.
        encoded: what does not depend on the driving frame.
    """

    keypoints: Keypoints
    encoded: EncodedSource


class FommModel:
    """Detector and generator, ready to run.

    Args:
        detector: the network as published, float32.
        generator: likewise.
        device: where they run.
        dtype: of the generator's convolutions; replaced by float32 when a frame contains NaN or
            infinity.
    """

    def __init__(
        self,
        detector: KeypointDetector,
        generator: Generator,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self._computing = Computing("fomm", device, _BATCH.get(device.type, 8))
        self._plain = generator
        self._detector = accelerated_detector(detector).to(device)
        self._generator = self._in_precision(dtype)

    @property
    def batch_size(self) -> int:
        """How many frames are rendered together."""
        return self._computing.batch_size

    def detect(self, pictures: npt.NDArray[np.floating] | Picture) -> Keypoints:
        """Detect the keypoints of (B, H, W, 3) RGB pictures, uint8, or floating in [0, 1]."""
        with self._computing.session():
            found = self._computing.in_batches(
                len(pictures), lambda part: self._detector(self._tensor(pictures[part]))
            )
            return Keypoints.joined([_array(keypoints) for keypoints in found])

    def source(self, picture: npt.NDArray[np.floating] | Picture) -> Source:
        """Prepare a photo's crop (H, W, 3) RGB, uint8 or floating in [0, 1]."""
        with self._computing.session():
            encoded = self._generator.encode(self._tensor(picture[None]))
        return Source(self.detect(picture[None]), encoded)

    def render(self, source: Source, driving: Keypoints) -> Picture:
        """Animate the source by normalised driving keypoints: (B, H, W, 3) uint8 RGB.

        Rounded like NumPy's `rint`, ties to even.

        Raises:
            EngineFailed: a frame contains NaN or infinity even in float32.
        """
        with self._computing.session():
            frames = [
                as_uint8(prediction).cpu().numpy()
                for prediction in self._predicted(source, driving)
            ]
        return np.concatenate(frames)

    def predict(self, source: Source, driving: Keypoints) -> npt.NDArray[np.float32]:
        """Like `render`, but not rounded: (B, H, W, 3) float32 in [0, 1]."""
        with self._computing.session():
            return np.concatenate(
                [prediction.cpu().numpy() for prediction in self._predicted(source, driving)]
            )

    def _predicted(self, source: Source, driving: Keypoints) -> list[Tensor]:
        """Batches of finite predictions (B, H, W, 3) on the device."""
        predictions = list(self._predict_in_batches(source, driving))
        if are_finite(predictions):
            return predictions
        if self.dtype != torch.float32:
            log.warning("a frame in %s is not finite: switching to float32", self.dtype)
            self.dtype = torch.float32
            self._generator = self._in_precision(self.dtype)
            predictions = list(self._predict_in_batches(source, driving))
        if not are_finite(predictions):
            raise EngineFailed(name="fomm", reason="a frame contains NaN or infinity")
        return predictions

    def _predict_in_batches(self, source: Source, driving: Keypoints) -> Iterator[Tensor]:
        source_kp = self._keypoint_tensors(source.keypoints)

        def predict(part: slice) -> Tensor:
            driving_kp = self._keypoint_tensors(driving[part])
            motion = self._generator.motion(source.encoded, source_kp, driving_kp)
            features = self._generator.warped(source.encoded, motion)
            pictures = self._computing.one_core_each(self._generator.decode, features)
            return pictures.permute(0, 2, 3, 1).contiguous()

        yield from self._computing.in_batches(len(driving), predict)

    def _in_precision(self, dtype: torch.dtype) -> Generator:
        fast = accelerated_generator(self._plain, dtype, uses_winograd=self.device.type == "cpu")
        return fast.to(self.device)

    def _tensor(self, pictures: npt.NDArray[np.floating] | Picture) -> Tensor:
        """(B, H, W, 3) in NumPy -> (B, 3, H, W) float32 in [0, 1] on the device."""
        tensor = _from_array(pictures)
        if tensor.dtype != torch.uint8:
            # Apple's GPUs have no float64.
            return tensor.float().to(self.device).permute(0, 3, 1, 2)
        return tensor.to(self.device).permute(0, 3, 1, 2).float() / 255

    def _keypoint_tensors(self, keypoints: Keypoints) -> KeypointTensors:
        value = _from_array(keypoints.value).to(self.device)
        if keypoints.jacobian is None:
            return KeypointTensors(value, None)
        return KeypointTensors(value, _from_array(keypoints.jacobian).to(self.device))


def load_model(
    config: Path, checkpoint: Path, device: str, precision: str, *, align_corners: bool
) -> tuple[FommModel, str]:
    """Load both networks onto a device; return the model and the hash of its weights.

    Raises:
        DeviceUnavailable: the device does not exist.
        WeightsError, BrokenConfig: as `load_networks`.
    """
    place = choose_device(device)
    detector, generator, weights_hash = load_networks(
        config, checkpoint, align_corners=align_corners
    )
    model = FommModel(detector, generator, place, choose_dtype(precision, place))
    log.info("computing on %s in %s", place, model.dtype)
    return model, weights_hash


def as_uint8(predictions: Tensor) -> Tensor:
    """Convert pictures in [0, 1] to uint8: rint(255 x), ties to even, clipped."""
    return (255 * predictions).round().clamp(0, 255).to(torch.uint8)


def _from_array(array: npt.NDArray[Any]) -> Tensor:
    # torch warns about read-only arrays and rejects negative strides.
    writable = array if array.flags.writeable else array.copy()
    return torch.from_numpy(np.ascontiguousarray(writable))


def _array(keypoints: KeypointTensors) -> Keypoints:
    jacobian = None if keypoints.jacobian is None else keypoints.jacobian.cpu().numpy()
    return Keypoints(keypoints.value.cpu().numpy(), jacobian)
