"""Connections to Redis (or Valkey) with retries for long-running programs.

redis-py's defaults fail on the first call after the server's restart, and lose events when a
blocking read outlasts the socket's timeout. Errors and logs name only the host and port of an
address, which may contain a password.
"""

import asyncio
import copy
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - redis-py's own
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
)

from jobs.errors import BadSettings
from jobs.service_errors import QueueUnavailable

log = logging.getLogger(__name__)

MINIMUM_VERSION = (6, 2)
_DEFAULT_PORT = 6379
# A worker keeps its job through an outage of ten minutes; a person wants an answer sooner.
_WORKER_RETRIES = 600
_BOT_RETRIES = 20
_READ_S = 30.0  # must exceed every blocking read, which take up to 10 s
_CHECK_READ_S = 3.0
_CHECK_AGAIN_S = 0.2
# The options of redis-py that may be in an address, because they do not undo ours.
_TLS_OPTIONS = "|ssl_(ca_certs|certfile|keyfile|cert_reqs|check_hostname)"
_OPTIONS = {"redis": "db", "rediss": f"db{_TLS_OPTIONS}", "unix": "db|password"}
_REFUSALS = {
    "MISCONF": "it cannot write to its disk",
    "OOM": "it is out of memory",
    "READONLY": "it is a read-only replica",
    "NOPERM": "this user lacks the permission",
}

Result = TypeVar("Result")


class ServerWatch(Protocol):
    """Notified of the outcome of each command."""

    def on_no_answer(self) -> None:
        """The server did not answer."""

    def on_answer(self) -> None:
        """The server answered."""


class _RetryOutages(Retry):
    """Retries outages, but not a wrong password, which redis-py counts as one."""

    def __init__(self, retries: int, watch: ServerWatch | None) -> None:
        super().__init__(ExponentialBackoff(cap=1, base=0.05), retries)
        self._watch = watch

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        # Each connection has its own copy; all share one watch.
        return copy.copy(self)

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[Result]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Result:
        async def watched() -> Result:
            result = await do()
            # None may mean that nothing was sent.
            if self._watch is not None and result is not None:
                self._watch.on_answer()
            return result

        def may_pass(error: Exception) -> bool:
            if self._watch is not None:
                self._watch.on_no_answer()
            if _is_or_wraps(error, AuthenticationError):
                return False
            return is_retryable is None or is_retryable(error)

        return await super().call_with_retry(watched, fail, may_pass, with_failure_count)


def connect(
    url: str, *, is_worker: bool, watch: ServerWatch | None = None, name: str | None = None
) -> Redis:
    """Return a client that survives restarts of the server; the caller closes it (`aclose`).

    It connects with its first command.

    Args:
        url: `redis://[[user]:password@]host[:port][/db]`, `rediss://...` or `unix:///path`.
        is_worker: whether to retry for about ten minutes, instead of about 17 s.
        watch: notified whether the server answers.
        name: of each of its connections in the server's `CLIENT LIST`.

    Raises:
        BadSettings: the address is malformed.
    """
    retries = _WORKER_RETRIES if is_worker else _BOT_RETRIES
    return _client(url, _RetryOutages(retries, watch), _READ_S, name)


def _client(url: str, retry: Retry, read_s: float, name: str | None = None) -> Redis:
    _check(url)
    return Redis.from_url(
        url,
        decode_responses=True,  # BullMQ needs text
        retry=retry,
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        socket_timeout=read_s,
        socket_connect_timeout=3,
        health_check_interval=15,
        client_name=name,
    )


def public_address(server: Redis | str) -> str:
    """Return the part of an address that is not secret: host and port, or a socket's path.

    Args:
        server: a client, or the address.

    Raises:
        BadSettings: the address is malformed.
    """
    if isinstance(server, Redis):
        options = server.connection_pool.connection_kwargs
        return options.get("path") or f"{options['host']}:{options.get('port', _DEFAULT_PORT)}"
    parts = _check(server)
    if parts.scheme == "unix":
        return unquote(parts.path)
    return f"{parts.hostname}:{parts.port or _DEFAULT_PORT}"


