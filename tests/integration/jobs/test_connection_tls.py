"""Connections with TLS, to a server behind a front that a test's own authority vouches for."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

import pytest

from jobs.connection import check_server, connect
from jobs.service_errors import QueueUnavailable
from tests.conftest import Require

pytestmark = pytest.mark.local_sockets


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for loopback that is its own authority."""
    from cryptography import x509  # noqa: PLC0415 - not every machine has it
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    loopback = x509.IPAddress(ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


@pytest.fixture
def pem(tmp_path: Path, require: Require) -> Path:
    require(find_spec("cryptography"), "the library cryptography is not installed")
    return certificate(tmp_path)


@pytest.fixture
async def front(valkey: str, pem: Path) -> AsyncIterator[str]:
    """Host and port of a TLS front of the server."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            writer.write(said)
            await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(valkey.removeprefix("unix://"))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(join, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_server_whose_certificate_is_vouched_for_is_talked_to(front: str, pem: Path) -> None:
    url = f"rediss://{front}?ssl_ca_certs={pem}"
    assert await check_server(url) >= (6, 2)
    client = connect(url, is_worker=True)
    await client.set("order", "1")
    assert await client.get("order") == "1"
    await client.aclose()


async def test_server_whose_certificate_nobody_vouches_for_is_refused(front: str) -> None:
    with pytest.raises(QueueUnavailable, match=r"its certificate is not trusted"):
        await check_server(f"rediss://{front}", wait_s=0)
