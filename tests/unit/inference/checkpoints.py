"""Checkpoints as they were published, only small: the old layout, with all that training leaves."""

from functools import cache
from pathlib import Path
from typing import Any


def published(**changes: object) -> dict[str, Any]:
    """The content of a checkpoint: networks, Adam states and epoch.

    Args:
        **changes: entries to replace; None takes one out.
    """
    return {name: value for name, value in (_trained() | changes).items() if value is not None}


@cache
def _trained() -> dict[str, Any]:
    import torch  # noqa: PLC0415 - whoever only looks at names needs none

    content: dict[str, Any] = {}
    chance = torch.Generator().manual_seed(5)
    for name in ("generator", "discriminator", "kp_detector"):
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        for parameter in network.parameters():
            parameter.data = torch.rand(parameter.shape, generator=chance)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.999))
        network(torch.ones(2, 3, 8, 8)).sum().backward()
        optimizer.step()
        content[name] = network.state_dict()
        content[f"optimizer_{name}"] = optimizer.state_dict()
    return content | {"epoch": 99}


def write_checkpoint(path: Path, *, is_zip: bool = False, **changes: object) -> Path:
    """A checkpoint file; in the layout of 2019 unless `is_zip`."""
    import torch  # noqa: PLC0415 - as above

    content = published(**changes)
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path
