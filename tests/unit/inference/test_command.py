"""Which face moves and which one leads, where the engine's finder and the gate's disagree."""

import argparse
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from inference.arguments import ANIMATE, add_animate_arguments
from inference.command import Order, Surroundings
from inference.engine import Picture
from inference.engines.still import StillEngine
from inference.weights.store import WeightsStore
from jobs.errors import NoSuchFace
from jobs.model import ClipLook, CropBox, Face, PhotoLook


def face(number: int, left: int, side: int = 100) -> Face:
    box = CropBox(left=left, upper=50, right=left + side, lower=50 + side)
    return Face(number=number, box=box, votes=9)


class OtherFinder(StillEngine):
    """An engine with a face finder of its own."""

    finds: tuple[Face, ...] = ()

    def faces_of(
        self,
        read: Callable[[], Picture],  # noqa: ARG002 - the contract's signature
        found: tuple[Face, ...],
    ) -> tuple[Face, ...]:
        return self.finds or found


def order(tmp_path: Path, finds: Sequence[Face], *arguments: str) -> Order:
    parser = argparse.ArgumentParser()
    add_animate_arguments(parser)
    given = ["--source_image", "a.png", "--driving_video", "a.mp4", "--output", "b.mp4"]
    engine = OtherFinder()
    engine.finds = tuple(finds)
    surroundings = Surroundings(tmp_path, 15, "auto", "auto", WeightsStore(tmp_path))
    parsed = parser.parse_args([*given, *arguments])
    return Order(parsed, surroundings, engine, ANIMATE, tmp_path)


@pytest.fixture
def photo(tmp_path: Path) -> PhotoLook:
    """A photo in which the gate has found two faces, the left one larger."""
    return PhotoLook(
        photo=tmp_path / "photo.png",
        sheet=tmp_path / "sheet.png",
        width=800,
        height=400,
        original_width=800,
        original_height=400,
        faces=(face(1, 100, 120), face(2, 500)),
        warnings=(),
    )


@pytest.fixture
def clip(tmp_path: Path) -> ClipLook:
    """A clip in which the gate has followed the face on the left."""
    return ClipLook(
        clip=tmp_path / "clip.mp4",
        width=800,
        height=400,
        original_width=800,
        original_height=400,
        frame_rate=Fraction(25),
        frame_count=50,
        has_audio=False,
        faces=(face(1, 100), face(2, 500)),
        later_faces=(face(1, 130).box,),
        warnings=(),
    )


def test_a_number_is_that_of_the_numbered_sheet(tmp_path: Path, photo: PhotoLook) -> None:
    # For the other finder the right one is larger.
    finds = (face(1, 495, 110), face(2, 105, 100))
    assert order(tmp_path, finds, "--face", "1").chosen_face(photo) == finds[1]
    assert order(tmp_path, finds, "--face", "2").chosen_face(photo) == finds[0]
    assert order(tmp_path, finds).chosen_face(photo) == finds[0]


def test_a_numbered_face_that_the_other_finder_does_not_see_is_taken_from_the_sheet(
    tmp_path: Path, photo: PhotoLook
) -> None:
    chosen = order(tmp_path, [face(1, 105)], "--face", "2").chosen_face(photo)
    assert chosen == photo.faces[1]


def test_a_number_beyond_the_sheet_is_refused_whatever_the_other_finder_sees(
    tmp_path: Path, photo: PhotoLook
) -> None:
    three = [face(1, 100), face(2, 300), face(3, 500)]
    with pytest.raises(NoSuchFace, match="the photo has 2"):
        order(tmp_path, three, "--face", "3").chosen_face(photo)


def test_later_places_count_only_for_the_face_that_they_are_of(
    tmp_path: Path, clip: ClipLook
) -> None:
    same = order(tmp_path, [face(1, 108)]).driving_clip(clip)
    assert (same.face, same.later_faces) == (face(1, 108), clip.later_faces)
    other = order(tmp_path, [face(1, 505)]).driving_clip(clip)
    assert (other.face, other.later_faces) == (face(1, 505), ())
    gates = order(tmp_path, []).driving_clip(clip)
    assert (gates.face, gates.later_faces) == (clip.faces[0], clip.later_faces)


def test_later_places_do_not_count_for_a_box_drawn_by_hand(tmp_path: Path, clip: ClipLook) -> None:
    drawn = order(tmp_path, [], "--driving_face_box", "100,50,200,150").driving_clip(clip)
    assert drawn.later_faces == ()
