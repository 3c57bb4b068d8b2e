"""The speed of both network engines on a GPU (`cuda`), and how well they use it.

    make neural                    # with torch's CUDA build
    python -m benchmarks.gpu [--rounds N]

Prints the tables of `benchmarks.fomm` and `benchmarks.liveportrait` (batches of 1, 4 and 16),
LivePortrait's networks compiled with CUDA graphs, and ten orders of 75 frames one after the other
through the engine, with decoding and encoding: frames per second, and the share of the time in
which the GPU has no work. It needs 5 GB of GPU memory and some minutes.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image
from skimage.data import astronaut

from benchmarks.__main__ import repeated_clip
from benchmarks.fomm import measure_fomm
from benchmarks.liveportrait import Inputs, measure_liveportrait
from benchmarks.run import row
from inference.arrays import Picture
from inference.choose import TemplateSource
from inference.engines.liveportrait import LivePortraitEngine
from inference.faces.finder import find_faces
from inference.faces.loading import landmarker
from inference.liveportrait.files import checkpoints
from inference.liveportrait.loading import load_plain
from inference.liveportrait.networks import Networks
from inference.media.video import ClipReader
from inference.neural.computing import Computing
from inference.neural.precision import choose_dtype
from inference.pipeline import animate_photo
from inference.weights.store import WeightsStore
from jobs.findings import ClipFindings, PhotoFindings
from jobs.wish import Movement, Wish
from tests.liveportrait_weights import write_weights

BATCHES = (1, 4, 16)
_FRAMES = 75
_ORDERS = 10


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


@dataclass(frozen=True)
class Order:
    """An order of the service: a photo, and a clip that the gate has normalised.

    Attributes:
        wish: what is wanted.
        folder: where the video goes.
        store: the weights.
    """

    wish: Wish
    folder: Path
    store: WeightsStore

    @classmethod
    def make(cls, folder: Path, store: WeightsStore, frame_count: int) -> "Order":
        """Write photo and clip, both 512 px, into a folder."""
        photo, clip = folder / "photo.png", folder / "clip.mp4"
        Image.fromarray(astronaut()).save(photo)
        repeated_clip(clip, frame_count)
        with ClipReader(clip) as frames:
            first = next(frames)
        photo_findings = PhotoFindings(file=str(photo), sheet=str(photo), **_facts(astronaut()))
        clip_findings = ClipFindings(
            file=str(clip),
            frame_rate=Fraction(25),
            frame_count=frame_count,
            has_sound=False,
            **_facts(first),
        )
        return cls(
            Wish(photo=photo_findings, movement=Movement.of_clip(clip_findings)), folder, store
        )

    def render(self, networks: Networks) -> None:
        """Make the video as the engine process does, decoding and encoding included."""
        source = TemplateSource(self.folder, self.folder)
        animate_photo(
            self.wish, ReadyEngine(networks, self.store), self.folder / "result.mp4", source
        )


class ReadyEngine(LivePortraitEngine):
    """The engine with networks that were loaded before."""

    def __init__(self, networks: Networks, store: WeightsStore) -> None:
        super().__init__(weights=store)
        self._networks = networks

    def load(self) -> None:
        """Do nothing."""


def _facts(picture: Picture) -> dict[str, Any]:
    height, width = picture.shape[:2]
    sizes = {"width": width, "height": height, "original_width": width, "original_height": height}
    return {**sizes, "faces": tuple(find_faces(picture, landmarker())[:1])}


@contextmanager
def gpu_sessions() -> Iterator[list[tuple[torch.cuda.Event, torch.cuda.Event]]]:
    """Collect the first and the last moment of each call of networks during the block."""
    sessions: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
    original = Computing.session

    @contextmanager
    def session(self: Computing) -> Iterator[None]:
        with original(self):
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            first.record()
            yield
            last.record()
            sessions.append((first, last))

    with patch.object(Computing, "session", session):
        yield sessions


def whole_orders(networks: Networks, order: Order) -> tuple[str, str]:
    """Return frames per second of orders in sequence, and how long no network is called."""
    order.render(networks)
    started = time.perf_counter()
    with gpu_sessions() as sessions:
        for _ in range(_ORDERS):
            order.render(networks)
    elapsed_s = time.perf_counter() - started
    torch.cuda.synchronize()
    busy_s = sum(first.elapsed_time(last) for first, last in sessions) / 1000
    frame_count = _ORDERS * order.wish.movement.frames
    return f"{frame_count / elapsed_s:.1f} fps", f"idle {1 - busy_s / elapsed_s:.0%}"


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
        order = Order.make(folder, store, _FRAMES)
        for batch in BATCHES:
            with patch.dict("inference.liveportrait.networks._BATCH", {device.type: batch}):
                networks = Networks(load, device, choose_dtype("auto", device))
            label = f"{_ORDERS} orders of {_FRAMES} frames, batches of {batch}"
            row(label, *whole_orders(networks, order))
            label = f"compiled, CUDA graphs, {batch} frames"
            row(label, f"{compiled_ms(networks, batch, rounds):.1f} ms")
    row("peak GPU memory", f"{torch.cuda.max_memory_allocated() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
