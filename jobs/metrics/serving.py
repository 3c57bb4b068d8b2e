"""Metrics over HTTP, in the text that Prometheus reads."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from jobs.errors import BadSettings

log = logging.getLogger(__name__)


@contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[int | None]:
    """Answers `GET /metrics` while the block lasts; gives the port.

    A thread of its own answers, so that a busy program does too.

    Args:
        registry: what is told.
        host: the address or name of this machine at which it is.
        port: 0: any free one; None: nothing is served.

    Raises:
        BadSettings: there is no such address here, or it is in use.
    """
    if port is None:
        yield None
        return
    # The library's own, one more number beside each count; nobody has asked for it.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # in an otherwise typed library
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        reason = (
            f"The metrics cannot be served at {host}:{port} ({error.strerror}): let "
            "ANIMATO_METRICS_PORT name a port that is free, and ANIMATO_METRICS_HOST an address "
            "of this machine."
        )
        raise BadSettings(reason=reason) from error
    log.info("metrics are at http://%s:%d/metrics", host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