@contextmanager
def queue_errors(server: Redis | str) -> Iterator[None]:
    """Turn redis-py's errors inside the block into QueueUnavailable.

    Args:
        server: the client that the block uses, or the server's address.

    Raises:
        QueueUnavailable: it did not answer, or refused.
    """
    try:
        yield
    except RedisError as exc:
        log.debug("redis: %r", exc)
        raise QueueUnavailable(place=public_address(server), reason=_reason(exc)) from exc


async def check_server(url: str, *, wait_s: float = 3.0) -> tuple[int, int]:
    """Return the version of the server at `url`; raise unless it can be used.

    Args:
        url: see `connect`.
        wait_s: how long to retry a server that does not answer, s. One that is still loading its
            data is always waited for.

    Raises:
        BadSettings: the address is malformed.
        QueueUnavailable: it does not answer, refuses the password, or is too old.
    """
    async with _client(url, _RetryOutages(0, None), _CHECK_READ_S) as client:
        with queue_errors(url):
            facts = await _facts(client, wait_s)
    found = tuple(int(number) for number in str(facts["redis_version"]).split(".")[:2])
    if found < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        reason = f"it is of version {found[0]}.{found[1]}, and {wanted} is needed"
        raise QueueUnavailable(place=public_address(url), reason=reason)
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        log.warning(
            "Redis at %s may evict orders when its memory is full: set its maxmemory-policy to "
            "noeviction",
            public_address(url),
        )
    return found[0], found[1]


async def ping(url: str, *, within_s: float) -> None:
    """Raise unless the server at `url` answers soon; nothing is retried.

    Raises:
        BadSettings: the address is malformed.
        QueueUnavailable: it does not answer.
    """
    async with _client(url, _RetryOutages(0, None), within_s) as client:
        with queue_errors(url):
            await client.ping()


async def _facts(client: Redis, wait_s: float) -> dict[str, Any]:
    """Return the server's INFO, once it answers and has loaded its data."""
    now = asyncio.get_running_loop().time
    deadline = now() + wait_s
    while True:
        try:
            return await client.info()
        except (ConnectionError, TimeoutError) as exc:
            is_over = now() > deadline and not is_loading(exc)
            if is_over or _is_or_wraps(exc, AuthenticationError):
                raise
        await asyncio.sleep(_CHECK_AGAIN_S)


def is_loading(error: RedisError) -> bool:
    """Return whether the server does not answer because it is still loading its data."""
    return _is_or_wraps(error, BusyLoadingError)


def _is_or_wraps(error: Exception, kind: type[RedisError]) -> bool:
    """Check the error and its cause: redis-py wraps errors of the handshake on a socket."""
    return isinstance(error, kind) or isinstance(error.__cause__, kind)


def _reason(error: RedisError) -> str:
    """Return what went wrong, without quoting anything that was sent."""
    if _is_or_wraps(error, AuthenticationError):
        return "its password is wrong or missing"
    if is_loading(error):
        return "it is still loading its data"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted"
    if isinstance(error, ConnectionError | TimeoutError):
        return "it does not answer"
    code = str(error).partition(" ")[0] if isinstance(error, ResponseError) else ""
    return _REFUSALS.get(code, f"it refused: {type(error).__name__}")


def _check(url: str) -> SplitResult:
    """Return the address's parts.

    Raises:
        BadSettings: it is malformed; its content is not quoted.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_unix = parts.scheme == "unix"
    is_complete = bool(parts.path) and not parts.hostname if is_unix else bool(parts.hostname)
    options = parse_qsl(parts.query, keep_blank_values=True)
    if (
        parts.scheme not in _OPTIONS
        or not is_complete
        or port == 0
        or "#" in url
        or not (is_unix or re.fullmatch(r"(/\d*)?", parts.path))
        or not all(re.fullmatch(_OPTIONS[parts.scheme], name) for name, _ in options)
        or not all(value.isdecimal() for name, value in options if name == "db")
    ):
        reason = (
            "ANIMATO_REDIS_URL is not the address of a Redis server: expected "
            "redis://:password@host:port, rediss://:password@host:port or unix:///path, special "
            "characters of the password percent-encoded (/ is %2F, # is %23)."
        )
        raise BadSettings(reason=reason)
    return parts
