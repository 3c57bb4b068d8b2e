"""The model on its device: pictures in, keypoints and animated pictures out.

What crosses this border are NumPy arrays; tensors stay inside.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import ceil
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference.fomm.accelerated import accelerated_detector, accelerated_generator
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.generator import EncodedSource, Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.motion import Keypoints
from jobs.errors import DeviceUnavailable, EngineFailed

log = logging.getLogger(__name__)

Picture = npt.NDArray[np.uint8]
Result = TypeVar("Result")

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Pictures at once. On a processor, weights are read once for all of a batch in the small networks;
# in the decoder each core has a picture of its own, so there is at least one for each.
_BATCH = {"cpu": 8, "mps": 8, "cuda": 16}
# Asked here, since what is said in any thread counts for new threads.
_CORE_COUNT = torch.get_num_threads()


@dataclass(frozen=True)
class Source:
    """A photo's crop as the model keeps it.

    Attributes:
        keypoints: of the photo, B = 1.
        encoded: what of it does not depend on the driving frame.
    """

    keypoints: Keypoints
    encoded: EncodedSource


class FommModel:
    """Detector and generator, ready to run.

    Args:
        detector: the plain network, float32.
        generator: likewise.
        device: where they are run.
        dtype: of the generator's convolutions; float32 replaces it for good when a frame turns out
            not to be finite.
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
        self.batch_size = _BATCH.get(device.type, 8)
        if device.type == "cpu":
            self.batch_size = _CORE_COUNT * ceil(self.batch_size / _CORE_COUNT)
        self._plain = generator
        # The batch size and the precision may change on the way.
        self._busy = RLock()
        self._one_core_each: ThreadPoolExecutor | None = None
        if device.type == "cpu":
            self._one_core_each = ThreadPoolExecutor(
                _CORE_COUNT, "decoder", initializer=torch.set_num_threads, initargs=(1,)
            )
        self._detector = accelerated_detector(detector).to(device)
        self._generator = self._in_precision(dtype)

    def detect(self, pictures: npt.NDArray[np.floating] | Picture) -> Keypoints:
        """The keypoints of (B, H, W, 3) RGB pictures, uint8, or floating in [0, 1]."""
        with self._computing():
            found = self._in_batches(
                len(pictures), lambda part: self._detector(self._tensor(pictures[part]))
            )
            return Keypoints.joined([_array(keypoints) for keypoints in found])

    def source(self, picture: npt.NDArray[np.floating] | Picture) -> Source:
        """A photo's crop (H, W, 3) RGB, uint8 or floating in [0, 1], looked at once."""
        with self._computing():
            encoded = self._generator.encode(self._tensor(picture[None]))
        return Source(self.detect(picture[None]), encoded)

    def render(self, source: Source, driving: Keypoints) -> Picture:
        """The source as the normalised driving keypoints move it: (B, H, W, 3) uint8 RGB.

        Rounded as NumPy's `rint` does, ties to even.

        Raises:
            EngineFailed: a frame is not finite, in float32 neither.
        """
        with self._computing():
            frames = [
                as_uint8(prediction).cpu().numpy()
                for prediction in self._predicted(source, driving)
            ]
        return np.concatenate(frames)

    def predict(self, source: Source, driving: Keypoints) -> npt.NDArray[np.float32]:
        """As `render`, before rounding: (B, H, W, 3) float32 in [0, 1]."""
        with self._computing():
            return np.concatenate(
                [prediction.cpu().numpy() for prediction in self._predicted(source, driving)]
            )

    def _predicted(self, source: Source, driving: Keypoints) -> list[Tensor]:
        """The predictions (B, H, W, 3) on the device, in batches, all of them finite."""
        predictions = list(self._predict_in_batches(source, driving))
        if _are_finite(predictions):
            return predictions
        if self.dtype != torch.float32:
            log.warning("a frame in %s is not finite: going on in float32", self.dtype)
            self.dtype = torch.float32
            self._generator = self._in_precision(self.dtype)
            predictions = list(self._predict_in_batches(source, driving))
        if not _are_finite(predictions):
            raise EngineFailed(name="fomm", reason="a frame came out that is not finite")
        return predictions

    def _predict_in_batches(self, source: Source, driving: Keypoints) -> Iterator[Tensor]:
        source_kp = self._keypoint_tensors(source.keypoints)

        def predict(part: slice) -> Tensor:
            driving_kp = self._keypoint_tensors(driving[part])
            motion = self._generator.motion(source.encoded, source_kp, driving_kp)
            features = self._generator.warped(source.encoded, motion)
            return self._decoded(features).permute(0, 2, 3, 1).contiguous()

        yield from self._in_batches(len(driving), predict)

    def _decoded(self, features: Tensor) -> Tensor:
        """The predictions (B, 3, H, W) of the moved features."""
        if self._one_core_each is None or len(features) == 1:
            return self._generator.decode(features)
        # Each core does a picture of its own: nobody waits for the slowest after every layer.
        pictures = self._one_core_each.map(self._decode_one, torch.split(features, 1))
        return torch.cat(list(pictures))

    @torch.inference_mode()
    def _decode_one(self, features: Tensor) -> Tensor:
        return self._generator.decode(features)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """A stretch of code that computes on all cores, whichever thread it is run by."""
        with self._busy, torch.inference_mode(), _exact_convolutions():
            torch.set_num_threads(_CORE_COUNT)
            yield

    def _in_batches(self, count: int, work: Callable[[slice], Result]) -> Iterator[Result]:
        """`work` on all of `count` items, as many at once as the device has memory for."""
        start = 0
        while start < count:
            part = slice(start, start + self.batch_size)
            result = None
            try:
                result = work(part)
            except RuntimeError as error:
                if not _is_lack_of_memory(error):
                    raise
                if self.batch_size == 1:
                    reason = (
                        f"{self.device} has too little memory for a single frame; --cpu has more"
                    )
                    raise EngineFailed(name="fomm", reason=reason) from error
            # Outside the handler: the error holds on to what was computed so far.
            if result is None:
                self.batch_size //= 2
                log.warning("the device is short of memory: %d frames at once", self.batch_size)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield result
            start = part.stop

    def _in_precision(self, dtype: torch.dtype) -> Generator:
        fast = accelerated_generator(self._plain, dtype, uses_winograd=self.device.type == "cpu")
        return fast.to(self.device)

    def _tensor(self, pictures: npt.NDArray[np.floating] | Picture) -> Tensor:
        """(B, H, W, 3) in NumPy -> (B, 3, H, W) float32 in [0, 1] on the device."""
        tensor = _from_array(pictures)
        if tensor.dtype != torch.uint8:
            # Apple's GPUs know no float64.
            return tensor.float().to(self.device).permute(0, 3, 1, 2)
        return tensor.to(self.device).permute(0, 3, 1, 2).float() / 255

    def _keypoint_tensors(self, keypoints: Keypoints) -> KeypointTensors:
        value = _from_array(keypoints.value).to(self.device)
        if keypoints.jacobian is None:
            return KeypointTensors(value, None)
        return KeypointTensors(value, _from_array(keypoints.jacobian).to(self.device))


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is cuda, else mps, else cpu.

    Raises:
        DeviceUnavailable: there is none of that name.
    """
    if name != "auto":
        try:
            return torch.empty(1, device=name).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            # torch goes on to list all that it was built with.
            reason = str(error).partition("\n")[0].partition(". ")[0] or "torch refuses it"
            raise DeviceUnavailable(name=name, reason=reason) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of that name; `auto` is the fastest that looks the same on the device.

    That is float16 on cuda and bfloat16 on a processor that computes in it; else float32.
    """
    if name != "auto":
        if name == "float16" and device.type == "cpu":
            log.warning("processors compute very slowly in float16: float32 is faster")
        return DTYPES[name]
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and computes_in_bfloat16():
        return torch.bfloat16
    return torch.float32


def computes_in_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself (others imitate it, slowly)."""
    # Older versions of torch do not tell.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _is_lack_of_memory(error: RuntimeError) -> bool:
    # mps and the libraries for matrices and convolutions have no error class of their own for that.
    said = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in said
        or "ALLOC_FAILED" in said
    )


def _exact_convolutions() -> AbstractContextManager[None]:
    """A stretch of code where float32 is float32: with TensorFloat-32's 10 bits keypoints shift."""
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return flags


def _are_finite(predictions: list[Tensor]) -> bool:
    return all(bool(prediction.isfinite().all()) for prediction in predictions)


def as_uint8(predictions: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8, of the same shape: rint(255 x), ties to even, clipped."""
    return (255 * predictions).round().clamp(0, 255).to(torch.uint8)


def _from_array(array: npt.NDArray[Any]) -> Tensor:
    # torch warns of arrays that it may not write to, and takes no negative strides.
    writable = array if array.flags.writeable else array.copy()
    return torch.from_numpy(np.ascontiguousarray(writable))


def _array(keypoints: KeypointTensors) -> Keypoints:
    jacobian = None if keypoints.jacobian is None else keypoints.jacobian.cpu().numpy()
    return Keypoints(keypoints.value.cpu().numpy(), jacobian)
