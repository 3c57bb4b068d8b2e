"""The flow engine as the pipeline sees it: boxes, batches and frames."""

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import skimage.data

from inference.engine import Driving, Picture
from inference.engines.flow import FlowEngine
from inference.flow.canonical import Floats
from inference.flow.placement import place_face
from inference.flow.procedural import Parameters, ProceduralMotion, parameters_at
from inference.flow.renderer import FaceMotion, FaceRenderer
from jobs.model import CropBox, Face
from jobs.templates import Catalogue, CurveMotion, CurveName

PATIENCE_S = 60.0
FACE = Face(number=1, box=CropBox(left=175, upper=67, right=271, lower=163), votes=5)
DRAWN = {
    template.name: template.motion
    for template in Catalogue.load(needs_tracks=False)
    if isinstance(template.motion, CurveMotion)
}
OPEN_JAW = CurveMotion(duration_s=1, curves={CurveName.JAW: ((0.0, 0.0), (0.4, 0.8))})


@pytest.fixture(scope="module")
def photo() -> Picture:
    picture = np.array(skimage.data.astronaut(), dtype=np.uint8)
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="module")
def engine(photo: Picture) -> FlowEngine:
    flow = FlowEngine()
    flow.prepare(photo, [FACE])
    return flow


@pytest.fixture(scope="module")
def below(engine: FlowEngine, photo: Picture) -> Picture:
    """What the photo has in the engine's box."""
    box = engine.crop_for([FACE], photo).box
    return photo[box.upper : box.lower, box.left : box.right]


@pytest.fixture(scope="module")
def clip(photo: Picture) -> list[Picture]:
    """Eight frames of the astronaut turning her head a little."""
    placement = place_face(photo, FACE.box)
    renderer, motion = FaceRenderer(photo, placement), ProceduralMotion(placement.anchors)
    frames = []
    for index in range(8):
        now = Parameters(yaw=0.02 * index, tx=0.8 * index)
        frame = photo.copy()
        box = renderer.box
        rendered = renderer.render(FaceMotion(motion.pose(now), motion.field(now)))
        frame[box.upper : box.lower, box.left : box.right] = rendered
        frames.append(frame)
    return frames


class Counting:
    """An endless clip that counts how many of its frames were asked for."""

    def __init__(self, frames: list[Picture]) -> None:
        self.count = 0
        self._frames = frames

    def __iter__(self) -> Iterator[Picture]:
        return self

    def __next__(self) -> Picture:
        frame = self._frames[self.count % len(self._frames)]
        self.count += 1
        return frame


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_all_shipped_templates_are_looked_at_here() -> None:
    assert len(DRAWN) >= 9


@pytest.mark.parametrize("name", DRAWN)
def test_the_first_frame_of_every_template_is_the_photo_byte_for_byte(
    engine: FlowEngine, below: Picture, name: str
) -> None:
    first = next(iter(engine.animate(None, DRAWN[name])))[0]
    np.testing.assert_array_equal(first, below)


@pytest.mark.parametrize("name", DRAWN)
def test_every_template_moves_the_face_and_keeps_the_boxs_border(
    below: Picture, photo: Picture, name: str
) -> None:
    motion = DRAWN[name]
    placement = place_face(photo, FACE.box)
    renderer, procedural = FaceRenderer(photo, placement), ProceduralMotion(placement.anchors)
    moved = 0.0
    for time_s in np.arange(0.2, motion.duration_s, 0.45):
        now = parameters_at(motion, float(time_s))
        closing = (now.blink_left, now.blink_right)
        frame = renderer.render(FaceMotion(procedural.pose(now), procedural.field(now), closing))
        change = np.abs(frame.astype(np.int16) - below)
        moved = max(moved, float(change.mean()))
        assert frame.shape == below.shape
        # Of the four sides, all but the upper one lie inside this photo.
        assert change[-1].max() <= 2
        assert change[:, 0].max() <= 2
        assert change[:, -1].max() <= 2
    assert moved > 0.2


def test_frames_come_in_batches_and_none_is_lost(engine: FlowEngine, below: Picture) -> None:
    motion = CurveMotion(duration_s=0.52, curves={CurveName.YAW: ((0.0, 0.0), (0.5, 0.1))})
    batches = list(engine.animate(None, motion))
    assert [len(batch) for batch in batches] == [5, 5, 3]
    assert all(frame.shape == below.shape for batch in batches for frame in batch)


def test_the_engines_box_lies_in_the_photo_and_round_the_face(photo: Picture) -> None:
    crop = FlowEngine().crop_for([FACE], photo)
    assert crop.feather_px == 0
    assert 0 <= crop.box.left < FACE.box.left
    assert FACE.box.right < crop.box.right <= 512
    assert crop.box.upper == 0
    assert crop.box.width == pytest.approx(4 * 96, rel=0.2)


