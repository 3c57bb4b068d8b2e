"""The engine `liveportrait` as its owner and a person in the chat use it.

The networks are those that are published, with seeded weights: what they make of a face is noise,
and everything around it is seen. A frame takes seconds, so there is only one.
"""

import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.data import astronaut

from inference.faces.finder import find_faces
from inference.faces.landmarker import Landmarker
from inference.faces.loading import landmarker
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from jobs.orders import OrderState
from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing
from jobs.templates import SHIPPED_TEMPLATES
from tests.conftest import Require
from tests.e2e.conftest import Animato
from tests.e2e.service import order_of, service
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Part

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def moment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single frame of a shipped movement."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with ClipReader(SHIPPED_TEMPLATES / "shake.mp4") as frames:
        frame = next(frames)
    with VideoWriter(path, 512, 512, Fraction(25), comment="test") as writer:
        writer.write(frame)
    return path


def family() -> Picture:
    """Two faces side by side, the right one mirrored and smaller; 620 x 260 px."""
    head = astronaut()[0:260, 90:350]
    canvas = np.full((260, 620, 3), 90, np.uint8)
    canvas[:, :260] = head
    small = Image.fromarray(head[:, ::-1]).resize((190, 190))
    canvas[50:240, 400:590] = np.asarray(small)
    return canvas


def changed(frame: Picture, photo: Picture) -> Mask:
    found: Mask = (frame != photo).any(axis=-1)
    return found


def faces_around(photo: Picture, network: Landmarker, reach: float) -> Mask:
    """What is within so many face sides of a face."""
    rows, columns = np.indices(photo.shape[:2])
    around = np.zeros(photo.shape[:2], np.bool_)
    for face in find_faces(photo, network):
        x, y = face.box.centre
        away = np.maximum(np.abs(columns - x), np.abs(rows - y))
        around |= away < reach * face.box.width
    return around


def test_all_faces_are_moved_and_pasted_back_and_the_rest_is_the_photo(
    quick_animato: Animato, liveportrait_weights: Path, moment: Path, tmp_path: Path
) -> None:
    photo = family()
    Image.fromarray(photo).save(tmp_path / "family.png")
    ended = quick_animato(
        *("animate", "--engine", "liveportrait", "--source_image", tmp_path / "family.png"),
        *("--driving_video", moment, "--face", "all"),
        *("--output", "me.mkv", "--json"),
        ANIMATO_CHECKPOINTS_DIR=str(liveportrait_weights),
        ANIMATO_DEVICE="cpu",
    )
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["engine"], said["frames"]) == ("liveportrait", 1)
    assert (said["width"], said["height"]) == (620, 260)
    with ClipReader(tmp_path / "me.mkv") as frames:
        (frame,) = frames
    different = changed(frame, photo)
    network = landmarker()
    # Noise is not the photo anywhere: these are the squares.
    assert different[faces_around(photo, network, 0.6)].mean() > 0.97
    assert not different[~faces_around(photo, network, 1.5)].any()


@pytest.mark.local_sockets
async def test_it_is_offered_ordered_rendered_and_delivered(
    liveportrait_weights: Path,
    moment: Path,
    tmp_path: Path,
    require: Require,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        find_program(tmp_path)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    photo = np.ascontiguousarray(astronaut()[0:400, 60:460])
    file = BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    async with service(
        tmp_path,
        engines="mesh,liveportrait",
        ANIMATO_CHECKPOINTS_DIR=str(liveportrait_weights),
        ANIMATO_OFFLINE="true",
    ) as whole:
        ann = await whole.person("Ann")
        sent = await ann.send(Part("document", file.getvalue(), "me.png"))
        card = await ann.card(sent)
        await ann.tap("More", card)
        # Without a GPU, the default is the engine that needs no network.
        page = await ann.sees("These choices apply to your next videos")
        assert "✓ Sharper" in labels(page)
        assert "Liveliest: liveportrait" in page["text"]
        await ann.tap("Liveliest", page)
        await ann.send(Part("video", moment.read_bytes(), "nod.mp4"), reply_to=sent["message_id"])
        await ann.tap("Follow my clip", await ann.sees("Your clip, or another movement?"))
        await whole.is_in(OrderState.DONE, order_of(sent, engine="liveportrait"))
        (video,) = await ann.videos()
        assert "Made with AI: a neural network animated the face" in video["caption"]
        (first,) = media.frames(await ann.file_of(video))
        corner, middle = np.s_[-99:, :99], np.s_[80:140, 140:200]
        assert np.abs(first[corner].astype(int) - photo[corner]).mean() < 8
        assert np.abs(first[middle].astype(int) - photo[middle]).mean() > 25


def labels(card: dict[str, object]) -> str:
    return json.dumps(card["reply_markup"], ensure_ascii=False)
