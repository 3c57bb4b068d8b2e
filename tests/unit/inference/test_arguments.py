"""The options of `animato animate`: their defaults, what they take, and what contradicts what."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.arguments import (
    add_animate_arguments,
    check_animate_arguments,
    crop_box,
    face_choice,
    mp4_path,
    positive_count,
    positive_seconds,
    seconds,
    side_px,
)
from jobs.model import CropBox

PHOTO = ["--source_image", "me.jpg"]
CLIP = ["--driving_video", "clip.mp4"]
TEMPLATE = ["--template", "nod"]
OUTPUT = ["--output", "out.mp4"]


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="animato animate")
    add_animate_arguments(parser)
    found = parser.parse_args(arguments)
    check_animate_arguments(parser, found)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of a usage error."""
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_defaults_are_those_of_the_documentation() -> None:
    found = parsed(*PHOTO, *CLIP, *OUTPUT)
    assert found.source_image == Path("me.jpg")
    assert found.driving_video == Path("clip.mp4")
    assert found.output == Path("out.mp4")
    assert found.template is None
    assert found.engine is None
    assert found.face is None
    assert found.face_box is None
    assert found.paste_back is True
    assert found.max_side == 1280
    assert found.start is None
    assert found.duration is None
    assert found.audio is None
    assert found.loop == 1
    assert found.quiet is False
    assert found.json is False


def test_everything_can_be_said_at_once() -> None:
    found = parsed(
        *PHOTO, *CLIP, *OUTPUT, "--engine", "still", "--face", "2", "--no-paste_back",
        "--max_side", "0", "--start", "1.5", "--duration", "2", "--no-audio",
        "--driving_face_box", "1,2,30,40", "--quiet", "--json",
    )  # fmt: skip
    assert found.engine == "still"
    assert found.face == 2
    assert found.paste_back is False
    assert found.max_side == 0
    assert (found.start, found.duration) == (1.5, 2.0)
    assert found.audio is False
    assert found.driving_face_box == CropBox(left=1, upper=2, right=30, lower=40)
    assert found.quiet is found.json is True


def test_a_template_may_be_repeated() -> None:
    assert parsed(*PHOTO, *TEMPLATE, *OUTPUT, "--loop", "3").loop == 3


@pytest.mark.parametrize(
    "arguments",
    [
        [*CLIP, *OUTPUT],
        [*PHOTO, *OUTPUT],
        [*PHOTO, *CLIP],
        [*PHOTO, *CLIP, *TEMPLATE, *OUTPUT],
        [*PHOTO, *CLIP, *OUTPUT, "--face", "1", "--face_box", "1,1,80,80"],
    ],
    ids=["no photo", "no movement", "no output", "two movements", "two faces"],
)
def test_what_is_missing_or_said_twice_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert "usage: animato animate" in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (["--start", "0"], "--start"),
        (["--duration", "2"], "--duration"),
        (["--audio"], "--audio"),
        (["--no-audio"], "--audio"),
        (["--driving_face_box", "1,1,50,50"], "--driving_face_box"),
    ],
)
def test_an_option_for_clips_is_refused_with_a_template(
    capsys: pytest.CaptureFixture[str], option: list[str], name: str
) -> None:
    said = refused(capsys, *PHOTO, *TEMPLATE, *OUTPUT, *option)
    assert f"{name} goes with --driving_video, not with --template" in said


def test_a_clip_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, "--loop", "2")
    assert "--loop goes with --template" in said


def test_the_output_never_overwrites_the_clip(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    clip = tmp_path / "a.mp4"
    clip.touch()
    (tmp_path / "b").mkdir()
    other = tmp_path / "." / "b" / ".." / "a.mp4"
    said = refused(capsys, *PHOTO, "--driving_video", str(clip), "--output", str(other))
    assert "--output would overwrite --driving_video" in said


def test_the_output_never_overwrites_the_photo(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").touch()
    same = str(tmp_path / "a.mp4")
    said = refused(capsys, "--source_image", same, *TEMPLATE, "--output", same)
    assert "--output would overwrite --source_image" in said


def test_boxes_numbers_and_paths_are_read() -> None:
    assert crop_box("40,30,200,190") == CropBox(left=40, upper=30, right=200, lower=190)
    assert face_choice("3") == 3
    assert face_choice("centre") == face_choice("center") == "centre"
    assert mp4_path("folder/A.MP4") == Path("folder/A.MP4")
    assert side_px("0") == 0
    assert side_px("64") == 64
    assert seconds("0") == 0.0
    assert seconds("2.5") == 2.5
    assert positive_seconds("0.1") == 0.1
    assert positive_count("100") == 100


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *(
            (crop_box, text)
            for text in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "9,9,3,20", "1.5,2,3,4")
        ),
        *((face_choice, text) for text in ("0", "-1", "1.5", "all", "")),
        *((mp4_path, text) for text in ("out.avi", "out", "mp4", "out.mp4/")[:3]),
        *((side_px, text) for text in ("63", "-1", "1e3", "12.5", "")),
        *((seconds, text) for text in ("-1", "nan", "inf", "soon", "1e9", "")),
        *((positive_seconds, text) for text in ("0", "-2", "nan")),
        *((positive_count, text) for text in ("0", "101", "-3", "2.0", "")),
    ],
)
def test_nonsense_is_refused_with_the_text_named(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refusal:
        read(text)
    assert len(str(refusal.value)) > 20
    assert text in str(refusal.value) or read is positive_seconds


def test_nonsense_on_the_command_line_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, "--face_box", "1,2")
    assert "'1,2' is not left,upper,right,lower" in said
