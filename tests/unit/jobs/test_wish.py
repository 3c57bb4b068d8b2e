"""A wish says what is to be made, what it costs, and where its files are."""

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.model import CropBox
from jobs.wish import Movement, Video, Wish
from tests.wishes import make_wish

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
VOICE = VoiceFindings(file="looks/a/v.m4a", curves="looks/a/v.npz", frame_count=50)


@pytest.mark.parametrize(
    "movement",
    [
        {},
        {"templates": ()},
        {"template": "smile", "clip": CLIP, "voice": VOICE},
        {"template": "smile", "templates": ("nod",)},
        {"clip": CLIP, "templates": ("nod", "smile")},
        {"voice": VOICE, "clip": CLIP},
        {"voice": VOICE, "templates": ("nod", "smile")},
    ],
)
def test_movement_has_one_leader(movement: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a movement is"):
        Movement(**movement)


def test_template_of_the_owner_comes_with_a_clip_that_is_not_the_persons() -> None:
    movement = Movement(template="boss_wave", clip=CLIP)
    assert movement.files == ()
    assert Movement(clip=CLIP).files == (CLIP.file,)
    wish = make_wish("looks/a/photo.png", movement)
    moved = wish.with_files({CLIP.file: "there/clip.mp4"})
    assert moved.clip is not None
    assert moved.clip.file == "there/clip.mp4"
    assert Movement.model_validate_json(movement.model_dump_json()) == movement


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
    moved = wish.with_files({PHOTO.file: "work/p.png", CLIP.file: "work/c.mp4"})
    assert moved.clip is not None
    assert (moved.photo.file, moved.clip.file) == ("work/p.png", "work/c.mp4")
    assert moved.with_files({"work/p.png": PHOTO.file, "work/c.mp4": CLIP.file}) == wish
    template = wish.model_copy(update={"movement": Movement(template="nod")})
    assert template.with_files({PHOTO.file: "p.png"}).movement == template.movement


def test_wish_for_a_voice_moves_its_sound_and_its_curves_and_costs_its_frames() -> None:
    wish = Wish(photo=PHOTO, movement=Movement.of_voice(VOICE, "nod"))
    assert Wish.model_validate_json(wish.model_dump_json()) == wish
    assert (wish.cost_frames, VOICE.duration_s) == (50, 2.0)
    moved = wish.with_files({"looks/a/v.m4a": "v.m4a", "looks/a/v.npz": "v.npz"})
    assert moved.voice is not None
    assert (moved.voice.file, moved.voice.curves) == ("v.m4a", "v.npz")
    assert moved.movement.template == "nod"


def test_movement_without_a_voice_is_written_as_the_version_before_reads_it() -> None:
    assert "voice" not in Movement(template="nod").model_dump()


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


def test_mark_is_not_written_unless_it_is_wanted() -> None:
    wish = make_wish("looks/a/photo.png", Movement(template="smile"))
    assert "mark" not in wish.model_dump()
    assert not Wish.model_validate(wish.model_dump()).mark
    marked = wish.model_copy(update={"mark": True})
    assert Wish.model_validate_json(marked.model_dump_json()) == marked
