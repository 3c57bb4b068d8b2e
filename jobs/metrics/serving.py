"""Metrics over HTTP, in Prometheus' text format."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from jobs.errors import BadSettings, os_reason

log = logging.getLogger(__name__)


@contextmanager
def serve_metrics(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[int | None]:
    """Serve `GET /metrics` in a thread while the block lasts; yield the port.

    Args:
        registry: the metrics.
        host: the address of this machine to listen at.
        port: 0: any free one; None: serve nothing.

    Raises:
        BadSettings: this machine has no such address, or the port is in use.
    """
    if port is None:
        yield None
        return
    # The library's own creation times, one more sample beside each counter.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # in an otherwise typed library
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        reason = (
            f"The metrics cannot be served at {host}:{port} ({os_reason(error)}): set "
            "ANIMATO_METRICS_PORT to a free port, and ANIMATO_METRICS_HOST to an address of this "
            "machine."
        )
        raise BadSettings(reason=reason) from error
    log.info("metrics are at http://%s:%d/metrics", host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
