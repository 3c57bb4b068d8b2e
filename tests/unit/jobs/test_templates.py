"""The catalogue: what is taken, what is refused, and on which line the operator is told so."""

import json
import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.curves import CurveName
from jobs.errors import UnknownTemplate
from jobs.templates import BLINK_REACH_S, Catalogue, ClipMotion, CurveMotion, Template

GOOD = """\
- name: nod
  emoji: "🙂"
  title: {en: Nod, no: Nikk}
  licence: MIT
  motion:
    duration_s: 2
    curves:
      pitch:
        - [0, 0]
        - [1, 0.2]
        - [2, 0]
    blinks: [0.6]
"""

WAVE = """\
- name: wave
  emoji: "👋"
  title:
    en: Wave
  licence: mine
  motion:
    clip: recording.mp4
    track: wave.npz
"""


def catalogue_of(folder: Path, text: str) -> Catalogue:
    (folder / "templates.yaml").write_text(text, "utf-8")
    return Catalogue.load(folder)


def broken_lines(catalogue: Catalogue) -> list[object]:
    return [broken.fields["line"] for broken in catalogue.broken]


# --- the shipped ones -----------------------------------------------------------------------------


def test_shipped_catalogue_has_nothing_broken() -> None:
    assert [str(broken) for broken in Catalogue.load().broken] == []


def test_shipped_catalogue_has_the_eighteen_movements() -> None:
    assert [template.name for template in Catalogue.load()] == [
        "smile",
        "laugh",
        "wink",
        "kiss",
        "sing",
        "surprise",
        "nod",
        "blink",
        "alive",
        "flirt",
        "eye_roll",
        "sad",
        "yawn",
        "proud",
        "disapprove",
        "shake",
        "look_around",
        "tilt",
    ]


def test_shipped_movements_are_told_apart_by_their_buttons() -> None:
    shipped = Catalogue.load().templates
    assert len({template.emoji for template in shipped}) == len(shipped)
    for language in shipped[0].title:
        assert len({template.title[language] for template in shipped}) == len(shipped)
    assert max(len(template.title["en"]) for template in shipped) <= 10


@pytest.mark.parametrize("template", Catalogue.load().templates, ids=lambda template: template.name)
def test_shipped_movement_is_seamless_and_lasts_two_to_five_seconds(template: Template) -> None:
    assert isinstance(template.motion, CurveMotion)
    assert template.seamless
    assert 2 <= template.motion.duration_s <= 5
    assert template.motion.frame_rate == 25
    assert template.motion.frame_count == round(template.motion.duration_s * 25)


def test_shipped_titles_are_given_in_the_same_languages() -> None:
    languages = {tuple(sorted(template.title)) for template in Catalogue.load()}
    assert len(languages) == 1


def test_a_blink_cannot_be_seen_beyond_its_reach() -> None:
    assert math.exp(-((BLINK_REACH_S / 0.115) ** 4)) < 0.001


# --- what a good entry gives ----------------------------------------------------------------------


def test_entry_is_read_with_its_keys_blinks_and_titles(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, GOOD)
    assert catalogue.broken == ()
    nod = catalogue.get("nod")
    # YAML 1.1 reads a bare `no` as false; here it is Norwegian.
    assert nod.title == {"en": "Nod", "no": "Nikk"}
    assert isinstance(nod.motion, CurveMotion)
    assert nod.motion.curves == {CurveName.PITCH: ((0.0, 0.0), (1.0, 0.2), (2.0, 0.0))}
    assert nod.motion.blinks == (0.6,)
    assert (nod.driving_video_name, nod.preview_name) == ("nod.mp4", "nod.preview.mp4")


def test_unknown_name_is_told_the_known_ones_in_file_order(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, GOOD + GOOD.replace("nod", "bow"))
    with pytest.raises(UnknownTemplate, match="nob: choose one of nod, bow"):
        catalogue.get("nob")


def test_a_movement_that_does_not_come_back_is_not_seamless(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, GOOD.replace("[2, 0]", "[2, 0.1]"))
    assert catalogue.broken == ()
    assert not catalogue.get("nod").seamless


