"""Where every pixel counts: an exact clip has its source's own frames, an mkv what was written."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from inference.media.ffmpeg import executable
from inference.media.gate import ClipPart, LookLimits, look_at_clip
from inference.media.limits import ClipLimits
from inference.media.normalised_clip import normalise_clip
from inference.media.probe import probe
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.errors import DecoderFailed
from tests.unit.inference.clips import SINE, lavfi, make, nothing_hangs

__all__ = ["nothing_hangs"]  # the fixture is used by every test of this file

NTSC = Fraction(30000, 1001)
EXACT = ClipLimits(exact=True)
SIZES = [(64, 64), (65, 63)]


def noise(width: int, height: int, count: int = 9) -> npt.NDArray[np.uint8]:
    """Frames in which any loss, resizing or change of colours shows."""
    random = np.random.default_rng(width)
    return random.integers(0, 256, (count, height, width, 3), np.uint8)


def write(path: Path, frames: npt.NDArray[np.uint8], *, loop: int = 1) -> Path:
    _, height, width, _ = frames.shape
    with VideoWriter(path, width, height, NTSC, comment="AI-generated", loop=loop) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def frames_of(path: Path) -> npt.NDArray[np.uint8]:
    with ClipReader(path) as reader:
        return np.stack(list(reader))


def plain_frames_of(path: Path, *more: str) -> npt.NDArray[np.uint8]:
    """What the program of 2021 read: RGB as ffmpeg makes it when it is told nothing else."""
    shown = probe(path)
    command = [executable(), "-v", "error", "-i", str(path), "-pix_fmt", "rgb24", *more]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "pipe:1"], check=True, capture_output=True, timeout=60
    ).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, shown.height, shown.width, 3)


# --- exact clips ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_lossless_frames_pass_the_gate_bit_by_bit(tmp_path: Path, width: int, height: int) -> None:
    frames = noise(width, height)
    source = write(tmp_path / "source.mkv", frames)
    (tmp_path / "out").mkdir()
    limits = LookLimits(clip=ClipLimits(exact=True, max_side=32))
    look = look_at_clip(ClipPart(source), tmp_path / "out", limits)
    assert look.path == tmp_path / "out" / "clip.mp4"
    assert (look.width, look.height, look.frame_count) == (width, height, len(frames))
    assert (look.frame_rate, look.scale) == (NTSC, 1.0)
    np.testing.assert_array_equal(frames_of(look.path), frames)


def test_without_exact_neither_size_nor_pixels_are_kept(tmp_path: Path) -> None:
    frames = noise(65, 63)
    clip = normalise_clip(write(tmp_path / "source.mkv", frames), tmp_path / "n.mp4")
    assert (clip.width, clip.height) == (64, 62)
    assert np.abs(frames_of(clip.path).astype(int) - frames[:, :62, :64]).mean() > 5


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plain.mp4", ["-pix_fmt", "yuv420p"]),
        ("odd.webm", ["-vf", "scale=95:63", "-pix_fmt", "yuv420p", "-c:v", "libvpx-vp9"]),
        ("full.mp4", ["-vf", "scale=out_range=pc", "-pix_fmt", "yuvj420p"]),
        ("709.mp4", ["-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-colorspace", "bt709"]),
        ("hd.mp4", ["-vf", "scale=960:720,setsar=1", "-pix_fmt", "yuv420p", "-frames:v", "3"]),
        ("deep.mp4", ["-pix_fmt", "yuv420p10le"]),
        ("full_chroma.mp4", ["-pix_fmt", "yuv444p"]),
        ("palette.gif", ["-frames:v", "5"]),
        ("holes.gif", ["-vf", "format=rgba,geq=r='r(X,Y)':a='if(lt(X,48),0,255)'"]),
        ("rgb.mp4", ["-c:v", "libx264rgb", "-crf", "0"]),
    ],
)
def test_frames_are_those_that_ffmpeg_gives_when_it_is_told_nothing(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    source = make(tmp_path / name, *lavfi("testsrc2=s=96x64:r=25:d=0.4"), *arguments)
    clip = normalise_clip(source, tmp_path / "n.mp4", EXACT)
    shown = probe(source)
    assert (clip.width, clip.height) == (shown.width, shown.height)
    np.testing.assert_array_equal(frames_of(clip.path), plain_frames_of(source))


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    wide = ["-vf", "setsar=4/3", "-pix_fmt", "yuv420p"]
    source = make(tmp_path / "wide.mp4", *lavfi("testsrc2=s=96x64:r=25:d=0.4"), *wide)
    clip = normalise_clip(source, tmp_path / "n.mp4", EXACT)
    assert (clip.width, clip.height) == (128, 64)
    np.testing.assert_array_equal(frames_of(clip.path), plain_frames_of(source, "-s", "128x64"))


def test_a_turned_clip_stands_upright_and_is_exact(tmp_path: Path) -> None:
    flat = make(tmp_path / "flat.mp4", *lavfi("testsrc2=s=96x64:r=25:d=0.4"))
    turned = tmp_path / "turned.mp4"
    make(turned, "-display_rotation", "90", "-i", str(flat), "-c", "copy")
    clip = normalise_clip(turned, tmp_path / "n.mp4", EXACT)
    assert (clip.width, clip.height) == (64, 96)
    np.testing.assert_array_equal(frames_of(clip.path), plain_frames_of(turned))


def test_a_part_of_a_clip_is_exact_and_keeps_its_sound(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", *lavfi("testsrc2=s=64x48:r=25:d=1", SINE))
    clip = normalise_clip(source, tmp_path / "n.mp4", EXACT, start_s=0.4, duration_s=0.4)
    assert clip.has_audio
    np.testing.assert_array_equal(frames_of(clip.path), plain_frames_of(source)[10:20])
    with av.open(str(clip.path)) as mp4:
        assert mp4.streams.audio[0].codec_context.name == "aac"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("png.mov", ["-c:v", "png"]),
        ("animation.mov", ["-c:v", "qtrle"]),
        ("prores.mov", ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"]),
        ("vp9.webm", ["-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"]),
        ("vp8.webm", ["-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"]),
        ("moving.webp", ["-c:v", "libwebp_anim", "-lossless", "1"]),
    ],
)
def test_transparent_parts_are_what_lies_under_them(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    see_through = "testsrc2=s=96x64:r=10:d=0.5,format=rgba,geq=r='r(X,Y)':a='if(lt(X,48),60,255)'"
    source = make(tmp_path / name, *lavfi(see_through), *arguments)
    plain = plain_frames_of(source)
    frames = frames_of(normalise_clip(source, tmp_path / "n.mp4", EXACT).path)
    np.testing.assert_array_equal(frames, plain)
    # The test would show nothing if there were nothing to see through.
    on_white = frames_of(normalise_clip(source, tmp_path / "n.mp4").path)
    assert np.abs(on_white[:, :, :44].astype(int) - plain[:, :, :44]).mean() > 20


@pytest.mark.parametrize("name", ["fast.mp4", "fast.mkv"])
@pytest.mark.parametrize("rate", ["120", "240", "120000/1001"])
def test_a_fast_clip_keeps_every_frame(tmp_path: Path, name: str, rate: str) -> None:
    lossless = ["-c:v", "libx264rgb", "-crf", "0", "-preset", "ultrafast"]
    source = make(tmp_path / name, *lavfi(f"testsrc2=s=64x48:r={rate}:d=1"), *lossless)
    clip = normalise_clip(source, tmp_path / "n.mp4", EXACT)
    assert (clip.frame_count, clip.frame_rate) == (round(Fraction(rate)), Fraction(rate))
    np.testing.assert_array_equal(frames_of(clip.path), plain_frames_of(source))
    assert normalise_clip(source, tmp_path / "n.mp4").frame_rate <= 60


def test_a_clip_of_variable_rate_is_treated_as_any(tmp_path: Path) -> None:
    gaps = ["-vf", "select='mod(n,9)'", "-fps_mode", "vfr"]
    source = make(tmp_path / "a.mkv", *lavfi("testsrc2=s=64x48:r=120:d=1"), *gaps)
    exact = normalise_clip(source, tmp_path / "n.mp4", EXACT)
    usual = normalise_clip(source, tmp_path / "n.mp4")
    assert (exact.frame_rate, exact.frame_count) == (usual.frame_rate, usual.frame_count)
    assert exact.frame_rate <= 60


def test_a_clip_that_grows_beyond_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mkv", noise(256, 256, 4))
    (tmp_path / "out").mkdir()
    limits = LookLimits(clip=EXACT, file_bytes=200_000)
    with pytest.raises(DecoderFailed, match="too large a file"):
        look_at_clip(ClipPart(source), tmp_path / "out", limits)
    assert list((tmp_path / "out").iterdir()) == []


# --- lossless results -----------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("loop", [1, 3])
def test_an_mkv_gives_back_what_was_written(
    tmp_path: Path, width: int, height: int, loop: int
) -> None:
    frames = noise(width, height)
    path = write(tmp_path / "a.MKV", frames, loop=loop)
    np.testing.assert_array_equal(frames_of(path), np.concatenate([frames] * loop))
    assert [found.name for found in tmp_path.iterdir()] == ["a.MKV"]
    shown = probe(path)
    assert (shown.width, shown.height, shown.frame_rate) == (width, height, NTSC)
    with av.open(str(path)) as mkv:
        assert mkv.format.name.startswith("matroska")
        assert mkv.streams.video[0].codec_context.name == "ffv1"
        assert mkv.metadata["COMMENT"] == "AI-generated"


def test_an_mkv_has_the_clips_sound_to_the_end_of_its_pictures(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", *lavfi("testsrc2=s=64x48:r=25:d=1", SINE))
    clip = normalise_clip(source, tmp_path / "n.mp4", EXACT)
    frames = noise(65, 63, 25)
    for count in (25, 10):
        target = tmp_path / "out.mkv"
        with VideoWriter(target, 65, 63, Fraction(25), audio_from=clip.path, comment="") as writer:
            for frame in frames[:count]:
                writer.write(frame)
        np.testing.assert_array_equal(frames_of(target), frames[:count])
        with av.open(str(target)) as mkv:
            blocks = list(mkv.decode(audio=0))
        length_s = sum(block.samples for block in blocks) / blocks[0].sample_rate
        assert length_s == pytest.approx(count / 25, abs=0.024)


def test_the_writer_tells_the_size_in_the_file(tmp_path: Path) -> None:
    def file_size(name: str) -> tuple[int, int]:
        return VideoWriter(tmp_path / name, 65, 63, NTSC, comment="").file_size

    assert file_size("a.mkv") == (65, 63)
    assert file_size("a.mp4") == (66, 64)


def test_an_exception_leaves_nothing_of_an_mkv(tmp_path: Path) -> None:
    def broken_off() -> None:
        with VideoWriter(tmp_path / "a.mkv", 65, 63, NTSC, comment="") as writer:
            writer.write(noise(65, 63)[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert list(tmp_path.iterdir()) == []
