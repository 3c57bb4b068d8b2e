"""Connections: BullMQ's needs, and that an address never tells its password."""

import traceback

import pytest
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnection

from jobs.connection import connect, public_address, queue_errors
from jobs.errors import BadSettings
from jobs.service_errors import QueueUnavailable

SECRET = "hunter2"  # noqa: S105 - it opens nothing


@pytest.mark.parametrize(("is_worker", "retries"), [(True, 600), (False, 20)])
def test_client_has_the_patience_that_bullmq_needs(is_worker: bool, retries: int) -> None:
    options = connect("redis://localhost", is_worker=is_worker).connection_pool.connection_kwargs
    assert options["decode_responses"] is True
    assert options["socket_timeout"] == 30
    assert options["socket_connect_timeout"] == 3
    assert options["health_check_interval"] == 15
    assert options["retry"].get_retries() == retries


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", "localhost:6379"),
        ("redis://:hunter2@example.org:7000/3", "example.org:7000"),
        ("redis://user:hunter2@[::1]:7000/", "::1:7000"),
        ("rediss://:hunter2@example.org?ssl_ca_certs=/ca.pem&db=2", "example.org:6379"),
        ("unix:///some/path%20here.sock?db=1", "/some/path here.sock"),
        ("unix://:hunter2@/path.sock", "/path.sock"),
        ("unix:///path.sock?password=hunter2", "/path.sock"),
    ],
)
def test_place_of_an_address_is_all_but_its_secrets(url: str, place: str) -> None:
    assert public_address(url) == place
    assert public_address(connect(url, is_worker=False)) == place
    assert SECRET not in repr(connect(url, is_worker=True))


def test_address_says_how_to_connect() -> None:
    pool = connect("rediss://example.org?ssl_ca_certs=/ca.pem", is_worker=True).connection_pool
    assert pool.connection_class is SSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
    pool = connect("unix:///a%20b.sock?db=2", is_worker=True).connection_pool
    assert pool.connection_class is UnixDomainSocketConnection
    assert (pool.connection_kwargs["path"], pool.connection_kwargs["db"]) == ("/a b.sock", 2)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "http://:hunter2@example.org",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@example.org:port",
        "redis://:hunter2@example.org:99999",
        "redis://:hunter2@example.org:0",
        "redis://:1234/hunter2@example.org",
        "redis://:hunter2#more@example.org",
        "redis://example.org/0#hunter2",
        "unix:///path.sock#hunter2",
        "redis://:hunter2?more@example.org",
        "redis://:hunter2@[::1",
        "redis://:hunter2@example.org/name",
        "redis://:hunter2@example.org?db=x",
        "redis://:hunter2@example.org?socket_timeout=1",
        "redis://:hunter2@example.org?ssl_ca_certs=/ca.pem",
        "unix://:hunter2@",
        "unix://folder/path.sock?password=hunter2",
    ],
)
def test_address_that_is_none_is_one_sentence_without_its_secrets(url: str) -> None:
    for use in (public_address, lambda url: connect(url, is_worker=False)):
        with pytest.raises(BadSettings, match="percent-encoded") as caught:
            use(url)
        assert SECRET not in "".join(traceback.format_exception_only(caught.value))
        # What urllib says of it quotes it.
        assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NoConnection("Error 111 connecting"), "it does not answer"),
        (AuthenticationError("WRONGPASS"), "its password is wrong or missing"),
        (BusyLoadingError("loading"), "it is still loading its data"),
        (ResponseError("MISCONF Errors writing to the AOF file"), "it cannot write to its disk"),
        (ResponseError("OOM command not allowed"), "it is out of memory"),
        (ResponseError("unknown command 'secret'"), "it refused: ResponseError"),
        (RedisError("secret"), "it refused: RedisError"),
    ],
)
def test_trouble_with_the_server_is_one_sentence(error: RedisError, reason: str) -> None:
    url = "redis://:hunter2@example.org:7000"
    with pytest.raises(QueueUnavailable) as caught, queue_errors(url):
        raise error
    assert f"example.org:7000 cannot be used ({reason})" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value)).replace(url, "")


def test_what_is_not_the_servers_fault_is_not_wrapped() -> None:
    with pytest.raises(ZeroDivisionError), queue_errors("redis://localhost"):
        raise ZeroDivisionError