def test_source_hash_follows_the_motion_and_nothing_else(tmp_path: Path) -> None:
    before = catalogue_of(tmp_path, GOOD).get("nod").source_hash()
    retitled = catalogue_of(tmp_path, GOOD.replace("en: Nod", "en: Bow")).get("nod")
    rewritten = catalogue_of(tmp_path, GOOD.replace("[1, 0.2]", "[1.0, 0.20]")).get("nod")
    moved = catalogue_of(tmp_path, GOOD.replace("[1, 0.2]", "[1, 0.21]")).get("nod")
    curve, blinks = GOOD[GOOD.index("    curves:") :].split("    blinks", maxsplit=1)
    roll = "      roll: [[0, 0], [1, 0.1]]\n"
    after = f"    blinks{blinks}"
    head = GOOD.partition("    curves:")[0]
    one = catalogue_of(tmp_path, head + curve + roll + after).get("nod")
    turned = curve.replace("    curves:\n", "    curves:\n" + roll)
    other = catalogue_of(tmp_path, head + turned + after).get("nod")
    assert one.source_hash() == other.source_hash() != before
    assert retitled.source_hash() == rewritten.source_hash() == before
    assert moved.source_hash() != before
    assert len(before) == 64


def test_template_survives_being_written_as_json(tmp_path: Path) -> None:
    nod = catalogue_of(tmp_path, GOOD).get("nod")
    assert Template.model_validate(json.loads(nod.model_dump_json())) == nod


# --- recorded clips -------------------------------------------------------------------------------


def test_recorded_clip_with_both_files_is_taken_and_not_seamless(tmp_path: Path) -> None:
    (tmp_path / "recording.mp4").touch()
    (tmp_path / "wave.npz").touch()
    wave = catalogue_of(tmp_path, WAVE).get("wave")
    assert wave.motion == ClipMotion(clip="recording.mp4", track="wave.npz")
    assert wave.driving_video_name == "recording.mp4"
    assert not wave.seamless


def test_missing_files_of_a_recorded_clip_are_named_on_their_lines(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, WAVE)
    assert broken_lines(catalogue) == [7, 8]
    assert "recording.mp4" in str(catalogue.broken[0])
    assert "wave.npz" in str(catalogue.broken[1])
    assert len(catalogue) == 0


def test_track_may_be_missing_where_tracks_are_built(tmp_path: Path) -> None:
    (tmp_path / "recording.mp4").touch()
    (tmp_path / "templates.yaml").write_text(WAVE, "utf-8")
    assert len(Catalogue.load(tmp_path)) == 0
    assert len(Catalogue.load(tmp_path, needs_tracks=False)) == 1


@pytest.mark.parametrize("name", ["../secret.mp4", "/etc/passwd", "a/b.mp4", ".hidden", "-i.mp4"])
def test_recorded_clip_stays_in_its_folder(name: str) -> None:
    with pytest.raises(ValidationError):
        ClipMotion(clip=name, track="a.npz")


def test_two_movements_cannot_have_the_same_driving_video(tmp_path: Path) -> None:
    (tmp_path / "nod.mp4").touch()
    (tmp_path / "wave.npz").touch()
    catalogue = catalogue_of(tmp_path, GOOD + WAVE.replace("recording.mp4", "nod.mp4"))
    assert [template.name for template in catalogue] == ["nod"]
    assert broken_lines(catalogue) == [12 + 7]


# --- broken entries: each slip, the line that is told, a word of the reason -----------------------

SLIPS = [
    ("name: nod", "name: Nod!", 1, "name"),
    ("name: nod", "name: 7", 1, "name"),
    ('  emoji: "🙂"\n', "", 1, "emoji is missing"),
    ("{en: Nod, no: Nikk}", "{no: Nikk}", 3, "English"),
    ("{en: Nod, no: Nikk}", "{en: yes}", 3, "string"),
    ("{en: Nod, no: Nikk}", "Nod", 3, "title"),
    ("  title: {en: Nod, no: Nikk}\n", "", 1, "title is missing"),
    ("licence: MIT", "licence: MIT\n  license: MIT", 5, "not known"),
    ("duration_s: 2", "duration_s: long", 6, "duration_s"),
    ("duration_s: 2", 'duration_s: "2"', 6, "duration_s"),
    ("duration_s: 2", "duration_s: .nan", 6, "duration_s"),
    ("duration_s: 2", "duration_s: 2.01", 6, "whole number of frames"),
    ("duration_s: 2", "duration_s: 90", 6, "15"),
    ("    duration_s: 2\n", "", 5, "duration_s is missing"),
    ("duration_s: 2", "duration_s: 2\n    fps: 0", 7, "fps"),
    ("pitch:", "pich:", 8, "pitch"),
    ("[0, 0]", "[0, 0.1]", 9, "first value must be 0"),
    ("[1, 0.2]", "[1, 0.36]", 10, "between -0.35 and 0.35"),
    ("[1, 0.2]", "[1, .inf]", 10, "finite"),
    ("[1, 0.2]", "[1, yes]", 10, "number"),
    ("[1, 0.2]", "[1]", 10, "number is missing"),
    ("[1, 0.2]", "[1, 0.2, 3]", 10, "2 items"),
    ("[2, 0]", "[1, 0]", 11, "must rise"),
    ("[2, 0]", "[2.5, 0]", 11, "outside"),
    ("[0.6]", "[0.1]", 12, "0.2 s"),
    ("[0.6]", "[0.6, 1.9]", 12, "0.2 s"),
    ("blinks: [0.6]", "duration_s: 3", 12, "given twice"),
    ("blinks: [0.6]", "blinks: [0.6", 13, "not YAML"),
    ("blinks: [0.6]", "blinks: 2020-99-99", 12, "usable value"),
    ("blinks: [0.6]", "blinks: !!python/name:os.system", 12, "tag"),
    ("blinks: [0.6]", "blinks: \x07", 12, "character"),
    ("[2, 0]", "&a [2, 0]\n        - *a", 11, "alias"),
    ("en: Nod", "[1]: Nod", 3, "key"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "word"), SLIPS)
