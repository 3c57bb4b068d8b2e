"""Signs results just before they are sent.

    Signing.sign -> mp4, GIF:  the signed file, verified; if that fails, `on` sends it unsigned
                 -> WebM:      unsigned, since C2PA has no place in it; `required` refuses it

Nothing may change a file after it was signed. The keys never leave the bot's process.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from bot.provenance.certificates import ChainUnusable, SigningChain, find_chain, load_chain
from bot.provenance.verifying import (
    CredentialsUnreadable,
    LibraryMissing,
    check_library,
    make_context,
    read_credentials,
)
from jobs.errors import BadSettings, OperatorError
from jobs.metrics.order_metrics import OrderMetrics

log = logging.getLogger(__name__)

PRODUCT = "Animato"
FORMATS = {".mp4": "video/mp4", ".gif": "image/gif"}
"""The formats that are signed, by the suffix of the file."""

_MANY_BAD_FILES = 3  # in a row: the fault is not the files'
# True of every result: it says nothing about how the parts were made.
_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"


class Mode(StrEnum):
    """What `ANIMATO_PROVENANCE` may be."""

    REQUIRED = "required"
    ON = "on"
    OFF = "off"


class NotSigned(OperatorError):
    """Nothing can be signed now; the owner has to do something about it."""

    sentence = "Nothing can be signed: {reason}."


class Unsignable(OperatorError):
    """A file that cannot be signed, for the `reason`, where nothing may be sent unsigned."""

    sentence = "This file cannot be signed, and this bot sends only signed files."


@dataclass(frozen=True)
class Origin:
    """How a result was made, as its Content Credentials say.

    Attributes:
        engine: the engine's name; empty if it is not known.
        label: the engine's wording.
        digital_source_type: the IPTC term; empty if it is not known.
    """

    engine: str = ""
    label: str = ""
    digital_source_type: str = ""


UNKNOWN = Origin()


class Signing:
    """Signs files.

    Args:
        folder: of the certificates.
        mode: whether files are signed, and what happens if that fails.
        clock: returns the time.
        metrics: counts failures.

    Attributes:
        mode: whether files are signed.
    """

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: OrderMetrics | None = None,
    ) -> None:
        self.mode = mode
        self._problem = self._untold = ""
        self._bad_files = 0
        self._folder = folder
        self._clock = clock
        self._metrics = metrics or OrderMetrics()

    @property
    def is_working(self) -> bool:
        """Whether files are signed, apart from a bad one now and then."""
        return self.mode is not Mode.OFF and not self._problem

    def take_problem(self) -> str:
        """Return why nothing could be signed since this was last asked; empty if it could."""
        untold, self._untold = self._untold, ""
        return untold

    async def prepare(self) -> None:
        """Load the library, and make the certificates if there are none; note what fails.

        Raises:
            BadSettings: signatures are required, and the library is not installed.
        """
        if self.mode is Mode.OFF:
            return
        try:
            await asyncio.to_thread(self._load)
        except NotSigned as error:
            self._note(error)
            if self.mode is Mode.REQUIRED and isinstance(error.__cause__, LibraryMissing):
                reason = f"ANIMATO_PROVENANCE is required. {error}"
                raise BadSettings(reason=reason) from error

    def owners_chain(self) -> SigningChain | None:
        """Return the owner's certificate if it is to be renewed soon, or else None."""
        if self.mode is Mode.OFF:
            return None
        try:
            chain = find_chain(self._folder)
        except ChainUnusable:
            return None  # told when something is signed
        is_due = chain is not None and chain.is_owners and chain.is_due(self._clock())
        return chain if is_due else None

    def can_sign(self, suffix: str) -> bool:
        """Whether files with this suffix may be sent."""
        return self.mode is not Mode.REQUIRED or suffix in FORMATS

    async def sign(self, path: Path, origin: Origin, title: str) -> bytes:
        """Return the content of a file to send, signed if possible.

        Args:
            path: the file; its suffix tells the format.
            origin: how it was made.
            title: its name where it is saved.

        Raises:
            NotSigned: signatures are required, and nothing can be signed now.
            Unsignable: signatures are required, and this file cannot be signed.
        """
        mime_type = FORMATS.get(path.suffix)
        if self.mode is not Mode.OFF:
            try:
                if mime_type is not None:
                    return await asyncio.to_thread(self._signed, path, mime_type, origin, title)
                if self.mode is Mode.REQUIRED:
                    raise Unsignable(reason=f"{path.suffix} files cannot be signed")
            except (NotSigned, Unsignable) as error:
                if self.mode is Mode.REQUIRED:
                    raise
                log.warning("%s is sent unsigned: %s", title, error.fields["reason"])
        return await asyncio.to_thread(path.read_bytes)

    def _signed(self, path: Path, mime_type: str, origin: Origin, title: str) -> bytes:
        try:
            content = _sign(path, mime_type, self._load(), _manifest(origin, title))
        except (NotSigned, Unsignable) as error:
            self._metrics.count_unsigned()
            self._bad_files += isinstance(error, Unsignable)
            if self._bad_files >= _MANY_BAD_FILES or isinstance(error, NotSigned):
                self._note(error)
            raise
        self._problem, self._bad_files = "", 0
        return content

    def _note(self, error: NotSigned | Unsignable) -> None:
        self._problem = self._untold = str(error.fields["reason"])

    def _load(self) -> SigningChain:
        try:
            check_library()
            return load_chain(self._folder, self._clock())
        except (ChainUnusable, LibraryMissing) as error:
            raise NotSigned(reason=str(error).removesuffix(".")) from error


def _sign(path: Path, mime_type: str, chain: SigningChain, manifest: dict[str, Any]) -> bytes:
    """Return the signed content of a file, after having read it as others would."""
    import c2pa  # noqa: PLC0415

    info = c2pa.C2paSignerInfo(chain.algorithm, chain.certificates, chain.key, None)
    signed = BytesIO()
    try:
        with (
            make_context() as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(manifest, context) as builder,
            path.open("rb") as file,
        ):
            builder.sign(signer, mime_type, file, signed)
        signed.seek(0)
        found = read_credentials(signed)
    except (c2pa.C2paError.Signature, c2pa.C2paError.Verify) as error:
        raise NotSigned(reason=f"{chain.path}: {error}") from error
    except c2pa.C2paError as error:
        raise Unsignable(reason=str(error)) from error
    except CredentialsUnreadable as error:
        raise Unsignable(reason=str(error.fields["reason"])) from error
    if found is None or not found.is_valid:
        raise Unsignable(reason="its Content Credentials do not hold")
    return signed.getvalue()


def _manifest(origin: Origin, title: str) -> dict[str, Any]:
    """Return what is signed; nothing in it is about a person."""
    release = version("animato")
    action = {
        "action": "c2pa.created",
        "digitalSourceType": origin.digital_source_type or _COMPOSITE,
        "softwareAgent": {"name": f"{PRODUCT} {origin.engine}".strip(), "version": release},
        "description": origin.label,
    }
    return {
        "claim_generator_info": [{"name": PRODUCT, "version": release}],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
