"""The visible mark in a finished video: in a corner, over no face, and nowhere else."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from inference.arrays import Picture
from inference.choose import TemplateSource
from inference.engines.still import StillEngine
from inference.media.visible_mark import noted
from inference.pipeline import COMMENT, Listener, animate_photo
from jobs.model import CropBox, Face
from jobs.wish import Wish
from tests.unit.inference import test_pipeline as pipeline_tests
from tests.unit.inference.test_pipeline import FACE, NOD, SeveralFaces, decoded, near, wish_of

photo = pipeline_tests.photo
picture = pipeline_tests.picture
source = pipeline_tests.source


def marked(photo: Path, folder: Path, source: TemplateSource, **changes: Any) -> list[Picture]:
    """A frame of a lossless video without the mark, and one with it."""
    shown = []
    for name, mark in (("plain", False), ("marked", True)):
        output, wish = folder / f"{name}.mkv", wish_of(photo, NOD, mark=mark, **changes)
        animate_photo(wish, SeveralFaces(), output, source)
        shown.append(decoded(output)[3])
    return shown


def place_of(path: Path) -> CropBox:
    """Where a file says that its mark is."""
    with av.open(str(path)) as video:
        metadata = {name.lower(): value for name, value in video.metadata.items()}
        assert metadata["comment"] == COMMENT
        place = noted(metadata["description"])
    assert place is not None
    return place


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"view": CropBox(left=100, upper=40, right=260, lower=200)},
        {"paste_back": False},
        {"face_boxes": (FACE.box, CropBox(left=250, upper=200, right=345, lower=295))},
    ],
)
def test_mark_is_drawn_in_a_corner_and_nowhere_else(
    photo: Path, tmp_path: Path, source: TemplateSource, changes: dict[str, Any]
) -> None:
    plain, shown = marked(photo, tmp_path, source, **changes)
    place = place_of(tmp_path / "marked.mkv")
    differs = (plain != shown).any(axis=2)
    inside = np.s_[place.upper : place.lower, place.left : place.right]
    assert differs[inside].mean() > 0.7
    differs[inside] = False
    assert not differs.any()
    view = changes.get("view")
    left, upper = (view.left, view.upper) if view else (0, 0)
    for face in changes.get("face_boxes", (FACE.box,)):
        assert place.overlap(face.moved(-left, -upper)) == 0


def test_other_faces_of_the_photo_get_no_mark_either(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    other = Face(number=2, box=CropBox(left=250, upper=210, right=340, lower=300), votes=5)
    found = wish_of(photo, NOD).photo.model_copy(update={"faces": (FACE, other)})
    wish = Wish(photo=found, movement=NOD, mark=True)
    animate_photo(wish, StillEngine(), tmp_path / "a.mkv", source)
    assert place_of(tmp_path / "a.mkv").overlap(other.box) == 0


def test_mark_is_in_the_thumbnail_and_is_kept_by_the_encoder(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    shown: list[Picture] = []
    output, listener = tmp_path / "a.mp4", Listener(show=shown.append)
    animate_photo(wish_of(photo, NOD, mark=True), StillEngine(), output, source, listener)
    place = place_of(output)
    inside = np.s_[place.upper : place.lower, place.left : place.right]
    assert near(shown[0][inside], picture[inside]) > 20
    assert near(decoded(output)[11][inside], shown[0][inside]) < 10


def test_photo_that_a_face_fills_is_animated_without_a_mark(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    view = CropBox(left=FACE.box.left, upper=FACE.box.upper, right=FACE.box.right, lower=160)
    plain, shown = marked(photo, tmp_path, source, view=view)
    assert np.array_equal(plain, shown)
    with av.open(str(tmp_path / "marked.mkv")) as video:
        assert "DESCRIPTION" not in video.metadata
