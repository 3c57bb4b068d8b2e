"""A photo and a movement become an mp4 that is there whole, or not at all."""

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data

from inference.arrays import Picture
from inference.choose import TemplateSource
from inference.engine import Driving, Engine, EngineCrop, Motion
from inference.engines.mesh import MeshEngine
from inference.engines.still import StillEngine
from inference.faces.landmarker import Landmarker
from inference.media.writer import VideoWriter
from inference.mesh.measuring import measure_track
from inference.mesh.track import write_track
from inference.pipeline import COMMENT, Listener, animate_photo
from jobs.errors import BrokenTrack, Cancelled, MediaDamaged, OutputNotWritable
from jobs.findings import ClipFindings, PhotoFindings
from jobs.model import CropBox, Face
from jobs.wish import Movement, Wish

FACE = Face(number=1, box=CropBox(left=135, upper=62, right=231, lower=158), votes=5)
NOD = Movement(template="nod")
TEMPLATES = """
- name: nod
  emoji: N
  title: {en: Nod}
  licence: ours
  motion: {duration_s: 0.5, fps: 24, curves: {pitch: [[0, 0], [0.25, 0.15], [0.5, 0]]}}
- name: track
  emoji: T
  title: {en: Track}
  licence: ours
  motion: {clip: track.mp4, track: track.npz}
"""
FILM_RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def picture() -> Picture:
    """The astronaut, cut to odd sides: 351 x 301."""
    return np.ascontiguousarray(skimage.data.astronaut()[5:306, 40:391]).astype(np.uint8)


@pytest.fixture(scope="module")
def photo(picture: Picture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


@pytest.fixture(scope="module")
def clip(picture: Picture, tmp_path_factory: pytest.TempPathFactory) -> ClipFindings:
    """Seven frames of the astronaut moving to the right, 350 x 300 px at film rate."""
    even = np.ascontiguousarray(picture[:300, :350])
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, 350, 300, FILM_RATE, comment="a test") as writer:
        for index in range(7):
            writer.write(moved_right(even, 2.0 * index))
    return ClipFindings(
        file=str(path),
        width=350,
        height=300,
        original_width=350,
        original_height=300,
        frame_rate=FILM_RATE,
        frame_count=7,
        has_sound=False,
        faces=(FACE,),
    )


def moved_right(picture: Picture, px: float) -> Picture:
    height, width = picture.shape[:2]
    turn = np.array([[1.0, 0.0, px], [0.0, 1.0, 0.0]])
    moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> TemplateSource:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "templates.yaml").write_text(TEMPLATES, "utf-8")
    (folder / "track.mp4").write_bytes(b"not looked at")
    return TemplateSource(folder, folder)


def wish_of(photo: Path, movement: Movement | ClipFindings, **changes: Any) -> Wish:
    if isinstance(movement, ClipFindings):
        movement = Movement.of_clip(movement)
    found = PhotoFindings(
        file=str(photo),
        sheet=str(photo),
        width=351,
        height=301,
        original_width=351,
        original_height=301,
        faces=(FACE,),
    )
    return Wish(photo=found, movement=movement, **changes)


def decoded(path: Path) -> list[Picture]:
    with av.open(str(path)) as mp4:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in mp4.decode(video=0)
        ]


def rate_of(path: Path) -> Fraction | None:
    with av.open(str(path)) as mp4:
        return mp4.streams.video[0].average_rate


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def near(one: Picture, other: Picture) -> float:
    """Mean difference in levels; an encoder leaves about 2."""
    return float(np.abs(one.astype(int) - other).mean())


class FailingEngine(StillEngine):
    """Breaks off after two frames."""

    name = "failing"

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        for batch, _ in zip(super().animate(driving, motion), range(2), strict=False):
            yield batch
        raise BrokenTrack(name=self.name, reason="a failing test")


class SpotEngine(StillEngine):
    """Answers with white frames that reach over the photo's left border and have a soft seam."""

    name = "spot"

    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:  # noqa: ARG002
        return EngineCrop(CropBox(left=-20, upper=40, right=100, lower=161), feather_px=10)

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        white = np.full((121, 120, 3), 255, np.uint8)
        for _ in super().animate(driving, motion):
            yield [white]


