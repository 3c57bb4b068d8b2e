"""The certificates: made once, renewed in time, readable by nobody else."""

import multiprocessing
import stat
import sys
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from bot.provenance.certificates import (
    OWNERS,
    RENEWED_BEFORE,
    ROOT,
    ChainUnusable,
    SigningChain,
    find_chain,
    load_chain,
)
from tests.unit.bot.provenance.signed import NOW, after, signed

_FORK = pytest.mark.skipif(sys.platform != "linux", reason="forks processes")


def certificates(chain: SigningChain) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(chain.certificates)


def owners(
    folder: Path, days: int = 365, key: CertificateIssuerPrivateKeyTypes | None = None
) -> Path:
    """The owner's certificate, signed by itself, which expires after so many days."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("O=Somebody")
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "digital_signature": True}), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    folder.mkdir(exist_ok=True)
    path = folder / OWNERS
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
    return path


def test_chain_is_made_once_and_then_stays(tmp_path: Path) -> None:
    assert find_chain(tmp_path) is None
    chain = load_chain(tmp_path, NOW)
    assert load_chain(tmp_path, after(300)()) == chain == find_chain(tmp_path)
    assert (chain.algorithm, chain.is_owners) == ("es256", False)
    signer, root = certificates(chain)
    assert root == x509.load_pem_x509_certificate((tmp_path / ROOT).read_bytes())
    signer.verify_directly_issued_by(root)
    assert chain.expires - NOW > timedelta(days=360)


def test_nobody_else_can_read_the_folder_or_a_file_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "provenance"
    folder.mkdir(parents=True, mode=0o755)
    load_chain(folder, NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes.pop("provenance") == 0o700
    assert set(modes) == {"lock", "root-key.pem", "root.pem", "signer.pem"}
    assert set(modes.values()) == {0o600}


def test_certificate_is_renewed_a_month_before_it_expires_under_the_same_root(
    tmp_path: Path,
) -> None:
    first = load_chain(tmp_path, NOW)
    day = first.expires - RENEWED_BEFORE
    assert load_chain(tmp_path, day - timedelta(hours=1)) == first
    renewed = load_chain(tmp_path, day + timedelta(hours=1))
    assert renewed.expires > first.expires + timedelta(days=300)
    assert renewed.key != first.key
    assert certificates(renewed)[1] == certificates(first)[1]
    # However long the bot was off, and wherever its clock stood.
    later = load_chain(tmp_path, after(4000)())
    assert certificates(later)[1] != certificates(first)[1], "the root had expired, too"
    assert load_chain(tmp_path, NOW).begins < NOW


def test_certificate_that_cannot_be_renewed_is_used_while_it_is_valid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = load_chain(tmp_path, NOW)
    (tmp_path / "signer.new").mkdir()  # nothing can be written there
    assert load_chain(tmp_path, first.expires - timedelta(days=1)) == first
    assert "signer.pem could not be renewed" in caplog.text
    with pytest.raises(
        ChainUnusable, match=r"signer\.pem cannot be used to sign: it is valid from"
    ):
        load_chain(tmp_path, first.expires + timedelta(days=1))


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ChainUnusable, match="file/provenance"):
        load_chain(tmp_path / "file" / "provenance", NOW)


def _load(folder: Path, barrier: Barrier, found: "multiprocessing.Queue[bytes]") -> None:
    barrier.wait()
    found.put(load_chain(folder, NOW).certificates)


@_FORK
def test_bots_that_start_at_the_same_time_use_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, found = context.Barrier(6), context.Queue()
    processes = [
        context.Process(target=_load, args=(tmp_path / "new", barrier, found)) for _ in range(6)
    ]
    for process in processes:
        process.start()
    chains = {found.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert len(chains) == 1


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "es384"),
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (rsa.generate_private_key(65537, 2048), "ps256"),
    ],
)
async def test_owners_certificate_is_used_instead_whatever_its_kind(
    tmp_path: Path, key: CertificateIssuerPrivateKeyTypes, algorithm: str
) -> None:
    load_chain(tmp_path / "provenance", NOW)
    owners(tmp_path / "provenance", key=key)
    chain = load_chain(tmp_path / "provenance", NOW)
    assert (chain.algorithm, chain.is_owners) == (algorithm, True)
    assert b"c2pa" in await signed(tmp_path)


def test_owners_certificate_is_never_renewed_and_not_used_after_its_end(tmp_path: Path) -> None:
    owners(tmp_path, days=20)
    chain = load_chain(tmp_path, NOW)
    assert chain.is_due(NOW)
    assert list(tmp_path.iterdir()) == [tmp_path / OWNERS]
    with pytest.raises(ChainUnusable, match=r"own-signer\.pem cannot be used .* it is valid from"):
        load_chain(tmp_path, after(21)())


def test_owners_file_that_cannot_be_used_is_told_with_the_reason(tmp_path: Path) -> None:
    path = owners(tmp_path)
    whole = path.read_bytes()
    other = ec.generate_private_key(ec.SECP256R1())
    locked = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    plain = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = whole[: whole.index(b"-----BEGIN PRIVATE")]
    for content, reason in (
        (b"", "certificates and a key"),
        (certificate, "certificates and a key"),
        (certificate + locked, "without a password"),
        (certificate + plain, "does not belong to the first certificate"),
    ):
        path.write_bytes(content)
        with pytest.raises(ChainUnusable, match=reason):
            load_chain(tmp_path, NOW)
