"""Networks that give the photo back, moved as its keypoints move: made by hand, small and quick.

With their weights can be seen what cropping, squeezing and pasting back do to a picture. Keypoint k
lies where the picture has most of the colour k, and every pixel moves by the mean of what the
keypoints move. The generator halves the picture and doubles it again, and does nothing else to it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

Picture = npt.NDArray[np.uint8]

# Threads that wait for each other without sleeping take far longer where another program has one
# of the processors. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CONFIG: dict[str, Any] = {
    "model_params": {
        "common_params": {"num_kp": 5, "num_channels": 3, "estimate_jacobian": True},
        "kp_detector_params": {
            "temperature": 0.1,
            "block_expansion": 1,
            "max_features": 1,
            "scale_factor": 0.25,
            "num_blocks": 1,
        },
        "generator_params": {
            "block_expansion": 18,
            "max_features": 18,
            "num_down_blocks": 1,
            "num_bottleneck_blocks": 1,
            "estimate_occlusion_map": True,
            "dense_motion_params": {
                "block_expansion": 1,
                "max_features": 1,
                "num_blocks": 1,
                "scale_factor": 0.25,
            },
        },
    }
}
SHIFT = 63 / 57
"""How far the result moves when the clip does by 1: the keypoints' map is 58 wide, not 64."""

# White, black, red, green, blue: what is looked for, and how it is drawn.
_COLOURS = ((1, 1, 1), (-1, -1, -1), (1, -0.5, -0.5), (-0.5, 1, -0.5), (-0.5, -0.5, 1))
_DOTS = ((255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255))
_SHARPNESS = 8.0
# The inverse of the sigmoid at the end, in straight pieces that begin so far from the middle.
_BENDS = (0.0, 0.3, 0.43)
_PIECES_END = (0.3, 0.43, 0.495)


def write_config(path: Path, **changes: object) -> Path:
    """The networks' config; `common_params`, if it is given, is changed by what is given."""
    params = CONFIG["model_params"] | {
        "common_params": CONFIG["model_params"]["common_params"] | changes
    }
    path.write_text(yaml.safe_dump({"model_params": params}), "utf-8")
    return path


def write_checkpoint(path: Path, changes: Mapping[str, float | None] | None = None) -> Path:
    """The networks' weights in the published layout of 2019.

    Args:
        path: of the .pth.tar.
        changes: weights to fill with a number, by their key, such as `generator.final.bias`; None
            takes one out.
    """
    import torch  # noqa: PLC0415 - whoever only draws pictures needs none

    networks = {"generator": _generator(), "kp_detector": _detector()}
    for name, value in (changes or {}).items():
        network, _, key = name.partition(".")
        weight = networks[network].pop(key)
        if value is not None:
            networks[network][key] = torch.full_like(weight, value)
    content = {**networks, "optimizer_generator": {"state": {}}, "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def dots(places: npt.ArrayLike, size: tuple[int, int] = (256, 256)) -> Picture:
    """A grey picture with the five dots that the keypoints find, uint8 (height, width, 3).

    Args:
        places: of the dots' centres, (5, 2), x then y, px.
        size: height and width, px.
    """
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.full((*size, 3), 128, np.uint8)
    for (column, row), colour in zip(np.asarray(places, float), _DOTS, strict=True):
        picture[(x - column) ** 2 + (y - row) ** 2 < 20**2] = colour
    return picture


def keypoint_of(place_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Where the detector sees a dot at `place_px` (..., 2) of a picture of 256 px."""
    # Pixel 3 of the quarter-size picture is the map's first one; its pixels are 4 px apart.
    return np.asarray(2 * (np.asarray(place_px, float) / 4 - 3) / 57 - 1)


def at_rest(place_px: npt.ArrayLike, *, align_corners: bool) -> npt.NDArray[np.float64]:
    """Where a place (..., 2) of a photo of 256 px is seen when nothing moves.

    A grid of 64 moves the 128 px that the generator works in, and fits them only nearly.
    """
    scale = 126 / 127 if align_corners else 126 / 128
    return np.asarray(127.5 + scale * (np.asarray(place_px, float) - 127.5))


def _generator() -> dict[str, Any]:
    from inference.fomm.config import FommConfig  # noqa: PLC0415 - as above
    from inference.fomm.generator import Generator  # noqa: PLC0415

    state = _blank(Generator(FommConfig.model_validate(CONFIG["model_params"])))
    for colour in range(3):
        state["first.conv.weight"][colour, colour, 3, 3] = 1
        state["down_blocks.0.conv.weight"][colour, colour, 1, 1] = 1
        for piece, (begin, end) in enumerate(zip(_BENDS, _PIECES_END, strict=True)):
            for side, direction in enumerate((1, -1)):
                channel = 6 * colour + 2 * piece + side
                state["up_blocks.0.conv.weight"][channel, colour, 1, 1] = direction
                state["up_blocks.0.conv.bias"][channel] = -direction * 0.5 - begin
                state["final.weight"][colour, channel, 3, 3] = direction * _bend(piece, end)
    # The background stays where it is, so it is left out; and everything is visible.
    state["dense_motion_network.mask.bias"][0] = -100
    state["dense_motion_network.occlusion.bias"][:] = 100
    return state


def _bend(piece: int, end: float) -> float:
    """How much steeper the inverse of the sigmoid is in this piece than in the one before."""
    ends = (0.0, *_PIECES_END)
    heights = [float(np.log((0.5 + at) / (0.5 - at))) for at in ends]
    slopes = np.diff(heights) / np.diff(ends)
    assert end == ends[piece + 1]
    return float(np.diff(slopes, prepend=0.0)[piece])


def _detector() -> dict[str, Any]:
    from inference.fomm.config import FommConfig  # noqa: PLC0415 - as above
    from inference.fomm.keypoint_detector import KeypointDetector  # noqa: PLC0415

    state = _blank(KeypointDetector(FommConfig.model_validate(CONFIG["model_params"])))
    for keypoint, colours in enumerate(_COLOURS):
        for colour, share in enumerate(colours):
            state["kp.weight"][keypoint, 1 + colour] = _SHARPNESS * share / 49
        for diagonal in (0, 3):
            state["jacobian.bias"][4 * keypoint + diagonal] = 1
    return state


def _blank(network: Any) -> dict[str, Any]:
    """All weights of a network: zeros, norms that change nothing, the fixed kernel as it is."""
    state: dict[str, Any] = network.state_dict()
    for key, tensor in state.items():
        if key.endswith("down.weight"):
            continue
        tensor.zero_()
        if key.endswith("running_var"):
            tensor.fill_(1 - 1e-5)
        elif ".norm" in key and key.endswith("weight"):
            tensor.fill_(1)
    return state
