"""What is there of the weights in a folder, told from names, sizes, headers and hashes.

Nothing is downloaded, converted or changed: `WeightsStore` does that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inference.extras import missing_neural, need_extras
from inference.weights.catalogue import Digests, WeightsCatalogue, WeightsFile, digests_of
from inference.weights.checkpoint_file import (
    Origin,
    check_converted,
    is_safetensors,
    read_converted,
    read_origin,
    unexpected_file,
)
from inference.weights.folder import CONVERTED_SUFFIX, existing
from jobs.weights_errors import WeightsCorrupt

_CONVERTED = f"*-{'[0-9a-f]' * 8}{CONVERTED_SUFFIX}"


@dataclass(frozen=True)
class Verified:
    """What `verify` found out about one file.

    Attributes:
        path: the file.
        is_right: whether it is what it should be.
        finding: what it is, or what is wrong with it.
    """

    path: Path
    is_right: bool
    finding: str


@dataclass(frozen=True)
class StoredWeights:
    """The weights that are in one folder.

    Attributes:
        folder: may be missing.
        catalogue: the known files.
    """

    folder: Path
    catalogue: WeightsCatalogue = field(default_factory=WeightsCatalogue.load)

    def has_checkpoint(self, path: Path) -> bool:
        """Return whether `checkpoint` would probably succeed without a download.

        Nothing is hashed or converted: a wrong file of the right name and size counts.
        """
        if missing_neural():
            return False
        path = existing(path)
        if path.exists():
            is_safe = path.suffix == CONVERTED_SUFFIX
            return is_safetensors(path) if is_safe else self._may_be_checkpoint(path)
        known = self._checkpoints_named(path.name)
        if any(self._converted_of(wanted) or self._placed(wanted) for wanted in known):
            return True
        return self._converted_named(path.name) is not None

    def state_of(self, wanted: WeightsFile) -> str:
        """Return in a few words what is there of a file; nothing is hashed."""
        converted = self._converted_of(wanted)
        if wanted.kind == "checkpoint" and not wanted.hash:
            converted = self._converted_named(wanted.file)
        if converted:
            return f"ready ({converted.name})"
        if placed := self._placed(wanted):
            if wanted.kind == "checkpoint":
                return f"there, not converted yet ({wanted.file})"
            return "there" if placed.parent == self.folder else f"there, installed ({placed})"
        part = self.folder / f"{wanted.key}.part"
        if wanted.hash and part.is_file():
            return f"partly downloaded ({part.stat().st_size / 1e6:.0f} MB)"
        return "not there"

    def verify(self) -> Iterator[Verified]:
        """Compare all files with known names, then all converted files, with their hashes.

        Raises:
            ExtraMissing: there are converted files, and the libraries for them are not installed.
        """
        for name in dict.fromkeys(wanted.file for wanted in self.catalogue.files):
            named = self.catalogue.with_file(name)
            for path in dict.fromkeys(path for one in named for path in one.places(self.folder)):
                digests = digests_of(path)
                unknown = (
                    f"none of the published files: {digests.size_bytes} bytes, sha256 "
                    f"{digests.sha256}; it was not touched"
                )
                identity = self._identity(digests)
                yield Verified(path, is_right=bool(identity), finding=identity or unknown)
        for path in self._converted_paths():
            need_extras("Verifying a converted file", "neural")
            try:
                origin = check_converted(path)
                read_converted(path, is_thorough=True)
            except WeightsCorrupt as corrupt:
                yield Verified(path, is_right=False, finding=str(corrupt.fields["reason"]))
                continue
            unknown = f"a file with an unknown hash (sha256 {origin.sha256})"
            finding = f"as it was converted from {self._identity(origin) or unknown}"
            yield Verified(path, is_right=True, finding=finding)

    def _identity(self, digests: Digests) -> str:
        """Which published file has these hashes; empty if none."""
        for wanted in self.catalogue.files:
            if which := wanted.match(digests):
                return f"the published {wanted.name} (its {which} is right)"
        return ""

    def _checkpoints_named(self, file_name: str) -> tuple[WeightsFile, ...]:
        known = self.catalogue.with_file(file_name)
        return tuple(wanted for wanted in known if wanted.kind == "checkpoint")

    def _converted_paths(self) -> list[Path]:
        return sorted(self.folder.glob(_CONVERTED))

    def _converted(self) -> Iterator[tuple[Path, Origin]]:
        """The undamaged converted files, and what they were converted from."""
        if missing_neural():
            return
        for path in self._converted_paths():
            origin = read_origin(path)
            if origin is not None:
                yield path, origin

    def _converted_of(self, wanted: WeightsFile) -> Path | None:
        return next((path for path, origin in self._converted() if wanted.match(origin)), None)

    def _converted_named(self, name: str) -> Path | None:
        """The latest converted file of a checkpoint with that file name."""
        named = [path for path, origin in self._converted() if origin.name == name]
        return max(named, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _converted_like(self, path: Path) -> Path | None:
        """The converted file of a checkpoint with the name, size and time of `path`."""
        return next((made for made, origin in self._converted() if origin.looks_like(path)), None)

    def _placed(self, wanted: WeightsFile) -> Path | None:
        """Where it probably is, judged by its size."""
        places = wanted.places(self.folder) if wanted.hash else ()
        return next((path for path in places if wanted.may_have(path.stat().st_size)), None)

    def _may_be_checkpoint(self, path: Path) -> bool:
        """Whether a file may be a checkpoint, judged by its size and its first bytes."""
        try:
            # Reading from a pipe would block.
            if not path.is_file() or not (size_bytes := path.stat().st_size):
                return False
            if unexpected_file(path):
                return False
        except OSError:
            return False
        known = self._checkpoints_named(path.name)
        if not known or path.parent.resolve() != self.folder.resolve():
            return True
        if any(wanted.may_have(size_bytes) for wanted in known):
            return True
        # It may be an edition that the catalogue does not know.
        return any(origin.size_bytes == size_bytes for _, origin in self._converted())
