"""`animato weights check`: noise is doubtful, and what gives the photo back is seen to do so."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch

from animato.cli import make_parser
from inference.engine_options import EngineOptions
from inference.fomm.generator import Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.fomm.plausibility import Finding
from inference.fomm.weights_check import MOVEMENTS, check_weights, tell
from inference.weights.store import WeightsStore
from jobs.errors import OutputNotWritable
from jobs.weights_errors import WeightsDoubtful, WeightsMissing
from tests import see_through
from tests.parity.golden_recipe import GOLDENS
from tests.parity.networks import config_of, filled, model_params

TINY = GOLDENS["fomm_tiny"]


@dataclass(frozen=True)
class Checked:
    """What a check said and drew."""

    lines: list[str]
    sheet: Path
    sentence: str

    def line(self, words: str) -> str:
        """The one line that has these words."""
        (found,) = (line for line in self.lines if words in line)
        return found


def write_random_weights(folder: Path) -> tuple[Path, Path]:
    """A config, and a checkpoint of numbers that were drawn from a seed."""
    config, checkpoint = folder / "tiny.yaml", folder / "noise.pth.tar"
    config.write_text(yaml.safe_dump({"model_params": model_params(TINY.config)}), "utf-8")
    shape = config_of(TINY)
    networks = {"generator": Generator(shape), "kp_detector": KeypointDetector(shape)}
    for name, network in networks.items():
        filled(network, name, TINY.tag)
    torch.save({name: network.state_dict() for name, network in networks.items()}, checkpoint)
    return config, checkpoint


def checked(folder: Path, config: Path, checkpoint: Path) -> Checked:
    lines: list[str] = []
    sheet = folder / "sheet.png"
    options = EngineOptions(config=config, checkpoint=checkpoint, device="cpu")
    with pytest.raises(WeightsDoubtful) as raised:
        check_weights(options, WeightsStore(folder / "store"), sheet, lines.append)
    return Checked(lines, sheet, str(raised.value))


def test_random_weights_are_doubtful_and_the_sheet_is_there(tmp_path: Path) -> None:
    noise = checked(tmp_path, *write_random_weights(tmp_path))
    assert noise.line("the first frame is the photo").startswith("DOUBTFUL ")
    assert noise.line("nod: the keypoints").startswith("DOUBTFUL ")
    assert re.search(
        r"noise-\w+\.safetensors do not behave .*: look at .*sheet\.png", noise.sentence
    )
    picture = np.asarray(Image.open(noise.sheet))
    assert picture.shape[2] == 3
    assert all(f"{name}: the result changes" in "\n".join(noise.lines) for name in MOVEMENTS)


def test_a_generator_that_works_is_told_from_a_detector_that_sees_nothing(tmp_path: Path) -> None:
    config = see_through.write_config(tmp_path / "see.yaml")
    blind = {"kp_detector.kp.weight": 0.0}
    made = checked(tmp_path, config, see_through.write_checkpoint(tmp_path / "see.pth.tar", blind))
    first = made.line("the first frame is the photo")
    assert first.startswith("ok ")
    plain, aligned = re.findall(r"by ([\d.]+) dB", first)
    assert plain != aligned
    assert made.line("farthest").startswith("ok ")
    assert made.line("jacobians").startswith("ok ")
    for words in ("span", "shake: the keypoints", "shake: the result changes 0.00 times"):
        assert made.line(words).startswith("DOUBTFUL ")


def test_all_is_well_only_if_every_finding_is() -> None:
    good, bad = Finding(is_ok=True, sentence="one"), Finding(is_ok=False, sentence="two")
    lines: list[str] = []
    assert tell([good, good], lines.append)
    assert not tell([bad, good], lines.append)
    assert lines == ["ok       one", "ok       one", "DOUBTFUL two", "ok       one"]


def test_weights_that_are_not_there_are_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = make_parser().parse_args(["weights", "check", "--folder", "empty", "--cpu"])
    with pytest.raises(WeightsMissing, match="animato weights fetch vox-cpk"):
        parsed.run(parsed)
    assert not (tmp_path / "weights-check.png").exists()


def test_a_place_that_cannot_be_written_is_told_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable):
        check_weights(
            EngineOptions(), WeightsStore(tmp_path), tmp_path / "nowhere" / "a.png", lambda _: None
        )
