"""Checkpoints: the published .pth.tar, read safely, and the safetensors file that is made of it.

A published checkpoint is a pickle (despite its name it is no tar archive): tensors of two networks
that inference needs, and two thirds of other things. It is only ever read with `weights_only`. The
converted file holds the two networks, float32, and says in its header what it was made of.
"""

import errno
import hashlib
import pickle
import re
import struct
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.media.file import check_file
from inference.weights.catalogue import Digests, digests_of
from inference.weights.folder import check_room, whole, writing
from jobs.errors import WeightsCorrupt

if TYPE_CHECKING:
    import torch

_NETWORKS = ("generator", "kp_detector")
FORMAT = "animato-1"
"""What a converted file must be; another one is made anew."""
BEGINNING_BYTES = 512
"""So much of a file shows what `odd_content` looks for."""

_MAX_BYTES = 16_000_000_000
_PREFIX = "module."
_LFS_POINTER = b"version https://git-lfs"
# Whatever a damaged pickle or archive can make of the loader; found by flipping and cutting.
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
    """The weights of the two networks.

    Attributes:
        generator: float32 tensors on the CPU by their key, without any `module.` prefix.
        kp_detector: the same for the keypoint detector.
        origin_sha256: hex hash of the published file; what is computed from the weights is kept
            under it.
    """

    generator: State
    kp_detector: State
    origin_sha256: str


@dataclass(frozen=True)
class Origin:
    """The file that a converted file was made of.

    Attributes:
        name: its file name.
        size_bytes: its size.
        mtime_ns: when it was last changed; with name and size it tells an unchanged file quickly.
        sha256: hex.
        md5: hex.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    sha256: str
    md5: str

    @classmethod
    def of(cls, path: Path, digests: Digests) -> "Origin":
        """What is to be remembered of a file."""
        return cls(
            name=path.name,
            size_bytes=digests.size_bytes,
            mtime_ns=path.stat().st_mtime_ns,
            sha256=digests.sha256,
            md5=digests.md5,
        )

    def looks_like(self, path: Path) -> bool:
        """Whether a file has this name, size and time; its content is not read."""
        facts = path.stat()
        now = (path.name, facts.st_size, facts.st_mtime_ns)
        return now == (self.name, self.size_bytes, self.mtime_ns)


# --- the published file ---------------------------------------------------------------------------


def odd_content(beginning: bytes) -> str | None:
    """What a file is that begins like this, if it is what mirrors send in the place of weights."""
    if beginning.startswith(_LFS_POINTER):
        return "it is a Git-LFS pointer, not the weights themselves"
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "it is a web page, not weights (download quota?)"
    return None


def odd_file(path: Path) -> str | None:
    """The same of a file that is there.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return odd_content(file.read(BEGINNING_BYTES))


def read_checkpoint(path: Path, digests: Digests | None = None) -> Checkpoint:
    """The two networks of a published checkpoint, in the old layout or the newer zip one.

    Args:
        path: the .pth.tar; it is never unpacked and never changed.
        digests: its own, if they are known already.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is no checkpoint, or not a usable one; says what and where.
    """
    check_file(path, _MAX_BYTES)
    odd = odd_file(path)
    if odd:
        raise WeightsCorrupt(path=str(path), reason=odd)
    sha256 = (digests or digests_of(path)).sha256
    content = _unpickled(path)
    if not isinstance(content, dict):
        reason = f"it holds no dictionary but a {type(content).__name__}"
        raise WeightsCorrupt(path=str(path), reason=reason)
    generator, kp_detector = (_state(content, network, path) for network in _NETWORKS)
    return Checkpoint(generator, kp_detector, sha256)


def _unpickled(path: Path) -> Any:
    """The file's content, whatever it is, with all tensors on the CPU."""
    import torch  # noqa: PLC0415 - it belongs to the extra, and takes seconds

    try:
        with warnings.catch_warnings():
            # About pickle protocols; what they warn of ends in an error.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as exc:
        raise WeightsCorrupt(path=str(path), reason=_damage(exc)) from exc


def _damage(exc: BaseException) -> str:
    """A loader's complaint in our words; its own advise to switch the safety off."""
    text = str(exc)
    code = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", text)
    if code:
        return f"unsafe content refused: it names the program code {code[1]}"
    # A cut archive makes its reader look before the file's beginning: EINVAL.
    is_cut = isinstance(exc, EOFError) or getattr(exc, "errno", None) == errno.EINVAL
    if is_cut or "unexpected EOF" in text or "central directory" in text:
        return "it is incomplete; get it again"
    if "legacy .tar format" in text:
        return "it is a tar archive; published checkpoints only have .tar in their name"
    if isinstance(exc, MemoryError) or "can't allocate memory" in text:
        return "it does not fit the memory"
    if isinstance(exc, OSError):
        return f"it cannot be read ({(exc.strerror or 'it was refused').lower()})"
    return "it is damaged, or no PyTorch checkpoint"


