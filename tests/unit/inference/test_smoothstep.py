import numpy as np
import numpy.typing as npt
import pytest

from inference.smoothstep import smoothstep


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smoothstep_of_an_array_keeps_its_dtype(dtype: type[np.float32 | np.float64]) -> None:
    values: npt.NDArray[np.float32 | np.float64] = np.array([-1, 0, 0.25, 0.5, 1, 2], dtype)
    steps = smoothstep(values)
    assert steps.dtype == dtype
    assert steps.tolist() == [0, 0, 0.15625, 0.5, 1, 1]


def test_smoothstep_of_a_number_does_not_widen_a_picture() -> None:
    picture = np.ones((2, 2), np.float32)
    assert (smoothstep(np.float64(0.5)) * picture).dtype == np.float32
