"""The certificates that results are signed with, in a folder that only this user can read.

    root.pem        our own root certificate, for those who want to trust this installation
    root-key.pem    its key
    signer.pem      the certificate that signs, issued by the root, and its key
    own-signer.pem  the owner's certificate, its issuers and its key; used instead, if it is there

The first three are made when they are needed. A process that makes them holds a lock, so that
several bots with one data folder use the same ones. `signer.pem` is replaced before it expires.
"""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jobs.errors import OperatorError, os_reason

log = logging.getLogger(__name__)

FOLDER = "provenance"  # in the data folder
ROOT = "root.pem"
OWNERS = "own-signer.pem"
_ROOT_KEY = "root-key.pem"
_SIGNER = "signer.pem"

RENEWED_BEFORE = timedelta(days=30)
_SIGNER_LIFE = timedelta(days=365)
_ROOT_LIFE = timedelta(days=3650)
_BACKDATED = timedelta(days=1)  # other machines' clocks may be slow
_ORGANIZATION = "Animato (self-hosted)"
_ROOT_NAME = "Animato root"
_SIGNER_NAME = "Animato results"


class ChainUnusable(OperatorError):
    """There is no certificate to sign with, and none can be made."""

    sentence = "{path} cannot be used to sign: {reason}."


@dataclass(frozen=True)
class SigningChain:
    """A certificate, its issuers and its key.

    Attributes:
        path: the file.
        certificates: PEM; the one that signs comes first.
        key: PEM, PKCS 8.
        algorithm: C2PA's name of the signature algorithm.
        begins: when the certificate that signs becomes valid.
        expires: when it expires.
    """

    path: Path
    certificates: bytes
    key: bytes
    algorithm: str
    begins: datetime
    expires: datetime

    @property
    def is_owners(self) -> bool:
        """Whether it is the owner's, who must renew it."""
        return self.path.name == OWNERS

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be renewed: it has expired, or will soon."""
        return not self.begins <= now < self.expires - RENEWED_BEFORE


def find_chain(folder: Path) -> SigningChain | None:
    """Return the chain that is there, even if it has expired; None if there is none yet.

    Raises:
        ChainUnusable: its file cannot be read.
    """
    for path in (folder / OWNERS, folder / _SIGNER):
        try:
            return _read_chain(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ChainUnusable(path=str(path), reason=os_reason(error)) from error
    return None


def load_chain(folder: Path, now: datetime) -> SigningChain:
    """Return the chain to sign with; make or renew our own if that is due.

    Raises:
        ChainUnusable: it is not valid now, or a file cannot be read or written.
    """
    chain = find_chain(folder)
    if chain is None or (chain.is_due(now) and not chain.is_owners):
        chain = _renewed(folder, now, chain)
    if not chain.begins <= now < chain.expires:
        reason = f"it is valid from {chain.begins:%Y-%m-%d} to {chain.expires:%Y-%m-%d}"
        raise ChainUnusable(path=str(chain.path), reason=reason)
    return chain


# --- inside ---------------------------------------------------------------------------------------


def _read_chain(path: Path) -> SigningChain:

    content = path.read_bytes()
    try:
        certificates = x509.load_pem_x509_certificates(content)
        key = load_pem_private_key(content, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        reason = "certificates and a key without a password are expected, in PEM"
        raise ChainUnusable(path=str(path), reason=reason) from error
    algorithm = _algorithm_of(key)
    if algorithm is None or key.public_key() != certificates[0].public_key():
        reason = "the key does not belong to the first certificate, or C2PA does not know its kind"
        raise ChainUnusable(path=str(path), reason=reason)
    return SigningChain(
        path=path,
        certificates=b"".join(map(_pem_of, certificates)),
        key=_pem_of_key(key),
        algorithm=algorithm,
        begins=certificates[0].not_valid_before_utc,
        expires=certificates[0].not_valid_after_utc,
    )


def _algorithm_of(key: PrivateKeyTypes) -> str | None:

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: "es256", 384: "es384", 521: "es512"}.get(key.key_size)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return "ps256" if isinstance(key, rsa.RSAPrivateKey) else None


def _renewed(folder: Path, now: datetime, old: SigningChain | None) -> SigningChain:
    try:
        with _locked(folder):
            found = find_chain(folder)  # another process may have been faster
            if found is not None and not found.is_due(now):
                return found
            _make_signer(folder, now)
            return _read_chain(folder / _SIGNER)
    except (OSError, ValueError) as error:
        if old is None:
            reason = os_reason(error) if isinstance(error, OSError) else str(error)
            raise ChainUnusable(path=str(folder), reason=reason) from error
        log.warning("%s could not be renewed: %s", old.path, error)
        return old


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait until no other process makes certificates here."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_signer(folder: Path, now: datetime) -> None:
    """Issue a certificate with a new key; make the root first if there is none."""
    root, root_key = _root(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(digital_signature=True), True),
        # Readers of C2PA refuse certificates for other purposes.
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
    )
    validity = (now - _BACKDATED, now + _SIGNER_LIFE)
    signer = _issued((_SIGNER_NAME, key), (_ROOT_NAME, root_key), validity, extensions)
    _write(folder / _SIGNER, _pem_of(signer) + _pem_of(root) + _pem_of_key(key))


def _root(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return our root certificate and its key; make new ones if they do not last long enough."""
    with suppress(FileNotFoundError):
        root = x509.load_pem_x509_certificate((folder / ROOT).read_bytes())
        known = load_pem_private_key((folder / _ROOT_KEY).read_bytes(), password=None)
        lasts = root.not_valid_before_utc <= now <= root.not_valid_after_utc - _SIGNER_LIFE
        if (
            lasts
            and isinstance(known, ec.EllipticCurvePrivateKey)
            and known.public_key() == root.public_key()
        ):
            return root, known
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(key_cert_sign=True, crl_sign=True), True),
    )
    own = (_ROOT_NAME, key)
    root = _issued(own, own, (now - _BACKDATED, now + _ROOT_LIFE), extensions)
    _write(folder / _ROOT_KEY, _pem_of_key(key))
    _write(folder / ROOT, _pem_of(root))
    return root, key


def _issued(
    subject: tuple[str, ec.EllipticCurvePrivateKey],
    issuer: tuple[str, ec.EllipticCurvePrivateKey],
    validity: tuple[datetime, datetime],
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """Return a certificate.

    Args:
        subject: the common name and the key of what is certified.
        issuer: same for what certifies it.
        validity: from when until when it is valid.
        extensions: with whether each is critical; the key identifiers are added.
    """
    public_key = subject[1].public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject[0]))
        .issuer_name(_name(issuer[0]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )
    identifiers = (
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key()), False),
    )
    for extension, is_critical in (*extensions, *identifiers):
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(issuer[1], hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(**allowed: bool) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{**dict.fromkeys(every, False), **allowed})


def _pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _pem_of_key(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, at once; `_locked` must hold."""
    new = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