def _state(content: dict[Any, Any], network: str, path: Path) -> State:
    """One network's weights out of the file's content."""
    if network not in content:
        known = ", ".join(map(str, list(content)[:8])) or "nothing"
        reason = f"the key {network} is missing (it has {known})"
        raise WeightsCorrupt(path=str(path), reason=reason)
    state = content[network]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        reason = f"{network} is no dictionary of tensors but a {type(state).__name__}"
        raise WeightsCorrupt(path=str(path), reason=reason)
    return _checked(network, state, path)


def _checked(network: str, state: dict[str, Any], path: Path) -> State:
    """The weights under their own keys as float32, those that inference does not need left out."""
    import torch  # noqa: PLC0415 - it belongs to the extra, and takes seconds

    checked: State = {}
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        # Counts batches of the training; inference reads it never, and files lack it.
        if name.endswith("num_batches_tracked"):
            continue
        fault = _fault(value)
        if fault:
            raise WeightsCorrupt(path=str(path), reason=f"{network}.{name} {fault}")
        checked[name] = value.detach().to(torch.float32).contiguous()
    if not checked:
        raise WeightsCorrupt(path=str(path), reason=f"{network} is empty")
    return checked


def _fault(value: object) -> str | None:
    """What is wrong with one weight."""
    import torch  # noqa: PLC0415 - it belongs to the extra, and takes seconds

    if not isinstance(value, torch.Tensor):
        return f"is no tensor but a {type(value).__name__}"
    is_plain = value.layout == torch.strided and value.device.type == "cpu"
    if not is_plain or not value.is_floating_point():
        return f"is no plain tensor of floating-point numbers but one of {value.dtype}"
    if value.numel() == 0:
        return f"is empty (its shape is {tuple(value.shape)})"
    # A few bytes can claim any shape by repeating themselves.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "claims more numbers than it holds"
    if not bool(torch.isfinite(value).all()):
        return "holds numbers that are not finite (NaN or inf)"
    return None


# --- the converted file ---------------------------------------------------------------------------


def write_converted(checkpoint: Checkpoint, target: Path, origin: Origin) -> None:
    """Writes the safetensors file, whole or not at all.

    Args:
        checkpoint: what to write.
        target: the file; replaced if it is there.
        origin: what the weights were read from.

    Raises:
        TooLittleRoom, DiskFull: no room for `target`.
        WeightsFolderRefused: it cannot be written.
    """
    from safetensors.torch import save  # noqa: PLC0415 - it belongs to the extra

    tensors = {
        f"{network}.{key}": value
        for network in _NETWORKS
        for key, value in getattr(checkpoint, network).items()
    }
    header = {f"origin_{name}": str(value) for name, value in asdict(origin).items()} | {
        "format": FORMAT,
        "converted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "content_sha256": _content_sha256(tensors),
    }
    content = save({key: value.clone() for key, value in tensors.items()}, header)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        check_room(target.parent, len(content))
        with whole(target) as part:
            part.write_bytes(content)


def read_origin(path: Path) -> Origin | None:
    """What a converted file was made of, from its header; None if it is none of ours or broken."""
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
    """What a converted file was made of; its header is whole, its content is not looked at.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is none that we converted, or it is damaged.
    """
    check_file(path, _MAX_BYTES)
    origin = read_origin(path)
    if origin is None:
        reason = (
            "it is damaged, or no file that animato converted: run `animato weights convert` with "
            "the .pth.tar"
        )
        raise WeightsCorrupt(path=str(path), reason=reason)
    return origin


def read_converted(path: Path, *, is_thorough: bool = False) -> Checkpoint:
    """The two networks of a converted file.

    Args:
        path: the .safetensors file.
        is_thorough: whether its content is compared with the hash in its header too.

    Raises:
        MediaError: there is no such file, or it cannot be read.
        WeightsCorrupt: it is none that we converted, or it is damaged.
    """
    origin = check_converted(path)
    from safetensors.torch import load_file  # noqa: PLC0415 - it belongs to the extra

    tensors = load_file(path)
    header = _header(path) or {}
    if is_thorough and _content_sha256(tensors) != header.get("content_sha256"):
        raise WeightsCorrupt(path=str(path), reason="its content has changed since it was made")
    states: dict[str, dict[str, Any]] = {network: {} for network in _NETWORKS}
    for name, value in tensors.items():
        network, _, key = name.partition(".")
        states.setdefault(network, {})[key] = value
    generator, kp_detector = (_checked(name, states[name], path) for name in _NETWORKS)
    return Checkpoint(generator, kp_detector, origin.sha256)


def _header(path: Path) -> dict[str, str] | None:
    """What we wrote into a converted file's header; None if it is not whole or another format."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - it belongs to the extra

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata()
    except (SafetensorError, OSError, ValueError):
        return None
    return header if header and header.get("format") == FORMAT else None


def _content_sha256(tensors: State) -> str:
    """A hash of names, shapes and numbers, whatever their order in a file."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        sha256.update(f"{name} {tuple(value.shape)}".encode())
        sha256.update(value.contiguous().reshape(-1).numpy().data)
    return sha256.hexdigest()
