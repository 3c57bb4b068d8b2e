"""Checkpoints: read published files safely, write and read the converted safetensors file.

A published checkpoint is a pickle (a .pth.tar is, despite its name, not a tar archive) with the
tensors of one or more networks and sometimes much that inference does not need. It is only read
with `weights_only=True`. Published safetensors files are read too. The converted file holds the
networks in float32, and in its header what it was made from.
"""

import errno
import hashlib
import pickle
import re
import struct
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.media.file import check_file, replacing
from inference.weights.catalogue import FOMM_NETWORKS, Digests, digests_of
from inference.weights.folder import check_free_space, writing
from jobs.errors import os_reason
from jobs.weights_errors import WeightsCorrupt

if TYPE_CHECKING:
    import torch

SINGLE = "network"
"""The name of the network in a file that is a plain state dict."""
FORMAT = "animato-1"
"""Format of converted files; a file of another format is converted again."""
MAX_BYTES = 16_000_000_000
WEB_PAGE = "it is a web page, not weights (download quota?)"

_PREFIX = "module."
_LFS_POINTER = b"version https://git-lfs"
# The loader's exceptions for damaged pickles and archives; found by flipping bytes and truncating.
_DAMAGE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    OSError,
    struct.error,
)

State = dict[str, "torch.Tensor"]


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one or more networks.

    Attributes:
        networks: by name, float32 tensors on the CPU by key, without any `module.` prefix.
        origin_sha256: hex hash of the published file; the cache key of what is computed from it.
    """

    networks: dict[str, State]
    origin_sha256: str


@dataclass(frozen=True)
class Origin(Digests):
    """The checkpoint that a converted file was made from.

    Attributes:
        name: its file name.
        mtime_ns: when it was last changed; name, size and time identify an unchanged file quickly.
    """

    name: str
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, digests: Digests, name: str = "") -> "Origin":
        """Describe the checkpoint at `path`; `name` is its file name if `path` has another."""
        return cls(**vars(digests), name=name or path.name, mtime_ns=path.stat().st_mtime_ns)

    def looks_like(self, path: Path) -> bool:
        """Return whether a file has this name, size and time; its content is not read."""
        facts = path.stat()
        now = (path.name, facts.st_size, facts.st_mtime_ns)
        return now == (self.name, self.size_bytes, self.mtime_ns)


# --- the published file ---------------------------------------------------------------------------


def unexpected_content(first_bytes: bytes) -> str | None:
    """Return what these bytes are if they begin a web page or pointer instead of weights."""
    if first_bytes.startswith(_LFS_POINTER):
        return "it is a Git-LFS pointer, not the weights themselves"
    return WEB_PAGE if first_bytes.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else None


def unexpected_file(path: Path) -> str | None:
    """Return the same for a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return unexpected_content(file.read(512))


def read_checkpoint(
    path: Path, digests: Digests | None = None, networks: Sequence[str] = FOMM_NETWORKS
) -> Checkpoint:
    """Read a published checkpoint: a pickle in the legacy or the zip format, or safetensors.

    Args:
        path: the file; it is never unpacked and never changed.
        digests: its digests, if they are known already.
        networks: which of its state dicts are read; if there are none, the file is itself a state
            dict, whose network is called `SINGLE`.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is not a usable checkpoint; the reason says what is wrong.
    """
    check_file(path, MAX_BYTES)
    reason = unexpected_file(path)
    if reason:
        raise WeightsCorrupt(path=str(path), reason=reason)
    sha256 = (digests or digests_of(path)).sha256
    is_pickle = path.suffix != ".safetensors"
    content = _unpickled(path) if is_pickle else _published_safetensors(path, networks)
    if not isinstance(content, dict):
        reason = f"it holds a {type(content).__name__}, not a dictionary"
        raise WeightsCorrupt(path=str(path), reason=reason)
    if not networks:
        content, networks = {SINGLE: content}, (SINGLE,)
    return Checkpoint({name: _state(content, name, path) for name in networks}, sha256)


def _published_safetensors(path: Path, networks: Sequence[str]) -> dict[str, Any]:
    """The content of a safetensors file, nested by the names of its networks if it has several."""
    tensors = _tensors(path)
    return _by_network(tensors) if networks else tensors


def _tensors(path: Path) -> State:
    from safetensors import SafetensorError  # noqa: PLC0415 - part of the extra
    from safetensors.torch import load_file  # noqa: PLC0415 - part of the extra

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as exc:
        reason = "it is damaged, incomplete or not a safetensors file"
        raise WeightsCorrupt(path=str(path), reason=reason) from exc


def _unpickled(path: Path) -> Any:
    """The file's content with all tensors on the CPU."""
    import torch  # noqa: PLC0415 - part of the extra, and slow to import

    try:
        with warnings.catch_warnings():
            # They are about pickle protocols, which fail anyway.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as exc:
        raise WeightsCorrupt(path=str(path), reason=_damage(exc)) from exc


def _damage(exc: BaseException) -> str:
    """The loader's message in our words; its own one advises disabling `weights_only`."""
    text = str(exc)
    code = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", text)
    if code:
        return f"unsafe content refused: it refers to the program code {code[1]}"
    # In a truncated archive the reader seeks to before the beginning: EINVAL.
    is_cut = isinstance(exc, EOFError) or getattr(exc, "errno", None) == errno.EINVAL
    if is_cut or "unexpected EOF" in text or "central directory" in text:
        return "it is incomplete; download it again"
    if "legacy .tar format" in text:
        return "it is a tar archive; published checkpoints only have .tar in their name"
    if isinstance(exc, MemoryError) or "can't allocate memory" in text:
        return "it does not fit in memory"
    if isinstance(exc, OSError):
        return f"it cannot be read ({os_reason(exc)})"
    return "it is damaged or not a PyTorch checkpoint"


