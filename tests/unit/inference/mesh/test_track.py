"""A written track gives back what was measured, and a damaged one is refused."""

import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.faces.landmarker import POINTS
from inference.mesh.track import Track, read_track, write_track
from jobs.errors import BrokenTrack

RATE = Fraction(30000, 1001)
COUNT = 5


def lips_at(x: float, y: float) -> np.typing.NDArray[np.float32]:
    """Open lips, 40 px wide, (22, 2)."""
    across = np.linspace(x, x + 40, 11)
    upper = np.stack([across, np.full(11, y)], axis=1)
    return np.concatenate([upper, upper + np.array([0, 10])]).astype(np.float32)


@pytest.fixture
def track() -> Track:
    random = np.random.default_rng(4)
    values = {
        name: random.uniform(-0.2, 0.2, (COUNT, *form.shape)).astype(form.dtype)
        for name, form in Track.FORMS.items()
        if name not in ("lips", "skin", "mouth_frames")
    }
    return Track(
        frame_rate=RATE,
        frame_size=(160, 120),
        rest_angles=np.array([0.1, -0.2, 0.3], np.float32),
        mouth_width=4.5,
        lips=np.array([lips_at(50 + 2 * index, 60) for index in range(COUNT)]),
        skin=np.full((COUNT, 3), 180, np.float32),
        mouth_frames=np.array([-1, 1, 2, 2, -1], np.int32),
        **values,
    )


@pytest.fixture
def saved(track: Track, tmp_path: Path) -> Path:
    path = tmp_path / "wave.npz"
    write_track(track, path)
    return path


def test_a_track_written_and_read_is_the_same(track: Track, saved: Path) -> None:
    read = read_track(saved)
    assert (read.frame_rate, read.frame_size) == (RATE, (160, 120))
    assert read.mouth_width == 4.5
    np.testing.assert_array_equal(read.rest_angles, track.rest_angles)
    for name, form in Track.FORMS.items():
        found = getattr(read, name)
        assert found.dtype == form.dtype
        np.testing.assert_array_equal(found, getattr(track, name))
    assert [path.name for path in saved.parent.iterdir()] == ["wave.npz"]


def test_a_track_that_cannot_be_kept_leaves_nothing(track: Track, tmp_path: Path) -> None:
    path = tmp_path / "wave.npz"
    path.mkdir()

    with pytest.raises(OSError, match="wave"):
        write_track(track, path)

    assert list(tmp_path.iterdir()) == [path]


