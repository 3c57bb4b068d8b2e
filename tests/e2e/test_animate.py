"""`animato animate`, as a person types it."""

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence
from skimage.data import astronaut

from inference.media.probe import probe
from inference.media.video import ClipReader
from inference.media.visible_mark import noted
from tests.e2e.conftest import Animato, clean_environment


@pytest.fixture
def animato(quick_animato: Animato) -> Animato:
    """In this process: a start of its own would take longer than most of these runs."""
    return quick_animato


def test_template_animates_the_whole_photo(
    animato_process: Animato, photo: Path, tmp_path: Path
) -> None:
    ended = animato_process(
        "animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4", "--json"
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["path"], said["engine"]) == ("me.mp4", "mesh")
    assert (said["width"], said["height"], said["frames"]) == (400, 400, 75)
    with ClipReader(tmp_path / "me.mp4") as frames:
        shown = list(frames)
    assert len(shown) == 75
    source = astronaut()[:400, 60:460].astype(int)
    assert np.abs(shown[0].astype(int) - source).mean() < 4
    assert np.abs(shown[15].astype(int) - shown[0]).max() > 40  # the eyes are shut
    assert "75/75" in ended.err
    assert "engine: mesh" in ended.err


@pytest.mark.parametrize("face", [(), ("--face", "centre")])
def test_mark_is_drawn_if_it_is_wanted(
    animato: Animato, photo: Path, tmp_path: Path, face: tuple[str, ...]
) -> None:
    shown = {}
    for flag in ("--mark", "--no-mark"):
        ended = animato(
            *("animate", "--source_image", photo, "--template", "blink", *face),
            *("--engine", "still", "--output", f"me{flag}.mkv", flag, "--quiet"),
        )
        assert ended.code == 0, ended.err
        with av.open(str(tmp_path / f"me{flag}.mkv")) as video:
            frame = next(video.decode(video=0)).to_ndarray(format="rgb24")
            shown[flag] = frame, noted(video.metadata.get("DESCRIPTION", ""))
            assert video.metadata["COMMENT"].startswith("AI-generated")
    (marked, place), (plain, none) = shown["--mark"], shown["--no-mark"]
    assert none is None
    assert place is not None
    rows, columns = np.nonzero((marked != plain).any(axis=2))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == place.sides
    assert place.left > 300
    assert place.upper > 300


def test_former_name_of_an_engine_works_with_a_note(animato: Animato, photo: Path) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--engine", "flow", "--json"),
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["engine"] == "mesh"
    assert "note: the engine flow is now called mesh" in ended.err


@pytest.mark.parametrize(
    ("name", "frames", "rate"), [("me.gif", 38, "25/2"), ("me.webp", 75, "25")]
)
def test_output_may_be_an_animation_that_loops(
    animato: Animato, photo: Path, tmp_path: Path, name: str, frames: int, rate: str
) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", name),
        *("--json", "--quiet"),
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["width"], said["height"], said["frames"]) == (400, 400, frames)
    assert said["frame_rate"] == rate
    shown_ms = 0
    with Image.open(tmp_path / name) as animation:
        assert animation.size == (400, 400)
        assert animation.info["loop"] == 0
        for frame in ImageSequence.Iterator(animation):
            frame.load()
            shown_ms += frame.info["duration"]
    assert shown_ms == 3000


def test_clip_animates_the_photo_and_keeps_its_rate(
    animato: Animato, photo: Path, clip: Path, tmp_path: Path
) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--driving_video", clip),
        *("--output", "me.mp4", "--quiet"),
    )
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert "me.mp4: 400 x 400 px, 60 frames (2.4 s), made in" in ended.out
    shown = probe(tmp_path / "me.mp4")
    assert (shown.width, shown.height, shown.frame_rate) == (400, 400, Fraction(25))
    with ClipReader(tmp_path / "me.mp4") as frames:
        moved = [frame.astype(int) for frame in frames]
    assert np.abs(moved[12] - moved[0])[80:180, 120:240].mean() > 4


def test_part_of_a_clip_is_used(animato: Animato, photo: Path, clip: Path) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--driving_video", clip, "--output", "me.mp4"),
        *("--start", "0.2", "--duration", "0.4", "--json", "--quiet"),
    )
    assert json.loads(ended.out)["frames"] == 10