@pytest.mark.usefixtures("landmarker")
def test_a_template_becomes_an_mp4_of_the_whole_photo(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "nod.mp4"
    result = animate_photo(wish_of(photo, NOD), MeshEngine(), output, source)
    frames = decoded(output)
    assert files_in(tmp_path) == ["nod.mp4"]
    assert len(frames) == result.frame_count == 12
    # Odd sides are padded to even ones.
    assert frames[0].shape == (302, 352, 3)
    assert (result.width, result.height) == (352, 302)
    assert rate_of(output) == result.frame_rate == 24
    assert result.size_bytes == output.stat().st_size
    assert result.frames_per_second == pytest.approx(12 / result.render_s)
    assert near(frames[0][:301, :351], picture) < 4
    face = np.s_[70:160, 140:230]
    assert near(frames[6][face], picture[face]) > 2 * near(frames[0][face], picture[face])


@pytest.mark.usefixtures("landmarker")
def test_a_clip_leads_the_photo_at_its_own_exact_rate(
    photo: Path, picture: Picture, clip: ClipFindings, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "led.mp4"
    result = animate_photo(wish_of(photo, clip), MeshEngine(), output, source)
    frames = decoded(output)
    assert len(frames) == result.frame_count == 7
    assert rate_of(output) == result.frame_rate == FILM_RATE
    led, wanted = frames[6][:300, :350], decoded(clip.path)[6]
    face = np.s_[70:160, 150:240]
    assert near(led[face], wanted[face]) < 0.5 * near(picture[:300, :350][face], wanted[face])


@pytest.mark.usefixtures("landmarker")
def test_without_paste_back_only_the_engines_part_is_shown(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "part.mp4"
    engine = MeshEngine()
    box = engine.crop_for([FACE], picture).box
    tall = np.vstack([picture, picture[::-1], picture])  # more room than the engine's box takes
    path = tmp_path / "tall.png"
    cv2.imwrite(str(path), tall[..., ::-1])
    result = animate_photo(wish_of(path, NOD, paste_back=False), engine, output, source)
    frame = decoded(output)[0]
    box = engine.crop_for([FACE], tall).box
    assert box.height < tall.shape[0] - 100
    assert frame.shape[:2] == (box.height + box.height % 2, box.width + box.width % 2)
    assert (result.height, result.width) == frame.shape[:2]
    expected = tall[box.upper : box.lower, box.left : box.right]
    assert near(frame[: box.height, : box.width], expected) < 4
    assert photo.exists()


def test_a_part_that_reaches_outside_the_photo_is_pasted_where_it_belongs(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "spot.mp4"
    animate_photo(wish_of(photo, NOD), SpotEngine(), output, source)
    frame = decoded(output)[3]
    assert frame[60:140, 2:80].min() > 240
    assert near(frame[170:300, :350], picture[170:300, :350]) < 4
    assert near(frame[:38, :350], picture[:38, :350]) < 4


def test_a_view_shows_its_part_of_the_photo(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    output, view = tmp_path / "view.mp4", CropBox(left=100, upper=40, right=260, lower=200)
    shown: list[Picture] = []
    listener = Listener(show=shown.append)
    result = animate_photo(wish_of(photo, NOD, view=view), StillEngine(), output, source, listener)
    frames = decoded(output)
    assert (result.width, result.height) == (160, 160)
    assert shown[0].shape == frames[0].shape == (160, 160, 3)
    assert near(frames[0], picture[40:200, 100:260]) < 4


def test_the_still_engine_gives_the_photo_for_every_frame(
    photo: Path, picture: Picture, clip: ClipFindings, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "still.mp4"
    animate_photo(wish_of(photo, clip), StillEngine(), output, source)
    frames = decoded(output)
    assert len(frames) == 7
    assert all(near(frame[:301, :351], picture) < 4 for frame in frames)


def test_a_track_is_a_movement_too(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource, landmarker: Landmarker
) -> None:
    clip = [moved_right(picture, px) for px in (0, 0, 0, 12)]
    track = measure_track(clip, FACE, Fraction(30), landmarker)
    write_track(track, source.folder / "track.npz")
    output = tmp_path / "track.mp4"
    result = animate_photo(wish_of(photo, Movement(template="track")), MeshEngine(), output, source)
    frames = decoded(output)
    assert len(frames) == result.frame_count == 4
    assert rate_of(output) == 30
    assert near(frames[3][:301, :351], picture) > near(frames[0][:301, :351], picture) + 1


def test_a_movement_is_repeated_as_often_as_wanted(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "loop.mp4"
    result = animate_photo(wish_of(photo, NOD, loop=3), StillEngine(), output, source)
    assert len(decoded(output)) == result.frame_count == 36


class SeveralFaces(StillEngine):
    max_faces = 2


def test_several_faces_count_as_so_many_times_the_work(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    other = CropBox(left=10, upper=10, right=60, lower=60)
    boxes = (FACE.box, other)
    wish = wish_of(photo, NOD, face_boxes=boxes)
    assert animate_photo(wish, SeveralFaces(), tmp_path / "a.mp4", source).work_frames == 24


def test_faces_that_do_not_move_are_told_to_the_engine(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    other = CropBox(left=10, upper=10, right=60, lower=60)
    engine = SeveralFaces()
    animate_photo(wish_of(photo, NOD, face_boxes=(other,)), engine, tmp_path / "a.mp4", source)
    assert engine.still_faces == (FACE,)


def test_the_file_says_that_it_was_made_by_a_machine(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "said.mp4"
    animate_photo(wish_of(photo, NOD), StillEngine(), output, source)
    with av.open(str(output)) as mp4:
        assert mp4.metadata["comment"] == COMMENT
    assert COMMENT.startswith("AI-generated")


@pytest.mark.usefixtures("landmarker")
def test_progress_rises_to_the_end(photo: Path, tmp_path: Path, source: TemplateSource) -> None:
    reports: list[tuple[int, int]] = []
    animate_photo(
        wish_of(photo, NOD),
        MeshEngine(),
        tmp_path / "a.mp4",
        source,
        Listener(lambda done, total: reports.append((done, total))),
    )
    assert reports == [(5, 12), (10, 12), (12, 12)]


def test_first_frame_alone_is_shown_to_the_listener(
    photo: Path, picture: Picture, tmp_path: Path, source: TemplateSource
) -> None:
    shown: list[Picture] = []
    listener = Listener(show=shown.append)
    animate_photo(wish_of(photo, NOD), StillEngine(), tmp_path / "a.mp4", source, listener)
    assert len(shown) == 1
    np.testing.assert_array_equal(shown[0], picture)


@pytest.mark.usefixtures("landmarker")
@pytest.mark.parametrize("engine", [MeshEngine, StillEngine])
def test_a_cancelled_animation_leaves_no_file_and_no_thread(
    photo: Path, clip: ClipFindings, tmp_path: Path, engine: type[Engine], source: TemplateSource
) -> None:
    reports: list[int] = []
    with pytest.raises(Cancelled):
        animate_photo(
            wish_of(photo, clip),
            engine(),
            tmp_path / "never.mp4",
            source,
            Listener(lambda done, _: reports.append(done), lambda: len(reports) == 1),
        )
    assert len(reports) == 1
    assert files_in(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_an_engine_that_breaks_off_leaves_no_file(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    reports: list[int] = []
    with pytest.raises(BrokenTrack, match="failing"):
        animate_photo(
            wish_of(photo, NOD),
            FailingEngine(),
            tmp_path / "never.mp4",
            source,
            Listener(lambda done, _: reports.append(done)),
        )
    assert reports == [1, 2]
    assert files_in(tmp_path) == []


def test_an_earlier_result_outlives_a_failure(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    output = tmp_path / "kept.mp4"
    output.write_bytes(b"earlier")
    with pytest.raises(BrokenTrack):
        animate_photo(wish_of(photo, NOD), FailingEngine(), output, source)
    assert output.read_bytes() == b"earlier"
    assert files_in(tmp_path) == ["kept.mp4"]


def test_a_photo_that_is_not_there_is_said_before_anything_is_written(
    tmp_path: Path, source: TemplateSource
) -> None:
    wish = wish_of(tmp_path / "none.png", NOD)
    with pytest.raises(MediaDamaged, match=r"none\.png"):
        animate_photo(wish, StillEngine(), tmp_path / "a.mp4", source)
    assert files_in(tmp_path) == []


def test_a_place_that_cannot_be_written_is_said(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    with pytest.raises(OutputNotWritable):
        animate_photo(wish_of(photo, NOD), StillEngine(), tmp_path / "no" / "a.mp4", source)


class CountingEngine(StillEngine):
    """Counts how many frames it has made, and compares with how many were taken from it."""

    name = "counting"

    def __init__(self) -> None:
        self.made = 0

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        for batch in super().animate(driving, motion):
            self.made += 1
            yield batch


def test_frames_are_written_as_they_are_made(
    photo: Path, tmp_path: Path, source: TemplateSource
) -> None:
    engine = CountingEngine()
    lead: list[int] = []
    animate_photo(
        wish_of(photo, NOD),
        engine,
        tmp_path / "a.mp4",
        source,
        Listener(lambda done, _: lead.append(engine.made - done)),
    )
    assert lead == [0] * 12


def test_sound_can_be_left_out(
    photo: Path, clip: ClipFindings, tmp_path: Path, source: TemplateSource
) -> None:
    spoken = with_tone(clip, tmp_path / "spoken.mp4")
    for has_audio in (True, False):
        output = tmp_path / f"{has_audio}.mp4"
        video = animate_photo(
            wish_of(photo, spoken, audio=has_audio), StillEngine(), output, source
        )
        assert video.has_sound is has_audio
        with av.open(str(output)) as mp4:
            assert bool(mp4.streams.audio) is has_audio
            assert mp4.streams.video[0].frames == 7


def with_tone(clip: ClipFindings, path: Path) -> ClipFindings:
    """The clip with a tone under it."""
    with av.open(clip.file) as spoken, av.open(str(path), "w") as target:
        pictures = target.add_stream_from_template(spoken.streams.video[0])
        sound = target.add_stream("aac", rate=48000)
        for packet in spoken.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                target.mux(packet)
        wave = np.sin(np.arange(14000) / 20).astype(np.float32)[None]
        tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        tone.sample_rate = 48000
        target.mux(sound.encode(tone))
        target.mux(sound.encode(None))
    return clip.model_copy(update={"file": str(path), "has_sound": True})
