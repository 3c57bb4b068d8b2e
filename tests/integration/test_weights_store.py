"""The store of weights and a real server: what is kept, what is deleted, who waits for whom."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.weights.catalogue import WeightsCatalogue, digests_of
from inference.weights.store import WeightsStore
from jobs.errors import DiskFull
from jobs.weights_errors import WeightsCorrupt, WeightsFolderRefused
from tests.conftest import Require
from tests.integration.conftest import CONTENT, HASTY, Make, fetched, known, part_of, visible
from tests.integration.file_server import (
    GATE_S,
    Answer,
    FileServer,
    Handler,
    breaks_off,
    sends,
    waits,
)
from tests.unit.inference.checkpoints import write_checkpoint

pytestmark = pytest.mark.local_sockets

HALF = len(CONTENT) // 2
OTHER = bytes(len(CONTENT))


# --- what a person placed -------------------------------------------------------------------------


def test_placed_file_with_a_wrong_hash_is_never_replaced(make: Make, server: FileServer) -> None:
    store = make()
    store.folder.mkdir()
    (store.folder / "aux.pth").write_bytes(OTHER)
    with pytest.raises(WeightsCorrupt, match="move it away"):
        store.fetch(store.catalogue.files[0])
    assert (store.folder / "aux.pth").read_bytes() == OTHER
    assert server.requests == []


def sends_late(store: WeightsStore, place: Callable[[Path], object]) -> Answer:
    """The right file, after a person has put something at its place."""

    def answer(handler: Handler) -> None:
        place(store.folder / "aux.pth")
        sends(CONTENT)(handler)

    return answer


def test_right_file_that_is_placed_during_the_download_stays(
    make: Make, server: FileServer
) -> None:
    store = make()
    placed: list[int] = []

    def place(path: Path) -> None:
        path.write_bytes(CONTENT)
        placed.append(path.stat().st_ino)

    server.plan("/one", sends_late(store, place))
    assert fetched(store) == CONTENT
    assert placed == [(store.folder / "aux.pth").stat().st_ino]


def test_wrong_file_that_is_placed_during_the_download_stays_and_so_does_the_download(
    make: Make, server: FileServer
) -> None:
    store = make()
    server.plan("/one", sends_late(store, lambda path: path.write_bytes(OTHER)))
    with pytest.raises(WeightsCorrupt, match="move it away"):
        store.file("aux.pth", may_fetch=True)
    placed = store.folder / "aux.pth"
    assert placed.read_bytes() == OTHER
    assert part_of(store).read_bytes() == CONTENT
    # Moved away as the sentence asks, nothing is downloaded again.
    placed.unlink()
    assert fetched(make()) == CONTENT
    assert len(server.requests) == 1


def test_folder_that_is_made_at_the_place_during_the_download_is_one_sentence(
    make: Make, server: FileServer
) -> None:
    store = make()
    server.plan("/one", sends_late(store, Path.mkdir))
    with pytest.raises(WeightsFolderRefused, match="file exists"):
        store.file("aux.pth", may_fetch=True)
    assert part_of(store).read_bytes() == CONTENT


# --- a checkpoint: fetched, converted, the download deleted ---------------------------------------


def test_checkpoint_is_fetched_converted_and_the_download_deleted(
    tmp_path: Path, server: FileServer, said: list[str]
) -> None:
    published = write_checkpoint(tmp_path / "small.pth.tar")
    digests = digests_of(published)
    server.content = published.read_bytes()
    facts = {"size_bytes": digests.size_bytes, "sha256": digests.sha256}
    names = {"name": "small", "file": "small.pth.tar", "kind": "checkpoint"}
    wanted = known(tmp_path, [server.url("/other-name.tar")], **facts, **names)
    store = WeightsStore(
        tmp_path / "store", WeightsCatalogue(files=(wanted,)), say=said.append, retry_policy=HASTY
    )
    (tmp_path / "store").mkdir()
    placed = tmp_path / "store" / "small.pth.tar"
    placed.write_bytes(b"placed by a person, and something else")
    wish = Path("checkpoints/small.pth.tar")
    made = store.checkpoint(wish)
    assert visible(store) == [f"small-{digests.sha256[:8]}.safetensors", "small.pth.tar"]
    assert placed.read_bytes().startswith(b"placed by a person")
    assert store.checkpoint(wish) == made
    assert len(server.requests) == 1
    placed.unlink()
    assert store.has_checkpoint(wish)


# --- stopped, full, twice -------------------------------------------------------------------------


def test_ctrl_c_keeps_what_has_arrived(make: Make, server: FileServer) -> None:
    main = threading.main_thread().ident
    assert main is not None
    store = make()

    def stops_us(handler: Handler) -> None:
        breaks_off(HALF)(handler)
        handler.wfile.flush()
        while not (part_of(store).exists() and part_of(store).stat().st_size):
            handler.ours.gate.wait(0.01)
        signal.pthread_kill(main, signal.SIGINT)
        handler.ours.gate.wait(GATE_S)

    server.plan("/one", stops_us)
    with pytest.raises(KeyboardInterrupt):
        store.file("aux.pth", may_fetch=True)
    server.gate.set()
    kept_bytes = part_of(store).stat().st_size
    assert fetched(make()) == CONTENT
    assert server.ranges("/one")[-1] == f"bytes={kept_bytes}-"


def test_full_disk_is_one_sentence(make: Make, require_hardware: Require) -> None:
    require_hardware(Path("/dev/full").exists(), "there is no /dev/full")
    store = make()
    store.folder.mkdir()
    part_of(store).symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="free some space"):
        store.file("aux.pth", may_fetch=True)


PROCESS = """
import sys
from pathlib import Path
from inference.weights.store import WeightsStore
from inference.weights.catalogue import WeightsCatalogue

def say(sentence):
    print(sentence, flush=True)

catalogue = WeightsCatalogue.model_validate_json(sys.argv[2])
print(WeightsStore(Path(sys.argv[1]), catalogue, say=say).file("aux.pth", may_fetch=True).name)
"""


def test_two_processes_fetch_once(tmp_path: Path, server: FileServer) -> None:
    catalogue = WeightsCatalogue(files=(known(tmp_path, [server.url("/one")]),))
    server.plan("/one", waits)
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "store"), catalogue.model_dump_json()]

    def started() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    with started() as first:
        assert server.asked.wait(60)
        with started() as second:
            assert second.stdout is not None
            assert "waiting for another process" in second.stdout.readline()
            server.gate.set()
            ends = [process.communicate(timeout=60) for process in (first, second)]
    assert [out.splitlines()[-1] for out, _ in ends] == ["aux.pth", "aux.pth"]
    assert len(server.requests) == 1
