"""The time of each part of the engine `mesh`: medians on one photo and one clip."""

import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

from inference.arrays import Picture
from inference.engines.mesh import MeshEngine
from inference.faces.finder import find_faces, look_at_face
from inference.faces.loading import landmarker
from inference.media.photo import read_photo
from inference.media.video import ClipReader
from inference.mesh.curves import CurveShapes, moment_at
from inference.mesh.driver import FaceFollower
from inference.mesh.measuring import measure_track
from inference.mesh.renderer import FaceRenderer
from jobs.model import Face
from jobs.templates import Catalogue, CurveMotion

_FRAMES = 40
_FRAME_RATE = 25
_MOVED_AT_S = 0.6  # the shipped laugh is in motion then


def measure_parts(photo_path: Path, clip_path: Path) -> Iterator[tuple[str, str]]:
    """Yield (part, time) for finding, measuring, preparing and rendering."""
    network, photo = landmarker(), read_photo(photo_path).picture
    face = find_faces(photo, network)[0]
    yield "find the faces, 512 px", _median(lambda: find_faces(photo, network), 5)
    frames = _frames(clip_path)
    leading = find_faces(frames[0], network)[0]
    follower = FaceFollower(network, leading, _FRAME_RATE)
    later = iter(frames)
    yield "measure a frame of a clip", _median(lambda: follower.see(next(later)), len(frames))
    yield "prepare the photo", _median(lambda: _prepared(photo, face), 5)
    look = look_at_face(network, photo, face)
    renderer = FaceRenderer(photo, look, network.scores(look), network.mesh)
    shapes, laugh = CurveShapes.of(network.mesh), _motion("laugh")
    yield "evaluate curves, a frame", _median(lambda: moment_at(laugh, _MOVED_AT_S, shapes), 20)
    drawn = moment_at(laugh, _MOVED_AT_S, shapes)
    yield "render a frame of a drawn movement", _median(lambda: renderer.render(drawn), 20)
    track = measure_track(frames, leading, Fraction(_FRAME_RATE), network)
    led = list(track.moments(frames))[len(frames) // 2]
    yield "render a frame of a clip", _median(lambda: renderer.render(led), 20)


def _frames(clip_path: Path) -> list[Picture]:
    with ClipReader(clip_path) as frames:
        return list(islice(frames, _FRAMES))


def _prepared(photo: Picture, face: Face) -> None:
    MeshEngine().prepare(photo, [face])


def _motion(name: str) -> CurveMotion:
    motion = Catalogue.load().get(name).motion
    if not isinstance(motion, CurveMotion):
        message = f"the shipped {name} is drawn"
        raise TypeError(message)
    return motion


def _median(part: Callable[[], object], count: int) -> str:
    return f"{1000 * statistics.median(_elapsed_s(part) for _ in range(count)):.1f} ms"


def _elapsed_s(part: Callable[[], object]) -> float:
    started = time.perf_counter()
    part()
    return time.perf_counter() - started
