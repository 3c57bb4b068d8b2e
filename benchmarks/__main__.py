"""`make bench`: speed and memory of the command line, engines, voices and service, as tables.

Whole runs are timed from outside, from process start to exit; each figure is the median of several.
`--quick` does one run of each.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

from benchmarks.bot import measure_flood, tell
from benchmarks.fomm import measure_fomm
from benchmarks.fomm_memory import measure_memory
from benchmarks.liveportrait import measure_liveportrait
from benchmarks.mesh_parts import measure_parts
from benchmarks.run import CLI, Run, row, run
from benchmarks.service import tell_service
from benchmarks.voice import measure_voice
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.templates import SHIPPED_TEMPLATES


def median_s(measure: Callable[[], Run], count: int) -> float:
    """Return the median time of `count` runs, s."""
    return statistics.median(measure().elapsed_s for _ in range(count))


def repeated_clip(target: Path, frame_count: int) -> None:
    """Return a driving clip of the shipped nod, repeated."""
    with ClipReader(SHIPPED_TEMPLATES / "nod.mp4") as frames:
        nod = list(frames)
    height, width = nod[0].shape[:2]
    with VideoWriter(target, width, height, Fraction(25), comment="benchmark") as writer:
        for index in range(frame_count):
            writer.write(nod[index % len(nod)])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each")
    count = 1 if parser.parse_args().quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = folder / "photo.png"
        Image.fromarray(astronaut()).save(photo)
        animate = (*CLI, "animate", "--quiet", "--source_image", str(photo))
        output = ("--output", str(folder / "result.mp4"))

        row("animato --help", f"{median_s(lambda: run((*CLI, '--help')), count):.2f} s")
        template_s = median_s(lambda: run((*animate, "--template", "nod", *output)), count)
        row("template, 100 frames, 512 px", f"{template_s:.2f} s", f"{100 / template_s:.1f} fps")
        clip = folder / "clip.mp4"
        repeated_clip(clip, 150)
        driven = (*animate, "--driving_video", str(clip), *output)
        clip_s = median_s(lambda: run(driven), count)
        row("clip, 150 frames, 512 px", f"{clip_s:.2f} s", f"{150 / clip_s:.1f} fps")
        for label, value in measure_parts(photo, clip):
            row(label, value)
        longer = folder / "longer.mp4"
        repeated_clip(longer, 1500)
        short_run = run(driven, {"ANIMATO_CLIP_MAX_S": "61"})
        long_run = run(
            (*animate, "--driving_video", str(longer), *output), {"ANIMATO_CLIP_MAX_S": "61"}
        )
        row("peak memory, 150 frames", f"{short_run.peak_mb:.0f} MB")
        row("peak memory, 1500 frames", f"{long_run.peak_mb:.0f} MB")
        sys.stdout.write("\nvoice, per second of sound\n")
        for label, *cells in measure_voice(photo, min(count, 3)):
            row(label, *cells)
        sys.stdout.write("\nengine fomm\n")
        for label, *cells in measure_fomm(max(count, 2)):
            row(label, *cells)
        for label, value in measure_memory(photo, {150: clip, 1500: longer}):
            row(label, value)
        sys.stdout.write("\nengine liveportrait\n")
        for label, *cells in measure_liveportrait(min(count, 3)):
            row(label, *cells)
    if sys.platform.startswith("linux"):
        sys.stdout.write("\nservice\n")
        asyncio.run(tell_service(2 * count))
    sys.stdout.write("\nbot, while one person sends 100 photos\n")
    asyncio.run(tell(measure_flood()))


if __name__ == "__main__":
    main()
