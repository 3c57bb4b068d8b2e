"""LivePortrait's networks compared with a plain loop, on the same random weights.

The plain loop runs the networks as the specification describes them: one frame at a time, float32,
nothing folded or kept. All variants alternate in this process, on the same device, so that other
load slows all of them.

    python -m benchmarks.liveportrait [--rounds N] [--device cuda] [--batches 1,4,16]

Set OMP_NUM_THREADS=1 to use one core of the CPU. On a CPU the plain loop takes 8 s per frame.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.run import row
from inference.arrays import Floats
from inference.device import choose_device
from inference.liveportrait.files import checkpoints
from inference.liveportrait.loading import PlainNetworks, load_plain
from inference.liveportrait.networks import Networks
from inference.neural.precision import computes_in_bfloat16
from inference.weights.store import WeightsStore
from tests.liveportrait_recipe import keypoints, picture_input, vector
from tests.liveportrait_weights import write_weights

Row = tuple[str, ...]

_FRAMES = 2


@dataclass(frozen=True)
class Inputs:
    """A photo (1, 3, 256, 256), its keypoints, and frames with theirs."""

    photo: torch.Tensor
    source: Floats
    frames: torch.Tensor
    driving: Floats

    @classmethod
    def make(cls, count: int) -> "Inputs":
        """Pictures of the recipe; the keypoints of `count` frames differ by a few hundredths."""
        source = keypoints("W.kp_source")
        photo = torch.from_numpy(picture_input("F.x"))
        driving = source + vector("benchmark", (count, 21, 3), 0.03)
        return cls(photo, source, photo.expand(count, -1, -1, -1), driving)


@dataclass(frozen=True)
class Way:
    """One variant: what to call, and how many pictures (B, 3, 512, 512) in [0, 1] it gives."""

    label: str
    run: Callable[[], Floats]
    frame_count: int


def measure_liveportrait(
    rounds: int, device_name: str = "auto", batches: tuple[int, ...] = (_FRAMES,)
) -> Iterator[Row]:
    """Yield rows of variant, ms per frame, speed-up and PSNR against the plain loop.

    Args:
        rounds: how often each variant is run; speed-ups are medians of the ratios in a round.
        device_name: as `choose_device` takes it.
        batches: how many frames are rendered together; on a CPU, multiples of its cores are best.
    """
    device = choose_device(device_name)
    with tempfile.TemporaryDirectory() as name:
        write_weights(Path(name))
        paths = checkpoints(WeightsStore(Path(name), say=lambda _: None), may_fetch=False)
        ways = list(_ways(paths, device, batches))
        results = [way.run() for way in ways]
        times_ms: list[list[float]] = [[] for _ in ways]
        for _ in range(rounds):
            for way, taken in zip(ways, times_ms, strict=True):
                started = time.perf_counter()
                way.run()
                taken.append(1000 * (time.perf_counter() - started) / way.frame_count)
    for way, taken, result in zip(ways, times_ms, results, strict=True):
        ratios = [plain / own for plain, own in zip(times_ms[0], taken, strict=True)]
        count = min(len(result), len(results[0]))
        mean_square = float(((result[:count] - results[0][:count]) ** 2).mean())
        psnr = f"{-10 * np.log10(mean_square):.1f} dB" if mean_square else "-"
        speed_up = f"x {statistics.median(ratios):.2f}"
        yield way.label, f"{statistics.median(taken):.0f} ms", speed_up, psnr


def _ways(
    paths: Mapping[str, Path], device: torch.device, batches: tuple[int, ...]
) -> Iterator[Way]:
    few = Inputs.make(_FRAMES)
    yield Way("plain loop, float32", partial(_plain_loop, load_plain(paths), few, device), _FRAMES)
    types = [torch.float32]
    if device.type == "cuda":
        types += [torch.float16, torch.bfloat16]
    elif device.type == "cpu" and computes_in_bfloat16():
        types.append(torch.bfloat16)
    for dtype in types:
        networks = Networks(partial(load_plain, paths), device, dtype)
        name = str(dtype).removeprefix("torch.")
        for batch in batches:
            inputs = Inputs.make(batch)
            label = f"{name}, {batch} frames"
            yield Way(f"a clip, {label}", partial(_clip, networks, inputs), batch)
        yield Way(f"a template, {label}", partial(_template, networks, inputs), batch)


def _plain_loop(plain: PlainNetworks, inputs: Inputs, device: torch.device) -> Floats:
    motion, warping = plain.motion.to(device), plain.warping.to(device)
    generator, pictures = plain.generator.to(device), []
    with torch.no_grad():
        feature = plain.appearance.to(device)(inputs.photo.to(device))
        source = torch.from_numpy(inputs.source).to(device)
        for index in range(len(inputs.driving)):
            motion(inputs.frames[index : index + 1].to(device))
            driving = torch.from_numpy(inputs.driving[index : index + 1]).to(device)
            features = warping(warping.prepare(feature, source), driving)
            pictures.append(generator(features).cpu().numpy())
    return np.concatenate(pictures)


def _clip(networks: Networks, inputs: Inputs) -> Floats:
    networks.motion(inputs.frames)
    return _template(networks, inputs)


def _template(networks: Networks, inputs: Inputs) -> Floats:
    source = networks.prepare_source(networks.appearance(inputs.photo), inputs.source)
    return networks.predict(source, inputs.driving)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.liveportrait", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each variant (default: 3)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: auto)")
    parser.add_argument("--batches", default=str(_FRAMES), help="such as 1,4,16 (default: 2)")
    arguments = parser.parse_args()
    batches = tuple(map(int, arguments.batches.split(",")))
    sys.stdout.write(f"on {choose_device(arguments.device)}\n")
    for label, *cells in measure_liveportrait(arguments.rounds, arguments.device, batches):
        row(label, *cells)


if __name__ == "__main__":
    main()
