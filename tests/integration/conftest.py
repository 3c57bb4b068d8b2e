"""A web server on loopback and a store that fetches from it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.extras import missing_neural
from inference.weights.catalogue import WeightsCatalogue, WeightsFile, digests_of
from inference.weights.download import RetryPolicy
from inference.weights.store import WeightsStore
from tests.conftest import Require
from tests.integration.file_server import FileServer

CONTENT = random.Random(3).randbytes(300_000)
HASTY = RetryPolicy(connect_s=60, read_s=60, attempts=4, pause_s=0, retry_after_s=1)


Make = Callable[..., WeightsStore]


@pytest.fixture
def server(require: Require, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    require(not missing_neural(), "the extra neural is not installed")
    # A proxy of the machine's would be asked for loopback addresses too.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FileServer(CONTENT) as running:
        yield running


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, server: FileServer, said: list[str]) -> Make:
    """Makes a store that knows one file, with the mirrors /one and /two."""

    def store(*, mirror: str = "", read_s: float = HASTY.read_s, **changes: object) -> WeightsStore:
        wanted = known(tmp_path, [server.url("/one"), server.url("/two")], **changes)
        return WeightsStore(
            tmp_path / "store",
            WeightsCatalogue(files=(wanted,)),
            mirror=mirror,
            say=said.append,
            retry_policy=replace(HASTY, read_s=read_s),
        )

    return store


def known(folder: Path, urls: list[str], **changes: object) -> WeightsFile:
    path = folder / "published"
    path.write_bytes(CONTENT)
    digests = digests_of(path)
    facts: dict[str, object] = {
        "name": "aux",
        "file": "aux.pth",
        "kind": "file",
        "size_bytes": digests.size_bytes,
        "sha256": digests.sha256,
        "mirrors": [{"url": url} for url in urls],
        "licence": "none",
        "source": "here",
    }
    return WeightsFile.model_validate(facts | changes)


def fetched(store: WeightsStore) -> bytes:
    """The content of the file after fetching; nothing else may be left in the folder."""
    path = store.file("aux.pth", may_fetch=True)
    assert path == store.folder / "aux.pth"
    assert visible(store) == ["aux.pth"]
    return path.read_bytes()


def visible(store: WeightsStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir() if path.name[0] != ".")


def part_of(store: WeightsStore) -> Path:
    return store.folder / f"{store.catalogue.files[0].key}.part"
