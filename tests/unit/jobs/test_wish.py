"""A wish says what is to be made, what it costs, and where its files are."""

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.model import CropBox
from jobs.wish import ClipFindings, Movement, PhotoFindings, Video, Wish

BOX = CropBox(left=1, upper=2, right=30, lower=40)
PHOTO = PhotoFindings(
    file="a.png", sheet="b.png", width=640, height=480, original_width=1280, original_height=961
)
CLIP = ClipFindings(
    file="clip.mp4",
    width=64,
    height=48,
    original_width=64,
    original_height=48,
    frame_rate=Fraction(30000, 1001),
    frame_count=75,
    has_sound=True,
)


@pytest.mark.parametrize(
    "movement",
    [
        {},
        {"templates": ()},
        {"template": "smile", "clip": CLIP},
        {"template": "smile", "templates": ("nod",)},
        {"clip": CLIP, "templates": ("nod", "smile")},
    ],
)
def test_movement_is_a_template_or_a_clip_or_several_templates(movement: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="only one of these"):
        Movement(**movement)


def test_findings_know_duration_and_scale() -> None:
    assert CLIP.duration_s == pytest.approx(75 * 1001 / 30000)
    assert (CLIP.scale, PHOTO.scale) == (1.0, 0.5)


def test_wish_costs_the_frames_of_its_movement() -> None:
    assert Wish(photo=PHOTO, movement=Movement.of_clip(CLIP)).cost_frames == 75
    once = Movement(template="nod", frames=50)
    assert Wish(photo=PHOTO, movement=once, face_boxes=(BOX,)).cost_frames == 50


def test_wish_for_several_faces_costs_as_many_times_the_work() -> None:
    nod, all_in_one = Movement(template="nod", frames=50), Movement(templates=("nod",), frames=50)
    assert Wish(photo=PHOTO, movement=nod, face_boxes=(BOX,) * 3).cost_frames == 150
    assert Wish(photo=PHOTO, movement=all_in_one, face_boxes=(BOX,) * 3).cost_frames == 50
    with pytest.raises(ValidationError, match="at most 8"):
        Wish(photo=PHOTO, movement=nod, face_boxes=(BOX,) * 9)


def test_wish_survives_json_and_a_change_of_its_files() -> None:
    wish = Wish(
        photo=PHOTO,
        face_boxes=(BOX,),
        movement=Movement.of_clip(CLIP),
        options={"best_frame": 3, "checkpoint": "x"},
    )
    assert Wish.model_validate_json(wish.model_dump_json()) == wish
    moved = wish.with_files("/tmp/p.png", "/tmp/c.mp4")  # noqa: S108 - nothing is written
    assert moved.clip is not None
    assert (moved.photo.file, moved.clip.file) == ("/tmp/p.png", "/tmp/c.mp4")  # noqa: S108
    assert moved.with_files(PHOTO.file, CLIP.file) == wish
    template = wish.model_copy(update={"movement": Movement(template="nod")})
    assert template.with_files("p.png", None).movement == template.movement


def test_video_survives_json_and_knows_its_duration_and_speed() -> None:
    video = Video(
        width=2,
        height=4,
        frame_count=48,
        frame_rate=Fraction(24000, 1001),
        size_bytes=1,
        has_sound=False,
        engine="mesh",
        label="a",
        digital_source_type="https://example.org/b",
        work_frames=24,
        render_s=2.0,
    )
    assert Video.model_validate_json(video.model_dump_json()) == video
    assert video.duration_s == pytest.approx(2.002)
    assert video.frames_per_second == 12
