"""A smooth step from 0 to 1."""

from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=np.floating[Any])


@overload
def smoothstep(value: npt.NDArray[F]) -> npt.NDArray[F]: ...
@overload
def smoothstep(value: float) -> float: ...


def smoothstep(value: npt.NDArray[F] | float) -> npt.NDArray[F] | float:
    """Return 3 v^2 - 2 v^3 of the value clipped to [0, 1]; an array keeps its dtype."""
    clipped = np.clip(value, 0, 1)
    step = clipped * clipped * (3 - 2 * clipped)
    return step if isinstance(value, np.ndarray) else float(step)
