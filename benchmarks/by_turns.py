"""Compare `animato animate` of this checkout with that of another one, by turns.

    git worktree add ../before e889cd1
    python -m benchmarks.by_turns ../before --rounds 5

A clip of 150 frames and a template of 100 frames, photo of 512 px. Both checkouts run with this
Python and its packages. Each figure is the median; a ratio is the median of the ratios within a
turn, which a changing load of the machine spoils less. Processor time, of all processes together,
depends on the load least.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

from benchmarks.__main__ import repeated_clip
from benchmarks.run import Run, row, run

_HERE = Path(__file__).parents[1]


def animated(checkout: Path, folder: Path, *lead: str) -> Run:
    """Run a checkout's `animato animate`."""
    command = (sys.executable, "-P", "-m", "animato", "animate", "--quiet")
    files = ("--source_image", str(folder / "photo.png"), "--output", str(folder / "result.mp4"))
    return run((*command, *files, *lead), {"PYTHONPATH": str(checkout)})


def compare(before: Path, folder: Path, rounds: int, *lead: str) -> tuple[str, ...]:
    """Return the cells of a row; the first turn is not counted."""
    turns = [
        (animated(before, folder, *lead), animated(_HERE, folder, *lead)) for _ in range(rounds + 1)
    ][1:]
    cells = []
    for times in (
        [(then.elapsed_s, now.elapsed_s) for then, now in turns],
        [(then.cpu_s, now.cpu_s) for then, now in turns],
    ):
        cells += [f"{statistics.median(side):.2f} s" for side in zip(*times, strict=True)]
        cells.append(f"x {statistics.median(then / now for then, now in times):.2f}")
    return tuple(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.by_turns", description=__doc__)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=5, help="turns (default: 5)")
    arguments = parser.parse_args()
    before, rounds = arguments.before.resolve(), arguments.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(astronaut()).save(folder / "photo.png")
        repeated_clip(folder / "clip.mp4", 150)
        row("", "before", "now", "ratio", "CPU before", "CPU now", "ratio")
        lead = ("--driving_video", str(folder / "clip.mp4"))
        row("clip, 150 frames", *compare(before, folder, rounds, *lead))
        row("template, 100 frames", *compare(before, folder, rounds, "--template", "nod"))


if __name__ == "__main__":
    main()
