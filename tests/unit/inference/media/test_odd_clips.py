"""Odd clips: each gives what it shows, or what of it is there.

All are made here, tiny, by ffmpeg or by hand.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from inference.media.video import ClipReader
from tests.unit.inference.clips import SINE, lavfi, make, normalised, nothing_hangs, pictures

__all__ = ["nothing_hangs"]  # the fixture is used by every test of this file


# --- clips that are odd and right -----------------------------------------------------------------


@dataclass(frozen=True)
class Odd:
    """How ffmpeg makes a clip, and what is to come of it."""

    name: str
    arguments: list[str]
    width: int = 64
    height: int = 48
    rate: Fraction = Fraction(25)
    frames: int = 25
    sound_channels: int = 0


ALPHA = "color=red@0.0:s=64x48:r=25:d=1,format=rgba,drawbox=x=32:c=blue@1.0:t=fill:replace=1"

ODD_CLIPS = [
    Odd("23.976.mp4", lavfi(pictures(rate="24000/1001")), rate=Fraction(24000, 1001), frames=24),
    Odd("23.976.mkv", lavfi(pictures(rate="24000/1001")), rate=Fraction(24000, 1001), frames=24),
    Odd("29.97.webm", lavfi(pictures(rate="30000/1001")), rate=Fraction(30000, 1001), frames=30),
    Odd("29.97.flv", lavfi(pictures(rate="30000/1001")), rate=Fraction(30000, 1001), frames=30),
    Odd("12.5.mp4", lavfi(pictures(rate="25/2", length_s=2)), rate=Fraction(25, 2)),
    Odd("50.mkv", lavfi(pictures(rate="50")), rate=Fraction(50), frames=50),
    Odd("60.webm", lavfi(pictures(rate="60")), rate=Fraction(60), frames=60),
    Odd("59.94.ts", lavfi(pictures(rate="60000/1001")), rate=Fraction(60000, 1001), frames=60),
    Odd("120.mp4", lavfi(pictures(rate="120")), rate=Fraction(60), frames=60),
    Odd("17.mp4", lavfi(pictures(rate="17")), rate=Fraction(17), frames=17),
    Odd("plain.gif", lavfi(pictures())),
    Odd("plain.avi", [*lavfi(pictures()), "-c:v", "mpeg4"]),
    Odd("plain.ogv", [*lavfi(pictures()), "-c:v", "libtheora"]),
    Odd("plain.wmv", [*lavfi(pictures()), "-c:v", "wmv2"]),
    Odd("plain.mpg", [*lavfi(pictures()), "-c:v", "mpeg2video"]),
    Odd("phone.3gp", [*lavfi(pictures("176x144")), "-c:v", "h263"], width=176, height=144),
    Odd("odd.mkv", [*lavfi(pictures("65x47")), "-c:v", "ffv1"], width=64, height=46),
    Odd("thin.mov", [*lavfi("color=s=1x9:r=25:d=1,format=gray"), "-c:v", "png"], 2, 8),
    Odd("wide.mp4", [*lavfi(pictures()), "-vf", "setsar=2"], width=128),
    Odd("tall.mkv", [*lavfi(pictures()), "-vf", "setsar=1/2"], height=96),
    Odd("pal.avi", [*lavfi(pictures()), "-vf", "setsar=16/15"], width=68),
    Odd("nonsense aspect.mp4", [*lavfi(pictures()), "-vf", "setsar=1/500"]),
    Odd("10bit.mp4", [*lavfi(pictures()), "-pix_fmt", "yuv420p10le", "-c:v", "libx264"]),
    Odd("444.mp4", [*lavfi(pictures()), "-pix_fmt", "yuv444p", "-c:v", "libx264"]),
    Odd("grey.mkv", [*lavfi("testsrc2=s=64x48:r=25:d=1"), "-pix_fmt", "gray16", "-c:v", "ffv1"]),
    Odd("hevc.mp4", [*lavfi(pictures()), "-c:v", "libx265", "-x265-params", "log-level=none"]),
    Odd("av1.mp4", [*lavfi(pictures()), "-c:v", "libaom-av1", "-cpu-used", "8"]),
    Odd("interlaced.ts", [*lavfi(pictures()), "-c:v", "mpeg2video", "-flags", "+ildct+ilme"]),
    Odd("mono.mp4", lavfi(pictures(), f"{SINE},aformat=channel_layouts=mono"), sound_channels=1),
    Odd("5.1.mkv", lavfi(pictures(), f"{SINE},pan=5.1|c0=c0|c1=c0|c2=c0"), sound_channels=2),
    Odd("slow sound.mov", [*lavfi(pictures(), SINE), "-ar", "8000"], sound_channels=1),
    Odd("fragmented.mp4", [*lavfi(pictures()), "-movflags", "frag_keyframe+empty_moov"]),
    Odd("one frame.mp4", [*lavfi(pictures()), "-frames:v", "1"], frames=1),
    Odd("one frame.gif", [*lavfi(pictures()), "-frames:v", "1"], frames=1),
]


@pytest.mark.parametrize("odd", ODD_CLIPS, ids=lambda odd: odd.name)
def test_an_odd_clip_becomes_what_it_shows(tmp_path: Path, odd: Odd) -> None:
    clip = normalised(make(tmp_path / odd.name, *odd.arguments))
    assert (clip.width, clip.height) == (odd.width, odd.height)
    if odd.frames > 1:
        assert clip.frame_rate == odd.rate
        # Some containers hold the first picture for one frame more.
        assert odd.frames <= clip.frame_count <= odd.frames + 1
    assert not clip.damaged
    assert not clip.shortened
    with ClipReader(clip.path) as reader:
        frames = list(reader)
    assert len(frames) == clip.frame_count
    if "color=red" in str(odd.arguments) and clip.width > 2:
        first, edge = frames[0], clip.width // 8
        left, right = first[:, :edge].mean(axis=(0, 1)), first[:, -edge:].mean(axis=(0, 1))
        assert left[0] - left[2] > 100
        assert right[2] - right[0] > 100
    with av.open(str(clip.path)) as mp4:
        channels = [audio.codec_context.channels for audio in mp4.streams.audio]
    assert channels == ([odd.sound_channels] if odd.sound_channels else [])


@pytest.mark.parametrize("size", ["2600x64", "64x48"])
def test_a_fast_clip_keeps_every_fourth_frame(tmp_path: Path, size: str) -> None:
    # Each frame has a grey of its own.
    greys = f"color=black:s={size}:r=240:d=0.5,geq=lum='16+N':cb=128:cr=128"
    coding = ["-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv420p"]
    clip = normalised(make(tmp_path / "a.mp4", *lavfi(greys), *coding), is_reduced=True)
    assert clip.frame_rate == 60
    assert clip.frame_count == 30
    with ClipReader(clip.path) as reader:
        levels = np.array([frame.mean() for frame in reader])
    steps = np.diff(levels) * 219 / 255
    assert np.abs(steps - 4).max() < 1.5


@pytest.mark.parametrize(
    ("degrees", "red_side"),
    [("90", np.s_[36:, :]), ("-90", np.s_[:28, :]), ("180", np.s_[:, 40:])],
)
def test_a_turned_clip_stands_upright(
    tmp_path: Path, degrees: str, red_side: tuple[slice, slice]
) -> None:
    make(tmp_path / "a.mp4", *lavfi(pictures()))
    turned = tmp_path / "turned.mp4"
    make(turned, "-display_rotation", degrees, "-i", str(tmp_path / "a.mp4"), "-c", "copy")
    clip = normalised(turned)
    assert (clip.width, clip.height) == ((64, 48) if degrees == "180" else (48, 64))
    with ClipReader(clip.path) as reader:
        frame = next(reader)
    assert frame[red_side][..., 0].mean() > 180
    assert frame[red_side][..., 2].mean() < 60


def test_a_turned_clip_with_wide_pixels_is_turned_after_widening(tmp_path: Path) -> None:
    make(tmp_path / "a.mp4", *lavfi(pictures()), "-vf", "setsar=2")
    turned = tmp_path / "turned.mp4"
    make(turned, "-display_rotation", "90", "-i", str(tmp_path / "a.mp4"), "-c", "copy")
    clip = normalised(turned)
    assert (clip.width, clip.height) == (48, 128)


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("vp9.webm", ["-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"]),
        ("vp8.webm", ["-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"]),
        ("rle.mov", ["-c:v", "qtrle", "-pix_fmt", "argb"]),
        ("prores.mov", ["-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"]),
        ("clear.gif", ["-filter_complex", "[0]split[a][b];[a]palettegen[p];[b][p]paletteuse"]),
        ("clear.webp", ["-c:v", "libwebp_anim", "-lossless", "1", "-pix_fmt", "bgra"]),
    ],
)
def test_transparent_parts_become_white(tmp_path: Path, name: str, coding: list[str]) -> None:
    # Frames that are alike would be made one long picture by some encoders.
    square = "drawbox=x=40:y=8:w=8:h=8:c=yellow:t=fill:replace=1:enable='mod(n,2)'"
    blinking = f"{ALPHA},{square}"
    clip = normalised(make(tmp_path / name, *lavfi(blinking), *coding))
    assert (clip.width, clip.height) == (64, 48)
    assert clip.frame_rate == 25
    assert clip.frame_count == pytest.approx(25, abs=1)
    assert not clip.damaged
    with ClipReader(clip.path) as reader:
        for frame in reader:
            assert frame[:, 4:24].min() > 235
            assert frame[36:, 52:60, 2].min() > 180


def test_a_variable_rate_keeps_its_length_and_its_place(tmp_path: Path) -> None:
    # 30 frames per second for a second, then 10; white from 2 s on.
    base = "color=black:s=64x48:r=30:d=3,drawbox=c=white:t=fill:enable='gte(t,1.999)'"
    source = tmp_path / "variable.mp4"
    make(source, *lavfi(base), "-vf", "select='lt(t,1)+not(mod(n,3))'", "-fps_mode", "vfr")
    clip = normalised(source)
    assert clip.frame_count / clip.frame_rate == pytest.approx(3, abs=0.11)
    with ClipReader(clip.path) as reader:
        brightness = [frame.mean() for frame in reader]
    first_white = next(index for index, level in enumerate(brightness) if level > 128)
    assert first_white / clip.frame_rate == pytest.approx(2, abs=0.06)


def test_a_name_that_lies_does_not_matter(tmp_path: Path) -> None:
    for container, lie in (("gif", "mp4"), ("webm", "avi"), ("mp4", "txt"), ("avi", "jpg")):
        folder = tmp_path / container
        folder.mkdir()
        true_name = make(folder / f"a.{container}", *lavfi(pictures()))
        clip = normalised(true_name.rename(folder / f"a.{lie}"))
        assert clip.frame_count == pytest.approx(25, abs=1)


def test_a_size_that_changes_midway_does_not_change_the_frames(tmp_path: Path) -> None:
    small = make(tmp_path / "a.ts", *lavfi(pictures()), "-c:v", "mpeg2video")
    large = make(tmp_path / "b.ts", *lavfi(pictures("96x80")), "-c:v", "mpeg2video")
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    clip = normalised(both)
    assert (clip.width, clip.height) == (64, 48)
    with ClipReader(clip.path) as reader:
        assert {frame.shape for frame in reader} == {(48, 64, 3)}


def test_a_cover_beside_a_video_is_not_taken_for_it(tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", *lavfi("color=white:s=32x32:d=1"), "-frames:v", "1")
    source = tmp_path / "both.mp4"
    covered = ["-map", "1", "-map", "0", "-c:v:0", "png", "-disposition:v:0", "attached_pic"]
    make(source, *lavfi(pictures()), "-i", str(cover), *covered)
    clip = normalised(source)
    assert (clip.width, clip.height, clip.frame_count) == (64, 48, 25)


def test_a_hole_of_hours_in_the_times_is_bounded(tmp_path: Path) -> None:
    source = tmp_path / "hole.mkv"
    make(source, *lavfi(pictures()), "-vf", "setpts='PTS+gte(N,12)*36000/TB'", "-fps_mode", "vfr")
    clip = normalised(source)
    assert clip.frame_count / clip.frame_rate <= 15
    assert clip.shortened


# --- clips that break off -------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.4, 0.7, 0.95])
@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("a.mp4", ["-movflags", "+faststart"]),
        ("a.mkv", []),
        ("a.webm", ["-c:v", "libvpx", "-deadline", "realtime"]),
        ("a.avi", ["-c:v", "mjpeg"]),
        ("a.gif", []),
        ("a.webp", ["-c:v", "libwebp_anim", "-lossless", "1"]),
    ],
)
def test_a_cut_clip_gives_what_is_there(
    tmp_path: Path, name: str, coding: list[str], kept: float
) -> None:
    noisy = f"{pictures()},noise=alls=30:allf=t"
    data = make(tmp_path / name, *lavfi(noisy), *coding).read_bytes()
    source = tmp_path / f"cut {name}"
    source.write_bytes(data[: int(len(data) * kept)])
    clip = normalised(source)
    assert 2 <= clip.frame_count <= 25
    assert clip.frame_count >= 25 * kept - 8
    assert clip.damaged


def test_a_transport_stream_may_be_cut_anywhere(tmp_path: Path) -> None:
    data = make(tmp_path / "a.ts", *lavfi(pictures(length_s=2)), "-g", "10").read_bytes()
    source = tmp_path / "cut.ts"
    source.write_bytes(data[len(data) // 3 : len(data) * 2 // 3])
    assert 2 <= normalised(source).frame_count <= 45


def test_broken_bytes_in_the_middle_do_not_stop_the_clip(tmp_path: Path) -> None:
    noisy = f"{pictures()},noise=alls=30:allf=t"
    data = bytearray(make(tmp_path / "a.mp4", *lavfi(noisy), "-g", "5").read_bytes())
    begin = data.index(b"mdat") + 4 + len(data) // 3
    data[begin : begin + 400] = b"\xff" * 400
    source = tmp_path / "broken.mp4"
    source.write_bytes(data)
    clip = normalised(source)
    assert clip.frame_count >= 15
    assert clip.damaged
