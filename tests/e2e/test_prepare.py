"""The command line of 2021: what it gave, it gives; what was wrong is one sentence."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut
from skimage.transform import resize

from inference.extras import missing_neural
from inference.faces.finder import find_faces
from inference.fomm.config import FommConfig
from inference.media.probe import examine
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.motion import Keypoints, adapt_scale, normalise
from inference.square_crop import crop_square, face_square
from tests.conftest import Require
from tests.e2e.conftest import ROOT, Animato, Ended, Networks
from tests.integration.file_server import FileServer
from tests.parity.golden_recipe import Arrays, read_golden, write_vox_checkpoint
from tests.see_through import write_checkpoint, write_config
from tests.unit.inference.clips import make

Picture = npt.NDArray[np.uint8]
CROP = np.s_[:, 96:160, 96:160]


def frames_of(path: Path) -> Picture:
    with ClipReader(path) as frames:
        return np.stack(list(frames))


def sentence(ended: Ended, code: int) -> str:
    """The one sentence that a run ended with."""
    assert ended.code == code, ended.err
    assert ended.out == ""
    (said,) = ended.err.splitlines()
    assert said.startswith("animato: ")
    return said


# --- the goldens ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden() -> Arrays:
    return read_golden("fomm_vox")


@pytest.fixture(scope="module")
def vox(
    require: Require, golden: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder of a checkpoint as large as the published one is for inference, and its input."""
    require(not missing_neural(), "the extra neural is not installed")
    folder = tmp_path_factory.mktemp("vox")
    checkpoint = folder / "vox.pth.tar"
    write_vox_checkpoint(checkpoint)
    Image.fromarray(golden["source"]).save(folder / "source.png")
    with VideoWriter(folder / "driving.mkv", 256, 256, Fraction(25), comment="test") as writer:
        for frame in golden["driving"]:
            writer.write(frame)
    yield folder
    # A quarter of a gigabyte each, which pytest would keep for three runs.
    for large in (checkpoint, *folder.glob("checkpoints/*")):
        large.unlink()


@pytest.mark.parametrize("mode", ["rel_scale", "abs"])
def test_original_s_flags_give_the_original_s_frames(
    prepare: Animato, vox: Path, golden: Arrays, tmp_path: Path, mode: str
) -> None:
    checkpoint = vox / "vox.pth.tar"
    before = checkpoint.stat().st_mtime_ns
    ended = prepare(
        *("--config", ROOT / "config" / "vox-256.yaml", "--checkpoint", checkpoint),
        *("--source_image", vox / "source.png", "--driving_video", vox / "driving.mkv"),
        *("--output", "out.mkv", "--cpu", *(["--no-relative"] if mode == "abs" else [])),
        ANIMATO_CHECKPOINTS_DIR=str(vox / "checkpoints"),
    )
    assert ended.code == 0, ended.err
    assert "out.mkv: 256 x 256 px, 3 frames" in ended.out
    assert checkpoint.stat().st_mtime_ns == before
    levels = frames_of(tmp_path / "out.mkv")
    assert levels.shape == (3, 256, 256, 3)
    wanted = golden[f"{mode}/prediction_crop"].transpose(0, 2, 3, 1)
    # Of the absolute mode the golden holds the last frame.
    shown = levels[CROP][-len(wanted) :].astype(int)
    assert np.abs(shown - np.rint(255 * wanted)).max() <= 1
    exact = levels.transpose(0, 3, 1, 2) / 255
    boxes = exact.reshape(3, 3, 32, 8, 32, 8).mean((3, 5))
    assert np.abs(boxes - golden[f"{mode}/prediction_box8"]).max() < 1.5e-3
    np.testing.assert_allclose(exact.std((1, 2, 3)), golden[f"{mode}/prediction_std"], atol=2e-4)


# --- what goes into the networks ------------------------------------------------------------------


