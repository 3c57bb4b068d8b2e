"""What `container_check.sh` does outside the containers.

`python -m tools.container_check order URL OUTPUT` orders one video through the sandbox at URL,
`... inputs FOLDER` makes weights, a photo and a clip for `prepare.py`, and `... compare A B` fails
unless both videos show the same.
"""

import argparse
import asyncio
import sys
from fractions import Fraction
from pathlib import Path

import aiohttp
import numpy as np
import numpy.typing as npt
from PIL import Image

from animato.demo import animate_sample
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from tests.parity.golden_recipe import images, write_vox_checkpoint

# The bot and the worker may only just have been started.
_TIMEOUT_S = 300.0
_FRAMES = 5
# Encoders and processors may round differently.
_MAX_MEAN_DIFFERENCE = 1.0


def main() -> None:
    """Do one step of the check."""
    parser = argparse.ArgumentParser(prog="python -m tools.container_check")
    steps = parser.add_subparsers(required=True)
    for step, names in ((order, ("url", "output")), (inputs, ("folder",)), (compare, ("a", "b"))):
        command = steps.add_parser(step.__name__)
        command.set_defaults(step=step, names=names)
        for name in names:
            command.add_argument(name)
    given = parser.parse_args()
    given.step(*(getattr(given, name) for name in given.names))


def order(url: str, output: str) -> None:
    """Send the sample portrait to the bot and save the video that comes back."""
    Path(output).write_bytes(asyncio.run(_order(url)))
    print(f"{output}: a video of {len(_frames(output))} frames came back")


def inputs(folder: str) -> None:
    """Write seeded weights as large as the published ones, a photo and a clip."""
    checkpoints, test = Path(folder, "checkpoints"), Path(folder, "test")
    checkpoints.mkdir()
    test.mkdir()
    write_vox_checkpoint(checkpoints / "vox-cpk.pth.tar")
    photo, clip = images(size=256, frames=_FRAMES)
    Image.fromarray(photo).save(test / "02.png")
    with VideoWriter(test / "04.mp4", 256, 256, Fraction(25), comment="test") as writer:
        for frame in clip:
            writer.write(frame)


def compare(a: str, b: str) -> None:
    """Exit with an error unless both videos have the same frames, but for rounding."""
    one, other = _frames(a).astype(float), _frames(b).astype(float)
    if one.shape != other.shape:
        sys.exit(f"{a} has the shape {one.shape}, {b} {other.shape}")
    difference = float(np.abs(one - other).mean(axis=(1, 2, 3)).max())
    print(f"{a} and {b}: {len(one)} frames; the mean difference is at most {difference:.3f} of 255")
    if difference > _MAX_MEAN_DIFFERENCE:
        sys.exit(f"{a} and {b} differ")


async def _order(url: str) -> bytes:
    async with aiohttp.ClientSession(url) as session, asyncio.timeout(_TIMEOUT_S):
        return await animate_sample(session)


def _frames(path: str) -> npt.NDArray[np.uint8]:
    with ClipReader(Path(path)) as frames:
        return np.stack(list(frames))


if __name__ == "__main__":
    main()
