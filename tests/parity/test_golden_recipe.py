"""The recipe draws what the goldens were made with; else no other parity test means anything."""

import numpy as np
import pytest

from tests.parity.golden_recipe import GOLDENS, checksum, fill, images, read_golden, vox_shapes


@pytest.mark.parametrize("name", GOLDENS)
def test_pictures_are_the_goldens_own(name: str) -> None:
    golden = read_golden(name)
    source, driving = images(GOLDENS[name].size, GOLDENS[name].frames)
    assert np.array_equal(source, golden["source"])
    assert np.array_equal(driving[: len(golden["driving"])], golden["driving"])


@pytest.mark.parametrize("net", ["generator", "kp_detector"])
def test_tiny_weights_are_the_goldens_own(net: str) -> None:
    prefix = f"weights/{net}/"
    golden = {
        key.removeprefix(prefix): array
        for key, array in read_golden("fomm_tiny").items()
        if key.startswith(prefix)
    }
    drawn = fill({key: array.shape for key, array in golden.items()}, net, GOLDENS["fomm_tiny"].tag)
    assert golden.keys() - drawn.keys() == {key for key in golden if key.endswith("down.weight")}
    assert all(np.array_equal(array, golden[key]) for key, array in drawn.items())
    assert checksum(drawn) == checksum(golden) != 0


@pytest.mark.parametrize("net", ["generator", "kp_detector"])
def test_vox_weights_have_the_goldens_checksum(net: str) -> None:
    drawn = fill(vox_shapes(net), net, GOLDENS["fomm_vox"].tag)
    assert checksum(drawn) == int(read_golden("fomm_vox")[f"crc32/{net}"])
