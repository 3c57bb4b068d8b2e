"""The weights of red, green and blue in a colour's brightness."""

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601: `colours @ LUMA` is the luma of RGB colours (..., 3)."""
