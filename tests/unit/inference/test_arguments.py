"""The options of `animato animate`: their defaults, what they take, and what contradicts what."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from inference.argument_types import (
    crop_box,
    face_choice,
    frame_number,
    margin,
    padding_px,
    positive_count,
    positive_seconds,
    seconds,
    side_px,
    smoothing_s,
    strength,
    video_path,
)
from inference.arguments import (
    ANIMATE,
    PREPARE,
    Defaults,
    add_animate_arguments,
    check_animate_arguments,
)
from inference.engine import find_engine
from inference.engine_arguments import check_engine_options, engine_options_of
from inference.engine_options import EngineOptions, parse_options
from jobs.model import CropBox

PHOTO = ["--source_image", "me.jpg"]
CLIP = ["--driving_video", "clip.mp4"]
TEMPLATE = ["--template", "nod"]
VOICE = ["--voice", "say.ogg"]
OUTPUT = ["--output", "out.mp4"]


def parsed(*arguments: str, defaults: Defaults = ANIMATE) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="animato animate")
    add_animate_arguments(parser, defaults)
    found = parser.parse_args(arguments)
    check_animate_arguments(parser, found, defaults)
    return found


def refused(
    capsys: pytest.CaptureFixture[str], *arguments: str, defaults: Defaults = ANIMATE
) -> str:
    """What is said of a usage error."""
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments, defaults=defaults)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_defaults_are_those_of_the_documentation() -> None:
    found = parsed(*PHOTO, *CLIP, *OUTPUT)
    assert found.source_image == Path("me.jpg")
    assert found.driving_video == Path("clip.mp4")
    assert found.output == Path("out.mp4")
    assert found.template is None
    assert found.voice is None
    assert found.engine is None
    assert found.face is None
    assert found.face_box is None
    assert found.paste_back is True
    assert found.mark is False
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
    ],
)
def test_an_option_for_clips_and_voices_is_refused_with_a_template(
    capsys: pytest.CaptureFixture[str], option: list[str], name: str
) -> None:
    said = refused(capsys, *PHOTO, *TEMPLATE, *OUTPUT, *option)
    assert f"{name} requires --driving_video or --voice" in said
    assert parsed(*PHOTO, *VOICE, *TEMPLATE, *OUTPUT, *option).voice == Path("say.ogg")


def test_a_part_of_a_voice_that_is_too_short_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, *PHOTO, *VOICE, *OUTPUT, "--duration", "0.2")
    assert "--duration must be at least 0.3 s with --voice" in said
    assert parsed(*PHOTO, *VOICE, *OUTPUT, "--duration", "0.3").duration == 0.3
    assert parsed(*PHOTO, *CLIP, *OUTPUT, "--duration", "0.2").duration == 0.2


@pytest.mark.parametrize("leader", ["TEMPLATE", "VOICE"])
def test_only_a_clip_has_a_driving_face(capsys: pytest.CaptureFixture[str], leader: str) -> None:
    box = ["--driving_face_box", "1,1,50,50"]
    said = refused(capsys, *PHOTO, *(TEMPLATE if leader == "TEMPLATE" else VOICE), *OUTPUT, *box)
    assert "--driving_face_box requires --driving_video" in said


def test_a_template_goes_with_a_voice_and_a_clip_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parsed(*PHOTO, *VOICE, *TEMPLATE, *OUTPUT).template == "nod"
    said = refused(capsys, *PHOTO, *VOICE, *CLIP, *OUTPUT)
    assert "--voice cannot be used with --driving_video" in said


def test_a_voice_is_not_repeated_nor_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = refused(capsys, *PHOTO, *VOICE, *TEMPLATE, *OUTPUT, "--loop", "2")
    assert "--loop requires --template" in said
    (tmp_path / "a.mp4").touch()
    same = str(tmp_path / "a.mp4")
    said = refused(capsys, *PHOTO, "--voice", same, "--output", same)
    assert "--output would overwrite --voice" in said


def test_the_program_of_2021_knows_no_voice(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, *VOICE, defaults=PREPARE)
    assert "unrecognized arguments: --voice" in said


def test_a_clip_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, "--loop", "2")
    assert "--loop requires --template" in said


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
    assert face_choice("all") == "all"
    assert video_path("folder/A.MP4") == Path("folder/A.MP4")
    for name in ("a.mkv", "a.gif", "a.webp"):
        assert video_path(name) == Path(name)
    assert side_px("0") == 0
    assert side_px("64") == 64
    assert seconds("0") == 0.0
    assert seconds("2.5") == 2.5
    assert positive_seconds("0.1") == 0.1
    assert positive_count("100") == 100
    assert (padding_px("0"), padding_px("5000")) == (0, 5000)
    assert frame_number("17") == 17
    assert margin("1.6") == 1.6
    assert smoothing_s("0") == 0.0


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *(
            (crop_box, text)
            for text in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "9,9,3,20", "1.5,2,3,4")
        ),
        *((face_choice, text) for text in ("0", "-1", "1.5", "both", "")),
        *((video_path, text) for text in ("out.avi", "out", "mp4", "out.mp4/")[:3]),
        *((side_px, text) for text in ("63", "-1", "1e3", "12.5", "")),
        *((seconds, text) for text in ("-1", "nan", "inf", "soon", "1e9", "")),
        *((positive_seconds, text) for text in ("0", "-2", "nan")),
        *((positive_count, text) for text in ("0", "101", "-3", "2.0", "")),
        *((padding_px, text) for text in ("-1", "1.5", "1e3", "5001", "")),
        *((frame_number, text) for text in ("-1", "first", "1.0", "")),
        *((margin, text) for text in ("0.9", "5", "nan", "inf", "")),
        *((smoothing_s, text) for text in ("-0.1", "2", "nan", "")),
        *((strength, text) for text in ("0.4", "1.6", "nan", "more", "")),
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
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, "--strength", "2")
    assert "'2' is not a number from 0.5 to 1.5" in said


# --- what is asked of the engine ------------------------------------------------------------------


def asked(*arguments: str, defaults: Defaults = ANIMATE) -> EngineOptions:
    options, _ = engine_options_of(
        parsed(*PHOTO, *CLIP, *OUTPUT, *arguments, defaults=defaults), defaults.engine_options
    )
    return options


def test_animate_crops_and_prepare_does_what_the_original_did() -> None:
    assert asked() == EngineOptions(crop_image=True, crop_video=True, crop_margin=2.0)
    assert asked(defaults=PREPARE) == EngineOptions(
        crop_image=False, crop_video=False, crop_margin=1.6, precision="float32"
    )
    shared = (asked(), asked(defaults=PREPARE))
    assert all(options.relative and options.adapt_scale for options in shared)
    assert not any(options.find_best_frame or options.best_frame for options in shared)


def test_prepare_has_the_originals_files_engine_and_square() -> None:
    found = parsed(*PHOTO, *CLIP, defaults=PREPARE)
    assert found.output == Path("generated.mp4")
    assert (found.paste_back, found.max_side, found.audio) == (False, 0, None)
    assert found.mark is False
    assert not hasattr(found, "engine")
    assert parsed(*TEMPLATE, *PHOTO, defaults=PREPARE).driving_video is None
    assert PREPARE.engine == "fomm"


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        (["--config", "a.yaml"], "config", Path("a.yaml")),
        (["--checkpoint", "a.pth.tar"], "checkpoint", Path("a.pth.tar")),
        (["--crop_image"], "crop_image", True),
        (["-ci"], "crop_image", True),
        (["--no-crop_image"], "crop_image", False),
        (["-ci", "--crop_image_padding", "1", "2", "3", "4"], "crop_image_padding", (1, 2, 3, 4)),
        (["-ci", "-cip", "1", "2", "3", "4"], "crop_image_padding", (1, 2, 3, 4)),
        (["--crop_video"], "crop_video", True),
        (["-cv"], "crop_video", True),
        (["--relative"], "relative", True),
        (["--no-relative"], "relative", False),
        (["--adapt_scale"], "adapt_scale", True),
        (["--no-adapt_scale"], "adapt_scale", False),
        (["--find_best_frame"], "find_best_frame", True),
        (["--best_frame", "0"], "best_frame", 0),
        (["--cpu"], "device", "cpu"),
        (["--crop_margin", "3"], "crop_margin", 3.0),
        (["--smooth", "0.1"], "smooth", 0.1),
        (["--face_detector", "lbp"], "face_detector", "lbp"),
        (["--precision", "bfloat16"], "precision", "bfloat16"),
        (["--align_corners"], "align_corners", True),
    ],
)
@pytest.mark.parametrize("defaults", [ANIMATE, PREPARE], ids=["animate", "prepare"])
def test_each_option_of_the_engine_is_taken(
    arguments: list[str], option: str, value: object, defaults: Defaults
) -> None:
    found = asked(*arguments, defaults=defaults)
    assert getattr(found, option) == value
    assert type(getattr(found, option)) is type(value) or isinstance(value, Path)


def test_strength_is_an_option_of_animate_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("--strength", "1.5").strength == 1.5
    assert (asked().strength, asked(defaults=PREPARE).strength) == (1.0, 1.0)
    assert "--strength" in refused(capsys, *PHOTO, *CLIP, "--strength", "1", defaults=PREPARE)


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        (("--region", "lips"), "region", "lips"),
        (("--no-stitching",), "stitching", False),
        (("--normalise_lips",), "normalise_lips", True),
        (("--retarget_eyes",), "retarget_eyes", True),
        (("--retarget_lips",), "retarget_lips", True),
    ],
)
def test_options_of_liveportrait_are_taken_for_it_alone(
    arguments: tuple[str, ...], option: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert getattr(asked(*arguments), option) == value
    parser, plain = argparse.ArgumentParser(), parsed(*PHOTO, *CLIP, *OUTPUT)
    check_engine_options(parser, plain, frozenset({option}), find_engine("liveportrait"))
    for other in ("fomm", "mesh"):
        with pytest.raises(SystemExit):
            check_engine_options(parser, plain, frozenset({option}), find_engine(other))
        assert f"support --{option}; use liveportrait" in capsys.readouterr().err


def test_unknown_region_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice: 'nose'" in refused(capsys, *PHOTO, *CLIP, *OUTPUT, "--region", "nose")
    with pytest.raises(ValidationError):
        parse_options({"region": "nose"})


def test_padding_goes_with_cropping(capsys: pytest.CaptureFixture[str]) -> None:
    padding = ("-cip", "1", "2", "3", "4")
    assert asked(*padding).crop_image_padding == (1, 2, 3, 4)
    said = refused(capsys, *PHOTO, *CLIP, *OUTPUT, *padding, "--no-crop_image")
    assert "--crop_image_padding requires --crop_image" in said


def test_in_2021_padding_without_cropping_did_nothing_and_was_no_mistake() -> None:
    found = parsed(*PHOTO, *CLIP, *OUTPUT, "-cip", "1", "2", "3", "4", defaults=PREPARE)
    assert found.crop_image is None


@pytest.mark.parametrize(
    ("arguments", "missing", "flag"),
    [([], "test/02.png", "--source_image"), (PHOTO, "test/04.mp4", "--driving_video")],
)
def test_samples_that_are_not_there_are_a_usage_error_with_the_flag(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    missing: str,
    flag: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, *arguments, defaults=PREPARE)
    assert f"{missing} does not exist; pass a file with {flag}" in said


def test_samples_that_are_there_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test").mkdir()
    for name in ("02.png", "04.mp4"):
        (tmp_path / "test" / name).touch()
    found = parsed(defaults=PREPARE)
    assert (found.source_image, found.driving_video) == (Path("test/02.png"), Path("test/04.mp4"))


def test_an_option_that_an_engine_does_not_understand_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser, plain = argparse.ArgumentParser(), parsed(*PHOTO, *CLIP, *OUTPUT)
    options = frozenset({"device", "relative"})
    check_engine_options(parser, plain, options, find_engine("fomm"))
    check_engine_options(parser, plain, frozenset({"relative", "strength"}), find_engine("mesh"))
    for option, flag in (("smooth", "--smooth"), ("device", "--cpu")):
        with pytest.raises(SystemExit) as ended:
            check_engine_options(parser, plain, frozenset({option}), find_engine("mesh"))
        assert ended.value.code == 2
        assert f"the engine mesh does not support {flag}; use fomm" in capsys.readouterr().err


def test_all_faces_go_with_an_engine_that_moves_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser, everybody = argparse.ArgumentParser(), parsed(*PHOTO, *CLIP, *OUTPUT, "--face", "all")
    check_engine_options(parser, everybody, frozenset(), find_engine("mesh"))
    with pytest.raises(SystemExit) as ended:
        check_engine_options(parser, everybody, frozenset(), find_engine("fomm"))
    assert ended.value.code == 2
    assert (
        "the engine fomm does not support --face all; use liveportrait or mesh"
        in capsys.readouterr().err
    )
