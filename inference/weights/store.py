"""The store of weights: finds, converts, downloads and verifies weight files.

    <folder>/vox-cpk.pth.tar                  placed by a person: never changed, never deleted
    <folder>/vox-cpk-abb41ab1.safetensors     converted: what engines load
    <folder>/s3fd-619a316812.pth              used as it is
    <folder>/vox-cpk-abb41ab1.part            an unfinished download

Only our own `.part` files are ever deleted.
"""

import logging
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from inference.extras import missing_neural, need_neural
from inference.media.file import check_file
from inference.weights.catalogue import Digests, WeightsCatalogue, WeightsFile, digests_of
from inference.weights.checkpoint_file import (
    MAX_BYTES,
    Origin,
    check_converted,
    is_safetensors,
    read_checkpoint,
    read_converted,
    read_origin,
    unexpected_file,
    write_converted,
)
from inference.weights.download import Download, RetryPolicy
from inference.weights.folder import (
    CONVERTED_SUFFIX,
    Say,
    check_free_space,
    existing,
    locked,
    rename_new,
    stem_of,
    writing,
)
from jobs.weights_errors import (
    WeightsCorrupt,
    WeightsFolderRefused,
    WeightsMissing,
    WeightsNeverFetched,
    WeightsOffline,
)

log = logging.getLogger(__name__)

_CONVERTED = f"*-{'[0-9a-f]' * 8}{CONVERTED_SUFFIX}"
# An estimate before the download; checked again when the converted file is written.
_CONVERTED_BYTES = 240_000_000


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


def _log_it(sentence: str) -> None:
    log.info("%s", sentence)


