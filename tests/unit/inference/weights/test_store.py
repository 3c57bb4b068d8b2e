"""The store of weights, without any network: what is found, converted, kept and refused."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.extras import missing_neural
from inference.weights.catalogue import Digests, WeightsCatalogue, WeightsFile, digests_of
from inference.weights.store import WeightsStore
from jobs.errors import ExtraMissing, FileMissing, FileUnreadable
from jobs.weights_errors import (
    TooLittleRoom,
    WeightsCorrupt,
    WeightsFolderRefused,
    WeightsMissing,
    WeightsNeverFetched,
    WeightsOffline,
)
from tests.conftest import Require
from tests.unit.inference.checkpoints import write_checkpoint

AUXILIARY = b"\x80\x02auxiliary" * 50
Make = Callable[..., WeightsStore]


@pytest.fixture(autouse=True)
def neural(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The published file, somewhere else than in the store."""
    (tmp_path / "elsewhere").mkdir()
    return write_checkpoint(tmp_path / "elsewhere" / "small.pth.tar")


def entry(digests: Digests, **changes: object) -> WeightsFile:
    facts: dict[str, object] = {
        "name": "small",
        "file": "small.pth.tar",
        "kind": "checkpoint",
        "size_bytes": digests.size_bytes,
        "sha256": digests.sha256,
        "mirrors": [{"url": "http://127.0.0.1:9/small.pth.tar"}],
        "licence": "none",
        "source": "here",
    }
    return WeightsFile.model_validate(facts | changes)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, original: Path, said: list[str]) -> Make:
    """Makes a store in `tmp_path/store` that knows `original`, and an edition without a hash."""
    small = entry(digests_of(original))
    own = entry(digests_of(original), name="own", file="own.pth.tar", sha256=None, mirrors=[])
    folder = tmp_path / "store"

    def of(*files: WeightsFile, is_offline: bool = False) -> WeightsStore:
        catalogue = WeightsCatalogue(files=files or (small, own))
        return WeightsStore(folder, catalogue, is_offline=is_offline, say=said.append)

    return of


def put(store: WeightsStore, name: str, content: bytes) -> Path:
    store.folder.mkdir(exist_ok=True)
    path = store.folder / name
    path.write_bytes(content)
    return path


# --- a path that exists ---------------------------------------------------------------------------


def test_person_s_checkpoint_is_converted_once_and_never_touched(
    make: Make, original: Path, said: list[str]
) -> None:
    before = original.read_bytes(), original.stat().st_mtime_ns
    store = make()
    made = store.checkpoint(original)
    digests = digests_of(original)
    assert made == store.folder / f"small-{digests.sha256[:8]}.safetensors"
    made_at = made.stat().st_mtime_ns
    assert store.checkpoint(original) == made
    assert made.stat().st_mtime_ns == made_at
    assert len(said) == 1
    assert (original.read_bytes(), original.stat().st_mtime_ns) == before


