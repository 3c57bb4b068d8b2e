"""Every stored file of weights compared with its hash."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.extras import need_neural
from inference.weights.catalogue import Digests, digests_of
from inference.weights.checkpoint_file import Origin, check_converted, read_converted
from inference.weights.imports import read_imported
from inference.weights.store import WeightsStore, converted_files
from jobs.errors import WeightsCorrupt


@dataclass(frozen=True)
class Checked:
    """What came out for one file.

    Attributes:
        path: the file.
        is_right: whether it is what it should be.
        finding: what it is, or what is wrong with it.
    """

    path: Path
    is_right: bool
    finding: str


def verify(store: WeightsStore) -> Iterator[Checked]:
    """Compares the files that lie under published names, then the converted ones.

    Raises:
        ExtraMissing: there are converted files, and the libraries for them are not installed.
        WeightsCorrupt: the list of imported files cannot be read.
    """
    names = dict.fromkeys(wanted.file for wanted in store.catalogue.files)
    for path in (store.folder / name for name in names):
        if path.is_file():
            yield _placed(store, path)
    for path in converted_files(store.folder):
        need_neural("Verifying a converted file")
        yield _converted(store, path)


def _placed(store: WeightsStore, path: Path) -> Checked:
    digests = digests_of(path)
    identity = _identity(store, digests)
    if identity:
        return Checked(path, is_right=True, finding=identity)
    finding = (
        f"none of the published files: {digests.size_bytes} bytes, sha256 {digests.sha256}; it was "
        "not touched"
    )
    return Checked(path, is_right=False, finding=finding)


def _converted(store: WeightsStore, path: Path) -> Checked:
    try:
        origin = check_converted(path)
        read_converted(path, is_thorough=True)
    except WeightsCorrupt as corrupt:
        return Checked(path, is_right=False, finding=str(corrupt.fields["reason"]))
    identity = _identity(store, origin) or f"a file that nobody published (sha256 {origin.sha256})"
    return Checked(path, is_right=True, finding=f"as it was converted from {identity}")


def _identity(store: WeightsStore, facts: Digests | Origin) -> str:
    """Which file these hashes are; empty if nobody knows."""
    for wanted in store.catalogue.files:
        which = wanted.match(Digests(facts.size_bytes, facts.sha256, facts.md5))
        if which:
            return f"the published {wanted.name} (its {which} is right)"
    for record in read_imported(store.folder):
        if record.sha256 == facts.sha256:
            return f"the file that was imported at {record.imported_at} (its sha256 is right)"
    return ""
