"""Upper teeth in a head's frame."""

from dataclasses import replace

import numpy as np
import pytest

from inference.faces.head import Head, rotation_of
from inference.luma import LUMA
from inference.mesh.teeth import Arch, PaintedTeeth
from inference.mesh.tone import Tone


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.4, -0.2, 0.3)])
def test_the_arch_is_seen_where_it_is_projected_to(
    plain_head: Head, angles: tuple[float, float, float]
) -> None:
    head = replace(plain_head, rotation=rotation_of(np.array(angles)))
    arch = Arch(plain_head)
    lip = plain_head.points[13]
    x = np.array([-1.2, 0.0, 0.8])
    points = np.stack([x, 0 * x + arch.edge, lip[2] + 0.35 + 0.2 * x**2], axis=-1)
    places = head.projected(points)[None, :, :2].astype(np.float32)

    assert arch.at(head, places)[0] == pytest.approx(points, abs=0.03)


def test_the_row_of_teeth_is_symmetric_and_darker_at_its_sides(plain_head: Head) -> None:
    arch = Arch(plain_head)
    teeth = PaintedTeeth(arch, 20.0, Tone(np.array([200.0, 150.0, 130.0]), None))
    x = np.linspace(-2.4, 2.4, 49)
    row = np.stack([x + arch.middle, np.full(49, arch.edge - 0.35), 0 * x], axis=-1)[None]

    seen = teeth.over(np.zeros((1, 49, 3), np.float32), row.astype(np.float32))[0] @ LUMA

    assert seen == pytest.approx(seen[::-1], abs=12)
    assert seen[22] > 120  # inside the left middle tooth
    assert seen[4] < 0.7 * seen[22]


def test_nothing_lies_below_the_teeth(plain_head: Head) -> None:
    arch = Arch(plain_head)
    teeth = PaintedTeeth(arch, 10.0, Tone(np.array([200.0, 150.0, 130.0]), None))
    below = np.array([[[arch.middle + 0.4, arch.edge + 0.2, 0.0]]], np.float32)

    assert not teeth.over(np.zeros((1, 1, 3), np.float32), below).any()