def test_second_start_does_not_read_the_original(make: Make, original: Path) -> None:
    made = make().checkpoint(original)
    facts = original.stat()
    original.write_bytes(bytes(facts.st_size))
    os.utime(original, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert make().checkpoint(original) == made


def test_changed_original_is_converted_anew_beside_the_old_one(make: Make, original: Path) -> None:
    made = make().checkpoint(original)
    write_checkpoint(original, epoch=100)
    anew = make().checkpoint(original)
    assert anew != made
    assert made.exists()


def test_same_original_of_another_age_is_hashed_only_once(make: Make, original: Path) -> None:
    made = make().checkpoint(original)
    os.utime(original, ns=(10**18, 10**18))
    assert make().checkpoint(original) == made
    original.write_bytes(bytes(original.stat().st_size))
    os.utime(original, ns=(10**18, 10**18))
    assert make().checkpoint(original) == made


def test_converted_file_can_be_named_itself(make: Make, original: Path) -> None:
    made = make().checkpoint(original)
    assert make().checkpoint(made) == made
    made.write_bytes(b"broken")
    assert not make().has_checkpoint(made)
    with pytest.raises(WeightsCorrupt, match="animato weights convert"):
        make().checkpoint(made)


def test_broken_converted_file_is_made_anew(make: Make, original: Path) -> None:
    made = make().checkpoint(original)
    whole = made.read_bytes()
    made.write_bytes(whole[:50])
    assert make().checkpoint(original) == made
    assert made.stat().st_size == len(whole)


def test_wrong_file_of_a_known_name_is_taken_as_it_is_and_said(
    make: Make, original: Path, said: list[str]
) -> None:
    store = make()
    write_checkpoint(original, epoch=100)
    assert store.checkpoint(original).exists()
    assert "another hash" in said[-1]


def test_folder_and_missing_path_are_told(make: Make, tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="it is a folder"):
        make().checkpoint(tmp_path)
    with pytest.raises(WeightsMissing, match="animato weights list"):
        make().checkpoint(tmp_path / "nix.pth.tar")
    with pytest.raises(FileMissing):
        make().convert(tmp_path / "nix.pth.tar")


@pytest.mark.parametrize("content", [b"<html>quota</html>", b"junk" * 1000])
def test_what_was_saved_in_the_place_of_weights_does_not_stand_in_their_way(
    make: Make, original: Path, said: list[str], content: bytes
) -> None:
    store = make()
    path = put(store, "small.pth.tar", content)
    with pytest.raises(WeightsCorrupt, match="move it away and run `animato weights fetch small`"):
        store.checkpoint(path)
    made = store.convert(original)
    said.clear()
    assert store.checkpoint(path) == made
    assert f"{made.name} is used instead" in said[0]
    assert path.read_bytes() == content


# --- whether it is worth trying -------------------------------------------------------------------


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abb4\nsize 300\n"


@pytest.mark.parametrize("content", [POINTER, b"\n<html>quota</html>", b""])
@pytest.mark.parametrize("name", ["small.pth.tar", "mine.pth.tar"])
def test_what_came_in_the_place_of_weights_is_no_checkpoint(
    make: Make, content: bytes, name: str
) -> None:
    store = make()
    assert not store.has_checkpoint(put(store, name, content))


def test_truncated_file_of_a_published_name_is_no_checkpoint(make: Make, original: Path) -> None:
    store = make()
    placed = put(store, "small.pth.tar", original.read_bytes())
    assert store.has_checkpoint(placed)
    placed.write_bytes(original.read_bytes()[:-1])
    assert not store.has_checkpoint(placed)
    # Elsewhere, or by another name, it may be anything that somebody has trained.
    assert store.has_checkpoint(placed.rename(store.folder / "mine.pth.tar"))
    assert store.has_checkpoint(put(store, "small.pth.tar", b"x").rename(original))


def test_where_no_size_is_recorded_a_file_far_smaller_or_larger_is_no_checkpoint(
    make: Make, original: Path
) -> None:
    about = original.stat().st_size
    store = make(entry(digests_of(original), size_bytes=None, about_bytes=about))
    for size_bytes, may_be in ((about // 2, False), (about - 100, True), (2 * about, False)):
        placed = put(store, "small.pth.tar", b"x" * size_bytes)
        assert store.has_checkpoint(placed) == may_be
        assert store.state_of(store.catalogue.files[0]).startswith("there") == may_be


def test_imported_edition_of_a_published_name_is_a_checkpoint_as_long_as_it_is_whole(
    make: Make, original: Path
) -> None:
    store = make()
    write_checkpoint(original, epoch=None)
    placed = put(store, "small.pth.tar", original.read_bytes())
    assert not store.has_checkpoint(placed)
    store.import_file(original)
    # Known though it is of another age than the one that was imported.
    os.utime(placed, ns=(5, 5))
    assert store.has_checkpoint(placed)
    placed.write_bytes(original.read_bytes()[:-1])
    assert not store.has_checkpoint(placed)


def test_folder_a_pipe_and_a_file_that_is_gone_are_no_checkpoints(
    make: Make, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.pth.tar")
    (tmp_path / "gone.pth.tar").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "pipe.pth.tar", tmp_path / "gone.pth.tar"):
        assert not make().has_checkpoint(path)


# --- a path where nothing is ----------------------------------------------------------------------


def test_file_placed_by_hand_is_found_by_its_name(make: Make, original: Path) -> None:
    store = make()
    placed = put(store, "small.pth.tar", original.read_bytes())
    wish = Path("checkpoints/small.pth.tar")
    assert store.has_checkpoint(wish)
    made = store.checkpoint(wish, may_fetch=False)
    placed.unlink()
    assert store.has_checkpoint(wish)
    assert make().checkpoint(wish, may_fetch=False) == made


def test_placed_file_with_a_wrong_hash_is_neither_used_nor_deleted(make: Make) -> None:
    store = make()
    placed = write_checkpoint(put(store, "small.pth.tar", b""), epoch=101)
    content = placed.read_bytes()
    with pytest.raises(WeightsMissing, match="animato weights fetch small"):
        store.checkpoint(Path("nowhere/small.pth.tar"), may_fetch=False)
    with pytest.raises(WeightsOffline):
        make(is_offline=True).checkpoint(Path("nowhere/small.pth.tar"))
    assert placed.read_bytes() == content


def test_missing_weights_name_the_command_that_gets_them(make: Make) -> None:
    wish = Path("checkpoints/small.pth.tar")
    assert not make().has_checkpoint(wish)
    with pytest.raises(WeightsMissing, match="`animato weights fetch small`"):
        make().checkpoint(wish, may_fetch=False)


def test_weights_without_a_hash_are_never_fetched(make: Make) -> None:
    with pytest.raises(WeightsNeverFetched, match="animato weights import PATH"):
        make().checkpoint(Path("own.pth.tar"))
    with pytest.raises(WeightsNeverFetched):
        make().fetch(make().catalogue.named("own")[0])


# --- no network -----------------------------------------------------------------------------------


def test_offline_opens_no_socket(make: Make) -> None:
    wish = Path("small.pth.tar")
    with pytest.raises(WeightsOffline, match="ANIMATO_OFFLINE"):
        make(is_offline=True).checkpoint(wish)
    # The counter-proof: online it does open one.
    with pytest.raises(UserWarning, match="tried to use socket"):
        make().checkpoint(wish)


def test_too_little_room_is_told_before_any_socket_is_opened(make: Make, original: Path) -> None:
    huge = entry(digests_of(original), size_bytes=10**16)
    with pytest.raises(TooLittleRoom, match="10000000"):
        make(huge).checkpoint(Path("small.pth.tar"))


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, original: Path) -> None:
    store = WeightsStore(original / "store", WeightsCatalogue(files=()))
    with pytest.raises(WeightsFolderRefused, match="ANIMATO_CHECKPOINTS_DIR"):
        store.convert(write_checkpoint(tmp_path / "a.pth.tar"))


def test_read_only_folder_s_converted_file_serves_an_original_of_another_age(
    make: Make, original: Path
) -> None:
    made = make().checkpoint(original)
    os.utime(original, ns=(5, 5))
    lock = made.parent / ".small.lock"
    lock.unlink()
    lock.mkdir()  # as good as read-only, also for root
    assert make().checkpoint(original) == made


# --- files that are used as they are --------------------------------------------------------------


@pytest.fixture
def auxiliary(tmp_path: Path) -> WeightsFile:
    path = tmp_path / "auxiliary"
    path.write_bytes(AUXILIARY)
    return entry(digests_of(path), name="aux", file="aux.pth", kind="file", mirrors=[])


def test_auxiliary_file_is_proven_each_time(make: Make, auxiliary: WeightsFile) -> None:
    store = make(auxiliary)
    assert store.file("aux.pth") is None
    path = put(store, "aux.pth", AUXILIARY)
    assert store.file("aux.pth") == path
    path.write_bytes(AUXILIARY[:-1] + b"!")
    with pytest.raises(WeightsCorrupt, match="animato weights fetch aux"):
        store.file("aux.pth")
    assert path.exists()
    assert store.file("unknown.pth") is None


# --- import ---------------------------------------------------------------------------------------


def test_import_returns_the_hash_and_leaves_the_original(
    make: Make, original: Path, tmp_path: Path
) -> None:
    own = original.rename(tmp_path / "elsewhere" / "own.pth.tar")
    store = make()
    digests, usable = store.import_file(own)
    assert digests == digests_of(own)
    assert own.exists()
    assert not (store.folder / "own.pth.tar").exists()
    # From now on it is found by its name alone.
    assert store.has_checkpoint(Path("checkpoints/own.pth.tar"))
    assert store.checkpoint(Path("checkpoints/own.pth.tar")) == usable
    assert "ready" in store.state_of(store.catalogue.named("own")[0])


def test_the_latest_import_of_a_name_is_found(make: Make, original: Path) -> None:
    store = make()
    own = original.with_name("own.pth.tar")
    for epoch in (1, 2, 3):
        _, usable = store.import_file(write_checkpoint(own, epoch=epoch))
        os.utime(usable, ns=(epoch, epoch))
    assert store.checkpoint(Path("checkpoints/own.pth.tar")) == usable


def test_import_of_something_else_is_refused(make: Make, tmp_path: Path) -> None:
    page = tmp_path / "own.pth.tar"
    page.write_bytes(b"<html>")
    with pytest.raises(WeightsCorrupt, match="web page"):
        make().import_file(page)
    assert not make().has_checkpoint(Path("checkpoints/own.pth.tar"))


def test_import_of_a_wrong_auxiliary_file_is_refused(
    make: Make, auxiliary: WeightsFile, tmp_path: Path
) -> None:
    wrong = tmp_path / "aux.pth"
    wrong.write_bytes(AUXILIARY + b"!")
    with pytest.raises(WeightsCorrupt, match="not the published file"):
        make(auxiliary).import_file(wrong)


# --- verify and states ----------------------------------------------------------------------------


def test_verify_says_what_each_file_is(make: Make, original: Path) -> None:
    store = make()
    placed = put(store, "small.pth.tar", original.read_bytes())
    put(store, "own.pth.tar", b"something else")
    made = store.checkpoint(placed)
    found = {checked.path: checked for checked in store.verify()}
    assert found[placed].is_right
    assert found[placed].finding == "the published small (its sha256 is right)"
    assert found[made].is_right
    assert not found[store.folder / "own.pth.tar"].is_right
    content = bytearray(made.read_bytes())
    content[-1] ^= 1
    made.write_bytes(content)
    assert [checked.path for checked in store.verify() if not checked.is_right][-1] == made


def test_state_of_a_file_goes_from_nothing_to_ready(make: Make, original: Path) -> None:
    store = make()
    small = store.catalogue.named("small")[0]
    assert store.state_of(small) == "not there"
    part = put(store, f"{small.key}.part", b"x" * 2_000_000)
    assert store.state_of(small) == "partly downloaded (2 MB)"
    part.unlink()
    put(store, "small.pth.tar", original.read_bytes())
    assert "not converted yet" in store.state_of(small)
    made = store.checkpoint(Path("small.pth.tar"))
    assert store.state_of(small) == f"ready ({made.name})"


# --- without the extra ----------------------------------------------------------------------------


def test_without_the_extra_one_sentence_says_what_to_type(
    make: Make, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make().checkpoint(original)
    # None is how Python writes down that a module cannot be imported.
    monkeypatch.setitem(sys.modules, "safetensors", None)
    store = make()
    assert not store.has_checkpoint(original)
    assert not store.has_checkpoint(made)
    assert store.state_of(store.catalogue.named("small")[0]) == "not there"
    small = store.catalogue.named("small")[0]
    asks: list[Callable[[], object]] = [
        lambda: store.checkpoint(original),
        lambda: store.convert(original),
        lambda: store.import_file(original),
        lambda: store.fetch(small),
        lambda: list(store.verify()),
    ]
    for ask in asks:
        with pytest.raises(ExtraMissing, match="make neural"):
            ask()
