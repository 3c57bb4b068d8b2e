"""Addresses of file stores: a folder, or a bucket of an S3-compatible store."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from jobs.errors import BadSettings, os_reason
from jobs.service_errors import StoreUnavailable
from jobs.store.keys import is_key

if TYPE_CHECKING:
    from obstore.store import S3Config

# obstore reads what is not in the address from the environment variables `AWS_...`.
_S3_OPTIONS = ("endpoint", "region", "access_key_id", "secret_access_key")


@dataclass(frozen=True)
class StoreTimeouts:
    """Timeouts and retries of each request to an S3 store.

    Attributes:
        connect_s: until a connection is made.
        read_s: until the next bytes arrive.
        retries: of a request that failed.
        pause_s: before the first retry; doubled with each.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    retries: int = 6
    pause_s: float = 0.1


@dataclass(frozen=True)
class OpenStore:
    """A store at an address.

    Attributes:
        store: obstore's.
        place: its name in errors, without secrets.
        folder: the files' folder, if they are on this machine.
    """

    store: LocalStore | S3Store
    place: str
    folder: Path | None = None


def open_address(url: str, timeouts: StoreTimeouts) -> OpenStore:
    """Open the store at `url`, creating a folder if necessary; an S3 store is not contacted.

    Raises:
        BadSettings: the address is malformed; its content is not quoted.
        StoreUnavailable: the folder cannot be created.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _s3(url, parts, timeouts)
    folder = _folder_of(url, parts)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(place=str(folder), reason=os_reason(exc)) from exc
    folder = folder.resolve()
    return OpenStore(LocalStore(folder, automatic_cleanup=True), str(folder), folder)


def _s3(url: str, parts: SplitResult, timeouts: StoreTimeouts) -> OpenStore:
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    # Not `parse_qsl`, which turns the + of a secret into a space.
    options = {name: unquote(value) for name, _, value in pairs}
    prefix = unquote(parts.path.strip("/"))
    is_valid = (
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", parts.netloc)
        and (not prefix or is_key(prefix))
        and all(name in _S3_OPTIONS for name in options)
        and re.match(r"https?://.", options.get("endpoint", "http://."))
        and "#" not in url
    )
    if not is_valid:
        reason = (
            "ANIMATO_STORE_URL is not the address of an S3 store: expected s3://bucket/prefix, "
            f"optionally with ?name=value&..., names: {', '.join(_S3_OPTIONS)}."
        )
        raise BadSettings(reason=reason)
    config: S3Config = {}
    for name in options.keys() & set(_S3_OPTIONS):
        config[name] = options[name]  # type: ignore[literal-required]  # checked above
    place = f"s3://{parts.netloc}/{prefix}".rstrip("/")
    try:
        store = S3Store(
            parts.netloc,
            prefix=prefix or None,
            config=config,
            client_options={
                "allow_http": True,  # if the endpoint is http
                "connect_timeout": timedelta(seconds=timeouts.connect_s),
                "read_timeout": timedelta(seconds=timeouts.read_s),
                "timeout": timedelta(minutes=30),  # of a whole request, including large files
            },
            retry_config={
                "max_retries": timeouts.retries,
                "backoff": {"init_backoff": timedelta(seconds=timeouts.pause_s)},
            },
        )
    except BaseError as exc:
        reason = f"The file store {place} cannot be used: {str(exc).partition(chr(10))[0]}"
        raise BadSettings(reason=reason) from None
    return OpenStore(store, place)


def _folder_of(url: str, parts: SplitResult) -> Path:
    """Return the folder that an address names.

    Raises:
        BadSettings: the address is malformed.
    """
    if "://" not in url:
        return Path(url).expanduser().absolute()
    if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment:
        reason = (
            "ANIMATO_STORE_URL is not the address of a file store: expected a folder, "
            "file:///folder or s3://bucket/prefix."
        )
        raise BadSettings(reason=reason)
    return Path(unquote(parts.path))
