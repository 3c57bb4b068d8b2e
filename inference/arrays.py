"""The types of arrays that most of this package uses."""

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
