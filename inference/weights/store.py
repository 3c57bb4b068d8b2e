"""The store of weights: what is there, what can be made of it, what has to be fetched.

    <folder>/vox-cpk.pth.tar                  placed by a person: never changed, never deleted
    <folder>/vox-cpk-abb41ab1.safetensors     converted: what engines load
    <folder>/s3fd-619a316812.pth              used as it is
    <folder>/vox-cpk-abb41ab1.part (.json)    a download that goes on where it ended
    <folder>/imported.json                    the hashes of what the owner imported

Only downloads of our own are ever deleted: `.part` files, once they are converted or proven wrong.
"""

import logging
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from inference.extras import missing_neural, need_neural
from inference.media.file import check_file
from inference.weights.catalogue import Digests, WeightsCatalogue, WeightsFile, digests_of
from inference.weights.checkpoint_file import (
    Origin,
    check_converted,
    odd_file,
    read_checkpoint,
    read_origin,
    write_converted,
)
from inference.weights.download import Download, Patience
from inference.weights.folder import Say, check_room, give_name, locked, writing
from inference.weights.imports import Imported, note_imported, read_imported
from jobs.errors import (
    WeightsCorrupt,
    WeightsFolderRefused,
    WeightsMissing,
    WeightsNeverFetched,
    WeightsOffline,
)

log = logging.getLogger(__name__)

_CONVERTED_SUFFIX = ".safetensors"

_CONVERTED = f"*-{'[0-9a-f]' * 8}{_CONVERTED_SUFFIX}"
_ENDINGS = (".pth.tar", ".pth", ".pt", ".tar")
# Of a converted checkpoint; that of other networks is checked again when it is written.
_CONVERTED_BYTES = 240_000_000
_MAX_BYTES = 16_000_000_000


def _log_it(sentence: str) -> None:
    log.info("%s", sentence)