def _state(content: dict[Any, Any], network: str, path: Path) -> State:
    """The weights of one network."""
    if network not in content:
        known = ", ".join(map(str, list(content)[:8])) or "none"
        reason = f"the key {network} is missing (its keys: {known})"
        raise WeightsCorrupt(path=str(path), reason=reason)
    state = content[network]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        reason = f"{network} is a {type(state).__name__}, not a dictionary of tensors"
        raise WeightsCorrupt(path=str(path), reason=reason)
    return _checked(network, state, path)


def _checked(network: str, state: dict[str, Any], path: Path) -> State:
    """The weights that inference needs as float32, by their key in the network."""
    import torch  # noqa: PLC0415 - part of the extra, and slow to import

    checked: State = {}
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        # A counter of training steps, which not all files have.
        if name.endswith("num_batches_tracked"):
            continue
        fault = _fault(value)
        if fault:
            place = name if network == SINGLE else f"{network}.{name}"
            raise WeightsCorrupt(path=str(path), reason=f"{place} {fault}")
        checked[name] = value.detach().to(torch.float32).contiguous()
    if not checked:
        raise WeightsCorrupt(path=str(path), reason=f"{network} is empty")
    return checked


def _fault(value: object) -> str | None:
    """What is wrong with one weight; None if nothing is."""
    import torch  # noqa: PLC0415 - part of the extra, and slow to import

    if not isinstance(value, torch.Tensor):
        return f"is a {type(value).__name__}, not a tensor"
    is_plain = value.layout == torch.strided and value.device.type == "cpu"
    if not is_plain or not value.is_floating_point():
        return f"is not a dense floating-point tensor but one of {value.dtype}"
    if value.numel() == 0:
        return f"is empty (its shape is {tuple(value.shape)})"
    # With strides of 0, a few bytes can claim any shape.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "claims more numbers than it holds"
    if not bool(torch.isfinite(value).all()):
        return "contains NaN or infinity"
    return None


# --- the converted file ---------------------------------------------------------------------------


def write_converted(checkpoint: Checkpoint, target: Path, origin: Origin) -> None:
    """Write the safetensors file atomically.

    Args:
        checkpoint: the weights.
        target: the file; replaced if it exists.
        origin: the file that the weights were read from.

    Raises:
        TooLittleRoom, DiskFull: the disk is full.
        WeightsFolderRefused: `target` cannot be written.
    """
    from safetensors.torch import save  # noqa: PLC0415 - part of the extra

    tensors = {
        f"{network}.{key}": value
        for network, state in checkpoint.networks.items()
        for key, value in state.items()
    }
    header = {f"origin_{name}": str(value) for name, value in asdict(origin).items()} | {
        "format": FORMAT,
        "converted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "content_sha256": _content_sha256(tensors),
    }
    content = save({key: value.clone() for key, value in tensors.items()}, header)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        check_free_space(target.parent, len(content))
        with replacing(target) as part:
            part.write_bytes(content)


def read_origin(path: Path) -> Origin | None:
    """Read from its header what a file was converted from; None if it is damaged or not ours."""
    header = _header(path)
    if header is None:
        return None
    try:
        return Origin(
            name=header["origin_name"],
            size_bytes=int(header["origin_size_bytes"]),
            mtime_ns=int(header["origin_mtime_ns"]),
            sha256=header["origin_sha256"],
            md5=header["origin_md5"],
        )
    except (KeyError, ValueError):
        return None


def check_converted(path: Path) -> Origin:
    """Check the header of a converted file and return what it was converted from.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is damaged or was not converted by us.
    """
    check_file(path, MAX_BYTES)
    origin = read_origin(path)
    if origin is None:
        reason = (
            "it is damaged or was not converted by animato: run `animato weights convert` with the "
            "published file"
        )
        raise WeightsCorrupt(path=str(path), reason=reason)
    return origin


def read_converted(path: Path, *, is_thorough: bool = False) -> Checkpoint:
    """Read the networks of a converted file.

    Args:
        path: the .safetensors file.
        is_thorough: whether its content is compared with the hash in its header.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is damaged or was not converted by us.
    """
    origin = check_converted(path)
    tensors = _tensors(path)
    header = _header(path) or {}
    if is_thorough and _content_sha256(tensors) != header.get("content_sha256"):
        raise WeightsCorrupt(path=str(path), reason="its content has changed since it was made")
    states = _by_network(tensors)
    networks = {name: _checked(name, state, path) for name, state in states.items()}
    return Checkpoint(networks, origin.sha256)


def _by_network(tensors: State) -> dict[str, Any]:
    """Split `network.key` names."""
    states: dict[str, Any] = {}
    for name, value in tensors.items():
        network, _, key = name.partition(".")
        states.setdefault(network, {})[key] = value
    return states


def is_safetensors(path: Path) -> bool:
    """Return whether a file is a safetensors file, ours or another, judged by its header."""
    return _metadata(path) is not None


def _header(path: Path) -> dict[str, str] | None:
    """The metadata of a converted file; None if it is damaged or of another format."""
    metadata = _metadata(path)
    return metadata if metadata and metadata.get("format") == FORMAT else None


def _metadata(path: Path) -> dict[str, str] | None:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - part of the extra

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError, ValueError):
        return None


def _content_sha256(tensors: State) -> str:
    """A hash of names, shapes and values that does not depend on their order in a file."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        sha256.update(f"{name} {tuple(value.shape)}".encode())
        sha256.update(value.contiguous().reshape(-1).numpy().data)
    return sha256.hexdigest()
