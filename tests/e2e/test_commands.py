"""The other commands, and what the command line says about itself."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from jobs.templates import SHIPPED_TEMPLATES
from tests.e2e.conftest import Animato

NEURAL = {"face_alignment", "filelock", "httpx", "numba", "safetensors", "torch"}
MANUAL = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.fixture
def animato(quick_animato: Animato) -> Animato:
    """In this process: a start of its own would take longer than most of these runs."""
    return quick_animato


def test_faces_are_listed_and_drawn(animato: Animato, photo: Path, tmp_path: Path) -> None:
    ended = animato("faces", photo, "--output", "sheet.png", "--json")
    assert ended.code == 0, ended.err
    (face,) = json.loads(ended.out)
    left, upper, right, lower = face["box"]
    # The astronaut's eyes and mouth, in px of the photo.
    assert left < 140
    assert right > 178
    assert upper < 105
    assert lower > 150
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[2] == 3
    assert "face 1: box" in animato("faces", photo).out


def test_two_faces_are_numbered_and_chosen(animato: Animato, tmp_path: Path) -> None:
    one = astronaut()[:400, 60:460]
    small = np.asarray(Image.fromarray(one).resize((240, 240)))
    both = np.full((400, 640, 3), 200, np.uint8)
    both[:, :400], both[:240, 400:] = one, small
    Image.fromarray(both).save(tmp_path / "two.png")
    faces = json.loads(animato("faces", "two.png", "--json").out)
    assert [face["number"] for face in faces] == [1, 2]
    assert faces[0]["box"][0] < 400 < faces[1]["box"][0]


def test_sheet_never_overwrites_the_photo(animato: Animato, tmp_path: Path) -> None:
    Image.fromarray(astronaut()[:400, 60:460]).save(tmp_path / "me.png")
    before = (tmp_path / "me.png").read_bytes()
    assert animato("faces", "me.png", "--output", "./me.png").code == 2
    assert animato("faces", "me.png", "--output", "sheet.jpg").code == 2
    assert (tmp_path / "me.png").read_bytes() == before


def test_photo_without_a_face_is_told(animato: Animato, faceless: Path) -> None:
    ended = animato("faces", faceless)
    assert ended.code == 1
    assert "No face was found" in ended.err


def test_engines_are_listed_with_what_they_need(animato_process: Animato) -> None:
    ended = animato_process("engines")
    assert ended.code == 0
    assert re.search(r"^mesh\s+ready$", ended.out, re.MULTILINE)
    assert re.search(r"^still\s+ready$", ended.out, re.MULTILINE)


def test_templates_are_listed_and_all_right(animato: Animato) -> None:
    listed = animato("templates", "list")
    assert listed.code == 0
    for name in ("nod", "shake", "smile", "laugh", "kiss", "sing", "eye_roll", "yawn", "tilt"):
        assert re.search(rf"^{name}\s", listed.out, re.MULTILINE)
    checked = animato("templates", "check")
    assert checked.code == 0
    assert "out of date" not in checked.out


def test_all_movements_are_shown_on_a_photo_with_their_numbers(
    animato: Animato, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (SHIPPED_TEMPLATES / "templates.yaml").read_text("utf-8")
    entries = text.split("\n- name: ")
    two = [entry for entry in entries if entry.startswith(("blink", "wink"))]
    (folder / "templates.yaml").write_text("\n- name: ".join(["", *two]), "utf-8")
    shown = animato("templates", "preview", photo, "all.mp4", "--folder", folder)
    assert (shown.code, shown.out) == (0, "1: wink\n2: blink\n"), shown.err
    (folder / "templates.yaml").write_text("", "utf-8")
    empty = animato("templates", "preview", photo, "no.mp4", "--folder", folder)
    assert (empty.code, empty.out) == (0, "there is no movement to show\n"), empty.err
    assert animato("templates", "preview", photo, "all.avi").code == 2


def test_broken_template_is_named_with_file_and_line(animato: Animato, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (SHIPPED_TEMPLATES / "templates.yaml").read_text("utf-8")
    (folder / "templates.yaml").write_text(
        text.replace("\n      pitch:", "\n      pitsch:", 1), "utf-8"
    )
    ended = animato("templates", "check", "--folder", folder)
    assert ended.code == 3
    asked_for = animato(
        *("animate", "--source_image", "x.jpg", "--template", "smile", "--output", "me.mp4"),
        ANIMATO_TEMPLATES_DIR=str(folder),
    )
    assert asked_for.code == 3
    assert "pitsch" in asked_for.err
    line = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith("      pitch:"))
    assert f"templates.yaml, line {line}" in ended.err


def test_operator_s_recorded_clip_gets_a_track_and_moves_a_photo(
    animato: Animato, photo: Path, clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(clip, folder / "wave.mp4")
    (folder / "templates.yaml").write_text(
        "- name: wave\n  emoji: W\n  title: {en: Wave}\n  licence: ours\n"
        "  motion: {clip: wave.mp4, track: wave.npz}\n"
    )
    built = animato("templates", "build", "--folder", folder)
    assert built.code == 0, built.err
    assert {"built wave.npz", "built wave.preview.mp4"} <= set(built.out.splitlines())
    assert animato("templates", "build", "--folder", folder).out == ""
    made = animato(
        *("animate", "--source_image", photo, "--template", "wave", "--output", "me.mp4"),
        "--json",
        ANIMATO_TEMPLATES_DIR=str(folder),
    )
    assert json.loads(made.out)["frames"] == 60
    looped = animato(
        *("animate", "--source_image", photo, "--template", "wave", "--output", "me.mp4"),
        *("--loop", "2"),
        ANIMATO_TEMPLATES_DIR=str(folder),
    )
    assert looped.code == 1
    assert "cannot be repeated" in looped.err


def test_operator_s_clip_that_is_broken_is_one_sentence(
    quick_animato: Animato, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "wave.mp4").write_text("no clip")
    (folder / "templates.yaml").write_text(
        "- name: wave\n  emoji: W\n  title: {en: Wave}\n  licence: ours\n"
        "  motion: {clip: wave.mp4, track: wave.npz}\n"
    )
    ended = quick_animato("templates", "build", "--folder", folder)
    assert ended.code == 1
    (said,) = ended.err.splitlines()
    assert "wave.mp4" in said


@pytest.mark.parametrize("program", ["animato animate", "python prepare.py"])
def test_help_in_the_manual_is_the_real_one(
    animato_process: Animato, prepare: Animato, program: str
) -> None:
    run, *words = (
        (prepare, "--help") if "prepare" in program else (animato_process, "animate", "--help")
    )
    shown = run(*words, COLUMNS="100").out
    text = MANUAL.read_text("utf-8")
    begin, end = f"<!-- {program} --help: begin -->", f"<!-- {program} --help: end -->"
    quoted = text.split(begin)[1].split(end)[0].strip()
    assert quoted.startswith("```text\nusage: ")
    assert quoted.endswith("\n```")
    assert words_of_help(quoted.strip("`").removeprefix("text")) == words_of_help(shown)


def words_of_help(text: str) -> list[str]:
    """The words: versions of Python break lines, and name values of short flags, differently."""
    together = " ".join(text.split())
    return re.sub(r"(--\w+) ([A-Z ]+), (-\w+) \2", r"\1, \3 \2", together).split()


def test_help_loads_no_heavy_library() -> None:
    code = "import sys, animato.cli as c; c.make_parser(); print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "animato.cli" in loaded
    assert not (NEURAL | {"cv2", "skimage", "scipy", "av", "numpy"}) & set(loaded)


def test_what_makes_videos_is_loaded_only_while_the_input_is_looked_at() -> None:
    code = "import sys, animato.animate_settings, inference.engines.mesh; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "inference.command" in loaded
    assert not {"av", "imageio", "PIL", "inference.pipeline", "ai_edge_litert"} & set(loaded)


@pytest.mark.parametrize("engine", ["mesh", "still"])
def test_engines_without_networks_load_no_network_library(
    engine: str, photo: Path, tmp_path: Path
) -> None:
    code = "import sys, animato.cli as c; assert c.main() == 0; print(*sorted(sys.modules))"
    arguments = (
        *("animate", "--engine", engine, "--source_image", photo, "--template", "wink"),
        *("--output", tmp_path / "me.mp4", "--quiet"),
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert f"inference.engines.{engine}" in loaded
    assert not NEURAL & set(loaded)
