"""Pictures go into the networks and come out of them as the published code makes them go."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch

from inference.fomm.model import as_uint8
from inference.square_crop import squeeze
from tests.parity.golden_recipe import read_golden


@pytest.mark.parametrize("name", ["down", "up", "rgba"])
def test_pictures_are_squeezed_as_the_published_code_squeezes_them(name: str) -> None:
    golden = read_golden("fomm_io")
    squeezed = squeeze(golden[f"{name}_in"], 64)
    assert squeezed.shape == (64, 64, 3)
    assert squeezed.dtype == np.float64
    assert np.abs(squeezed - golden[f"{name}_out"]).max() < 1e-12


def test_levels_are_rounded_as_the_published_code_rounds_them() -> None:
    golden = read_golden("fomm_io")
    levels = as_uint8(torch.from_numpy(golden["ubyte_in"]))
    np.testing.assert_array_equal(levels.numpy(), golden["ubyte_out"])


def test_levels_are_rounded_to_even_and_clipped() -> None:
    values = torch.tensor([-0.1, 0.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.0, 1.2])
    assert as_uint8(values).tolist() == [0, 0, 0, 2, 2, 255, 255]