@pytest.fixture(scope="module")
def oblong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo and a clip that have to be squeezed, none of their sides 256 px."""
    folder = tmp_path_factory.mktemp("oblong")
    Image.fromarray(astronaut()[20:220, 60:360]).save(folder / "photo.png")
    with VideoWriter(folder / "clip.mkv", 320, 180, Fraction(25), comment="test") as writer:
        for index in range(3):
            writer.write(np.ascontiguousarray(astronaut()[20:200, 60 + 9 * index :][:, :320]))
    return folder


def published_frames(networks: Networks, photo: Picture, clip: Picture) -> npt.NDArray[np.float64]:
    """What the published steps make of them, one after the other: (B, 256, 256, 3) in [0, 255]."""
    import torch  # noqa: PLC0415 - only where the extra is installed

    from inference.fomm.coordinates import KeypointTensors  # noqa: PLC0415 - as above
    from inference.fomm.generator import Generator  # noqa: PLC0415 - as above
    from inference.fomm.keypoint_detector import KeypointDetector  # noqa: PLC0415 - as above

    def squeezed(picture: Picture) -> torch.Tensor:
        square = resize(picture, (256, 256))[..., :3]
        return torch.from_numpy(np.float32(square)).permute(2, 0, 1)[None]

    def keypoints(picture: Picture) -> Keypoints:
        found = detector(squeezed(picture))
        return Keypoints(found.value.numpy(), found.jacobian.numpy())

    def tensors(found: Keypoints) -> KeypointTensors:
        return KeypointTensors(torch.from_numpy(found.value), torch.from_numpy(found.jacobian))

    config = FommConfig.load(networks.config)
    detector, generator = KeypointDetector(config).eval(), Generator(config).eval()
    weights = torch.load(networks.checkpoint, weights_only=True)
    detector.load_state_dict(weights["kp_detector"])
    generator.load_state_dict(weights["generator"])
    with torch.inference_mode():
        source, driving = keypoints(photo), [keypoints(frame) for frame in clip]
        scale = adapt_scale(source, driving[0])
        moved = [
            normalise(source, frame, driving[0], relative=True, scale=scale) for frame in driving
        ]
        encoded = generator.encode(squeezed(photo))
        frames = [generator(encoded, tensors(source), tensors(kp)) for kp in moved]
    return np.asarray(255.0 * torch.cat(frames).permute(0, 2, 3, 1).double().numpy())


def test_pictures_of_any_shape_are_squeezed_as_the_original_did(
    quick_prepare: Animato, oblong: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = quick_prepare(
        *("--source_image", oblong / "photo.png", "--driving_video", oblong / "clip.mkv"),
        *("--output", "out.mkv", *networks.named),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    photo = np.asarray(Image.open(oblong / "photo.png"))
    wanted = published_frames(networks, photo, frames_of(oblong / "clip.mkv"))
    levels = frames_of(tmp_path / "out.mkv")
    assert levels.shape == wanted.shape == (3, 256, 256, 3)
    assert np.abs(levels - np.rint(wanted)).max() <= 1
    assert np.abs(levels[2].astype(int) - levels[0]).mean() > 3


def test_transparency_changes_nothing(
    quick_prepare: Animato, oblong: Path, networks: Networks, tmp_path: Path
) -> None:
    image = Image.open(oblong / "photo.png")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "veiled.png")
    for photo, output in ((oblong / "photo.png", "plain.mkv"), ("veiled.png", "veiled.mkv")):
        ended = quick_prepare(
            *("--source_image", photo, "--driving_video", oblong / "clip.mkv"),
            *("--output", output, *networks.named),
            ANIMATO_CHECKPOINTS_DIR=str(networks.store),
        )
        assert ended.code == 0, ended.err
    plain = frames_of(tmp_path / "plain.mkv")
    np.testing.assert_array_equal(frames_of(tmp_path / "veiled.mkv"), plain)


@pytest.mark.parametrize("name", ["fast.mp4", "fast.mkv"])
def test_every_frame_of_a_fast_clip_is_rendered(
    quick_prepare: Animato, oblong: Path, networks: Networks, tmp_path: Path, name: str
) -> None:
    make(
        tmp_path / name,
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=120:d=1", "-pix_fmt", "yuv420p"),
    )
    ended = quick_prepare(
        *("--source_image", oblong / "photo.png", "--driving_video", name),
        *("--output", f"out-{name}", *networks.named, "--duration", "0.25"),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    assert examine(tmp_path / f"out-{name}", max_rate=None).shown.frame_rate == 120
    assert len(frames_of(tmp_path / f"out-{name}")) == 30


# --- flags ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the astronaut as photo and clip: where there is a face, looking is quick."""
    folder = tmp_path_factory.mktemp("portrait")
    image = Image.fromarray(astronaut()[:400, 60:460]).resize((256, 256))
    image.save(folder / "photo.png")
    with VideoWriter(folder / "clip.mkv", 256, 256, Fraction(25), comment="test") as writer:
        for _ in range(3):
            writer.write(np.asarray(image))
    return folder


@pytest.fixture
def typed(networks: Networks, portrait: Path) -> dict[str, object]:
    """Everything that the original wants to be named, with small networks."""
    return {
        "--config": networks.config,
        "--checkpoint": networks.checkpoint,
        "--source_image": portrait / "photo.png",
        "--driving_video": portrait / "clip.mkv",
        "--output": "out.mkv",
    }


def flat(typed: dict[str, object]) -> list[object]:
    return [word for pair in typed.items() for word in pair]


def test_program_says_which_sample_is_missing(prepare: Animato) -> None:
    ended = prepare()
    assert ended.code == 2
    assert "test/02.png does not exist; pass a file with --source_image" in ended.err
    assert "Traceback" not in ended.err


def test_best_frame_shows_the_photo(
    quick_prepare: Animato,
    typed: dict[str, object],
    dotted_clip: Path,
    networks: Networks,
    portrait: Path,
    tmp_path: Path,
) -> None:
    typed |= {"--driving_video": dotted_clip, "--best_frame": 2}
    ended = quick_prepare(*flat(typed), ANIMATO_CHECKPOINTS_DIR=str(networks.store))
    assert ended.code == 0, ended.err
    photo = np.asarray(Image.open(portrait / "photo.png")).astype(int)
    differences = np.abs(frames_of(tmp_path / "out.mkv") - photo)[:, 8:-8, 8:-8].mean((1, 2, 3))
    assert int(np.argmin(differences)) == 2
    assert differences[2] < 0.7 * np.delete(differences, 2).min()


