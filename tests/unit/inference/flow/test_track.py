"""A stored track gives back the motion that was measured, and a damaged one is refused."""

import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.flow import FlowEngine
from inference.flow.canonical import (
    TRACK_POINTS,
    Affine,
    Floats,
    Picture,
    Placement,
    Points,
    transform,
)
from inference.flow.field import canonical_grid, face_mask, sample
from inference.flow.procedural import Parameters, ProceduralMotion
from inference.flow.renderer import FaceMotion, FaceRenderer
from inference.flow.track import Track, _jacobian_at, measure_track
from jobs.errors import BrokenTrack
from jobs.model import CropBox, Face

RATE = Fraction(30000, 1001)
MOVES = (Parameters(), Parameters(yaw=0.08, smile=0.3), Parameters(yaw=0.15, smile=0.7, roll=0.03))


@pytest.fixture(scope="module")
def truth(placement: Placement) -> list[FaceMotion]:
    motion = ProceduralMotion(placement.anchors)
    return [FaceMotion(motion.pose(move), motion.field(move)) for move in MOVES]


@pytest.fixture(scope="module")
def track(renderer: FaceRenderer, placement: Placement, truth: list[FaceMotion]) -> Track:
    return measure_track((renderer.render(moment) for moment in truth), placement, RATE)


@pytest.fixture
def saved(track: Track, tmp_path: Path) -> Path:
    path = tmp_path / "wave.npz"
    track.save(path)
    return path


def went(field: Floats, pose: Affine) -> Points:
    """Where a field and a head movement take the track points."""
    return transform(pose, TRACK_POINTS + sample(field, TRACK_POINTS.astype(np.float32)))


def test_a_track_has_a_frame_for_each_of_the_clips(track: Track) -> None:
    assert track.frame_count == len(MOVES)
    assert track.frame_rate == RATE
    assert track.value.shape == (3, 40, 2)
    assert track.jacobian.shape == (3, 40, 2, 2)


def test_the_first_frame_is_at_rest(track: Track) -> None:
    assert not track.field_at(0).any()
    np.testing.assert_array_equal(track.pose_at(0), [[1, 0, 0], [0, 1, 0]])


def test_the_motion_at_its_points_is_near_the_truth(track: Track, truth: list[FaceMotion]) -> None:
    for index in (1, 2):
        wanted = went(truth[index].field, truth[index].pose)
        found = went(track.field_at(index), track.pose_at(index))
        assert np.linalg.norm(wanted - found, axis=1).mean() < 1.2
        assert np.linalg.norm(wanted - TRACK_POINTS, axis=1).mean() > 3


def test_gradients_at_the_points_are_columns_of_what_changes_along_x_and_along_y() -> None:
    gradient = np.array([[0.05, -0.02], [0.03, 0.04]], np.float32)
    field = np.asarray((canonical_grid() - 128) @ gradient.T, np.float32)
    np.testing.assert_allclose(_jacobian_at(field), np.tile(gradient, (40, 1, 1)), atol=1e-4)


def test_an_affine_motion_is_rebuilt_between_the_points() -> None:
    gradient = np.array([[0.05, -0.02], [0.03, 0.04]], np.float32)
    points = TRACK_POINTS.astype(np.float32)
    value = (points - 128) @ gradient.T
    track = Track(
        RATE,
        np.repeat(np.eye(2, 3, dtype=np.float32)[None], 2, axis=0),
        np.stack([np.zeros_like(value), value]),
        np.stack([np.zeros((40, 2, 2), np.float32), np.tile(gradient, (40, 1, 1))]),
        np.ones((2, 40), np.float32),
        anchors=None,  # type: ignore[arg-type] # the field does not depend on them
    )
    exact = (canonical_grid() - 128) @ gradient.T
    near = np.zeros((256, 256), np.bool_)
    for x, y in np.rint(TRACK_POINTS).astype(int):
        near[y - 6 : y + 7, x - 6 : x + 7] = True
    near &= face_mask() >= 1
    np.testing.assert_allclose(track.field_at(1)[near], exact[near], atol=0.35)
    assert np.abs(exact[near]).max() > 2


