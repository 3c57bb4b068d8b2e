"""A job is done as the command line does it: same faces, same movement, same file."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.engines.still import StillEngine
from inference.extras import missing_neural
from inference.flow.placement import place_face
from inference.flow.track import measure_track
from inference.media.gate import look_at, look_at_clip
from inference.media.video import ClipReader
from inference.process.render import Listener, offer_of, render
from inference.process.render_job import ClipFile, EngineSetup, RenderJob
from jobs.errors import (
    Cancelled,
    DeviceUnavailable,
    EngineUnavailable,
    NoFaceFound,
    UnknownEngine,
    UnknownTemplate,
)
from jobs.model import ClipLook, CropBox
from jobs.show_all import work_frames
from jobs.templates import SHIPPED_TEMPLATES, Catalogue
from tests.conftest import Require

# Her head on a plain ground of its own: one face, found at once.
HEAD = np.ascontiguousarray(skimage.data.astronaut()[0:200, 120:320])
FACE_BOX = CropBox(left=55, upper=62, right=151, lower=158)
# It looks where the faces are, and shows it: everything else is black.
LOOKING_ENGINE = """
import numpy as np
from inference.engines.still import StillEngine
from jobs.model import CropBox, Face

class LookingEngine(StillEngine):
    name = "looking"
    evaluates_motions = False

    def faces_of(self, read, found):
        own = CropBox(left=60, upper=60, right=150, lower=150)
        return (Face(number=1, box=own, votes=9),) if self.chosen.smooth else found

    def prepare(self, photo, face):
        self._photo = np.zeros_like(photo)
        self._photo[face.box.upper : face.box.lower, face.box.left : face.box.right] = 255

    def animate(self, driving, motion):
        left = driving.face.box.left, *(box.left for box in driving.later_faces)
        assert driving.identity is None or len(driving.identity) > 10
        self.said.append((left, driving.frame_rate, driving.identity is None))
        yield from super().animate(driving, motion)

    said = []

