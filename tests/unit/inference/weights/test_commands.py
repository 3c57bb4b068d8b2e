"""`animato weights ...` as typed, without any network."""

import re
from pathlib import Path

import pytest

from animato.cli import make_parser
from inference.extras import missing_neural
from jobs.errors import UnknownWeights
from jobs.weights_errors import WeightsCorrupt, WeightsNeverFetched, WeightsOffline
from tests.conftest import Require
from tests.unit.inference.checkpoints import write_checkpoint


@pytest.fixture(autouse=True)
def desk(require: Require, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMATO_OFFLINE", "true")
    for name in ("ANIMATO_CHECKPOINTS_DIR", "ANIMATO_WEIGHTS_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: object) -> None:
    parsed = make_parser().parse_args(["weights", *map(str, arguments)])
    parsed.run(parsed)


def test_list_says_of_each_address_that_nobody_has_tried_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("list")
    lines = capsys.readouterr().out.splitlines()
    addresses = [line for line in lines if re.match(r" +https?://", line)]
    assert len(addresses) >= 9
    assert all("untested" in line for line in addresses)
    assert "vox-cpk: not there" in lines
    assert any("never downloaded" in line for line in lines)


def test_convert_prints_the_file_and_list_and_verify_see_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run("convert", write_checkpoint(tmp_path / "mine.pth.tar"))
    made = Path(capsys.readouterr().out.strip())
    assert made.parent == Path("checkpoints")
    assert made.is_file()
    run("verify")
    assert f"\nright {made.name}: " in capsys.readouterr().out
    made.write_bytes(made.read_bytes()[:-1])
    with pytest.raises(WeightsCorrupt):
        run("verify")
    assert f"\nWRONG {made.name}: " in capsys.readouterr().out


def test_import_prints_the_hash(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run("import", write_checkpoint(tmp_path / "vox-adv-cpk.pth.tar"), "--folder", "mine")
    out, err = capsys.readouterr()
    assert re.search(r"vox-adv-cpk\.pth\.tar: \d+ bytes, sha256 [0-9a-f]{64}\nmine/vox-adv", out)
    assert "another hash" in err
    run("list", "--folder", "mine")
    assert "vox-adv-cpk-author: ready" in capsys.readouterr().out


def test_fetch_takes_vox_cpk_if_nothing_is_named() -> None:
    with pytest.raises(WeightsOffline, match=r"^vox-cpk would"):
        run("fetch")
    with pytest.raises(WeightsOffline, match=r"^s3fd would"):
        run("fetch", "face-alignment")
    with pytest.raises(WeightsNeverFetched):
        run("fetch", "vox-adv-cpk-author")


def test_fetch_says_first_what_several_files_cost(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsOffline, match=r"^liveportrait-appearance would"):
        run("fetch", "liveportrait")
    assert "5 files to download, 522 MB together\n" in capsys.readouterr().err


def test_one_unknown_name_among_others_fetches_nothing() -> None:
    with pytest.raises(UnknownWeights, match="nix"):
        run("fetch", "vox-cpk", "nix")
