"""A wish is made as the command line makes it: same faces, same movement, same file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.engines.still import StillEngine
from inference.extras import missing_neural
from inference.media.gate import ClipPart, look_at, look_at_clip
from inference.media.video import ClipReader
from inference.mesh.measuring import measure_track
from inference.mesh.track import write_track
from inference.pipeline import Listener
from inference.process.engine_main import load_engine, render_wish
from inference.process.offer import offer_of
from inference.process.setup import EngineSetup
from jobs.errors import (
    Cancelled,
    DeviceUnavailable,
    EngineUnavailable,
    NoFaceFound,
    UnknownEngine,
    UnknownTemplate,
)
from jobs.findings import ClipFindings, PhotoFindings
from jobs.model import CropBox, Face
from jobs.show_all import work_frames
from jobs.templates import SHIPPED_TEMPLATES, Catalogue
from jobs.wish import Movement, Video, Wish
from tests.conftest import Require
from tests.wishes import make_photo

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

    def prepare(self, photo, faces):
        self._photo = np.zeros_like(photo)
        box = faces[0].box
        self._photo[box.upper : box.lower, box.left : box.right] = 255

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
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipFindings:
    folder = tmp_path_factory.mktemp("clip")
    return look_at_clip(ClipPart(SHIPPED_TEMPLATES / "blink.mp4", duration_s=0.4), folder)


def wish_of(photo: Path | PhotoFindings, **changes: object) -> Wish:
    if isinstance(photo, Path):
        photo = make_photo(str(photo), width=200, height=200)
    facts: dict[str, object] = {"photo": photo, "movement": Movement(template="blink")}
    return Wish.model_validate(facts | changes)


def made(
    wish: Wish,
    setup: EngineSetup,
    folder: Path,
    engine: str = "looking",
    listener: Listener | None = None,
) -> Video:
    loaded = load_engine(engine, wish, setup)
    return render_wish(wish, loaded, setup.templates_dir, folder, listener or Listener())


def shown_box(path: Path) -> tuple[int, int, int, int]:
    """The white part of the first frame: left, upper, right and lower."""
    with ClipReader(path) as frames:
        rows, columns = np.nonzero(next(frames)[..., 0] > 128)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_box_of_the_gate_is_the_engines_own_of_the_same_face(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    wish = wish_of(photo, face_boxes=(FACE_BOX,), options={"smooth": 1})
    made(wish, setup, tmp_path)
    assert shown_box(tmp_path / "result.mp4") == pytest.approx((60, 60, 150, 150), abs=2)
    elsewhere = CropBox(left=0, upper=150, right=50, lower=200)
    made(wish.model_copy(update={"face_boxes": (elsewhere,)}), setup, tmp_path)
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(elsewhere.sides, abs=2)


def test_drawn_box_is_taken_as_it_is(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    wish = wish_of(photo, face_boxes=(FACE_BOX,), is_face_drawn=True, options={"smooth": 1})
    made(wish, setup, tmp_path)
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(FACE_BOX.sides, abs=2)


def test_without_a_box_the_largest_face_that_the_gate_found_moves(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    seen, _ = look_at(photo, None, tmp_path)
    made(wish_of(seen), setup, tmp_path)
    assert shown_box(tmp_path / "result.mp4") == pytest.approx(seen.faces[0].box.sides, abs=2)
    with pytest.raises(NoFaceFound):
        made(wish_of(seen.model_copy(update={"faces": ()})), setup, tmp_path)


def test_faces_of_a_clip_are_those_of_the_gate_and_not_looked_for_again(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipFindings
) -> None:
    from inference.engine import find_engine  # noqa: PLC0415

    said: list[object] = find_engine("looking").__dict__["said"]
    elsewhere = Face(number=1, box=CropBox(left=7, upper=9, right=47, lower=49), votes=3)
    moved = clip.model_copy(update={"faces": (elsewhere,), "later_faces": (elsewhere.box,)})
    for found in (clip, moved):
        wish = wish_of(photo, movement=Movement.of_clip(found), face_boxes=(FACE_BOX,))
        video = made(wish, setup, tmp_path)
        assert (video.frame_count, video.frame_rate) == (clip.frame_count, clip.frame_rate)
    assert clip.faces
    lefts = clip.faces[0].box.left, *(box.left for box in clip.later_faces)
    assert said[-2:] == [(lefts, clip.frame_rate, True), ((7, 7), clip.frame_rate, True)]


def test_result_says_what_was_made(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    told: list[tuple[int, int]] = []
    wish = wish_of(photo, movement=Movement(template="alive"), face_boxes=(FACE_BOX,), loop=2)
    ears = Listener(lambda done, total: told.append((done, total)))
    video = made(wish, setup, tmp_path, "still", ears)
    assert told[-1] == (video.frame_count // 2, video.frame_count // 2)
    assert (video.width, video.height, video.has_sound) == (200, 200, False)
    assert video.size_bytes == (tmp_path / "result.mp4").stat().st_size
    assert video.frames_per_second == pytest.approx(video.frame_count / 2 / video.render_s)


def test_speed_is_that_of_the_frames_that_were_made(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipFindings
) -> None:
    wrong = clip.model_copy(update={"frame_count": 100 * clip.frame_count})
    wish = wish_of(photo, movement=Movement.of_clip(wrong), face_boxes=(FACE_BOX,))
    video = made(wish, setup, tmp_path, "still")
    assert video.frame_count == clip.frame_count
    assert video.frames_per_second == pytest.approx(clip.frame_count / video.render_s)


def test_the_first_frame_is_kept_as_a_thumbnail(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    made(wish_of(photo, face_boxes=(FACE_BOX,)), setup, tmp_path, "still")
    with Image.open(tmp_path / "thumbnail.jpg") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (200, 200))


def test_several_templates_are_shown_side_by_side(
    photo: Path, tmp_path: Path, setup: EngineSetup
) -> None:
    told: list[tuple[int, int]] = []
    ears = Listener(lambda *counts: told.append(counts))
    names = ("blink", "nod", "alive", "wink")
    wish = wish_of(photo, movement=Movement(templates=names), face_boxes=(FACE_BOX,))
    video = made(wish, setup, tmp_path, "still", ears)
    assert (video.width, video.height, video.frame_count, video.has_sound) == (720, 478, 125, False)
    assert told[-1] == (125, 125)
    templates = [Catalogue.load().get(name) for name in names]
    assert video.work_frames == work_frames(templates)
    assert video.label == StillEngine.label
    with pytest.raises(EngineUnavailable, match="one movement at a time"):
        made(wish, setup, tmp_path, "looking")
    unknown = wish_of(photo, movement=Movement(templates=("no",)))
    with pytest.raises(UnknownTemplate):
        made(unknown, setup, tmp_path, "still")


def test_recorded_template_is_shown_beside_a_drawn_one(
    photo: Path, tmp_path: Path, setup: EngineSetup, clip: ClipFindings
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    shutil.copy(clip.path, folder / "wave.mp4")
    shipped = (SHIPPED_TEMPLATES / "templates.yaml").read_text("utf-8")
    recorded = (
        "- name: wave\n  emoji: W\n  title: {en: Wave}\n  licence: ours\n"
        "  motion: {clip: wave.mp4, track: wave.npz}\n"
    )
    (folder / "templates.yaml").write_text(f"{shipped}\n{recorded}", "utf-8")
    with ClipReader(clip.path) as frames:
        track = measure_track(frames, clip.faces[0], clip.frame_rate)
    write_track(track, folder / "wave.npz")
    both = Movement(templates=("wave", "blink"))
    wish = wish_of(photo, movement=both, face_boxes=(FACE_BOX,))
    elsewhere = setup.model_copy(update={"templates_dir": folder})
    video = made(wish, elsewhere, tmp_path, "still")
    assert (video.width, video.frame_count) == (478, 75)


def test_wish_that_cannot_be_made_says_why(photo: Path, tmp_path: Path, setup: EngineSetup) -> None:
    wish = wish_of(photo, movement=Movement(template="nod"), face_boxes=(FACE_BOX,))
    with pytest.raises(UnknownEngine):
        made(wish, setup, tmp_path, "none")
    with pytest.raises(Cancelled):
        made(wish, setup, tmp_path, "looking", Listener(is_cancelled=lambda: True))
    assert not (tmp_path / "result.mp4").exists()


def test_offer_has_no_engine_with_unmet_needs_and_depends_on_the_device(
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
    preferred = {
        device: {
            engine.name: engine.preference
            for engine in offer_of(setup.model_copy(update={"device": device})).engines
        }
        for device in ("cpu", "meta")  # the latter stands for a GPU
    }
    on_cpu, on_gpu = preferred.values()
    assert on_gpu["liveportrait"] > on_gpu["fomm"] > on_gpu["mesh"] == on_cpu["mesh"]
    assert on_cpu["mesh"] > max(on_cpu["fomm"], on_cpu["liveportrait"]) > 0
    elsewhere = setup.model_copy(update={"device": "cuda:77"})
    assert offer_of(elsewhere, ["mesh"]).device == "cpu"
    with pytest.raises(DeviceUnavailable, match="cuda:77"):
        offer_of(elsewhere)