def test_only_the_moving_part_is_shown_without_paste_back(
    animato: Animato, photo: Path, tmp_path: Path
) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--face_box", "115,70,212,167", "--no-paste_back", "--json"),
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert said["width"] < 350
    assert probe(tmp_path / "me.mp4").width == said["width"]


def test_movement_is_repeated(animato: Animato, photo: Path) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--loop", "3", "--engine", "still", "--json"),
    )
    assert json.loads(ended.out)["frames"] == 225


def test_large_photo_is_reduced_unless_the_limit_is_lifted(animato: Animato, photo: Path) -> None:
    common = ("animate", "--source_image", photo, "--template", "blink", "--engine", "still")
    reduced = animato(*common, "--max_side", "200", "--output", "me.mp4", "--json")
    whole = animato(*common, "--max_side", "0", "--output", "me.mp4", "--json")
    assert (json.loads(reduced.out)["width"], json.loads(whole.out)["width"]) == (200, 400)


def test_movement_is_in_the_right_place_of_a_photo_that_keeps_its_size(
    animato: Animato, photo: Path, tmp_path: Path
) -> None:
    with Image.open(photo) as image:
        image.crop((0, 0, 400, 200)).resize((1600, 800)).save(tmp_path / "large.png")
    ended = animato(
        *("animate", "--source_image", "large.png", "--template", "blink", "--output", "me.mp4"),
        *("--max_side", "0", "--json"),
    )
    assert json.loads(ended.out)["width"] == 1600
    with ClipReader(tmp_path / "me.mp4") as frames:
        shown = list(islice(frames, 16))
    moved = np.abs(shown[15].astype(int) - shown[0]).max(axis=-1)
    # The eyes of the photo of 400 px lie at (142, 111) and (178, 111).
    assert moved[420:470, 530:600].max() > 60
    assert moved[420:470, 680:750].max() > 60


def test_box_is_understood_in_px_of_the_photo_as_it_came(animato: Animato, tmp_path: Path) -> None:
    Image.new("RGB", (1000, 3000), "grey").save(tmp_path / "tall.png")
    common = ("animate", "--source_image", "tall.png", "--template", "blink", "--engine", "still")
    inside = animato(*common, "--output", "me.mp4", "--face_box", "300,2500,700,3000")
    assert inside.code == 0, inside.err
    outside = animato(*common, "--output", "me.mp4", "--face_box", "300,2500,700,3010")
    assert outside.code == 1
    assert "300,2500,700,3010 does not fit the picture of 1000 x 3000 px" in outside.err


def test_nothing_of_the_photo_s_metadata_reaches_the_result(
    animato: Animato, photo: Path, tmp_path: Path
) -> None:
    assert b"SECRET-PLACE" in photo.read_bytes()
    animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--engine", "still"),
    )
    made = (tmp_path / "me.mp4").read_bytes()
    assert b"SECRET" not in made
    assert b"photo.jpg" not in made
    with av.open(str(tmp_path / "me.mp4")) as container:
        assert container.metadata["comment"].startswith("AI-generated")


def test_photo_without_a_face_says_what_to_do(animato: Animato, faceless: Path) -> None:
    common = ("animate", "--source_image", faceless, "--template", "blink", "--output", "me.mp4")
    refused = animato(*common)
    assert refused.code == 1
    assert "No face was found in wall.png" in refused.err
    assert "--face_box" in refused.err
    assert "Traceback" not in refused.err
    for place in (("--face", "centre"), ("--face_box", "100,100,200,200")):
        refused = animato(*common, *place)
        assert refused.code == 1
        assert "No face can be made out in the chosen part" in refused.err
    assert animato(*common, "--face", "centre", "--engine", "still").code == 0


