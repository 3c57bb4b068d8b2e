"""`animato doctor` without any server: what stands in the way is told, and nothing secret."""

import json
import sys
from pathlib import Path

import pytest

from animato.doctor import NotReady, run_doctor
from inference.checks import check_confinement, check_phones
from inference.extras import missing_neural
from inference.process.confinement import working_mechanisms
from inference.voice.phones import has_phones
from jobs.check_results import State
from tests.conftest import Require

SECRET = "4242:not-to-be-shown"  # noqa: S105 - of this test


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Without it nothing is asked of any server.
    monkeypatch.setitem(sys.modules, "bullmq", None)


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """What is printed as JSON: state and words of each finding."""
    with pytest.raises(NotReady):
        run_doctor(is_live=False, is_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["can_run"] is False
    return {one["about"]: (one["state"], one["says"]) for one in printed["findings"]}


def test_missing_extra_is_named_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    state, says = report(capsys)["extra service"]
    assert state == "missing"
    assert "pip install" in says


def test_unknown_setting_is_wrong_and_its_neighbour_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATO_BOT_TOKN", SECRET)
    state, says = report(capsys)["settings"]
    assert state == "wrong"
    assert "ANIMATO_BOT_TOKEN" in says
    assert SECRET not in says


def test_engine_that_does_not_exist_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATO_ENGINES", "mesh,flew")
    state, says = report(capsys)["settings"]
    assert state == "wrong"
    assert "flew" in says


def test_device_that_is_not_here_is_wrong_if_an_engine_uses_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, require: Require
) -> None:
    require(not missing_neural(), "torch is not installed")
    monkeypatch.setenv("ANIMATO_DEVICE", "cuda:99")
    state, says = report(capsys)["device"]
    assert state == "wrong"
    assert "cuda:99" in says
    monkeypatch.setenv("ANIMATO_ENGINES", "auto")
    assert report(capsys)["device"] == (state, says)
    monkeypatch.setenv("ANIMATO_ENGINES", "mesh")
    assert "device" not in report(capsys)


def test_secrets_are_told_as_set_and_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", SECRET)
    monkeypatch.setenv("ANIMATO_REDIS_URL", "redis://:hunter2@127.0.0.1:1")
    monkeypatch.setenv("ANIMATO_WEIGHTS_MIRROR", "https://me:hunter2@example.org/weights")
    monkeypatch.setenv("ANIMATO_CLIP_MAX_S", "10")
    with pytest.raises(NotReady):
        run_doctor(is_live=False, is_json=False)
    printed = capsys.readouterr().out
    assert "ANIMATO_BOT_TOKEN set" in printed
    assert "ANIMATO_WEBHOOK_SECRET not set" in printed
    assert "ANIMATO_CLIP_MAX_S=10" in printed
    assert SECRET not in printed
    assert "hunter2" not in printed


def test_whether_phones_are_recognised_is_told_and_is_not_in_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_phones():
        assert report(capsys)["phones"][0] == "ok"
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    state, says = report(capsys)["phones"]
    assert state == "missing"
    assert "do not shut their lips on m, b and p" in says
    assert "pip install" in says
    assert not check_phones().is_in_the_way


def test_what_confines_decoders_is_told_and_is_not_in_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = working_mechanisms()
    state, says = report(capsys)["confinement"]
    assert state == ("ok" if found else "missing")
    assert all(name in says for name in found)
    monkeypatch.setattr("inference.checks.working_mechanisms", lambda: ())
    without = check_confinement()
    assert (without.state, without.is_in_the_way) == (State.MISSING, False)
    assert "docs/security.md" in without.says


def test_library_and_file_that_find_faces_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state, says = report(capsys)["faces"]
    assert state == "ok"
    assert "ai-edge-litert 2." in says
    (tmp_path / "face_landmarker.task").write_text("a page")
    monkeypatch.setenv("ANIMATO_CHECKPOINTS_DIR", str(tmp_path))
    state, says = report(capsys)["faces"]
    assert state == "wrong"
    assert "animato weights fetch face-landmarker" in says


def test_broken_movement_is_told_with_its_line_and_the_others_are_enough(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "templates.yaml").write_text(
        "- name: nod\n  emoji: N\n  title: {en: Nod}\n  licence: ours\n"
        "  motion: {duration_s: 1, curves: {pitch: [[0, 0], [0.5, 0.1], [1, 0]]}}\n"
        "- name: bad\n  emoji: B\n  title: {en: Bad}\n  licence: ours\n  motion: {duration_s: 1}\n"
    )
    monkeypatch.setenv("ANIMATO_TEMPLATES_DIR", str(tmp_path))
    with pytest.raises(NotReady) as caught:
        run_doctor(is_live=False, is_json=True)
    printed = json.loads(capsys.readouterr().out)["findings"]
    movements = [one for one in printed if one["about"] == "movements"]
    assert {one["state"] for one in movements} == {"wrong"}
    assert any("line 10" in one["says"] for one in movements)
    assert any("nod out of date: run `animato templates build`" in one["says"] for one in movements)
    assert "movements" not in str(caught.value)


def test_program_that_writes_videos_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    state, says = report(capsys)["ffmpeg"]
    assert state == "wrong"
    assert "IMAGEIO_FFMPEG_EXE" in says
