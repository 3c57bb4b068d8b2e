"""Which face moves and which one leads, where the engine's finder and the gate's disagree."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.arguments import add_animate_arguments
from inference.arrays import Picture
from inference.choose import (
    DrivingClip,
    TemplateSource,
    faces_to_move,
    faces_to_spare,
    one_movement,
)
from inference.command import face_fields
from inference.engines.still import StillEngine
from jobs.errors import EngineUnavailable, NoFaceFound, NoSuchFace
from jobs.findings import ClipFindings, PhotoFindings
from jobs.model import CropBox, Face, whole_box
from jobs.wish import Movement, Wish
from tests.wishes import make_clip, make_photo


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


def engine_finding(*faces: Face) -> OtherFinder:
    engine = OtherFinder()
    engine.finds = faces
    return engine


PHOTO = make_photo("photo.png", name="me.png", faces=(face(1, 100, 120), face(2, 500)))
CLIP = make_clip(
    "clip.mp4", faces=(face(1, 100), face(2, 500)), later_faces=(face(1, 130).box,), frame_count=50
)
PIXELS = np.zeros((400, 800, 3), np.uint8)


def all_moving(
    engine: OtherFinder, *arguments: str, photo: PhotoFindings = PHOTO
) -> tuple[Face, ...]:
    """The faces that move where somebody types these arguments."""
    parser = argparse.ArgumentParser()
    add_animate_arguments(parser)
    given = ["--source_image", "a.png", "--driving_video", "a.mp4", "--output", "b.mp4"]
    parsed = parser.parse_args([*given, *arguments])
    chosen = face_fields(parsed, photo, engine)
    return faces_to_move(Wish(photo=photo, movement=MOVEMENT, **chosen), engine, PIXELS)


def moving(engine: OtherFinder, *arguments: str, photo: PhotoFindings = PHOTO) -> Face:
    (only,) = all_moving(engine, *arguments, photo=photo)
    return only


MOVEMENT = Movement.of_clip(CLIP)


def leading(engine: OtherFinder, box: CropBox | None = None) -> DrivingClip:
    wish = Wish(photo=PHOTO, movement=MOVEMENT, driving_face_box=box)
    found = one_movement(wish, engine, TemplateSource(Path("nowhere"), Path("nowhere")))
    assert isinstance(found, DrivingClip)
    return found


# --- the clip's track ---------------------------------------------------------------------------


def kept_beside(clip: ClipFindings, box: CropBox | None = None) -> Path | None:
    source = TemplateSource(Path("nowhere"), Path("nowhere"), keeps_tracks=True)
    wish = Wish(photo=PHOTO, movement=Movement.of_clip(clip), driving_face_box=box)
    found = one_movement(wish, engine_finding(), source)
    assert isinstance(found, DrivingClip)
    return found.track_file


def test_track_of_the_clips_largest_face_is_kept_beside_the_clip() -> None:
    assert kept_beside(CLIP) == Path("clip.npz")


def test_track_of_a_chosen_face_is_not_kept() -> None:
    assert kept_beside(CLIP, face(2, 500).box) is None


def test_track_is_kept_only_where_clips_are() -> None:
    assert leading(engine_finding()).track_file is None


# --- the face that moves --------------------------------------------------------------------------


def test_a_number_is_that_of_the_numbered_sheet() -> None:
    # For the other finder the right one is larger.
    finds = (face(1, 495, 110), face(2, 105, 100))
    engine = engine_finding(*finds)
    assert moving(engine, "--face", "1") == finds[1]
    assert moving(engine, "--face", "2") == finds[0]
    assert moving(engine) == finds[0]


def test_a_face_is_chosen_alike_by_number_and_by_its_box_in_an_order() -> None:
    engine = engine_finding(face(1, 495, 110), face(2, 105, 100))
    for number, found in enumerate(PHOTO.faces, start=1):
        ordered = Wish(photo=PHOTO, face_boxes=(found.box,), movement=MOVEMENT)
        assert faces_to_move(ordered, engine, PIXELS) == all_moving(engine, "--face", str(number))


def test_a_numbered_face_that_the_other_finder_does_not_see_is_taken_from_the_sheet() -> None:
    assert moving(engine_finding(face(1, 105)), "--face", "2").box == PHOTO.faces[1].box


def test_a_number_beyond_the_sheet_is_refused_whatever_the_other_finder_sees() -> None:
    three = engine_finding(face(1, 100), face(2, 300), face(3, 500))
    with pytest.raises(NoSuchFace, match="the photo has 2"):
        moving(three, "--face", "3")


def test_a_drawn_box_is_taken_as_it_is() -> None:
    drawn = moving(engine_finding(face(1, 105)), "--face_box", "100,50,200,150")
    assert drawn.box == face(1, 100).box


def test_the_middle_is_taken_where_it_is_asked_for() -> None:
    middle = moving(engine_finding(face(1, 105)), "--face", "centre")
    assert middle.box == whole_box(PHOTO.width, PHOTO.height)


def test_a_photo_without_a_face_is_named_as_it_came() -> None:
    bare = make_photo("photo.png", name="me.png")
    with pytest.raises(NoFaceFound, match=r"me\.png"):
        moving(engine_finding(), photo=bare)


# --- several faces that move ----------------------------------------------------------------------


class SeveralFaces(OtherFinder):
    max_faces = 2


def test_all_faces_move_each_as_the_engine_sees_it() -> None:
    engine = SeveralFaces()
    assert [one.box for one in all_moving(engine, "--face", "all")] == [
        found.box for found in PHOTO.faces
    ]
    engine.finds = (face(1, 495, 110),)
    assert [one.box for one in all_moving(engine, "--face", "all")] == [
        PHOTO.faces[0].box,
        engine.finds[0].box,
    ]


def test_of_more_faces_than_the_engine_can_move_the_largest_are_taken() -> None:
    crowd = make_photo("photo.png", faces=(*PHOTO.faces, face(3, 300, 60)))
    assert all_moving(SeveralFaces(), "--face", "all", photo=crowd) == PHOTO.faces


def test_faces_that_do_not_move_are_spared() -> None:
    wish = Wish(photo=PHOTO, movement=MOVEMENT)
    first, second = PHOTO.faces
    assert faces_to_spare(wish, [first]) == (second,)
    assert faces_to_spare(wish, [face(1, 112)]) == (second,), (
        "another finder's box of the same face"
    )
    assert faces_to_spare(wish, [face(1, 120, 40)]) == (second,), "a small box drawn on it"
    assert faces_to_spare(wish, PHOTO.faces) == ()


def test_all_faces_of_a_photo_without_any_are_refused() -> None:
    with pytest.raises(NoFaceFound, match=r"me\.png"):
        all_moving(SeveralFaces(), "--face", "all", photo=make_photo("a.png", name="me.png"))


def test_more_faces_than_the_engine_can_move_are_refused() -> None:
    boxes = tuple(found.box for found in PHOTO.faces)
    ordered = Wish(photo=PHOTO, face_boxes=boxes, movement=MOVEMENT)
    with pytest.raises(EngineUnavailable, match="it moves 1, let another move more"):
        faces_to_move(ordered, OtherFinder(), PIXELS)
    # Several movements side by side show one face.
    tiles = Wish(photo=PHOTO, face_boxes=boxes, movement=Movement(templates=("nod", "wink")))
    assert faces_to_move(tiles, OtherFinder(), PIXELS)[0] == PHOTO.faces[0]


# --- the face that leads --------------------------------------------------------------------------


def test_later_places_count_only_for_the_face_that_they_are_of() -> None:
    same = leading(engine_finding(face(1, 108)))
    assert (same.face, same.later_faces) == (face(1, 108), CLIP.later_faces)
    other = leading(engine_finding(face(1, 505)))
    assert (other.face, other.later_faces) == (face(1, 505), ())
    gates = leading(engine_finding())
    assert (gates.face, gates.later_faces) == (CLIP.faces[0], CLIP.later_faces)


def test_later_places_do_not_count_for_a_box_drawn_by_hand() -> None:
    drawn = leading(engine_finding(), face(1, 100).box)
    assert (drawn.face.box, drawn.later_faces) == (face(1, 100).box, ())
