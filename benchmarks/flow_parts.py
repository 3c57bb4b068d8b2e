"""The time of each part of the engine `flow`: medians on one photo and one clip."""

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from inference.engine import Picture
from inference.faces.finder import find_faces
from inference.flow.placement import place_face
from inference.flow.procedural import Parameters, ProceduralMotion
from inference.flow.renderer import FaceMotion, FaceRenderer
from inference.flow.tracker import Tracker
from inference.flow.transfer import MotionTransfer
from inference.media.photo import read_photo
from inference.media.video import ClipReader

_FRAMES = 40


def measure_parts(photo_path: Path, clip_path: Path) -> Iterator[tuple[str, str]]:
    """Yield (part, time) for finding, placing, tracking, transferring and rendering."""
    photo = read_photo(photo_path).picture
    face = find_faces(photo)[0]
    placement = place_face(photo, face.box)
    yield "find_faces, 512 px", _median(lambda: find_faces(photo), 5)
    yield "place_face", _median(lambda: place_face(photo, face.box), 10)
    frames = _frames(clip_path)
    driver = place_face(frames[0], find_faces(frames[0])[0].box)
    tracker = Tracker(frames[0], driver)
    later = iter(frames[1:])
    tracked = [tracker.follow(frame) for frame in islice(later, 5)][-1]
    yield "track a frame", _median(lambda: tracker.follow(next(later)), _FRAMES - 10)
    transfer = MotionTransfer(placement, driver)
    yield (
        "carry motion over, a frame",
        _median(lambda: transfer.field(tracked.field, tracked.confidence), 20),
    )
    procedural = ProceduralMotion(placement.anchors)
    now = Parameters(yaw=0.2, pitch=0.1, smile=0.8, blink_left=0.6, blink_right=0.6)
    yield "evaluate curves, a frame", _median(lambda: procedural.field(now), 20)
    renderer = FaceRenderer(photo, placement)
    motion = FaceMotion(procedural.pose(now), procedural.field(now), (0.6, 0.6))
    yield "render a frame, 512 px", _median(lambda: renderer.render(motion), 20)


def _frames(clip_path: Path) -> list[Picture]:
    with ClipReader(clip_path) as frames:
        return list(islice(frames, _FRAMES))


def _median(part: Callable[[], object], count: int) -> str:
    times_ms = []
    for _ in range(count):
        started = time.perf_counter()
        part()
        times_ms.append(1000 * (time.perf_counter() - started))
    return f"{statistics.median(times_ms):.1f} ms"
