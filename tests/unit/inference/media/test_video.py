"""Clips become normal, and are read again frame by frame."""

import gc
import os
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from inference.media.ffmpeg import executable
from inference.media.limits import ClipLimits
from inference.media.normalised_clip import NormalisedClip, normalise_clip
from inference.media.probe import probe
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.errors import (
    ClipTooLong,
    ClipTooManyPixels,
    DecoderFailed,
    FileMissing,
    MediaDamaged,
    MediaTooLarge,
    NoFrameDecoded,
    StartBeyondEnd,
)
from jobs.model import CropBox
from jobs.templates import SHIPPED_TEMPLATES

TEST_PICTURES = "testsrc2=s=96x64:r=25:d=2"
TONE = "sine=440:d=2"


def make(path: Path, *arguments: str) -> Path:
    """A clip made by ffmpeg."""
    command = [executable(), "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def make_plain(path: Path, *arguments: str) -> Path:
    return make(path, "-f", "lavfi", "-i", TEST_PICTURES, "-f", "lavfi", "-i", TONE, *arguments)


def frames_of(path: Path) -> list[npt.NDArray[np.uint8]]:
    with ClipReader(path) as reader:
        return list(reader)


def running_ffmpegs() -> list[str]:
    """The ffmpeg processes that this process started and that still run."""
    listing = subprocess.run(
        ["ps", "-axo", "ppid=,stat=,comm="],  # noqa: S607 - ps is where the system has it
        check=True,
        capture_output=True,
        text=True,
    )
    ours = [line.split(None, 2) for line in listing.stdout.splitlines()]
    return [row[2] for row in ours if row[0] == str(os.getpid()) and "ffmpeg" in row[2]]


def flash_and_beep(path: Path) -> tuple[float, float]:
    """When the pictures turn white and when the sound sets in, s."""
    with av.open(str(path)) as clip:
        flash_s = next(
            frame.time
            for frame in clip.decode(video=0)
            if frame.to_ndarray(format="gray").mean() > 128
        )
    with av.open(str(path)) as clip:
        for block in clip.decode(audio=0):
            samples = np.abs(block.to_ndarray().astype(np.float64)).max(axis=0)
            scale = 1 if block.format.name.startswith("flt") else 32768
            loud = np.flatnonzero(samples > 0.1 * scale)
            if loud.size:
                assert flash_s is not None
                assert block.time is not None
                return flash_s, block.time + loud[0] / block.sample_rate
    message = "no beep"
    raise AssertionError(message)


def make_flash(path: Path, *arguments: str, later_s: float = 0.0) -> Path:
    """White and loud from 1.0 s to 1.2 s; the pictures begin `later_s` after the sound."""
    begin, end = 0.999 - later_s, 1.199 - later_s
    pictures = (
        f"color=black:s=64x48:r=25:d=2,drawbox=c=white:t=fill:enable='between(t,{begin},{end})'"
    )
    sound = "aevalsrc='0.5*sin(2*PI*1000*t)*between(t,1,1.2)':s=48000:d=2"
    return make(
        path,
        *("-itsoffset", str(later_s), "-f", "lavfi", "-i", pictures),
        *("-f", "lavfi", "-i", sound, *arguments),
    )


# --- probe --------------------------------------------------------------------------------------


def test_probe_tells_size_rate_length_and_sound(tmp_path: Path) -> None:
    found = probe(make_plain(tmp_path / "a.mp4"))
    assert (found.width, found.height) == (96, 64)
    assert found.frame_rate == 25
    assert found.duration_s == pytest.approx(2.0, abs=0.01)
    assert found.has_audio


def test_probe_does_not_believe_an_endless_file_name(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        probe(tmp_path / "http:x.mp4")


# --- normalise ----------------------------------------------------------------------------------


def test_a_normal_clip_keeps_its_frames_and_says_what_it_is(tmp_path: Path) -> None:
    clip = normalise_clip(make_plain(tmp_path / "a.mp4"), tmp_path / "n.mp4", ClipLimits())
    assert clip == NormalisedClip(
        tmp_path / "n.mp4", 96, 64, 96, 64, Fraction(25), 50, True, damaged=False, shortened=False
    )
    with av.open(str(clip.path)) as mp4:
        video = mp4.streams.video[0]
        assert video.time_base is not None
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        times = sorted(p.pts * video.time_base for p in mp4.demux(video) if p.pts is not None)
    assert times == [Fraction(index, 25) for index in range(50)]


def test_clip_that_is_not_kept_is_larger_and_no_worse(tmp_path: Path) -> None:
    source = SHIPPED_TEMPLATES / "blink.mp4"
    original = np.array(frames_of(source), int)
    sizes, errors = [], []
    for compact in (True, False):
        limits = ClipLimits(max_side=None, compact=compact)
        clip = normalise_clip(source, tmp_path / f"{compact}.mp4", limits)
        sizes.append(clip.path.stat().st_size)
        errors.append(float(((np.array(frames_of(clip.path), int) - original) ** 2).mean()))
    assert sizes[1] > 2 * sizes[0]
    assert errors[1] < 1.1 * errors[0]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("601.mp4", ["scale=out_color_matrix=bt601", "yuv420p", "smpte170m", "tv"]),
        ("full.mp4", ["scale=out_color_matrix=bt709:out_range=pc", "yuvj420p", "bt709", "pc"]),
        ("untagged.mp4", ["scale=out_color_matrix=bt601", "yuv420p", "unknown", "tv"]),
        ("hd.mp4", ["scale=960:720:out_color_matrix=bt709", "yuv420p", "unknown", "tv"]),
        ("deep.mp4", ["scale=out_color_matrix=bt709", "yuv420p10le", "bt709", "tv"]),
    ],
)
def test_colours_survive_whatever_matrix_they_came_in(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    scale, pixels, matrix, colour_range = arguments
    chain = f"{scale},format={pixels},setparams=colorspace={matrix}:range={colour_range}"
    pictures = "color=0x28b4e6:s=64x48:r=25:d=0.2,format=rgb24"
    make(tmp_path / name, "-f", "lavfi", "-i", pictures, "-vf", chain, "-crf", "4")
    clip = normalise_clip(tmp_path / name, tmp_path / "n.mp4")
    middle = frames_of(clip.path)[0][20:28, 20:44].reshape(-1, 3).mean(axis=0)
    assert np.abs(middle - (0x28, 0xB4, 0xE6)).max() <= 3


@pytest.mark.parametrize("start_s", [0.0, 0.31])
@pytest.mark.parametrize(
    ("name", "arguments", "later_s"),
    [
        ("a.mp4", [], 0.0),
        ("late.mkv", ["-c:a", "libopus"], 0.4),
        ("a.ts", [], 0.0),
        ("mono.mp4", ["-ar", "16000", "-ac", "1"], 0.0),
    ],
)
def test_flash_and_beep_stay_together(
    tmp_path: Path, name: str, arguments: list[str], later_s: float, start_s: float
) -> None:
    source = make_flash(tmp_path / name, *arguments, later_s=later_s)
    clip = normalise_clip(source, tmp_path / "n.mp4", start_s=start_s)
    with (
        ClipReader(clip.path) as frames,
        VideoWriter(
            tmp_path / "out.mp4",
            clip.width,
            clip.height,
            clip.frame_rate,
            audio_from=clip.path,
            comment="",
        ) as writer,
    ):
        for frame in frames:
            writer.write(frame)
    for path in (clip.path, tmp_path / "out.mp4"):
        flash_s, beep_s = flash_and_beep(path)
        assert flash_s == pytest.approx(1.0 - start_s, abs=0.021)
        assert beep_s == pytest.approx(flash_s, abs=0.025)


def test_a_late_start_in_a_transport_stream_is_exact_and_unbroken(tmp_path: Path) -> None:
    pictures = "color=black:s=64x48:r=25:d=13,drawbox=c=white:t=fill:enable='gte(t,12.199)'"
    noise = "noise=alls=20:allf=t"
    coding = ["-c:v", "libx264", "-g", "40", "-bf", "3", "-x264-params", "open-gop=1:scenecut=0"]
    source = tmp_path / "long.ts"
    make(source, "-f", "lavfi", "-i", f"{pictures},{noise}", *coding)
    limits = ClipLimits(max_duration_s=None)
    clip = normalise_clip(source, tmp_path / "n.mp4", limits, start_s=12.0)
    brightness = [frame.mean() for frame in frames_of(clip.path)]
    assert len(brightness) == 25
    assert max(brightness[:5]) < 60
    assert min(brightness[5:]) > 190
    assert not clip.damaged


def test_sound_that_begins_later_than_the_pictures_gets_silence_first(tmp_path: Path) -> None:
    source = tmp_path / "late sound.mkv"
    late = ["-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=440:d=1"]
    make(source, "-f", "lavfi", "-i", TEST_PICTURES, *late)
    clip = normalise_clip(source, tmp_path / "n.mp4")
    with av.open(str(clip.path)) as mp4:
        blocks = list(mp4.decode(audio=0))
    samples = np.concatenate([np.abs(block.to_ndarray()).max(axis=0) for block in blocks])
    assert blocks[0].time == pytest.approx(0, abs=0.001)
    assert np.argmax(samples > 0.05) / blocks[0].sample_rate == pytest.approx(0.5, abs=0.025)


def test_a_part_is_cut_to_the_frame(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    clip = normalise_clip(source, tmp_path / "n.mp4", start_s=0.4, duration_s=0.6)
    assert clip.frame_count == 15
    assert not clip.shortened
    whole = frames_of(normalise_clip(source, tmp_path / "whole.mp4").path)
    part = frames_of(clip.path)
    for cut, original in zip(part, whole[10:], strict=False):
        assert np.abs(cut.astype(int) - original).mean() < 3
    with av.open(str(clip.path)) as mp4:
        samples = sum(block.samples for block in mp4.decode(audio=0))
    assert samples / 44100 == pytest.approx(0.6, abs=0.03)


def test_a_long_clip_is_shortened_and_says_so(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    clip = normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_duration_s=1.0))
    assert (clip.frame_count, clip.shortened) == (25, True)
    clip = normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_frames=7))
    assert (clip.frame_count, clip.shortened) == (7, True)


