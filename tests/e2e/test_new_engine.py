"""A file in the engines' folder is all that a new engine takes: it is listed, offered and used."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest

from jobs.orders import OrderState
from jobs.redis_server.program import find_program
from jobs.service_errors import QueueServerMissing
from tests.conftest import Require
from tests.e2e.conftest import ROOT, clean_environment
from tests.e2e.service import order_of, service
from tests.e2e.whole_service import portrait

pytestmark = pytest.mark.local_sockets

BLUE_ENGINE = """
import numpy as np

from inference.engines.still import StillEngine


class BlueEngine(StillEngine):
    name = "blue"
    title = "Blue: a picture of one colour"
    button = "Bluest"
    label = "Painted by a test"
    credits = "nobody's work, no licence"
    preference = 1

    def prepare(self, photo, faces):
        self._photo = np.full_like(photo, (0, 0, 255))


ENGINE = BlueEngine
"""


@pytest.fixture(scope="module")
def code() -> Iterator[Path]:
    """A copy of the package of engines, with one file more."""
    with TemporaryDirectory(prefix="animato-test-") as folder:
        copy = Path(folder) / "inference"
        shutil.copytree(ROOT / "inference", copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "engines" / "blue.py").write_text(BLUE_ENGINE, "utf-8")
        # Where the package looks for its data.
        for data in ("checkpoints", "config"):
            (Path(folder) / data).symlink_to(ROOT / data)
        yield Path(folder)


def test_new_engine_is_listed(code: Path, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    environment["PYTHONPATH"] = os.pathsep.join((str(code), str(ROOT)))
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "animato", "engines"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["blue", "ready"] in lines
    assert ["Blue:", "a", "picture", "of", "one", "colour"] in lines


async def test_new_engine_is_offered_ordered_rendered_and_delivered(
    code: Path, tmp_path: Path, require: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        find_program(tmp_path)
    except QueueServerMissing:
        require(False, "there is no Valkey and no Redis")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    async with service(tmp_path, engines="mesh,still,blue", code=code) as whole:
        ann = await whole.person("Ann")
        photo, later = await ann.send(portrait()), await ann.send(portrait())
        card, later_card = await ann.card(photo), await ann.card(later)
        await ann.tap("Bluest", card)
        await ann.tap("Blink", card)
        (video,) = await ann.videos()
        assert "Painted by a test" in video["caption"]
        with av.open(BytesIO(await ann.file_of(video)), "r") as file:
            frame = next(file.decode(video=0)).to_ndarray(format="rgb24")
        red, green, blue = frame.reshape(-1, 3).mean(0)
        assert blue > 200
        assert max(red, green) < 50
        await whole.is_in(OrderState.DONE, order_of(photo, engine="blue"))
        await ann.desk.say("/about", user_id=ann.person, chat_id=ann.person)
        await ann.sees("blue: nobody's work, no licence.")
        # Its last worker leaves: what was chosen for it is kept, and the person is told.
        await ann.tap("Bluest", later_card)
        await whole.worker.stop()
        await ann.tap("Blink", later_card)
        await whole.is_in(OrderState.WAITING, order_of(later, engine="blue"))
        await ann.tap("Cancel", await ann.sees("No worker"))
        await ann.sees("cancelled")
