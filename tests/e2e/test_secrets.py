"""Programs that cannot start because of a secret: they say what is wrong, and never the secret."""

import asyncio
from pathlib import Path

import pytest
from redis import Redis

from sandbox.server import Sandbox
from tests.e2e.conftest import Animato
from tests.integration.jobs.servers import free_port, valkey_server

pytestmark = pytest.mark.local_sockets

PASSWORD = "not-the-right-password"  # noqa: S105 - a test's
S3_SECRET = "not/the+right secret"  # noqa: S105 - a test's
IN_AN_ADDRESS = "not%2Fthe%2Bright%20secret"
TOKEN = "4242:not-the-right-token"  # noqa: S105 - a test's
WEBHOOK_SECRET = "not_to_be_shown"  # noqa: S105 - a test's
SECRETS = (PASSWORD, S3_SECRET, IN_AN_ADDRESS, TOKEN.partition(":")[2], WEBHOOK_SECRET)


@pytest.mark.parametrize(
    ("words", "wrong", "says"),
    [
        (("worker", "-v"), "password", "password"),
        (("worker", "-v"), "store", "s3://bucket/files"),
        (("--verbose", "bot"), "token", "token"),
        (("doctor", "--live", "--json"), "password store token", "queues"),
    ],
    ids=["password", "store", "token", "doctor"],
)
async def test_a_secret_that_is_refused_is_never_said(
    animato: Animato, tmp_path: Path, words: tuple[str, ...], wrong: str, says: str
) -> None:
    async with Sandbox() as sandbox:
        with valkey_server(tmp_path) as server, Redis.from_url(server) as client:
            url = server
            if "password" in wrong:
                client.config_set("requirepass", "the right one")
                url = server.replace("unix://", f"unix://:{PASSWORD}@")
            store = f"s3://bucket/files?endpoint=http://127.0.0.1:{free_port()}&region=here"
            store += f"&access_key_id=me&secret_access_key={IN_AN_ADDRESS}"
            settings = {
                "ANIMATO_REDIS_URL": url,
                "ANIMATO_STORE_URL": store if "store" in wrong else str(tmp_path / "files"),
                "ANIMATO_DATA_DIR": str(tmp_path / "data"),
                "ANIMATO_BOT_TOKEN": TOKEN if "token" in wrong else sandbox.token,
                "ANIMATO_BOT_API_URL": sandbox.url,
                "ANIMATO_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            }
            ended = await asyncio.to_thread(animato, *words, **settings)
    assert ended.code == 3
    output = ended.out + ended.err
    assert says in output
    assert [secret for secret in SECRETS if secret in output] == []
