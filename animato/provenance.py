"""`animato provenance verify`: what the Content Credentials of files say, and whether they hold."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from bot.provenance.certificates import FOLDER, ROOT, ChainUnusable, find_chain
from bot.provenance.verifying import (
    Credentials,
    CredentialsUnreadable,
    LibraryMissing,
    check_library,
    read_credentials,
)
from jobs.check_results import CheckResult, State
from jobs.errors import OperatorError, UserError, os_reason
from jobs.settings import Settings

# The names of the IPTC's terms, by their last part.
_SOURCE_TYPES = {
    "algorithmicMedia": "made by an algorithm without training data",
    "algorithmicallyEnhanced": "altered by an algorithm that leaves its main content",
    "composite": "a composite of several elements, which may be captured or made by software",
    "compositeCapture": "a composite of elements that are all captures of real life",
    "compositeSynthetic": "a composite with at least one element made by generative AI",
    "compositeWithTrainedAlgorithmicMedia": "edited by generative AI",
    "computationalCapture": "captured by a camera that merges several frames",
    "dataDrivenMedia": "drawn from data",
    "digitalCapture": "captured by a camera",
    "digitalCreation": "made by a human with software",
    "humanEdits": "edited by a human",
    "screenCapture": "a capture of a screen",
    "trainedAlgorithmicMedia": "made by generative AI",
    "virtualRecording": "a recording of a virtual event",
}


class NotVerified(UserError):
    """A file has no Content Credentials, or they do not hold."""

    sentence = "Not verified: {names}."


class TrustUnreadable(OperatorError):
    """The certificates to trust cannot be read."""

    sentence = "{path} is no file with certificates in PEM: {reason}."


def verify(arguments: argparse.Namespace) -> None:
    """Print what each file says.

    Raises:
        NotVerified: one of them has no Content Credentials, they do not hold, or it is unreadable.
        TrustUnreadable: the certificates to trust cannot be read.
        LibraryMissing: the library is not installed.
    """
    trusted: Path | None = arguments.trust
    if arguments.own:
        trusted = Settings.load(Path(".env")).data_dir / FOLDER / ROOT
    anchors = "" if trusted is None else _anchors(trusted)
    failed = []
    for path in arguments.files:
        lines, is_verified = _report(path, anchors)
        sys.stdout.write("\n  ".join((f"{path}: {lines[0]}", *lines[1:])) + "\n")
        if not is_verified:
            failed.append(str(path))
    if failed:
        raise NotVerified(names=", ".join(failed))


def _anchors(path: Path) -> str:
    """Return the certificates in a file, PEM.

    Raises:
        TrustUnreadable: there are none.
    """
    try:
        content = path.read_bytes()
        load_pem_x509_certificates(content)
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "no certificate was found"
        raise TrustUnreadable(path=str(path), reason=reason) from error
    return content.decode("ascii", errors="replace")


def _report(path: Path, anchors: str) -> tuple[list[str], bool]:
    """Return what to print about a file, and whether its Content Credentials hold."""
    try:
        with path.open("rb") as file:
            found = read_credentials(file, anchors)
    except OSError as error:
        return [f"cannot be read: {os_reason(error)}"], False
    except CredentialsUnreadable as error:
        return [f"cannot be checked: {error.fields['reason']}"], False
    if found is None:
        return ["no Content Credentials; converting, editing and most platforms remove them"], False
    if found.problems:
        return [f"CHANGED since it was signed, or damaged ({', '.join(found.problems)})"], False
    if found.is_expired:
        first = "no longer valid: the signer's certificate has expired, so anybody may have its key"
    else:
        first = "unchanged since it was signed"
    return [first, *_claims(found)], found.is_valid


def _claims(found: Credentials) -> Iterator[str]:
    term = found.source_type.rpartition("/")[2]
    yield f"how it was made: {_SOURCE_TYPES.get(term, found.source_type or 'not said')}"
    if found.description:
        yield f"in the words of the signer: {found.description}"
    yield f"made with: {found.agent or 'not said'}; signed with: {found.product or 'not said'}"
    if found.is_known:
        yield f"signer: {found.signer}, whose certificate you trust"
    else:
        yield f"signer: unknown; it calls itself {found.signer!r}, as anybody can"


def check_provenance(settings: Settings) -> CheckResult:
    """Check, for `animato doctor`, whether results can be signed; make nothing."""
    about, is_needed = "provenance", settings.provenance == "required"
    if settings.provenance == "off":
        return CheckResult(about, State.OK, "results are not signed (ANIMATO_PROVENANCE=off)")
    try:
        check_library()
    except LibraryMissing as error:
        return CheckResult(about, State.MISSING, f"results cannot be signed: {error}", is_needed)
    try:
        chain = find_chain(settings.data_dir / FOLDER)
    except ChainUnusable as error:
        return CheckResult(about, State.WRONG, str(error), is_needed)
    if chain is None:
        return CheckResult(about, State.OK, "the bot's first start makes a certificate", is_needed)
    says = f"{chain.path.name} is valid from {chain.begins:%Y-%m-%d} to {chain.expires:%Y-%m-%d}"
    if chain.is_owners and chain.is_due(datetime.now(UTC)):
        return CheckResult(about, State.WRONG, f"{says}: replace it", is_needed)
    return CheckResult(about, State.OK, says, is_needed)