@dataclass(frozen=True)
class WeightsStore:
    """The weights of one folder.

    Attributes:
        folder: where they lie; made when something is written.
        catalogue: the files that are known.
        mirror: the beginning of the only address to fetch from; empty: the catalogue's.
        is_offline: whether nothing is ever fetched.
        say: told what happens: what is fetched, what is converted, what is wrong on the way.
        patience: with mirrors.
        shows_progress: whether a download draws a bar on stderr, if that is a terminal.
    """

    folder: Path
    catalogue: WeightsCatalogue = field(default_factory=WeightsCatalogue.load)
    _: KW_ONLY
    mirror: str = ""
    is_offline: bool = False
    say: Say = _log_it
    patience: Patience = field(default_factory=Patience)
    shows_progress: bool = True

    # --- what engines ask -------------------------------------------------------------------------

    def checkpoint(self, path: Path, *, may_fetch: bool = True) -> Path:
        """The converted file for a `--checkpoint`, made or fetched if need be.

        Args:
            path: a .pth.tar anywhere (converted once, never touched), a file that we converted, or
                a path where nothing is but whose file name the catalogue knows.
            may_fetch: whether the last kind may be downloaded.

        Raises:
            WeightsMissing: it is not there; the sentence says how to get it.
            WeightsCorrupt: it is not what it should be.
            WeightsError, ExtraMissing, DiskFull: it could not be fetched or converted.
            MediaError: it is there and cannot be read.
        """
        need_neural("Reading a checkpoint")
        is_there = path.exists()
        if is_there and path.suffix == _CONVERTED_SUFFIX:
            check_converted(path)
            return path
        return self._placed(path) if is_there else self._by_name(path, may_fetch=may_fetch)

    def has_checkpoint(self, path: Path) -> bool:
        """Whether `checkpoint` would succeed without fetching, as far as that can be told quickly.

        Nothing is hashed or converted: a wrong file of the right name and size counts. What is
        broken or came in the place of weights does not.
        """
        if missing_neural():
            return False
        if path.exists():
            is_ours = path.suffix == _CONVERTED_SUFFIX
            return read_origin(path) is not None if is_ours else self._may_be_checkpoint(path)
        known = self._checkpoints_named(path.name)
        if any(self._converted_of(wanted) or self._may_be_placed(wanted) for wanted in known):
            return True
        return self._converted_import(path.name) is not None

    def file(self, name: str, *, may_fetch: bool = False) -> Path | None:
        """A file that is used as it is, proven by its hash; None if it is not there.

        Args:
            name: its published file name.
            may_fetch: whether it may be downloaded.

        Raises:
            WeightsCorrupt: it is there, and another one than the published.
            WeightsError, ExtraMissing, DiskFull: it could not be fetched.
        """
        for wanted in self.catalogue.with_file(name):
            path = self.folder / wanted.file
            if path.is_file():
                self._check_placed(path, wanted)
                return path
            if may_fetch:
                return self.fetch(wanted)
        return None

    def has_file(self, name: str) -> bool:
        """Whether `file` would find it, as far as that can be told without reading it."""
        return any(self._may_be_placed(wanted) for wanted in self.catalogue.with_file(name))

    # --- what the owner asks ----------------------------------------------------------------------

    def fetch(self, wanted: WeightsFile) -> Path:
        """The file ready for use, downloaded (and converted) if it is not there.

        Raises:
            WeightsNeverFetched: nobody knows its hash.
            WeightsOffline: it is not there, and downloads are switched off.
            DownloadFailed: no address gave it.
            WeightsCorrupt: another file has its place.
            TooLittleRoom, DiskFull, WeightsFolderRefused: it cannot be stored.
            ExtraMissing: the libraries for it are not installed.
        """
        need_neural("Fetching weights")
        ready = self._ready(wanted)
        if ready:
            return ready
        if not wanted.hash:
            raise WeightsNeverFetched(name=wanted.name, by_hand=wanted.by_hand)
        if self.is_offline:
            raise WeightsOffline(name=wanted.name, file=wanted.file, folder=str(self.folder))
        with locked(self.folder, wanted.key, self.say):
            # Another process may have fetched it while this one waited.
            ready = self._ready(wanted)
            return ready or self._download(wanted)

    def convert(self, path: Path) -> Path:
        """The converted file of a published one, made if there is none; the latter is not touched.

        Raises:
            MediaError: there is no such file, or it cannot be read.
            WeightsCorrupt: it is no usable checkpoint.
            TooLittleRoom, DiskFull, WeightsFolderRefused: the result cannot be stored.
            ExtraMissing: the libraries for it are not installed.
        """
        need_neural("Converting a checkpoint")
        check_file(path, _MAX_BYTES)
        there = self._looking_like(path)
        if there:
            return there
        digests = digests_of(path)
        try:
            return self._converted_from(path, digests)
        except WeightsFolderRefused:
            # A read-only folder may hold what was made of a copy of another age.
            for converted, origin in self._origins():
                if origin.sha256 == digests.sha256:
                    return converted
            raise

    def import_file(self, path: Path) -> tuple[Imported, Path]:
        """Takes the owner's word for a file: checks that it is usable, converts it, notes its hash.

        The file stays where it is.

        Returns:
            What was noted, and the file that engines will load.

        Raises:
            As `convert`; WeightsCorrupt also for a file that is used as it is and has another hash.
        """
        need_neural("Importing weights")
        check_file(path, _MAX_BYTES)
        digests = digests_of(path)
        as_it_is = [file for file in self.catalogue.with_file(path.name) if file.kind == "file"]
        if as_it_is:
            self._check_placed(path, as_it_is[0], digests)
            usable = path
        else:
            usable = self._looking_like(path) or self._converted_from(path, digests)
        record = Imported.now(path.name, digests)
        note_imported(self.folder, record, self.say)
        return record, usable

    def state_of(self, wanted: WeightsFile) -> str:
        """In a few words what is there of a file; nothing is hashed."""
        is_importable = wanted.kind == "checkpoint" and not wanted.hash
        imported = self._converted_import(wanted.file) if is_importable else None
        converted = self._converted_of(wanted) or imported
        if converted:
            return f"ready ({converted.name})"
        placed = self.folder / wanted.file
        if self._may_be_placed(wanted):
            return "there" if wanted.kind == "file" else f"there, not converted yet ({placed.name})"
        part = self.folder / f"{wanted.key}.part"
        if wanted.hash and part.is_file():
            return f"partly downloaded ({part.stat().st_size / 1e6:.0f} MB)"
        return "not there"

    # --- what is there ----------------------------------------------------------------------------

    def _checkpoints_named(self, file_name: str) -> tuple[WeightsFile, ...]:
        known = self.catalogue.with_file(file_name)
        return tuple(wanted for wanted in known if wanted.kind == "checkpoint")

    def _origins(self) -> Iterator[tuple[Path, Origin]]:
        """The converted files that are whole, and what they were made of."""
        if missing_neural():
            return
        for path in converted_files(self.folder):
            origin = read_origin(path)
            if origin is not None:
                yield path, origin

    def _converted_of(self, wanted: WeightsFile) -> Path | None:
        for path, origin in self._origins():
            if wanted.match(Digests(origin.size_bytes, origin.sha256, origin.md5)):
                return path
        return None

    def _converted_import(self, name: str) -> Path | None:
        """The converted file of what was last imported under a file name."""
        by_hash = {origin.sha256: path for path, origin in self._origins()}
        for record in reversed(read_imported(self.folder)):
            if record.name == name and record.sha256 in by_hash:
                return by_hash[record.sha256]
        return None

    def _looking_like(self, path: Path) -> Path | None:
        """The converted file of this one, told without reading it."""
        for converted, origin in self._origins():
            if origin.looks_like(path):
                return converted
        return None

    def _placed(self, path: Path) -> Path:
        """The converted file of one that is there.

        Raises:
            As `convert`.
        """
        try:
            return self.convert(path)
        except WeightsCorrupt as error:
            known = [wanted for wanted in self._checkpoints_named(path.name) if wanted.hash]
            if not known:
                raise
            # What was saved in the place of weights must not stand in the way of the right ones.
            ready = next(filter(None, map(self._converted_of, known)), None)
            if ready is not None and path.parent.resolve() == self.folder.resolve():
                self.say(f"{error} {ready.name} is taken instead.")
                return ready
            hint = f"move it away and run `animato weights fetch {known[0].name}`"
            reason = f"{error.fields['reason']}; {hint}"
            raise WeightsCorrupt(path=str(path), reason=reason) from error

    def _may_be_placed(self, wanted: WeightsFile) -> bool:
        placed = self.folder / wanted.file
        if not wanted.hash or not placed.is_file():
            return False
        return wanted.may_have(placed.stat().st_size)

    def _may_be_checkpoint(self, path: Path) -> bool:
        """Whether what is there may be a checkpoint, told from its size and its beginning."""
        try:
            # The beginning of a pipe would be waited for.
            if not path.is_file() or not (size_bytes := path.stat().st_size) or odd_file(path):
                return False
        except OSError:
            return False
        known = self._checkpoints_named(path.name)
        if not known or path.parent.resolve() != self.folder.resolve():
            return True
        if any(wanted.may_have(size_bytes) for wanted in known):
            return True
        # An edition that the catalogue does not know may have been converted or imported.
        return any(origin.size_bytes == size_bytes for _, origin in self._origins())

    def _ready(self, wanted: WeightsFile) -> Path | None:
        """The file that engines load, made of a placed one if need be; None if there is nothing."""
        placed = self.folder / wanted.file
        if wanted.kind == "file":
            return self.file(wanted.file)
        converted = self._converted_of(wanted)
        if converted or not placed.is_file():
            return converted
        digests = digests_of(placed)
        if wanted.match(digests):
            return self._converted_from(placed, digests)
        return None

    def _by_name(self, path: Path, *, may_fetch: bool) -> Path:
        """The converted file for a path where nothing is.

        Raises:
            As `checkpoint`.
        """
        known = self._checkpoints_named(path.name)
        for wanted in known:
            ready = self._ready(wanted)
            if ready:
                return ready
        imported = self._converted_import(path.name)
        if imported:
            return imported
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
            self.say(f"{placed} is not the published {wanted.name}: it is left alone")
        part = self.folder / f"{wanted.key}.part"
        arrived_bytes = part.stat().st_size if part.is_file() else 0
        converted_bytes = _CONVERTED_BYTES if wanted.kind == "checkpoint" else 0
        missing_bytes = wanted.probable_bytes - arrived_bytes
        check_room(self.folder, missing_bytes + min(wanted.probable_bytes, converted_bytes))
        mb = wanted.probable_bytes / 1e6
        self.say(f"fetching {wanted.file} ({mb:.0f} MB) into {self.folder}")
        download = Download(
            wanted, part, self.say, self.patience, shows_progress=self.shows_progress
        )
        urls = [mirror.url for mirror in wanted.mirrors]
        if self.mirror:
            urls = [f"{self.mirror.rstrip('/')}/{wanted.file}"]
        digests = download.fetch(urls)
        if wanted.kind == "file":
            self._place(part, wanted)
            download.discard()
            return placed
        origin = Origin(
            wanted.file,
            digests.size_bytes,
            part.stat().st_mtime_ns,
            digests.sha256,
            digests.md5,
        )
        converted = self._write(part, digests, origin)
        download.discard()
        return converted

    def _place(self, part: Path, wanted: WeightsFile) -> None:
        """Gives a proven download its name; a right file that somebody placed meanwhile stays.

        Raises:
            WeightsCorrupt: another file has been placed there; `part` is kept.
            WeightsFolderRefused: something else is there, or it cannot be written.
        """
        target = self.folder / wanted.file
        with writing(target):
            try:
                give_name(part, target)
            except FileExistsError:
                if not target.is_file():
                    raise
                self._check_placed(target, wanted)

    def _converted_from(self, path: Path, digests: Digests) -> Path:
        """The converted file of a person's one, made or brought up to date."""
        with locked(self.folder, _stem(path.name), self.say):
            there = self._looking_like(path)
            if there:
                return there
            made = self._write(path, digests, Origin.of(path, digests))
            known = self._checkpoints_named(path.name)
            if known and not any(wanted.match(digests) for wanted in known):
                self.say(
                    f"{path.name} has the name of a published file and another hash (sha256 "
                    f"{digests.sha256}): taken as it is"
                )
            return made

    def _write(self, path: Path, digests: Digests, origin: Origin) -> Path:
        name = f"{_stem(origin.name)}-{digests.sha256[:8]}{_CONVERTED_SUFFIX}"
        checkpoint = read_checkpoint(path, digests)
        self.say(f"converting {origin.name} to {name}, once")
        write_converted(checkpoint, self.folder / name, origin)
        return self.folder / name

    def _check_placed(
        self, path: Path, wanted: WeightsFile, digests: Digests | None = None
    ) -> None:
        """Nothing, if a file at its place is the published one.

        Raises:
            WeightsCorrupt: it is another.
        """
        found = digests or digests_of(path)
        if not wanted.match(found):
            reason = (
                f"it is not the published file: {found.size_bytes} bytes with sha256 "
                f"{found.sha256} instead of {wanted.size_bytes or 'some'} with {wanted.hash}; move "
                f"it away and run `animato weights fetch {wanted.name}`"
            )
            raise WeightsCorrupt(path=str(path), reason=reason)


def converted_files(folder: Path) -> list[Path]:
    """The files of a folder that are named as converted ones are."""
    return sorted(folder.glob(_CONVERTED))


def _stem(name: str) -> str:
    """A published file's name without its endings."""
    for ending in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending)
    return Path(name).stem
