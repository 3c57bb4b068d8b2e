"""Which addresses are on this machine."""

import pytest

from sandbox.server import SandboxOptions
from sandbox.world.webhook import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "fe80::1%lo", "", None, "localhost.example.org", "x" * 300],  # noqa: S104 - refused
)
def test_not_loopback(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])  # noqa: S104 - refused
def test_server_listens_nowhere_else(host: str) -> None:
    with pytest.raises(ValueError, match="is not a loopback address"):
        SandboxOptions(host=host)


@pytest.mark.parametrize(
    "token", ["", "x", "0:a", "4242:", "4242:a b", ":a", "4242:a\n", "٤٢٤٢:a", "7:alice"]
)
def test_token_has_the_form_of_tokens(token: str) -> None:
    with pytest.raises(ValueError, match="is not a token"):
        SandboxOptions(token=token)