ENGINE = LookingEngine
"""


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineSetup:
    from inference import engines  # noqa: PLC0415

    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "looking.py").write_text(LOOKING_ENGINE)
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(folder)])
    return EngineSetup(
        templates_dir=SHIPPED_TEMPLATES, checkpoints_dir=tmp_path / "weights", is_offline=True
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(HEAD).save(path)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipLook:
    folder = tmp_path_factory.mktemp("clip")
    return look_at_clip(SHIPPED_TEMPLATES / "blink.mp4", folder, duration_s=0.4)


def listener(is_cancelled: Callable[[], bool] = lambda: False) -> Listener:
    return Listener(lambda: None, lambda _done, _total: None, is_cancelled)


def job(photo: Path, folder: Path, **changes: object) -> RenderJob:
    facts = {"job_id": "1", "engine": "looking", "photo": photo, "output": folder / "unused.mp4"}
    return RenderJob.model_validate(facts | changes)


def shown_box(path: Path) -> tuple[int, int, int, int]:
    """The white part of the first frame: left, upper, right and lower."""
    with ClipReader(path) as frames:
        rows, columns = np.nonzero(next(frames)[..., 0] > 128)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_box_of_the_gate_is_the_engines_own_of_the_same_face(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    order = job(photo, tmp_path, template="blink", face_box=FACE_BOX, options={"smooth": 1})
    render(order, setup, tmp_path, listener())
    assert shown_box(tmp_path / "result.mp4") == pytest.approx((60, 60, 150, 150), abs=2)
    elsewhere = CropBox(left=0, upper=150, right=50, lower=200)
    render(order.model_copy(update={"face_box": elsewhere}), setup, tmp_path, listener())
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(elsewhere.sides, abs=2)


def test_drawn_box_is_taken_as_it_is(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    order = job(
        photo,
        tmp_path,
        template="blink",
        face_box=FACE_BOX,
        is_box_drawn=True,
        options={"smooth": 1},
    )
    render(order, setup, tmp_path, listener())
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(FACE_BOX.sides, abs=2)


def test_without_a_box_the_largest_face_is_found_as_the_gate_finds_it(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    seen, _ = look_at(photo, None, tmp_path)
    render(job(photo, tmp_path, template="blink"), setup, tmp_path, listener())
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(seen.faces[0].box.sides, abs=2)
    Image.new("RGB", (200, 200), "grey").save(photo)
    with pytest.raises(NoFaceFound):
        render(job(photo, tmp_path, template="blink"), setup, tmp_path, listener())


def test_faces_of_a_clip_are_those_of_the_gate_given_or_found_again(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipLook
) -> None:
    from inference.engine import find_engine  # noqa: PLC0415

    said: list[object] = find_engine("looking").__dict__["said"]
    found = ClipFile(path=clip.clip, frame_count=clip.frame_count)
    given = found.model_copy(update={"faces": clip.faces, "later_faces": clip.later_faces})
    for file in (found, given):
        made = render(
            job(photo, tmp_path, clip=file, face_box=FACE_BOX), setup, tmp_path, listener()
        )
        assert (made.frame_count, made.frame_rate) == (clip.frame_count, clip.frame_rate)
    assert clip.faces
    lefts = clip.faces[0].box.left, *(box.left for box in clip.later_faces)
    assert said[-2:] == [(lefts, clip.frame_rate, True)] * 2


def test_result_says_what_was_made(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    told: list[object] = []
    ears = Listener(
        lambda: told.append("loaded"),
        lambda done, total: told.append((done, total)),
        lambda: False,
    )
    order = job(photo, tmp_path, engine="still", template="alive", face_box=FACE_BOX, loop=2)
    made = render(order, setup, tmp_path, ears)
    assert told[0] == "loaded"
    assert told[-1] == (made.frame_count / 2, made.frame_count / 2)
    assert (made.width, made.height, made.has_sound) == (200, 200, False)
    assert made.size_bytes == (tmp_path / "result.mp4").stat().st_size
    assert made.frames_per_second == pytest.approx(made.frame_count / 2 / made.render_s)


def test_speed_is_that_of_the_frames_that_were_made(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipLook
) -> None:
    wrong = ClipFile(path=clip.clip, frame_count=100 * clip.frame_count)
    order = job(photo, tmp_path, engine="still", clip=wrong, face_box=FACE_BOX)
    made = render(order, setup, tmp_path, listener())
    assert made.frame_count == clip.frame_count
    assert made.frames_per_second == pytest.approx(clip.frame_count / made.render_s)


def test_the_first_frame_is_kept_as_a_thumbnail_if_one_is_wanted(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    order = job(photo, tmp_path, engine="still", template="alive", face_box=FACE_BOX)
    render(order, setup, tmp_path, listener())
    assert not (tmp_path / "thumbnail.jpg").exists()
    wanted = order.model_copy(update={"thumbnail": tmp_path / "wanted.jpg"})
    render(wanted, setup, tmp_path, listener())
    with Image.open(tmp_path / "thumbnail.jpg") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (200, 200))


def test_several_templates_are_shown_side_by_side(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    told: list[tuple[int, int]] = []
    ears = Listener(lambda: None, lambda *counts: told.append(counts), lambda: False)
    names = ("blink", "nod", "alive", "wink")
    order = job(photo, tmp_path, engine="still", templates=names, face_box=FACE_BOX)
    made = render(order, setup, tmp_path, ears)
    assert (made.width, made.height, made.frame_count, made.has_sound) == (720, 478, 125, False)
    assert told[-1] == (125, 125)
    templates = [Catalogue.load().get(name) for name in names]
    assert made.frames_per_second == pytest.approx(work_frames(templates) / made.render_s)
    assert made.label == StillEngine.label
    with pytest.raises(EngineUnavailable, match="one movement at a time"):
        render(order.model_copy(update={"engine": "looking"}), setup, tmp_path, listener())
    with pytest.raises(UnknownTemplate):
        render(order.model_copy(update={"templates": ("no",)}), setup, tmp_path, listener())


def test_recorded_template_is_shown_beside_a_drawn_one(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipLook
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    shutil.copy(clip.clip, folder / "wave.mp4")
    shipped = (SHIPPED_TEMPLATES / "templates.yaml").read_text("utf-8")
    recorded = (
        "- name: wave\n  emoji: W\n  title: {en: Wave}\n  licence: ours\n"
        "  motion: {clip: wave.mp4, track: wave.npz}\n"
    )
    (folder / "templates.yaml").write_text(f"{shipped}\n{recorded}", "utf-8")
    with ClipReader(clip.clip) as frames:
        first = next(frames)
    with ClipReader(clip.clip) as frames:
        placement = place_face(first, clip.faces[0].box)
        measure_track(frames, placement, clip.frame_rate).save(folder / "wave.npz")
    order = job(photo, tmp_path, engine="still", templates=("wave", "blink"), face_box=FACE_BOX)
    elsewhere = setup.model_copy(update={"templates_dir": folder})
    made = render(order, elsewhere, tmp_path, listener())
    assert (made.width, made.frame_count) == (478, 75)


def test_job_that_cannot_be_done_says_why(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    with pytest.raises(UnknownEngine):
        render(job(photo, tmp_path, engine="none", template="nod"), setup, tmp_path, listener())
    with pytest.raises(Cancelled):
        render(
            job(photo, tmp_path, template="nod", face_box=FACE_BOX),
            setup,
            tmp_path,
            listener(lambda: True),
        )
    assert not (tmp_path / "result.mp4").exists()


def test_engine_with_unmet_needs_is_not_offered_and_a_missing_device_is_told(
    setup: EngineSetup, tmp_path: Path, require: Require
) -> None:
    limping = LOOKING_ENGINE.replace('"looking"', '"limping"').replace(
        "    said = []", "    @classmethod\n    def unmet_needs(cls):\n        return ('a leg',)"
    )
    (tmp_path / "engines" / "limping.py").write_text(limping)
    names = [engine.name for engine in offer_of(setup).engines]
    assert "looking" in names
    assert "limping" not in names
    with pytest.raises(EngineUnavailable, match="a leg"):
        offer_of(setup, ["looking", "limping"])
    require(not missing_neural(), "the extra neural is not installed")
    elsewhere = setup.model_copy(update={"device": "cuda:77"})
    assert offer_of(elsewhere, ["flow"]).device == "cpu"
    with pytest.raises(DeviceUnavailable, match="cuda:77"):
        offer_of(elsewhere)
