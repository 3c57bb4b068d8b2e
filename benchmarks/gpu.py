"""Everything about a GPU that was never measured, in one run: both network engines on `cuda`.

    make neural                    # with torch's CUDA build
    python -m benchmarks.gpu [--rounds N]

Prints the tables of `benchmarks.fomm` and `benchmarks.liveportrait` (batches of 1, 4 and 16),
LivePortrait's networks compiled with CUDA graphs, and whole runs of `animato animate` with decoding
and encoding. It needs 5 GB of GPU memory and some minutes.
"""

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from skimage.data import astronaut

from benchmarks.__main__ import repeated_clip
from benchmarks.fomm import measure_fomm
from benchmarks.liveportrait import Inputs, measure_liveportrait
from benchmarks.run import CLI, row, run
from inference.liveportrait.files import checkpoints
from inference.liveportrait.loading import load_plain
from inference.liveportrait.networks import Networks
from inference.neural.precision import choose_dtype
from inference.weights.store import WeightsStore
from tests.liveportrait_weights import write_weights

BATCHES = (1, 4, 16)
_CLIP_FRAMES = 75


def compiled_ms(networks: Networks, batch: int, rounds: int) -> float:
    """Return ms per frame of the compiled networks W and G, with CUDA graphs."""
    for name in "WG":
        networks.modules[name].compile(mode="reduce-overhead")
    inputs = Inputs.make(batch)
    source = networks.prepare_source(networks.appearance(inputs.photo), inputs.source)
    taken = []
    # The first ones compile and record.
    for _ in range(rounds + 3):
        started = time.perf_counter()
        networks.predict(source, inputs.driving)
        taken.append(1000 * (time.perf_counter() - started) / batch)
    return statistics.median(taken[3:])


def whole_runs(folder: Path, engine: str, rounds: int) -> str:
    """Return frames per second of `animato animate`, the start of the program subtracted."""
    photo, short, long = folder / "photo.png", folder / "short.mp4", folder / "long.mp4"
    Image.fromarray(astronaut()).save(photo)
    repeated_clip(short, _CLIP_FRAMES)
    repeated_clip(long, 5 * _CLIP_FRAMES)
    elapsed_s = []
    for clip in (short, long):
        command = (*CLI, "animate", "--quiet", "--engine", engine, "--source_image", str(photo))
        paths = ("--driving_video", str(clip), "--output", str(folder / "result.mp4"))
        environment = {
            "ANIMATO_CHECKPOINTS_DIR": str(folder / "weights"),
            "ANIMATO_CLIP_MAX_S": "61",
        }
        runs = [run((*command, *paths), environment).elapsed_s for _ in range(rounds)]
        elapsed_s.append(statistics.median(runs))
    return f"{4 * _CLIP_FRAMES / (elapsed_s[1] - elapsed_s[0]):.1f} fps"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default: 5)")
    rounds = parser.parse_args().rounds
    if not torch.cuda.is_available():
        sys.exit("torch sees no NVIDIA GPU here: install its CUDA build on a machine that has one.")
    device = torch.device("cuda")
    sys.stdout.write(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}\n")
    sys.stdout.write("\nengine fomm\n")
    for label, *cells in measure_fomm(rounds, "cuda"):
        row(label, *cells)
    sys.stdout.write("\nengine liveportrait\n")
    for label, *cells in measure_liveportrait(rounds, "cuda", BATCHES):
        row(label, *cells)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(folder / "weights")
        store = WeightsStore(folder / "weights", say=lambda _: None)
        load = partial(load_plain, checkpoints(store, may_fetch=False))
        for batch in BATCHES:
            networks = Networks(load, device, choose_dtype("auto", device))
            label = f"compiled, CUDA graphs, {batch} frames"
            row(label, f"{compiled_ms(networks, batch, rounds):.1f} ms")
        row("whole runs, decoding and encoding", whole_runs(folder, "liveportrait", rounds))
    row("peak GPU memory", f"{torch.cuda.max_memory_allocated() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
