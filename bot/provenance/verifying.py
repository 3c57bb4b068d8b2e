"""Reads the Content Credentials of a file, offline: no server is ever asked.

read_credentials -> None: there are none
                 -> Credentials: what they say, and whether they still hold
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from jobs.errors import OperatorError

if TYPE_CHECKING:
    import c2pa

# The purposes for which C2PA accepts the certificates of signers: e-mail, documents, C2PA.
_PURPOSES = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")
_UNTRUSTED = "signingCredential.untrusted"
_EXPIRED = ("signingCredential.expired", "claimSignature.outsideValidity")
_LONGEST = 200


class LibraryMissing(OperatorError):
    """The library of C2PA is not installed, or cannot be used here."""

    sentence = (
        "c2pa-python cannot be used ({reason}): run `.venv/bin/pip install -c constraints.txt -e "
        '".[bot]"` in the program\'s folder.'
    )


class CredentialsUnreadable(OperatorError):
    """Whether a file has Content Credentials cannot be told."""

    sentence = "Its Content Credentials cannot be read: {reason}."


@dataclass(frozen=True)
class Credentials:
    """What Content Credentials say, and whether they hold. Anybody can have written the texts.

    Attributes:
        problems: what has changed since signing, in C2PA's codes or the library's words.
        is_expired: whether the signer's certificate has expired.
        is_known: whether the signer's certificate leads to one of the anchors.
        signer: the organization in that certificate.
        product: the software that signed.
        agent: the software that made the content.
        source_type: the IPTC term for how it was made.
        description: how it was made.
    """

    problems: tuple[str, ...] = ()
    is_expired: bool = False
    is_known: bool = False
    signer: str = ""
    product: str = ""
    agent: str = ""
    source_type: str = ""
    description: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether readers accept it: it is unchanged, and the certificate has not expired."""
        return not self.problems and not self.is_expired


def check_library() -> None:
    """Load the library, which takes a moment.

    Raises:
        LibraryMissing: that is impossible.
    """
    try:
        import c2pa  # noqa: F401, PLC0415 - optional, and loads a native library
    except (ImportError, OSError, RuntimeError) as error:
        raise LibraryMissing(reason=str(error)) from error


def make_context(anchors: str = "") -> "c2pa.Context":
    """Return the library's settings; used for signing, too.

    Args:
        anchors: certificates of trusted signers or their issuers, PEM.
    """
    import c2pa  # noqa: PLC0415

    trust = {"trust_config": "".join(f"{one}\n" for one in _PURPOSES)}
    if anchors:
        trust["user_anchors"] = anchors
    offline = {"remote_manifest_fetch": False, "ocsp_fetch": False}
    return c2pa.Context.from_dict(
        {"trust": trust, "verify": offline, "builder": {"thumbnail": {"enabled": False}}}
    )


def read_credentials(file: IO[bytes], anchors: str = "") -> Credentials | None:
    """Return the Content Credentials of a file; None if there are none.

    Args:
        file: opened for reading; the library finds out its format.
        anchors: see `make_context`.

    Raises:
        CredentialsUnreadable: the format is not supported, or they are elsewhere.
        LibraryMissing: the library is not installed.
    """
    check_library()
    import c2pa  # noqa: PLC0415

    try:
        with make_context(anchors) as context:
            reader = c2pa.Reader.try_create(file, context=context)
            if reader is None:
                return None
            with reader:
                return _credentials(reader.get_validation_state(), json.loads(reader.json()))
    except c2pa.C2paError.NotSupported as error:
        raise CredentialsUnreadable(reason="this format is not supported") from error
    except c2pa.C2paError as error:
        text = _clean(str(error))
        if text.startswith("Remote:"):
            reason = "they are kept on a server, and servers are not asked"
            raise CredentialsUnreadable(reason=reason) from error
        return Credentials(problems=(text,))


def _credentials(state: str | None, report: Any) -> Credentials:
    manifest = _mapping(_mapping(_mapping(report).get("manifests")).get(report["active_manifest"]))
    results = _mapping(_mapping(report.get("validation_results")).get("activeManifest"))
    failures = [_text(_mapping(one).get("code")) for one in results.get("failure") or ()]
    problems = [code for code in failures if code not in (_UNTRUSTED, *_EXPIRED)]
    if state not in ("Valid", "Trusted") and not failures:
        problems.append("invalid")
    action = _first_action(manifest)
    generators = manifest.get("claim_generator_info") or [manifest.get("claim_generator")]
    return Credentials(
        problems=tuple(problems),
        is_expired=any(code in _EXPIRED for code in failures),
        is_known=state == "Trusted",
        signer=_text(_mapping(manifest.get("signature_info")).get("issuer")),
        product=_software(generators[0]),
        agent=_software(action.get("softwareAgent")),
        source_type=_text(action.get("digitalSourceType")),
        description=_text(action.get("description")),
    )


def _first_action(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the action that says how the content came to be."""
    for assertion in map(_mapping, manifest.get("assertions") or ()):
        if _text(assertion.get("label")).startswith("c2pa.actions"):
            for action in _mapping(assertion.get("data")).get("actions") or ():
                return _mapping(action)
    return {}


def _software(found: object) -> str:
    """Return the name and version of a software, which may be stated in two ways."""
    if not isinstance(found, Mapping):
        return _text(found)
    return f"{_text(found.get('name'))} {_text(found.get('version'))}".strip()


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _text(found: object) -> str:
    return _clean(found) if isinstance(found, str) else ""


def _clean(text: str) -> str:
    """Return a stranger's text for a terminal: without control characters, and not too long."""
    return "".join(one if one.isprintable() else "?" for one in text)[:_LONGEST]