def test_a_track_written_and_read_is_the_same(track: Track, saved: Path) -> None:
    read = Track.load(saved)
    assert read.frame_rate == RATE
    for name in ("pose", "value", "jacobian", "confidence"):
        np.testing.assert_array_equal(getattr(read, name), getattr(track, name))
    np.testing.assert_allclose(read.anchors.array, track.anchors.array, atol=1e-4)


def test_a_track_from_a_file_renders_as_the_one_in_memory(
    track: Track, saved: Path, portrait: Picture, portrait_box: CropBox
) -> None:
    engine = FlowEngine()
    engine.prepare(portrait, [Face(number=1, box=portrait_box, votes=5)])
    in_memory, from_file = (
        [frame for batch in engine.animate(None, source) for frame in batch]
        for source in (track, Track.load(saved))
    )
    assert len(in_memory) == len(from_file) == 3
    for one, other in zip(in_memory, from_file, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert (in_memory[2] != in_memory[0]).any()


def test_the_first_frame_of_a_rendered_track_is_the_photo(
    track: Track, portrait: Picture, portrait_box: CropBox
) -> None:
    engine = FlowEngine()
    face = Face(number=1, box=portrait_box, votes=5)
    engine.prepare(portrait, [face])
    box = engine.crop_for([face], portrait).box
    first = next(iter(engine.animate(None, track)))[0]
    np.testing.assert_array_equal(first, portrait[box.upper : box.lower, box.left : box.right])


def test_a_track_takes_little_room(saved: Path) -> None:
    assert saved.stat().st_size / len(MOVES) < 2500


Contents = dict[str, Any]


def edited(saved: Path, change: Callable[[Contents], object]) -> Path:
    with np.load(saved) as stored:
        contents: Contents = dict(stored)
    change(contents)
    np.savez(saved, **contents)
    return saved


def set_at(name: str, index: Any, value: float) -> Callable[[Contents], object]:
    return lambda contents: contents[name].__setitem__(index, value)


DAMAGES: dict[str, Callable[[Contents], object]] = {
    "another version": lambda c: c.update(version=np.int64(2)),
    "no value": lambda c: c.pop("value"),
    "no frame rate": lambda c: c.pop("frame_rate"),
    "no frames": lambda c: c.update(
        {name: c[name][:0] for name in ("pose", "value", "jacobian", "confidence")}
    ),
    "frames missing in one": lambda c: c.update(jacobian=c["jacobian"][:-1]),
    "39 points": lambda c: c.update(value=c["value"][:, :39]),
    "flat pose": lambda c: c.update(pose=c["pose"].reshape(-1, 6)),
    "not a number": set_at("value", (1, 3, 0), np.nan),
    "endless": set_at("pose", (2, 0, 2), np.inf),
    "first frame displaced": set_at("value", (0, 5, 1), 0.5),
    "first frame turned": set_at("pose", (0, 0, 1), 0.1),
    "other points": set_at("points", (0, 0), 3.0),
    "anchors outside": set_at("anchors", (2, 1), 300.0),
    "anchors not numbers": set_at("anchors", (0, 0), np.nan),
    "two anchors": lambda c: c.update(anchors=c["anchors"][:2]),
    "rate by zero": lambda c: c.update(frame_rate=np.array([25, 0])),
    "rate below zero": lambda c: c.update(frame_rate=np.array([-25, 1])),
    "words for numbers": lambda c: c.update(value=np.full(c["value"].shape, "x")),
    "a rate of one number": lambda c: c.update(frame_rate=np.int64(25)),
    "two versions": lambda c: c.update(version=np.array([1, 1])),
    "endless version": lambda c: c.update(version=np.float64("inf")),
    "records": lambda c: c.update(value=np.zeros(c["value"].shape, [("a", "f4"), ("b", "f4")])),
    "first frame bent": set_at("jacobian", (0, 5, 1, 1), 0.5),
    "pickled objects": lambda c: c.update(value=np.array([{"a": 1}], dtype=object)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_track_is_refused(saved: Path, damage: Callable[[Contents], object]) -> None:
    with pytest.raises(BrokenTrack, match=r"wave\.npz"):
        Track.load(edited(saved, damage))


def test_an_untouched_track_survives_the_editing_of_these_tests(saved: Path) -> None:
    assert Track.load(edited(saved, lambda _: None)).frame_count == 3


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_track_is_refused(saved: Path, share: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BrokenTrack):
        Track.load(saved)


def test_flipped_bytes_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        entry = archive.getinfo("value.npy")
    data = bytearray(saved.read_bytes())
    middle = entry.header_offset + 60 + entry.compress_size // 2
    data[middle : middle + 40] = bytes(byte ^ 0xFF for byte in data[middle : middle + 40])
    saved.write_bytes(data)
    with pytest.raises(BrokenTrack):
        Track.load(saved)


@pytest.mark.parametrize("content", [b"GIF89a", b"\0" * 500, json.dumps({"a": 1}).encode()])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wave.npz"
    path.write_bytes(content)
    with pytest.raises(BrokenTrack, match=r"wave\.npz"):
        Track.load(path)


def test_a_missing_file_is_said_to_be_no_track(tmp_path: Path) -> None:
    with pytest.raises(BrokenTrack, match=r"none\.npz"):
        Track.load(tmp_path / "none.npz")


def test_code_in_a_track_is_never_run(saved: Path, tmp_path: Path) -> None:
    proof = tmp_path / "it ran"

    class Trap:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (proof,)

    with pytest.raises(BrokenTrack):
        Track.load(edited(saved, lambda c: c.update(value=np.array([Trap()], dtype=object))))
    assert not proof.exists()


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wave.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 40, 2), np.float32))
    with pytest.raises(BrokenTrack, match=r"wave\.npz"):
        Track.load(path)


