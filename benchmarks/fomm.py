"""The engine `fomm` compared with a plain loop like the published demo, on the same random weights.

The plain loop takes one frame at a time in float32 and recomputes everything for each. All variants
alternate in this process, on the same device, with vox-256, so that other load slows all of them.

    python -m benchmarks.fomm [--rounds N] [--device cuda]

Set OMP_NUM_THREADS=1 to use one core of the CPU.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.run import row
from inference.device import choose_device
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.model import FommModel
from inference.motion import Keypoints, adapt_scale, normalise
from inference.neural.precision import computes_in_bfloat16
from tests.parity.golden_recipe import images
from tests.parity.networks import Networks, networks

Frames = npt.NDArray[np.float32]
Pictures = npt.NDArray[np.uint8]
Row = tuple[str, ...]

_BATCHES = 2  # of frames in one run


@dataclass(frozen=True)
class Way:
    """One variant: what to call, and how many frames (B, H, W, 3) in [0, 1] it gives."""

    label: str
    run: Callable[[], Frames]
    frame_count: int


def measure_fomm(rounds: int, device_name: str = "auto") -> Iterator[Row]:
    """Yield rows of variant, ms per frame, speed-up, largest error and PSNR against the plain loop.

    Args:
        rounds: how often each variant is run; medians are reported.
        device_name: as `choose_device` takes it.
    """
    device = choose_device(device_name)
    ways = list(_ways(device))
    results = [way.run() for way in ways]
    times_ms: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, times_ms, strict=True):
            started = time.perf_counter()
            way.run()
            taken.append(1000 * (time.perf_counter() - started) / way.frame_count)
    medians = [statistics.median(taken) for taken in times_ms]
    for way, median, result in zip(ways, medians, results, strict=True):
        error = result - np.resize(results[0], result.shape)
        mean_square = float((error**2).mean())
        quality = f"{np.abs(error).max():.0e}" if mean_square else "-"
        psnr = f"{-10 * np.log10(mean_square):.1f} dB" if mean_square else "-"
        yield way.label, f"{median:.1f} ms", f"x {medians[0] / median:.2f}", quality, psnr


def _ways(device: torch.device) -> Iterator[Way]:
    found = networks("fomm_vox")
    source, driving = images(size=256, frames=3)
    plain = partial(_plain_loop, found, source, np.stack(driving), device)
    yield Way("plain loop, float32", plain, len(driving))
    types = [torch.float32]
    if device.type == "cuda":
        types += [torch.float16, torch.bfloat16]
    elif device.type == "cpu" and computes_in_bfloat16():
        types.append(torch.bfloat16)
    for dtype in types:
        model = FommModel(found.detector, found.generator, device, dtype)
        name = str(dtype).removeprefix("torch.")
        count = _BATCHES * model.batch_size
        frames = np.stack([driving[index % len(driving)] for index in range(count)])
        yield Way(f"a clip, {name}", partial(_clip, model, source, frames), count)
        known = _normalised(model.source(source).keypoints, model.detect(frames))
        yield Way(f"a template, {name}", partial(_template, model, source, known), count)


def _plain_loop(
    found: Networks, source: Pictures, driving: Pictures, device: torch.device
) -> Frames:
    # Copies: the networks themselves are what the other ways are made of.
    detector = copy.deepcopy(found.detector).to(device)
    generator = copy.deepcopy(found.generator).to(device)

    def tensor(picture: Pictures) -> torch.Tensor:
        return torch.from_numpy(picture[None]).to(device).permute(0, 3, 1, 2).float() / 255

    frames = []
    with torch.no_grad():
        photo = tensor(source)
        source_kp, initial = detector(photo), _array(detector(tensor(driving[0])))
        for picture in driving:
            keypoints = _array(detector(tensor(picture)))
            moved = _normalised(_array(source_kp), keypoints, initial)
            prediction = generator(generator.encode(photo), source_kp, _tensors(moved, device))
            frames.append(prediction[0].permute(1, 2, 0).cpu().numpy())
    return np.stack(frames)


def _clip(model: FommModel, source: Pictures, driving: Pictures) -> Frames:
    photo = model.source(source)
    return model.predict(photo, _normalised(photo.keypoints, model.detect(driving)))


def _template(model: FommModel, source: Pictures, driving: Keypoints) -> Frames:
    return model.predict(model.source(source), driving)


def _normalised(
    source: Keypoints, driving: Keypoints, initial: Keypoints | None = None
) -> Keypoints:
    initial = initial or driving[0]
    scale = adapt_scale(source, initial)
    return normalise(source, driving, initial, relative=True, scale=scale)


def _array(keypoints: KeypointTensors) -> Keypoints:
    assert keypoints.jacobian is not None  # noqa: S101 - vox-256 estimates them
    return Keypoints(keypoints.value.cpu().numpy(), keypoints.jacobian.cpu().numpy())


def _tensors(keypoints: Keypoints, device: torch.device) -> KeypointTensors:
    jacobian: Any = keypoints.jacobian
    value = torch.from_numpy(keypoints.value).to(device)
    return KeypointTensors(value, torch.from_numpy(jacobian).to(device))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fomm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each variant (default: 7)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: auto)")
    arguments = parser.parse_args()
    for label, *cells in measure_fomm(arguments.rounds, arguments.device):
        row(label, *cells)


if __name__ == "__main__":
    main()
