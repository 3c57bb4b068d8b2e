"""What the network engine finds, keeps, leaves behind and refuses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.arrays import Picture
from inference.engine import Driving
from inference.engine_options import EngineOptions
from inference.engines.fomm import LANDMARK_FILES, FommEngine
from inference.faces.face_alignment import unmet_landmark_needs
from jobs.errors import (
    BrokenConfig,
    DeviceUnavailable,
    EngineUnavailable,
    FileMissing,
    MediaDamaged,
)
from jobs.weights_errors import (
    WeightsCorrupt,
    WeightsError,
    WeightsMismatch,
    WeightsMissing,
    WeightsOffline,
)
from tests.conftest import Require
from tests.see_through import dots, write_checkpoint, write_config
from tests.unit.inference.fomm.engines import (
    FACE,
    PLACES,
    Finder,
    Make,
    animated,
    engine_with,
    going_right,
    leaning,
    threads,
)

# --- faces ----------------------------------------------------------------------------------------


def test_faces_are_those_of_the_landmark_network_where_it_sees_any(make: Make) -> None:
    gates = (FACE.model_copy(update={"votes": 9}),)
    seeing, blind = make(engine_with(Finder())), make(engine_with(Finder(sees=False)))
    assert seeing.faces_of(lambda: dots(PLACES), gates) == (FACE,)
    assert blind.faces_of(lambda: dots(PLACES), gates) == gates


@pytest.mark.parametrize("face_detector", ["auto", "lbp"])
def test_face_alignment_is_used_only_where_it_is_asked_for(make: Make, face_detector: str) -> None:
    def read() -> Picture:
        pytest.fail("there is nothing to read the picture for")

    assert make(face_detector=face_detector).faces_of(read, (FACE,)) == (FACE,)


def test_a_landmark_network_that_is_asked_for_by_name_must_be_there(make: Make) -> None:
    with pytest.raises((WeightsOffline, EngineUnavailable), match=r"s3fd|face-alignment"):
        make(face_detector="face-alignment").faces_of(lambda: dots(PLACES), (FACE,))
    # Also where no face is looked for: told before anything else is done.
    with pytest.raises((WeightsOffline, EngineUnavailable), match=r"s3fd|face-alignment"):
        make(face_detector="face-alignment").load()


def test_wrong_files_of_the_landmark_network_are_told(make: Make, require: Require) -> None:
    require(not unmet_landmark_needs(), "face-alignment is not installed")
    engine = make(face_detector="face-alignment")
    assert engine.weights is not None
    for file in map(engine.weights.catalogue.with_file, LANDMARK_FILES):
        with (engine.weights.folder / file[0].file).open("wb") as empty:
            empty.truncate(file[0].probable_bytes)
    with pytest.raises(WeightsCorrupt, match="s3fd"):
        engine.faces_of(lambda: dots(PLACES), (FACE,))


# --- the config -----------------------------------------------------------------------------------


def test_the_usual_config_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = Path("config/vox-256.yaml")
    FommEngine(EngineOptions(config=usual))
    with pytest.raises(FileMissing, match=r"other\.yaml"):
        FommEngine(EngineOptions(config=usual.with_name("other.yaml")))
    # One that lies there is the person's own, and counts.
    usual.parent.mkdir()
    usual.write_text("nothing: here", "utf-8")
    with pytest.raises(BrokenConfig, match="model_params is missing"):
        FommEngine(EngineOptions(config=usual))


# --- what is kept of a template's clip ------------------------------------------------------------


def kept_files(engine: FommEngine) -> list[Path]:
    assert engine.weights is not None
    return sorted((engine.weights.folder / "keypoints").glob("*"))


def test_keypoints_of_a_known_clip_are_measured_once(make: Make) -> None:
    first = animated(make(), going_right(10), identity="a nod")
    assert len(kept_files(make())) == 1
    second = animated(make(), [], identity="a nod")
    assert len(second) == 10
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_an_unknown_clip_is_not_kept(make: Make) -> None:
    animated(make(), going_right(2))
    assert kept_files(make()) == []


def test_what_is_kept_is_told_by_clip_square_weights_and_config(make: Make, tmp_path: Path) -> None:
    animated(make(), going_right(2), identity="a nod")
    animated(make(), going_right(2), identity="a smile")
    assert len(kept_files(make())) == 2
    animated(make(crop_video=True), going_right(2), identity="a nod")
    assert len(kept_files(make())) == 3
    other = write_checkpoint(tmp_path / "other.pth.tar", {"kp_detector.kp.bias": 1.0})
    animated(make(checkpoint=other), going_right(2), identity="a nod")
    assert len(kept_files(make())) == 4
    config = write_config(tmp_path / "softer.yaml")
    config.write_text(config.read_text("utf-8").replace("temperature: 0.1", "temperature: 0.2"))
    animated(make(config=config), going_right(2), identity="a nod")
    assert len(kept_files(make())) == 5


def test_a_clip_that_was_left_early_is_not_kept(make: Make) -> None:
    engine = make()
    engine.prepare(dots(PLACES), [FACE])
    frames = engine.animate(Driving(iter(going_right(60)), FACE, identity="a nod"), None)
    next(iter(frames))
    frames.close()  # type: ignore[attr-defined]  # it is a generator
    assert kept_files(engine) == []


def test_what_is_kept_and_broken_is_measured_again(make: Make) -> None:
    animated(make(), going_right(2), identity="a nod")
    (path,) = kept_files(make())
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert len(animated(make(), going_right(2), identity="a nod")) == 2
    assert path.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_measured_each_time(make: Make, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "keypoints").write_text("a file where the folder should be")
    for _ in range(2):
        assert len(animated(make(), going_right(2), identity="a nod")) == 2


def test_landmarks_choose_the_same_frame_when_keypoints_are_kept(make: Make) -> None:
    clip = [
        dots(leaning(24)),
        dots(leaning(16) * np.array([1, 0.8]) + np.array([0, 20])),
        dots(leaning(14)),
    ]
    engines = [make(engine_with(Finder()), find_best_frame=True) for _ in range(2)]
    first, second = (animated(engine, clip, dots(leaning(16)), identity="x") for engine in engines)
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


# --- its ways to end ------------------------------------------------------------------------------


def test_frames_are_read_as_they_are_wanted(make: Make) -> None:
    read = []

    def frames() -> Iterator[Picture]:
        for index in range(400):
            read.append(index)
            yield moving[index % 4]

    moving = going_right(4)
    engine = make()
    engine.prepare(dots(PLACES), [FACE])
    batches = engine.animate(Driving(frames(), FACE), None)
    assert len(next(iter(batches))) == 8
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(read) < 100
    assert threads() == []


def test_a_clip_that_breaks_off_is_told_and_leaves_no_thread(make: Make) -> None:
    def frames() -> Iterator[Picture]:
        yield from going_right(10)
        raise MediaDamaged(name="clip.mp4")

    engine = make()
    engine.prepare(dots(PLACES), [FACE])
    with pytest.raises(MediaDamaged, match=r"clip\.mp4"):
        list(engine.animate(Driving(frames(), FACE), None))
    assert threads() == []


def test_without_a_clip_there_is_nothing_to_do(make: Make) -> None:
    engine = make()
    engine.prepare(dots(PLACES), [FACE])
    with pytest.raises(ValueError, match="needs a clip"):
        list(engine.animate(None, None))


def test_without_a_store_there_are_no_weights() -> None:
    with pytest.raises(WeightsMissing):
        FommEngine().prepare(dots(PLACES), [FACE])


def test_a_device_that_is_not_there_is_told(make: Make, require_hardware: Require) -> None:
    import torch  # noqa: PLC0415 - only where the extra is installed

    require_hardware(not torch.cuda.is_available(), "there is a GPU")
    with pytest.raises(DeviceUnavailable, match=r"The device cuda:7 is not available .*--cpu"):
        make(device="cuda:7").prepare(dots(PLACES), [FACE])


# --- what is wrong is one sentence with the file and the key --------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"generator.final.bias": None},
            "broken.pth.tar does not belong to config.yaml: generator.final",
        ),
        ({"kp_detector.kp.weight": np.nan}, r"broken\.pth\.tar .* kp_detector\.kp\.weight .*NaN"),
    ],
)
def test_broken_weights_are_named(
    make: Make, tmp_path: Path, changes: dict[str, float | None], words: str
) -> None:
    broken = write_checkpoint(tmp_path / "broken.pth.tar", changes)
    before = broken.read_bytes()
    with pytest.raises(WeightsError, match=words):
        make(checkpoint=broken).prepare(dots(PLACES), [FACE])
    assert broken.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_params: [", "it cannot be read as YAML text"),
        ("a: 1", "model_params is missing"),
        ("model_params: {common_params: 1}", r"model_params\.common_params: "),
    ],
)
def test_broken_configs_are_named(make: Make, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "other.yaml").write_text(text, "utf-8")
    with pytest.raises(BrokenConfig, match=rf"The config other\.yaml cannot be used: {words}"):
        make(config=tmp_path / "other.yaml").prepare(dots(PLACES), [FACE])


def test_a_config_of_other_networks_is_named(make: Make, tmp_path: Path) -> None:
    other = write_config(tmp_path / "other.yaml", num_kp=7)
    with pytest.raises(WeightsMismatch, match=r"does not belong to other\.yaml: generator\.dense_"):
        make(config=other).prepare(dots(PLACES), [FACE])


def test_files_that_are_no_checkpoint_are_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "page.pth.tar").write_text("<!DOCTYPE html><p>Quota exceeded", "utf-8")
    with pytest.raises(WeightsCorrupt, match=r"page\.pth\.tar .*: it is a web page"):
        make(checkpoint=tmp_path / "page.pth.tar").prepare(dots(PLACES), [FACE])
    with pytest.raises(WeightsMissing, match=r"no/mine\.pth\.tar: check the path"):
        make(checkpoint=Path("no/mine.pth.tar")).prepare(dots(PLACES), [FACE])
    with pytest.raises(WeightsOffline, match=r"put vox-cpk\.pth\.tar into .*store by hand"):
        make(checkpoint=Path("no/vox-cpk.pth.tar")).prepare(dots(PLACES), [FACE])
