"""What goes to the engine process and comes back survives the way, and makes sense."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from inference.engine_options import EngineOptions
from inference.process.render_job import ClipFile, EngineSetup, Rendered, RenderJob
from jobs.model import CropBox, Face

BOX = CropBox(left=1, upper=2, right=30, lower=40)
CLIP = ClipFile(
    path=Path("clip.mp4"),
    frame_count=7,
    faces=(Face(number=1, box=BOX, votes=3),),
    later_faces=(BOX,),
)


def job(**changes: object) -> RenderJob:
    facts = {"job_id": "1", "engine": "flow", "photo": Path("a.png"), "output": Path("b.mp4")}
    return RenderJob.model_validate(facts | changes)


def test_job_survives_json() -> None:
    options = EngineOptions(checkpoint=Path("x"), crop_image_padding=(1, 2, 3, 4), best_frame=3)
    before = job(clip=CLIP, face_box=BOX, options=options)
    plain = json.loads(json.dumps(before.model_dump(mode="json")))
    assert RenderJob.model_validate(plain) == before


def test_result_survives_json_and_knows_how_long_it_plays() -> None:
    before = Rendered(
        width=2,
        height=4,
        frame_count=48,
        frame_rate=Fraction(24000, 1001),
        size_bytes=1,
        has_sound=False,
        engine="flow",
        label="a",
        digital_source_type="b",
        load_s=0.1,
        render_s=2.0,
        frames_per_second=24.0,
    )
    plain = json.loads(json.dumps(before.model_dump(mode="json")))
    assert Rendered.model_validate(plain) == before
    assert before.duration_s == pytest.approx(2.002)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"template": "nod", "clip": CLIP},
        {"template": "nod", "templates": ("nod",)},
        {"templates": ("nod",), "clip": CLIP},
    ],
)
def test_job_without_a_movement_or_with_two_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="only one of these"):
        job(**changes)


def test_paths_of_the_setup_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setup = EngineSetup(
        templates_dir=Path("t"), checkpoints_dir=Path("c"), further_engines=Path("e")
    )
    found = setup.absolute()
    assert found.templates_dir == tmp_path / "t"
    assert found.checkpoints_dir == tmp_path / "c"
    assert found.further_engines == tmp_path / "e"