def test_a_clip_as_long_as_the_limit_is_not_shortened(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    clip = normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_duration_s=2.0))
    assert (clip.frame_count, clip.shortened) == (50, False)


def test_a_part_that_is_too_long_is_refused(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    with pytest.raises(ClipTooLong):
        normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_duration_s=1.0), duration_s=1.5)
    assert not (tmp_path / "n.mp4").exists()


def test_a_start_behind_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartBeyondEnd):
        normalise_clip(make_plain(tmp_path / "a.mp4"), tmp_path / "n.mp4", start_s=2.5)
    assert not (tmp_path / "n.mp4").exists()


def test_too_many_bytes_or_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    with pytest.raises(MediaTooLarge):
        normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_bytes=1000))
    with pytest.raises(ClipTooManyPixels):
        normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_pixels=96 * 63))


def test_large_frames_shrink_to_the_longest_side(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    clip = normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_side=50))
    assert (clip.width, clip.height) == (50, 34)
    assert frames_of(clip.path)[0].shape == (34, 50, 3)
    whole = normalise_clip(source, tmp_path / "n.mp4", ClipLimits(max_side=None))
    assert (whole.width, whole.height) == (96, 64)


def test_sound_is_left_out_when_it_is_not_wanted(tmp_path: Path) -> None:
    source = make_plain(tmp_path / "a.mp4")
    clip = normalise_clip(source, tmp_path / "n.mp4", replace(ClipLimits(), audio=False))
    assert not clip.has_audio
    assert not probe(clip.path).has_audio


