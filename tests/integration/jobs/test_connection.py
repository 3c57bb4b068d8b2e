"""Connections to a real server, and to what only pretends to be one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.connection import check_server, connect
from jobs.service_errors import QueueUnavailable

pytestmark = pytest.mark.local_sockets


@pytest.fixture
async def redis_5(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server that says thrice that it is loading, and then that it is too old."""
    times_loading = 3

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal times_loading
        while said := await reader.read(65536):
            for word in said.upper().split():
                if word == b"PING":
                    writer.write(b"+PONG\r\n")
                elif word == b"HELLO":
                    writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
                elif word == b"CLIENT":
                    writer.write(b"+OK\r\n")
                elif word == b"INFO" and times_loading:
                    writer.write(b"-LOADING Redis is loading the dataset in memory\r\n")
                    times_loading -= 1
                elif word == b"INFO":
                    writer.write(b"$19\r\nredis_version:5.0.7\r\n")
        writer.close()

    path = tmp_path / "old.sock"
    server = await asyncio.start_unix_server(answer, path)
    async with server:
        yield f"unix://{path}"


async def test_right_server_tells_its_version(valkey: str) -> None:
    assert await check_server(valkey) >= (6, 2)


async def test_loading_server_is_waited_for_and_old_one_refused(redis_5: str) -> None:
    with pytest.raises(QueueUnavailable, match=r"it is of version 5\.0, and 6\.2 is needed"):
        await check_server(redis_5, wait_s=0)


async def test_server_that_may_throw_orders_away_is_warned_of(
    valkey: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await check_server(valkey)
    assert caplog.text == ""
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        await check_server(valkey)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
    assert "set its maxmemory-policy to noeviction" in caplog.text


async def test_each_database_is_apart(valkey: str, redis: Redis) -> None:
    other = connect(f"{valkey}?db=3", is_worker=True)
    await other.set("a", "1")
    assert await redis.get("a") is None
    assert await other.get("a") == "1"
    await other.aclose()


async def test_wrong_password_is_told_at_once_even_to_a_worker(valkey: str, redis: Redis) -> None:
    await redis.acl_setuser("somebody", enabled=True, passwords="+hunter2", commands=["+ping"])
    right = connect(valkey.replace("unix://", "unix://somebody:hunter2@"), is_worker=True)
    assert await right.ping()
    await right.aclose()
    wrong = valkey.replace("unix://", "unix://somebody:wrong@")
    # A worker would try for ten minutes.
    client = connect(wrong, is_worker=True)
    with pytest.raises(Exception, match="invalid username-password pair"):
        await client.ping()
    await client.aclose()
    with pytest.raises(QueueUnavailable, match="its password is wrong or missing"):
        await check_server(wrong)
    await redis.acl_deluser("somebody")
