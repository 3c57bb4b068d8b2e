"""`animato provenance verify`, and what `animato doctor` says about certificates."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from animato.cli import main
from animato.provenance import check_provenance
from bot.provenance.certificates import load_chain
from jobs.check_results import State
from jobs.settings import Settings
from tests.integration.sandbox import media
from tests.unit.bot.provenance.signed import NOW, signed
from tests.unit.bot.provenance.test_certificates import owners


@pytest.fixture
async def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signed video in the working directory; the chain is where this installation's is."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("signed.mp4").write_bytes(await signed(Path("data")))
    return Path("signed.mp4")


def verify(*words: object) -> int:
    return main(["provenance", "verify", *map(str, words)])


def test_unchanged_video_is_told_as_a_stranger_would_see_it(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(video) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "signed.mp4: unchanged since it was signed"
    assert said[1] == (
        "  how it was made: a composite of several elements, which may be captured or made by "
        "software"
    )
    assert said[2] == "  in the words of the signer: Made with AI: a test"
    assert said[3].startswith("  made with: Animato mesh 0")
    assert said[4] == "  signer: unknown; it calls itself 'Animato (self-hosted)', as anybody can"


def test_signer_is_known_to_who_trusts_this_installation(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--own",), ("--trust", "data/provenance/root.pem")):
        assert verify(*words, video) == 0
        signer = capsys.readouterr().out.splitlines()[-1]
        assert signer == "  signer: Animato (self-hosted), whose certificate you trust"


async def test_other_installation_is_not_known(
    video: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    Path("other.mp4").write_bytes(await signed(tmp_path / "other"))
    assert verify("--own", video, "other.mp4") == 0
    signers = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("  signer:")
    ]
    assert ["unknown" in line for line in signers] == [False, True]


def test_all_files_are_told_and_any_that_fails_makes_it_exit_with_1(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("changed.mp4").write_bytes(video.read_bytes()[:-9])
    Path("plain.mp4").write_bytes(media.clip())
    Path("sticker.webm").write_bytes(media.video_sticker())
    names = ("changed.mp4", "plain.mp4", "sticker.webm", "missing.mp4")
    assert verify(*names, video) == 1
    said = capsys.readouterr()
    told = dict(line.split(": ", 1) for line in said.out.splitlines() if not line.startswith(" "))
    assert told["changed.mp4"].startswith("CHANGED since it was signed, or damaged (")
    assert told["plain.mp4"].startswith("no Content Credentials")
    assert told["sticker.webm"] == "cannot be checked: this format is not supported"
    assert told["missing.mp4"] == "cannot be read: no such file or directory"
    assert told["signed.mp4"] == "unchanged since it was signed"
    assert said.err == f"animato: Not verified: {', '.join(names)}.\n"


def test_file_of_certificates_that_cannot_be_used_is_named(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, reason in (("gone.pem", "no such file"), ("signed.mp4", "no certificate was found")):
        assert verify("--trust", path, video) == 3
        assert reason in capsys.readouterr().err
    with pytest.raises(SystemExit):
        verify("--own", "--trust", "gone.pem", video)


def test_missing_library_is_one_sentence(
    video: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert verify(video) == 3
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("animato: c2pa-python cannot be used (")
    assert "pip install -c constraints.txt" in sentence


def test_doctor_says_until_when_the_certificate_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**settings: str) -> tuple[State, str, bool]:
        result = check_provenance(Settings(data_dir=tmp_path, **settings))  # type: ignore[arg-type]
        return result.state, result.says, result.is_in_the_way

    assert found(provenance="off")[1].startswith("results are not signed")
    assert found() == (State.OK, "the bot's first start makes a certificate", False)
    assert list(tmp_path.iterdir()) == [], "doctor makes none"
    load_chain(tmp_path / "provenance", NOW)
    end = f"{NOW + timedelta(days=365):%Y-%m-%d}"
    state, says, _ = found(provenance="required")
    assert (state, says.split()[0], says.split()[-1]) == (State.OK, "signer.pem", end)
    owners(tmp_path / "provenance", days=20)
    state, says, is_in_the_way = found()
    assert (state, is_in_the_way) == (State.WRONG, False)
    assert says.endswith(f"{NOW + timedelta(days=20):%Y-%m-%d}: replace it")
    (tmp_path / "provenance" / "own-signer.pem").write_text("nothing")
    assert found(provenance="required")[2]
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert found()[0] is State.MISSING