def test_names_with_colons_and_dashes_are_only_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = make_plain(tmp_path / "a.mp4").rename(tmp_path / "-http:x %03d.mp4")
    clip = normalise_clip(Path(source.name), Path("-concat:n.mp4"))
    assert len(frames_of(clip.path)) == 50


def test_a_decoder_that_dies_without_a_word_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_plain(tmp_path / "a.mp4")
    program = tmp_path / "dies"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(DecoderFailed):
        normalise_clip(source, tmp_path / "n.mp4")


# --- read ---------------------------------------------------------------------------------------


def test_frames_come_in_order_and_are_the_callers_own(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48, Fraction(25), comment="", crf=4) as writer:
        for index in range(20):
            writer.write(np.full((48, 64, 3), 10 + 10 * index, dtype=np.uint8))
    frames = frames_of(tmp_path / "a.mp4")
    assert [round(frame.mean() / 10) for frame in frames] == list(range(1, 21))
    assert all(frame.shape == (48, 64, 3) and frame.flags.writeable for frame in frames)


def test_a_part_of_the_frames_is_that_of_the_whole_frames(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    noise = np.random.default_rng(4).integers(0, 255, (5, 24, 32, 3), np.uint8)
    with VideoWriter(clip, 128, 96, Fraction(25), comment="test") as writer:
        for frame in noise:
            writer.write(frame.repeat(4, axis=0).repeat(4, axis=1))
    part = CropBox(left=16, upper=30, right=76, lower=64)

    with ClipReader(clip) as whole, ClipReader(clip, part=part) as cut:
        for frame, found in zip(whole, cut, strict=True):
            assert found.shape == (34, 60, 3)
            # At its border, colours stored at half the resolution have other neighbours.
            wanted = frame[34:60, 20:72]
            np.testing.assert_array_equal(found[4:-4, 4:-4], wanted)


def test_a_reader_closed_early_leaves_no_process(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", "-f", "lavfi", "-i", "testsrc2=s=640x480:r=25:d=4")
    reader = ClipReader(source, width=640, height=480)
    next(reader)
    assert running_ffmpegs(), "without a running process this test shows nothing"
    reader.close()
    reader.close()
    assert not running_ffmpegs()
    assert list(reader) == []


def test_an_exception_while_reading_leaves_no_process(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", "-f", "lavfi", "-i", "testsrc2=s=640x480:r=25:d=4")

    def interrupted() -> None:
        with ClipReader(source) as reader:
            next(reader)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not running_ffmpegs()


def test_a_reader_that_is_never_read_starts_nothing(tmp_path: Path) -> None:
    ClipReader(make_plain(tmp_path / "a.mp4"))
    gc.collect()
    assert not running_ffmpegs()


def test_a_clip_that_breaks_off_gives_its_frames_and_then_an_error(tmp_path: Path) -> None:
    whole = make_plain(tmp_path / "a.mp4", "-movflags", "+faststart").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    frames: list[npt.NDArray[np.uint8]] = []
    with ClipReader(cut) as reader, pytest.raises(MediaDamaged):
        frames.extend(reader)
    assert 10 < len(frames) < 50
    assert not running_ffmpegs()


def test_a_clip_without_a_single_frame_is_named(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"\0" * 1000)
    with ClipReader(junk, width=8, height=8) as reader, pytest.raises(NoFrameDecoded):
        next(reader)
