"""Whether the disks have space for another order."""

import shutil
from pathlib import Path

from jobs.service_errors import StoreError
from jobs.store.files import FileStore

# Hysteresis: a shortage ends only when more than the limit is free.
_MARGIN = 1.05


class DiskSpace:
    """The free space in the file store and in the folder for orders.

    Args:
        store: where results go.
        folder: where orders are worked on.
        min_free_bytes: with less than this left in one of them, there is a shortage.
    """

    def __init__(self, store: FileStore, folder: Path, min_free_bytes: int) -> None:
        self._store = store
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._is_short = False

    def shortage(self) -> str | None:
        """Return where space is short, as text for the operator; None if nowhere."""
        limit_bytes = self._min_free_bytes * (_MARGIN if self._is_short else 1.0)
        reason = None
        try:
            for place, free_bytes in self._free():
                if free_bytes < limit_bytes:
                    reason = f"{place} has {free_bytes // 1_000_000} MB left"
        except (StoreError, OSError) as error:
            reason = str(error)
        self._is_short = reason is not None
        return reason

    def free_bytes(self) -> int | None:
        """Return the smaller of the two; None if unknown."""
        try:
            return min(free_bytes for _, free_bytes in self._free())
        except (StoreError, OSError):
            return None

    def _free(self) -> list[tuple[str, int]]:
        found = [(f"the folder {self._folder}", shutil.disk_usage(self._folder).free)]
        in_store = self._store.free_bytes()
        if in_store is not None:
            found.append((f"the file store {self._store.place}", in_store))
        return found