def test_a_small_file_that_claims_to_hold_terabytes_is_refused(saved: Path) -> None:
    with np.load(saved) as stored:
        contents: Contents = dict(stored)
    with zipfile.ZipFile(saved, "w") as archive:
        for name, array in contents.items():
            with archive.open(f"{name}.npy", "w") as entry:
                if name == "value":
                    claim = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
                    np.lib.format.write_array_header_1_0(entry, claim)
                else:
                    np.lib.format.write_array(entry, array)
    with pytest.raises(BrokenTrack, match=r"wave\.npz"):
        Track.load(saved)


def test_a_small_file_that_unpacks_to_far_more_than_a_track_is_refused_unread(saved: Path) -> None:
    bomb = np.zeros(40_000_000, np.float32)
    with np.load(saved) as stored:
        contents: Contents = dict(stored)
    np.savez_compressed(saved, **{**contents, "value": bomb})
    assert saved.stat().st_size < 1_000_000
    with pytest.raises(BrokenTrack, match="too large"):
        Track.load(saved)


def test_more_bytes_than_any_track_has_are_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "wave.npz"
    with path.open("wb") as file:
        file.truncate(32_000_001)
    with pytest.raises(BrokenTrack, match="too large"):
        Track.load(path)


def test_more_frames_than_the_limit_are_refused(saved: Path) -> None:
    def many(contents: Contents) -> None:
        for name in ("pose", "value", "jacobian", "confidence"):
            contents[name] = np.repeat(contents[name][:1], 3601, axis=0)

    with pytest.raises(BrokenTrack, match="3601 frames"):
        Track.load(edited(saved, many))


def test_a_track_of_a_clip_without_frames_cannot_be_loaded(
    placement: Placement, tmp_path: Path
) -> None:
    nothing: list[Picture] = []
    empty = measure_track(nothing, placement, RATE)
    empty.save(tmp_path / "empty.npz")
    with pytest.raises(BrokenTrack):
        Track.load(tmp_path / "empty.npz")


def test_far_from_its_points_a_track_moves_nothing(track: Track) -> None:
    field: Floats = track.field_at(2)
    assert not field[:, :10].any()
    assert np.abs(field).max() > 2