@dataclass(frozen=True)
class WeightsStore:
    """The weights of one folder.

    Attributes:
        folder: created when something is written.
        catalogue: the known files.
        mirror: a base URL that replaces all addresses of the catalogue; may be empty.
        is_offline: whether downloads are switched off.
        say: called with a sentence for each download, conversion and problem.
        retry_policy: timeouts and retries of downloads.
        shows_progress: whether a download draws a bar on stderr, if that is a terminal.
    """

    folder: Path
    catalogue: WeightsCatalogue = field(default_factory=WeightsCatalogue.load)
    _: KW_ONLY
    mirror: str = ""
    is_offline: bool = False
    say: Say = _log_it
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    shows_progress: bool = True

    # --- for engines ------------------------------------------------------------------------------

    def checkpoint(self, path: Path, *, may_fetch: bool = True) -> Path:
        """Return the converted file for a `--checkpoint`, converting or downloading if need be.

        Args:
            path: a published file anywhere (converted once, never changed), a converted file, or a
                path that does not exist but whose file name is in the store or the catalogue.
            may_fetch: whether the last kind may be downloaded.

        Raises:
            WeightsMissing: it is not there; the sentence says how to get it.
            WeightsCorrupt: it is not what it should be.
            WeightsError, ExtraMissing, DiskFull: it could not be downloaded or converted.
            MediaError: it cannot be read.
        """
        need_neural("Reading a checkpoint")
        path = existing(path)
        if not path.exists():
            return self._by_name(path, may_fetch=may_fetch)
        if path.suffix == CONVERTED_SUFFIX and (read_origin(path) or not is_safetensors(path)):
            check_converted(path)
            return path
        try:
            return self.convert(path)
        except WeightsCorrupt as error:
            known = [wanted for wanted in self._checkpoints_named(path.name) if wanted.hash]
            if not known:
                raise
            # A web page that was saved under the right name must not hide the right weights.
            ready = next(filter(None, map(self._converted_of, known)), None)
            if ready is not None and path.parent.resolve() == self.folder.resolve():
                self.say(f"{error} {ready.name} is used instead.")
                return ready
            hint = f"move it away and run `animato weights fetch {known[0].name}`"
            reason = f"{error.fields['reason']}; {hint}"
            raise WeightsCorrupt(path=str(path), reason=reason) from error

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

    def file(self, name: str, *, may_fetch: bool = False) -> Path | None:
        """Return a file that is used as it is, verified by its hash; None if it is not there.

        Args:
            name: its published file name.
            may_fetch: whether it may be downloaded.

        Raises:
            WeightsCorrupt: it is not the published file.
            WeightsError, ExtraMissing, DiskFull: it could not be downloaded.
        """
        for wanted in self.catalogue.with_file(name):
            if path := wanted.find(self.folder):
                return path
            if may_fetch:
                return self.fetch(wanted)
        return None

    def provide(self, name: str) -> None:
        """Download a file that is used as it is, unless it is there or cannot be downloaded.

        Args:
            name: its published file name.

        Raises:
            As `file`.
        """
        can_fetch = not self.is_offline and not missing_neural()
        self.file(name, may_fetch=can_fetch)

    # --- for the owner ----------------------------------------------------------------------------

    def fetch(self, wanted: WeightsFile) -> Path:
        """Return the file ready for use, downloading and converting it if need be.

        Raises:
            WeightsNeverFetched: its hash is unknown.
            WeightsOffline: it is not there, and downloads are switched off.
            DownloadFailed: no mirror gave it.
            WeightsCorrupt: another file has its name.
            TooLittleRoom, DiskFull, WeightsFolderRefused: it cannot be stored.
            ExtraMissing: the libraries for it are not installed.
        """
        if wanted.kind == "checkpoint":
            need_neural("Fetching weights")
        ready = self._ready(wanted)
        if ready:
            return ready
        if wanted.wheels and missing_neural() and not self.is_offline:
            raise WeightsMissing(path=str(self.folder / wanted.file), hint=wanted.hint)
        need_neural("Fetching weights")
        if not wanted.hash:
            raise WeightsNeverFetched(name=wanted.name, by_hand=wanted.by_hand)
        if self.is_offline:
            raise WeightsOffline(name=wanted.name, file=wanted.file, folder=str(self.folder))
        with locked(self.folder, wanted.key, self.say):
            # Another process may have fetched it in the meantime.
            return self._ready(wanted) or self._download(wanted)

    def convert(self, path: Path) -> Path:
        """Return the converted file of a checkpoint, which is not changed.

        Raises:
            MediaError: there is no such file, or it cannot be read.
            WeightsCorrupt: it is not a usable checkpoint.
            TooLittleRoom, DiskFull, WeightsFolderRefused: the result cannot be stored.
            ExtraMissing: the libraries for it are not installed.
        """
        need_neural("Converting a checkpoint")
        check_file(path, MAX_BYTES)
        there = self._converted_like(path)
        if there:
            return there
        digests = digests_of(path)
        try:
            return self._converted_from(path, digests)
        except WeightsFolderRefused:
            # A read-only folder may have been filled from a copy with another time.
            for converted, origin in self._converted():
                if origin.sha256 == digests.sha256:
                    return converted
            raise

    def import_file(self, path: Path) -> tuple[Digests, Path]:
        """Accept a file whose hash may be unknown: check that it is usable, and convert it.

        The file itself stays where it is.

        Returns:
            Its digests, and the file that engines load.

        Raises:
            As `convert`; WeightsCorrupt also for a file that is used as it is and is not the
            published one.
        """
        need_neural("Importing weights")
        check_file(path, MAX_BYTES)
        digests = digests_of(path)
        for wanted in self.catalogue.with_file(path.name):
            if wanted.kind == "file":
                wanted.check(path, digests)
                return digests, path
        return digests, self._converted_like(path) or self._converted_from(path, digests)

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
            need_neural("Verifying a converted file")
            try:
                origin = check_converted(path)
                read_converted(path, is_thorough=True)
            except WeightsCorrupt as corrupt:
                yield Verified(path, is_right=False, finding=str(corrupt.fields["reason"]))
                continue
            unknown = f"a file with an unknown hash (sha256 {origin.sha256})"
            finding = f"as it was converted from {self._identity(origin) or unknown}"
            yield Verified(path, is_right=True, finding=finding)

    # --- what is there ----------------------------------------------------------------------------

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

    def _ready(self, wanted: WeightsFile) -> Path | None:
        """The file that engines load, converted if need be; None if there is none."""
        if wanted.kind == "file":
            return self.file(wanted.file)
        placed = self.folder / wanted.file
        converted = self._converted_of(wanted)
        if converted or not placed.is_file():
            return converted
        digests = digests_of(placed)
        return self._converted_from(placed, digests) if wanted.match(digests) else None

    def _by_name(self, path: Path, *, may_fetch: bool) -> Path:
        """The converted file for a path that does not exist.

        Raises:
            As `checkpoint`.
        """
        known = self._checkpoints_named(path.name)
        ready = next(filter(None, map(self._ready, known)), None)
        if converted := ready or self._converted_named(path.name):
            return converted
        fetchable = next((wanted for wanted in known if wanted.hash), None)
        if fetchable and may_fetch:
            return self.fetch(fetchable)
        if fetchable:
            hint = f"get them with `animato weights fetch {fetchable.name}`"
        elif known:
            raise WeightsNeverFetched(name=known[0].name, by_hand=known[0].by_hand)
        else:
            hint = "check the path, or see `animato weights list` for what can be fetched"
        raise WeightsMissing(path=str(path), hint=hint)

    # --- what is made -----------------------------------------------------------------------------

    def _download(self, wanted: WeightsFile) -> Path:
        placed = self.folder / wanted.file
        if placed.exists():
            self.say(f"{placed} is not the published {wanted.name}; it is left as it is")
        part = self.folder / f"{wanted.key}.part"
        arrived_bytes = part.stat().st_size if part.is_file() else 0
        converted_bytes = _CONVERTED_BYTES if wanted.kind == "checkpoint" else 0
        missing_bytes = wanted.probable_bytes - arrived_bytes
        check_free_space(self.folder, missing_bytes + min(wanted.probable_bytes, converted_bytes))
        mb = wanted.probable_bytes / 1e6
        self.say(f"downloading {wanted.file} ({mb:.0f} MB) to {self.folder}")
        download = Download(
            wanted, part, self.say, self.retry_policy, shows_progress=self.shows_progress
        )
        urls = [mirror.url for mirror in wanted.mirrors]
        if self.mirror:
            urls = [f"{self.mirror.rstrip('/')}/{wanted.file}"]
        digests = download.fetch(urls)
        if wanted.kind == "checkpoint":
            made = self._write(part, Origin.of(part, digests, name=wanted.file))
            download.discard()
            return made
        with writing(placed):
            try:
                rename_new(part, placed)
            except FileExistsError:
                # A person has put a file there in the meantime. It stays.
                if not placed.is_file():
                    raise
                wanted.check(placed, digests_of(placed))
        download.discard()
        return placed

    def _converted_from(self, path: Path, digests: Digests) -> Path:
        """The converted file of a person's checkpoint, made or brought up to date."""
        with locked(self.folder, stem_of(path.name), self.say):
            there = self._converted_like(path)
            if there:
                return there
            made = self._write(path, Origin.of(path, digests))
            known = self._checkpoints_named(path.name)
            if known and not any(wanted.match(digests) for wanted in known):
                self.say(
                    f"{path.name} has the name of a published file but another hash (sha256 "
                    f"{digests.sha256}); it is used as it is"
                )
            return made

    def _write(self, path: Path, origin: Origin) -> Path:
        name = f"{stem_of(origin.name)}-{origin.sha256[:8]}{CONVERTED_SUFFIX}"
        checkpoint = read_checkpoint(path, origin, self.catalogue.networks_in(origin.name))
        self.say(f"converting {origin.name} to {name}, once")
        write_converted(checkpoint, self.folder / name, origin)
        return self.folder / name