def test_faces_are_cut_out_if_it_is_asked(
    quick_prepare: Animato,
    typed: dict[str, object],
    networks: Networks,
    portrait: Path,
    tmp_path: Path,
) -> None:
    cut = quick_prepare(
        *flat(typed),
        *("-ci", "-cip", "0", "0", "0", "20", "-cv"),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert cut.code == 0, cut.err
    shown = frames_of(tmp_path / "out.mkv")[0]
    photo = np.asarray(Image.open(portrait / "photo.png"))
    face = find_faces(photo)[0].box
    wanted = crop_square(photo, face_square(face, 1.6, (0, 0, 0, 20)), 256)
    assert shown.shape == (256, 256, 3)
    assert np.abs(shown.astype(int) - wanted)[12:-12, 12:-12].mean() < 9
    assert np.abs(shown.astype(int) - photo)[12:-12, 12:-12].mean() > 30


def test_sound_is_kept(
    quick_prepare: Animato, typed: dict[str, object], networks: Networks, tmp_path: Path
) -> None:
    make(
        tmp_path / "spoken.mkv",
        *("-i", str(typed["--driving_video"]), "-f", "lavfi", "-i", "sine=440:d=0.12"),
        *("-c:v", "copy", "-c:a", "aac"),
    )
    typed |= {"--driving_video": "spoken.mkv", "--output": "out.mp4"}
    settings = {"ANIMATO_CHECKPOINTS_DIR": str(networks.store)}
    ended = quick_prepare(*flat(typed), **settings)
    assert ended.code == 0, ended.err
    with av.open(str(tmp_path / "out.mp4")) as mp4:
        assert mp4.streams.video[0].frames == 3
        (sound,) = mp4.streams.audio
        assert sound.duration is not None
        assert sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(0.12, abs=0.03)


# --- what is wrong is one sentence ----------------------------------------------------------------


@pytest.fixture
def fails(quick_prepare: Animato, typed: dict[str, object], tmp_path: Path) -> Animato:
    """Runs `prepare.py` with the usual arguments changed, by their names without dashes."""

    def run(**changed: object) -> Ended:
        arguments = typed | {f"--{name}": value for name, value in changed.items()}
        ended = quick_prepare(
            *flat(arguments), "--quiet", ANIMATO_OFFLINE="true", ANIMATO_CHECKPOINTS_DIR="store"
        )
        assert not (tmp_path / "out.mkv").exists()
        return ended

    return run


def test_weights_that_lack_a_key_are_named_with_file_and_key(
    fails: Animato, tmp_path: Path
) -> None:
    broken = write_checkpoint(tmp_path / "broken.pth.tar", {"generator.final.bias": None})
    said = sentence(fails(checkpoint=broken), 3)
    assert "generator.final.bias is missing" in said
    assert "broken" in said
    assert broken.exists()


def test_config_of_other_networks_is_named_with_the_key(fails: Animato, tmp_path: Path) -> None:
    said = sentence(fails(config=write_config(tmp_path / "other.yaml", num_kp=7)), 3)
    assert "does not belong to other.yaml" in said
    assert "generator.dense_motion_network" in said


def test_known_checkpoint_is_not_fetched_where_that_is_switched_off(fails: Animato) -> None:
    said = sentence(fails(checkpoint="checkpoints/vox-cpk.pth.tar"), 3)
    assert "vox-cpk would have to be downloaded, and ANIMATO_OFFLINE is set" in said
    assert "put vox-cpk.pth.tar into store by hand" in said


@pytest.mark.local_sockets
def test_fetched_checkpoint_is_refused_if_it_is_not_the_published_one(
    quick_prepare: Animato,
    typed: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    store = tmp_path / "store"
    store.mkdir()
    placed = write_checkpoint(store / "vox-cpk.pth.tar")
    before = placed.read_bytes()
    typed["--checkpoint"] = "elsewhere/vox-cpk.pth.tar"
    with FileServer(b"not the published weights" * 1000) as server:
        ended = quick_prepare(
            *flat(typed),
            "--quiet",
            ANIMATO_CHECKPOINTS_DIR=str(store),
            ANIMATO_WEIGHTS_MIRROR=server.url("/weights"),
        )
    said = sentence(ended, 3)
    assert "vox-cpk could not be downloaded: " in said
    assert server.requests[0][0] == "/weights/vox-cpk.pth.tar"
    assert placed.read_bytes() == before
    assert not list(store.glob("*.safetensors"))
    assert not list(store.glob("*.part"))


def test_missing_photo_is_one_sentence(fails: Animato) -> None:
    said = sentence(fails(source_image="none.png"), 1)
    assert "There is no file none.png" in said
