"""How networks compute on a device: threads, and batches that shrink if memory runs out."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from math import ceil
from threading import RLock
from typing import TypeVar

import torch
from torch import Tensor

from jobs.errors import EngineFailed

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Read at import: `set_num_threads` in one thread affects new threads.
_CORE_COUNT = torch.get_num_threads()


class Computing:
    """A device and its batches.

    Args:
        engine: its name, for errors.
        device: where networks run.
        batch_size: on a CPU rounded up so that each core has as many pictures.
    """

    def __init__(self, engine: str, device: torch.device, batch_size: int) -> None:
        self.device = device
        self.batch_size = batch_size
        self._engine = engine
        # Batch size and precision may change during a render.
        self._busy = RLock()
        self._one_core_each: ThreadPoolExecutor | None = None
        if device.type == "cpu":
            self.batch_size = _CORE_COUNT * ceil(batch_size / _CORE_COUNT)
            self._one_core_each = ThreadPoolExecutor(
                _CORE_COUNT, "pictures", initializer=torch.set_num_threads, initargs=(1,)
            )

    @contextmanager
    def session(self) -> Iterator[None]:
        """Compute on all cores, whichever thread runs the block."""
        with self._busy, torch.inference_mode(), _exact_convolutions():
            torch.set_num_threads(_CORE_COUNT)
            yield

    def in_batches(self, count: int, work: Callable[[slice], Result]) -> Iterator[Result]:
        """Apply `work` to `count` items in batches, which shrink if memory runs out.

        Raises:
            EngineFailed: there is too little memory for a single item.
        """
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
                    raise EngineFailed(name=self._engine, reason=reason) from error
            # Outside the handler: the exception keeps tensors alive.
            if result is None:
                self.batch_size //= 2
                log.warning("the device is out of memory: batch size is now %d", self.batch_size)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield result
            start = part.stop

    def one_core_each(self, work: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
        """Apply `work` to a batch (B, ...); on a CPU item by item, each on one core.

        Cores need not synchronise after every layer then.
        """
        if self._one_core_each is None or len(items) == 1:
            return work(items)

        @torch.inference_mode()
        def one(item: Tensor) -> Tensor:
            return work(item)

        return torch.cat(list(self._one_core_each.map(one, torch.split(items, 1))))


def are_finite(predictions: list[Tensor]) -> bool:
    """Return whether no tensor contains NaN or infinity."""
    return all(bool(prediction.isfinite().all()) for prediction in predictions)


def _is_lack_of_memory(error: RuntimeError) -> bool:
    # mps, cuBLAS and cuDNN have no exception class for it.
    message = str(error)
    is_known = isinstance(error, torch.OutOfMemoryError)
    return is_known or "out of memory" in message or "ALLOC_FAILED" in message


def _exact_convolutions() -> AbstractContextManager[None]:
    """Disable TensorFloat-32, whose 10-bit mantissa shifts keypoints."""
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return flags
