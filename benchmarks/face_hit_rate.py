"""The hit rate of the face finder on degraded copies of pictures, as a Markdown table.

    python -m benchmarks.face_hit_rate [FOLDER]

The pictures are scikit-image's astronaut, and the photos and first frames of clips in FOLDER, each
with one face. A hit is a first face whose box has IoU > 0.4 with the reference, which
is the box found in the picture as it is. False positives are counted on pictures without a face.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from inference.arrays import Picture
from inference.faces.finder import find_faces, resize
from inference.media.limits import PhotoLimits
from inference.media.photo import read_photo
from inference.media.video import ClipReader
from jobs.model import Face
from tests.rotated import rotate

Box = tuple[float, float, float, float]

FACELESS = (
    *("brick", "cell", "checkerboard", "chelsea", "clock", "coffee", "coins", "colorwheel"),
    *("grass", "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "logo"),
    *("microaneurysms", "moon", "page", "retina", "rocket", "text"),
)
PHOTOS, CLIPS = {".jpg", ".jpeg", ".png"}, {".mp4", ".webm", ".mov"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    pictures = [skimage.data.astronaut(), *(load(folder) if folder else ())]
    _print_row("copy", "number", "found")
    _print_row("---", "---:", "---:")
    counts: dict[str, list[int]] = {}
    for picture in pictures:
        reference = _box(find_faces(picture)[0])
        for kind, copy, box in degraded(picture, reference):
            faces = find_faces(copy)
            is_hit = bool(faces) and iou(_box(faces[0]), box) > 0.4
            count = counts.setdefault(kind, [0, 0])
            count[0] += 1
            count[1] += is_hit
    for kind, count in counts.items():
        _print_row(kind, *count)
    _print_row("all", *np.sum(list(counts.values()), axis=0))
    wrong = [(name, bool(find_faces(copy))) for name, copy in faceless()]
    _print_row("pictures without a face: with a box", len(wrong), sum(found for _, found in wrong))
    for name, found in wrong:
        if found:
            sys.stdout.write(f"a face in {name}\n")


def load(folder: Path) -> Iterator[Picture]:
    """Return the photos and first frames of clips in the folder, sorted by name."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PHOTOS:
            yield read_photo(path, PhotoLimits()).picture
        elif path.suffix.lower() in CLIPS:
            with ClipReader(path) as frames:
                yield next(iter(frames))


def degraded(picture: Picture, box: Box) -> Iterator[tuple[str, Picture, Box]]:
    """Yield copies as (kind, picture, face box); the effects scale with the face."""
    side = box[2] - box[0]
    unit = side / 110
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    grain_size = (max(2, round(picture.shape[0] / unit)), max(2, round(picture.shape[1] / unit)))
    fine = np.random.default_rng(1).normal(0, 1, grain_size).astype(np.float32)
    grain = cv2.resize(fine, (picture.shape[1], picture.shape[0]))[..., None]
    yield "as it is", picture, box
    yield "grey", _clipped(grey), box
    yield "sepia", _clipped(grey * np.array([1.07, 0.87, 0.62])), box
    yield "grain", _clipped(grey + 30 * grain), box
    yield "blur", _clipped(cv2.GaussianBlur(picture, (0, 0), 3 * unit)), box
    yield "low contrast", _clipped(grey * 0.25 + 100), box
    yield "faded, with grain", _clipped(grey * 0.12 + 150 + 4 * grain), box
    for angle_deg in (10, 20, 30, 60, 90, 135):
        for sign in (1, -1):
            turned, turn = rotate(picture, sign * angle_deg)
            x, y = turn @ np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1.0])
            half = side / 2
            yield f"tilt {angle_deg} degrees", turned, (x - half, y - half, x + half, y + half)
    for side_px in (32, 64, 128):
        small = resize(picture, side_px / side)
        left, upper, right, lower = (value * side_px / side for value in box)
        yield f"face {side_px} px, whole picture", small, (left, upper, right, lower)
    for side_px in (32, 64, 128):
        small = resize(picture, side_px / side)[:668, :724]
        left, upper, right, lower = (value * side_px / side for value in box)
        page = np.full((768, 1024, 3), 200, np.uint8)
        page[100 : 100 + small.shape[0], 300 : 300 + small.shape[1]] = small
        placed = (left + 300, upper + 100, right + 300, lower + 100)
        yield f"face {side_px} px, on a page of 1024 px", page, placed


def faceless() -> Iterator[tuple[str, Picture]]:
    """Yield pictures without a face, upright and rotated: real ones, noise, clouds, one colour."""
    for name in FACELESS:
        picture = np.asarray(getattr(skimage.data, name)())
        if picture.dtype == bool:
            picture = picture.astype(np.uint8) * 255
        if picture.ndim == 2:
            picture = np.dstack([picture] * 3)
        upright = np.ascontiguousarray(picture[..., :3], dtype=np.uint8)
        yield name, upright
        yield f"{name}, turned", rotate(upright, 40)[0]
    random = np.random.default_rng(0)
    yield "noise", random.integers(0, 256, (512, 512, 3)).astype(np.uint8)
    yield "one colour", np.full((300, 400, 3), 128, np.uint8)
    for sigma in (3, 8, 20, 40):
        soft = cv2.GaussianBlur(random.normal(size=(512, 512)).astype(np.float32), (0, 0), sigma)
        grey = (soft - soft.min()) / (soft.max() - soft.min()) * 255
        yield f"clouds {sigma}", np.dstack([grey.astype(np.uint8)] * 3)


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def _box(face: Face) -> Box:
    return face.box.left, face.box.upper, face.box.right, face.box.lower


def _clipped(picture: npt.ArrayLike) -> Picture:
    return np.asarray(np.clip(np.asarray(picture), 0, 255), dtype=np.uint8)


def _print_row(*cells: object) -> None:
    sys.stdout.write("| " + " | ".join(str(cell) for cell in cells) + " |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