def test_a_slip_is_told_with_its_line_and_takes_no_other_entry_down(
    tmp_path: Path, right: str, wrong: str, line: int, word: str
) -> None:
    assert right in GOOD
    before, after = GOOD.replace("nod", "bow"), GOOD.replace("nod", "tilt")
    text = f"# comment\n{before}{GOOD.replace(right, wrong)}{after}"
    catalogue = catalogue_of(tmp_path, text)
    assert [template.name for template in catalogue] == ["bow", "tilt"]
    assert broken_lines(catalogue) == [13 + line]
    assert str(catalogue.broken[0]).startswith(f"templates.yaml, line {13 + line}: ")
    assert word in str(catalogue.broken[0])


def test_every_slip_of_an_entry_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("pitch:", "pich:").replace("licence:", "license:")
    catalogue = catalogue_of(tmp_path, text)
    assert [(broken.fields["line"], broken.fields["reason"]) for broken in catalogue.broken][
        :2
    ] == [
        (1, "nod: licence is missing"),
        (4, "nod: license: this name is not known here"),
    ]
    assert broken_lines(catalogue) == [1, 4, 8]


def test_second_entry_of_a_name_is_broken_and_the_first_stays(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, GOOD + GOOD)
    assert len(catalogue) == 1
    assert str(catalogue.broken[0]) == "templates.yaml, line 13: nod: this name is given twice"


def test_a_movement_without_curve_or_blink_is_broken(tmp_path: Path) -> None:
    text = GOOD.split("    curves:", maxsplit=1)[0]
    assert "at least one curve or blink" in str(catalogue_of(tmp_path, text).broken[0])


@pytest.mark.parametrize(
    ("curve", "good", "bad"), [("gaze_x", -1, -1.1), ("zoom", 0.2, 0.3), ("squint", 1, -0.1)]
)
def test_each_curve_has_its_own_limits(tmp_path: Path, curve: str, good: float, bad: float) -> None:
    text = GOOD.replace("pitch", curve)
    assert catalogue_of(tmp_path, text.replace("0.2]", f"{good}]")).broken == ()
    assert "between" in str(catalogue_of(tmp_path, text.replace("0.2]", f"{bad}]")).broken[0])


def test_brows_beyond_one_are_broken_but_shifts_are_px(tmp_path: Path) -> None:
    brow = GOOD.replace("pitch", "brow").replace("0.2]", "1.2]")
    assert "between 0.0 and 1.0" in str(catalogue_of(tmp_path, brow).broken[0])
    shift = GOOD.replace("pitch", "tx").replace("0.2]", "-39]")
    assert catalogue_of(tmp_path, shift).broken == ()


def test_missing_catalogue_is_one_broken_line(tmp_path: Path) -> None:
    catalogue = Catalogue.load(tmp_path)
    assert len(catalogue) == 0
    assert [str(broken) for broken in catalogue.broken] == [
        f"{tmp_path / 'templates.yaml'}, line 1: it cannot be read (no such file or directory)"
    ]


def test_catalogue_that_is_not_utf_8_is_broken_on_that_line(tmp_path: Path) -> None:
    (tmp_path / "templates.yaml").write_bytes(b"# a\n# \xff\n")
    assert broken_lines(Catalogue.load(tmp_path)) == [2]


def test_catalogue_that_is_no_list_is_broken(tmp_path: Path) -> None:
    assert "must be a list" in str(catalogue_of(tmp_path, "# none\nnod: 1\n").broken[0])
    assert "mapping" in str(catalogue_of(tmp_path, "- nod\n").broken[0])
