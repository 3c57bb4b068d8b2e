"""What is remembered of files that the owner vouches for: their hashes, in `imported.json`."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from inference.weights.catalogue import Digests
from inference.weights.folder import Say, locked, whole, writing
from jobs.errors import WeightsCorrupt

_FILE_NAME = "imported.json"


@dataclass(frozen=True)
class Imported:
    """One imported file.

    Attributes:
        name: its file name.
        size_bytes: its size.
        sha256: hex.
        md5: hex.
        imported_at: when, ISO 8601 in UTC.
    """

    name: str
    size_bytes: int
    sha256: str
    md5: str
    imported_at: str

    @classmethod
    def now(cls, name: str, digests: Digests) -> Self:
        """The record of a file that is imported at this moment."""
        imported_at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(name, digests.size_bytes, digests.sha256, digests.md5, imported_at)


def read_imported(folder: Path) -> list[Imported]:
    """The imported files, the latest last.

    Raises:
        WeightsCorrupt: somebody has changed the list, and it cannot be read any more.
    """
    path = folder / _FILE_NAME
    try:
        return [Imported(**record) for record in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as exc:
        reason = "it is no list of imported files any more: delete it, and import them again"
        raise WeightsCorrupt(path=str(path), reason=reason) from exc


def note_imported(folder: Path, record: Imported, say: Say) -> None:
    """Adds a file to the list; an earlier record of the same content goes.

    Raises:
        WeightsCorrupt: the list cannot be read any more.
        DiskFull, WeightsFolderRefused: it cannot be written.
    """
    path = folder / _FILE_NAME
    with locked(folder, _FILE_NAME, say):
        kept = [old for old in read_imported(folder) if old.sha256 != record.sha256]
        text = json.dumps([asdict(each) for each in (*kept, record)], indent=2)
        with writing(path), whole(path) as part:
            part.write_text(text + "\n", "utf-8")