def test_a_clip_moves_the_photo_as_it_moves_itself(
    engine: FlowEngine, photo: Picture, clip: list[Picture], below: Picture
) -> None:
    frames = [f for batch in engine.animate(Driving(iter(clip), FACE), None) for f in batch]
    assert len(frames) == len(clip)
    np.testing.assert_array_equal(frames[0], below)
    box = engine.crop_for([FACE], photo).box
    inner = np.s_[60:170, 170:280]
    for index in (4, 7):
        whole = photo.copy()
        whole[box.upper : box.lower, box.left : box.right] = frames[index]
        error = np.abs(whole[inner].astype(int) - clip[index][inner]).mean()
        unmoved = np.abs(photo[inner].astype(int) - clip[index][inner]).mean()
        assert error < 0.4 * unmoved


def test_a_clip_of_another_size_moves_the_photo_too(
    engine: FlowEngine, clip: list[Picture], below: Picture
) -> None:
    small = [np.asarray(cv2.resize(frame, (256, 256)), np.uint8) for frame in clip[:4]]
    face = Face(number=1, box=CropBox(left=87, upper=33, right=136, lower=82), votes=1)
    frames = [f for batch in engine.animate(Driving(iter(small), face), None) for f in batch]
    assert len(frames) == 4
    assert (frames[3] != below).any()


def test_a_clip_without_frames_gives_none(engine: FlowEngine) -> None:
    assert list(engine.animate(Driving(iter(()), FACE), None)) == []


def test_neither_clip_nor_motion_is_a_mistake(engine: FlowEngine) -> None:
    with pytest.raises(ValueError, match="clip or a motion"):
        list(engine.animate(None, None))


def test_only_a_few_frames_of_a_clip_are_read_ahead(
    engine: FlowEngine, clip: list[Picture]
) -> None:
    endless = Counting(clip)
    batches = engine.animate(Driving(endless, FACE), None)
    next(batches)
    # The reader goes on until it may go no further: then its count stands still.
    deadline = time.monotonic() + PATIENCE_S
    while endless.count <= 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    last, still_since = -1, time.monotonic()
    while time.monotonic() - still_since < 0.7 and endless.count < 60:
        if endless.count != last:
            last, still_since = endless.count, time.monotonic()
        time.sleep(0.02)
    batches.close()  # type: ignore[attr-defined] # it is a generator
    assert 5 < endless.count <= 5 + 10 + 5
    assert not workers()


def test_a_clip_that_breaks_in_the_middle_breaks_the_animation(
    engine: FlowEngine, clip: list[Picture]
) -> None:
    def broken() -> Iterator[Picture]:
        yield from clip[:6]
        message = "the disk has gone"
        raise OSError(message)

    with pytest.raises(OSError, match="the disk has gone"):
        list(engine.animate(Driving(broken(), FACE), None))
    assert not workers()


def test_no_thread_measures_on_while_a_failure_is_reported(
    photo: Picture, clip: list[Picture]
) -> None:
    class Failing(FaceRenderer):
        def render(self, motion: FaceMotion) -> Picture:  # noqa: ARG002 - it always fails
            raise MemoryError

    engine = FlowEngine()
    engine.prepare(photo, [FACE])
    engine._renderer = Failing(photo, place_face(photo, FACE.box))  # noqa: SLF001
    with pytest.raises(MemoryError) as failure:
        list(engine.animate(Driving(Counting(clip), FACE), None))
    # The report still holds the traceback, and with it every frame of the call.
    assert failure.tb is not None
    assert not workers()


def mouth_mean(frames: list[Picture], box: CropBox) -> float:
    """Mean brightness just under the painted lip line, in the last frame."""
    return float(
        frames[-1][146 - box.upper : 152 - box.upper, 217 - box.left : 229 - box.left].mean()
    )


def closed_mouth(photo: Picture) -> Picture:
    """The astronaut with skin and a dark line where her teeth are."""
    painted = photo.copy()
    skin = np.median(photo[126:133, 238:246].reshape(-1, 3), axis=0)
    cv2.ellipse(painted, (223, 143), (23, 14), 0, 0, 360, [float(level) for level in skin], -1)
    cv2.line(painted, (209, 142), (237, 142), (90, 40, 40), 1)
    return painted


def jaw_frames(photo: Picture) -> tuple[list[Picture], CropBox]:
    engine = FlowEngine()
    engine.prepare(photo, [FACE])
    frames = [frame for batch in engine.animate(None, OPEN_JAW) for frame in batch]
    return frames, engine.crop_for([FACE], photo).box


def test_a_closed_mouth_that_opens_shows_a_dark_inside(photo: Picture) -> None:
    frames, box = jaw_frames(closed_mouth(photo))
    assert mouth_mean(frames, box) < 0.6 * mouth_mean(frames[:1], box)


def test_nothing_is_laid_over_teeth_that_the_photo_shows(photo: Picture) -> None:
    frames, box = jaw_frames(photo)
    placement = place_face(photo, FACE.box)
    motion = ProceduralMotion(placement.anchors)
    now = parameters_at(OPEN_JAW, 24 / 25)
    field: Floats = motion.field(now)
    bare = FaceRenderer(photo, placement).render(FaceMotion(motion.pose(now), field))
    np.testing.assert_array_equal(frames[24], bare)
    assert (frames[24] != frames[0]).any()
    assert mouth_mean(frames, box) > 100