def test_face_that_is_not_there_is_refused(animato: Animato, photo: Path) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        *("--face", "9"),
    )
    assert ended.code == 1
    assert "There is no face 9" in ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--template", "blink", "--driving_video", "x.mp4"], "not allowed with"),
        ([], "one of the arguments"),
        (["--template", "blink", "--start", "1"], "--start requires --driving_video"),
        (["--template", "blink", "--no-audio"], "--audio requires --driving_video"),
        (["--driving_video", "x.mp4", "--loop", "2"], "--loop requires --template"),
        (["--driving_video", "x.mp4", "--voice", "x.ogg"], "cannot be used with --driving_video"),
        (["--voice", "x.ogg", "--driving_face_box", "1,1,80,80"], "requires --driving_video"),
        (["--template", "blink", "--loop", "0"], "whole number from 1"),
        (["--template", "blink", "--face_box", "1,2,3"], "left,upper,right,lower"),
        (["--template", "blink", "--face_box", "9,9,2,2"], "left,upper,right,lower"),
        (["--template", "blink", "--face", "0"], "not the number of a face"),
        (["--template", "blink", "--max_side", "12"], "from 64"),
        (["--template", "blink", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_contradicting_options_are_a_usage_error(
    animato: Animato, photo: Path, arguments: list[str], sentence: str
) -> None:
    ended = animato("animate", "--source_image", photo, "--output", "me.mp4", *arguments)
    assert ended.code == 2
    assert sentence in ended.err


@pytest.mark.parametrize("output", ["me.avi", "photo.jpg"])
def test_output_must_be_of_a_known_format(animato: Animato, photo: Path, output: str) -> None:
    ended = animato("animate", "--source_image", photo, "--template", "blink", "--output", output)
    assert ended.code == 2
    assert "must end in .mp4" in ended.err


def test_output_never_overwrites_the_input(animato: Animato, photo: Path, clip: Path) -> None:
    before = clip.read_bytes()
    ended = animato("animate", "--source_image", photo, "--driving_video", clip, "--output", clip)
    assert ended.code == 2
    assert clip.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--source_image", "no.jpg", "--template", "blink"], 1, "There is no file no.jpg"),
        (["--source_image", "PHOTO", "--template", "fly"], 1, "no movement called fly"),
        (["--source_image", "PHOTO", "--driving_video", "no.mp4"], 1, "no file no.mp4"),
        (["--source_image", "PHOTO", "--driving_video", "PHOTO"], 1, "is not a video"),
        (["--source_image", "CLIP", "--template", "blink"], 1, "is not a picture"),
        (["--source_image", "PHOTO", "--template", "blink", "--engine", "x"], 1, "no engine"),
    ],
)
def test_bad_input_is_one_sentence(
    animato: Animato, photo: Path, clip: Path, arguments: list[str], code: int, sentence: str
) -> None:
    files = {"PHOTO": str(photo), "CLIP": str(clip)}
    given = [files.get(argument, argument) for argument in arguments]
    ended = animato("animate", *given, "--output", "me.mp4", "--quiet")
    assert ended.code == code
    assert sentence in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_missing_output_folder_is_told_before_any_work(animato: Animato, photo: Path) -> None:
    ended = animato(
        "animate", "--source_image", photo, "--template", "blink", "--output", "no/me.mp4"
    )
    assert ended.code == 1
    assert "no/me.mp4 cannot be written" in ended.err
    assert "frames" not in ended.err


def test_misspelt_setting_is_told_with_the_nearest_name(
    animato_process: Animato, photo: Path
) -> None:
    ended = animato_process(
        *("animate", "--source_image", photo, "--template", "blink", "--output", "me.mp4"),
        ANIMATO_CLIP_MAX="9",
    )
    assert ended.code == 3
    assert "ANIMATO_CLIP_MAX_S" in ended.err


@pytest.mark.parametrize(
    ("stop", "moment"),
    [
        (signal.SIGINT, "while it looks"),
        (signal.SIGINT, "while it renders"),
        (signal.SIGTERM, "while it renders"),
        (signal.SIGHUP, "while it renders"),
    ],
)
def test_stopping_leaves_no_file_and_no_process(
    photo: Path, clip: Path, tmp_path: Path, scratch: Path, stop: signal.Signals, moment: str
) -> None:
    command = [sys.executable, "-m", "animato", "animate", "--source_image", str(photo)]
    command += ["--driving_video", str(clip), "--output", "me.mp4", "--start", "0.0"]
    wanted = b"engine: mesh" if moment == "while it looks" else b"/60 "
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=clean_environment(scratch),
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        seen = b""
        while wanted not in seen:
            got = os.read(running.stderr.fileno(), 4096)
            assert got, seen.decode()
            seen += got
        # As a terminal does it: to the whole group.
        os.killpg(running.pid, stop)
        running.communicate(timeout=60)
    assert running.returncode == 130
    assert not (tmp_path / "me.mp4").exists()
    assert not list(tmp_path.glob(".animato-*"))
