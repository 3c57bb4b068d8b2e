"""`animato animate --voice`, as a person types it: the mouth moves with the sound."""

import json
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inference.faces.finder import find_faces, look_at_face
from inference.faces.loading import landmarker
from inference.media.video import ClipReader
from inference.voice.features import SAMPLE_RATE
from tests.e2e.conftest import Animato, Networks
from tests.unit.inference.media.sounds import RATE, click_errors_ms, clicks, decode, encode
from tests.unit.inference.voice.sounds import silence, vowels


@pytest.fixture
def animato(quick_animato: Animato) -> Animato:
    """In this process: a start of its own would take longer than most of these runs."""
    return quick_animato


# Landmarks: the inner lips above and below, the outer corners of the eyes.
UPPER_LIP, LOWER_LIP, EYES = 13, 14, (33, 263)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vowels a, i and u, from 0.4, 1.05 and 1.7 s on."""
    path = tmp_path_factory.mktemp("voice") / "say.ogg"
    return encode(path, vowels(), "-c:a", "libopus", "-b:a", "32k", rate=SAMPLE_RATE)


# Frames: before the first vowel, while it is spoken, after the last one.
BEFORE, SPOKEN, AFTER = range(8), range(12, 20), range(61, 65)


def opening(video: Path, wanted: range) -> float:
    """How far the lips are apart in some frames on average, in distances of the eyes."""
    network, gaps = landmarker(), []
    with ClipReader(video) as frames:
        for frame in islice(frames, wanted.start, wanted.stop):
            points = look_at_face(network, frame, find_faces(frame, network)[0]).points
            eyes = np.linalg.norm(points[EYES[0]] - points[EYES[1]])
            gaps.append(np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP]) / eyes)
    assert len(gaps) == len(wanted)
    return float(np.mean(gaps))


def test_mouth_opens_and_shuts_with_the_sound_which_starts_when_it_should(
    animato_process: Animato, photo: Path, voice: Path, tmp_path: Path
) -> None:
    ended = animato_process(
        "animate", "--source_image", photo, "--voice", voice, "--output", "me.mp4", "--json"
    )
    assert ended.code == 0, ended.err
    assert "warning" not in ended.err
    said = json.loads(ended.out)
    assert (said["engine"], said["frames"], said["frame_rate"]) == ("mesh", 65, "25")
    film = tmp_path / "me.mp4"
    shut = max(opening(film, BEFORE), opening(film, AFTER))
    assert opening(film, SPOKEN) > 1.3 * shut
    loud = np.abs(decode(tmp_path / "me.mp4")) > 0.05
    assert np.argmax(loud) / RATE == pytest.approx(0.4, abs=0.02)
    with av.open(str(film)) as container:
        assert sorted(stream.type for stream in container.streams) == ["audio", "video"]


def test_part_of_a_sound_is_spoken_and_its_clicks_are_in_time(
    animato: Animato, photo: Path, tmp_path: Path
) -> None:
    late = encode(tmp_path / "late.mp3", np.concatenate([np.zeros(RATE, np.float32), clicks(3.4)]))
    ended = animato(
        *("animate", "--source_image", photo, "--voice", late, "--output", "me.mkv", "--json"),
        *("--start", "1", "--duration", "3.3", "--engine", "still"),
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["frames"] == 83
    assert np.abs(click_errors_ms(tmp_path / "me.mkv")).max() < 10


def test_template_leads_the_head_of_a_face_that_speaks(
    animato: Animato, photo: Path, voice: Path, tmp_path: Path
) -> None:
    common = ("animate", "--source_image", photo, "--voice", voice, "--quiet")
    assert animato(*common, "--output", "plain.mkv").code == 0
    assert animato(*common, "--template", "shake", "--output", "shaken.mkv").code == 0
    moved = []
    for name in ("plain.mkv", "shaken.mkv"):
        with ClipReader(tmp_path / name) as frames:
            hair = [frame[30:70, 120:200].astype(int) for frame in frames]
        moved.append(max(float(np.abs(one - hair[0]).mean()) for one in hair))
    assert moved[1] > 1.5 * moved[0]
    film = tmp_path / "shaken.mkv"
    assert opening(film, SPOKEN) > 1.3 * opening(film, BEFORE)


def test_silence_is_a_video_with_a_warning(animato: Animato, photo: Path, tmp_path: Path) -> None:
    quiet = encode(tmp_path / "quiet.wav", silence(1), rate=SAMPLE_RATE)
    ended = animato(
        *("animate", "--source_image", photo, "--voice", quiet, "--output", "me.gif"),
        *("--engine", "still"),
    )
    assert ended.code == 0, ended.err
    assert "warning: No voice can be heard in the sound; the mouth stays shut." in ended.err
    with Image.open(tmp_path / "me.gif") as animation:
        assert animation.size == (400, 400)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("61 s", "say.mp3 is longer than 60 s: send a shorter sound, or cut it with --duration."),
        ("text", "say.ogg is not a sound that can be read: send an OGG, MP3, M4A, WAV or video"),
        ("nothing", "There is no file say.ogg: check the path."),
    ],
)
def test_what_cannot_be_spoken_is_one_sentence(
    animato: Animato, photo: Path, tmp_path: Path, kind: str, words: str
) -> None:
    path = tmp_path / ("say.mp3" if kind == "61 s" else "say.ogg")
    if kind == "61 s":
        encode(path, silence(61), rate=SAMPLE_RATE)
    elif kind == "text":
        path.write_text("It was a dark and stormy night.\n" * 99)
    ended = animato("animate", "--source_image", photo, "--voice", path, "--output", "me.mp4")
    assert ended.code == 1
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "me.mp4").exists()


def test_fomm_is_led_by_a_portrait_that_speaks(
    animato: Animato, photo: Path, voice: Path, networks: Networks, tmp_path: Path
) -> None:
    ended = animato(
        *("animate", "--source_image", photo, "--voice", voice, "--output", "me.mp4"),
        *("--duration", "0.8", "--engine", "fomm", *networks.named, "--json"),
        ANIMATO_CHECKPOINTS_DIR=str(networks.store),
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["engine"], said["frames"]) == ("fomm", 20)
    assert len(decode(tmp_path / "me.mp4")) / RATE == pytest.approx(0.8, abs=0.03)
    # Nothing of what a person said is kept.
    assert not (networks.store / "keypoints").exists()