def test_numpy_reads_the_file_without_pickles(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as stored:
        assert stored["expression"].shape == (COUNT, POINTS, 3)


def test_a_track_takes_little_room(saved: Path) -> None:
    assert saved.stat().st_size / COUNT < 4000


def test_a_moment_has_what_was_measured(track: Track) -> None:
    moment = track.moment(3)
    assert moment.expression.dtype == np.float64
    assert moment.zoom == pytest.approx(np.exp(float(track.log_zoom[3])))
    np.testing.assert_allclose(moment.lids, 1 + track.opening[3])
    assert moment.mouth_width == 4.5
    assert moment.mouth is None


def frames(count: int = COUNT) -> list[np.typing.NDArray[np.uint8]]:
    """Frames in which each pixel says where it is, and red in which frame."""
    y, x = np.mgrid[0:120, 0:160]
    return [
        np.stack([np.full_like(x, index), y, x], axis=2).astype(np.uint8) for index in range(count)
    ]


def test_the_mouth_is_cut_from_the_clips_frames(track: Track) -> None:
    moments = list(track.moments(frames()))
    shown = [None if m.mouth is None else int(m.mouth.picture[0, 0, 0]) for m in moments]
    assert shown == [None, 1, 2, 2, None]
    mouth = moments[1].mouth
    assert mouth is not None
    corner = mouth.picture[0, 0, 2], mouth.picture[0, 0, 1]
    np.testing.assert_allclose(mouth.upper + corner, track.lips[1][:11])
    np.testing.assert_allclose(mouth.lower + corner, track.lips[1][11:])
    height, width = mouth.picture.shape[:2]
    assert 40 < width < 70
    assert 10 < height < 40
    np.testing.assert_array_equal(mouth.skin, 180)


def test_the_part_with_the_mouth_is_enough(track: Track) -> None:
    part = track.mouth_part
    assert part is not None
    assert part.width < 120
    assert part.height < 80
    assert not any(side % 2 for side in (part.left, part.upper, part.right, part.lower))
    cut = [frame[part.upper : part.lower, part.left : part.right] for frame in frames()]
    for found, wanted in zip(track.moments(cut, part), track.moments(frames()), strict=True):
        assert (found.mouth is None) == (wanted.mouth is None)
        if found.mouth is not None and wanted.mouth is not None:
            np.testing.assert_array_equal(found.mouth.picture, wanted.mouth.picture)
            np.testing.assert_array_equal(found.mouth.upper, wanted.mouth.upper)
            np.testing.assert_array_equal(found.mouth.lower, wanted.mouth.lower)


def test_the_part_with_the_mouth_lies_inside_the_frames(track: Track) -> None:
    track.lips[1], track.lips[2] = lips_at(-15, 112), lips_at(900, 60)
    part = track.mouth_part
    assert part is not None
    assert (part.left, part.lower) == (0, 120)
    assert part.right < 80


def test_a_clip_that_never_shows_the_mouth_is_not_read_again(track: Track) -> None:
    outside = replace(track, lips=np.stack([lips_at(900, 60)] * COUNT))
    assert outside.mouth_part is None
    assert replace(track, mouth_frames=np.full(COUNT, -1, np.int32)).mouth_part is None


def test_the_mouth_does_not_keep_the_frame_in_memory(track: Track) -> None:
    moments = list(track.moments(frames()))
    assert moments[1].mouth is not None
    assert moments[1].mouth.picture.base is None


def test_a_track_without_its_clip_has_no_mouth(track: Track) -> None:
    moments = list(track.moments())
    assert len(moments) == COUNT
    assert not any(moment.mouth for moment in moments)


def test_a_clip_with_fewer_frames_ends_the_mouth_and_not_the_movement(track: Track) -> None:
    moments = list(track.moments(frames(2)))
    assert [moment.mouth is not None for moment in moments] == [False, True, False, False, False]


def test_frames_of_another_size_are_not_used(track: Track) -> None:
    others = [np.zeros((60, 80, 3), np.uint8)] * COUNT
    assert not any(moment.mouth for moment in track.moments(others))


def test_lips_at_the_border_and_outside_the_frame(track: Track) -> None:
    track.lips[1] = lips_at(-15, 112)
    track.lips[2] = lips_at(900, 60)
    moments = list(track.moments(frames()))
    at_border, outside = moments[1].mouth, moments[2].mouth
    assert at_border is not None
    assert at_border.picture.shape[0] > 5
    assert outside is None


@pytest.mark.parametrize("width", [0.0, 1.5])
def test_lips_that_coincide_are_not_cut_out(track: Track, width: float) -> None:
    track.lips[1, :, 0] = np.tile(np.linspace(60, 60 + width, 11), 2)
    track.lips[1, :, 1] = 60

    assert list(track.moments(frames()))[1].mouth is None


Contents = dict[str, Any]


def edited(saved: Path, change: Callable[[Contents], object]) -> Path:
    with np.load(saved) as stored:
        contents: Contents = {name: stored[name].copy() for name in stored}
    change(contents)
    np.savez(saved, **contents)
    return saved


def set_at(name: str, index: Any, value: float) -> Callable[[Contents], object]:
    return lambda contents: contents[name].__setitem__(index, value)


def shortened(contents: Contents) -> None:
    contents.update({name: contents[name][:0] for name in Track.FORMS})


DAMAGES: dict[str, Callable[[Contents], object]] = {
    "another version": lambda c: c.update(version=np.array([1])),
    "two versions": lambda c: c.update(version=np.array([2, 2])),
    "a version of a fraction": lambda c: c.update(version=np.array([2.5])),
    "no movement": lambda c: c.pop("turn"),
    "no frame rate": lambda c: c.pop("frame_rate"),
    "no frames": shortened,
    "frames missing in one": lambda c: c.update(gaze=c["gaze"][:-1]),
    "477 points": lambda c: c.update(expression=c["expression"][:, :477]),
    "a flat expression": lambda c: c.update(expression=c["expression"].reshape(COUNT, -1)),
    "larger numbers": lambda c: c.update(expression=c["expression"].astype(np.float64)),
    "the other byte order": lambda c: c.update(turn=c["turn"].astype(">f4")),
    "columns first": lambda c: c.update(turn=np.asfortranarray(c["turn"])),
    "not a number": set_at("expression", (1, 3, 0), np.nan),
    "endless": set_at("shift", (2, 0), np.inf),
    "a head torn off": set_at("expression", (2, 7, 1), 9),
    "an eye shut beyond shut": set_at("opening", (0, 0), -1.5),
    "a huge zoom": set_at("log_zoom", 2, 20),
    "lips outside any frame": set_at("lips", (0, 0, 0), 1e6),
    "a colour beyond white": set_at("skin", (0, 0), 300),
    "a mouth of the future": set_at("mouth_frames", 1, 4),
    "a frame before the first": set_at("mouth_frames", 1, -2),
    "no mouth": set_at("mouth_width", 0, 0),
    "turned without end": set_at("rest_angles", 0, np.nan),
    "a rate by zero": set_at("frame_rate", 1, 0),
    "a rate below zero": set_at("frame_rate", 0, -25),
    "a rate of one number": lambda c: c.update(frame_rate=np.int64(25)),
    "a frame of no size": set_at("frame_size", 0, 0),
    "words for numbers": lambda c: c.update(turn=np.full(c["turn"].shape, "x")),
    "records": lambda c: c.update(turn=np.zeros(c["turn"].shape, [("a", "f4"), ("b", "f4")])),
    "pickled objects": lambda c: c.update(turn=np.array([{"a": 1}], dtype=object)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_track_is_refused(saved: Path, damage: Callable[[Contents], object]) -> None:
    with pytest.raises(BrokenTrack, match=r"wave\.npz"):
        read_track(edited(saved, damage))


def test_an_untouched_track_survives_the_editing_of_these_tests(saved: Path) -> None:
    assert read_track(edited(saved, lambda _: None)).frame_count == COUNT


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_track_is_refused(saved: Path, share: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BrokenTrack):
        read_track(saved)


def test_flipped_bytes_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        entry = archive.getinfo("expression.npy")
    data = bytearray(saved.read_bytes())
    middle = entry.header_offset + 60 + entry.compress_size // 2
    data[middle : middle + 40] = bytes(byte ^ 0xFF for byte in data[middle : middle + 40])
    saved.write_bytes(data)
    with pytest.raises(BrokenTrack):
        read_track(saved)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.npz"):
        with pytest.raises(BrokenTrack):
            read_track(path)


def with_header(saved: Path, header: str) -> Path:
    """The file with that text as the header of one array."""
    header += " " * (127 - 10 - len(header)) + "\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w") as archive:
        for name, whole in members.items():
            archive.writestr(name, content if name == "log_zoom.npy" else whole)
    return saved


@pytest.mark.parametrize("count", [10**6, 10**12, -1])
def test_a_header_that_promises_much_takes_no_memory(saved: Path, count: int) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}"
    with pytest.raises(BrokenTrack, match="shape"):
        read_track(with_header(saved, header))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': (), 'fortran_order': False, 'shape': (5,)}",
        *("{'descr': '<f4', 'shape': ((", "(" * 5000, "'", "[]", "{}", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:Reading")
def test_a_header_that_is_none_is_refused(saved: Path, header: str) -> None:
    with pytest.raises(BrokenTrack):
        read_track(with_header(saved, header))


def test_what_is_packed_behind_an_array_is_not_unpacked(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, whole in members.items():
            archive.writestr(name, whole + bytes(50_000_000 if name == "turn.npy" else 0))
    with pytest.raises(BrokenTrack, match="length"):
        read_track(saved)
