"""Metrics over HTTP, in Prometheus' text format, and the health of the program."""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    disable_created_metrics,
    make_wsgi_app,
    start_http_server,
)

from jobs.errors import BadSettings, os_reason
from jobs.metrics.health import LIVE, READY, Health

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)


@contextmanager
def serve_metrics(
    registry: CollectorRegistry, host: str, port: int | None, health: Health | None = None
) -> Iterator[int | None]:
    """Serve `GET /metrics` in a thread while the block lasts; yield the port.

    Args:
        registry: the metrics.
        host: the address of this machine to listen at.
        port: 0: any free one; None: serve nothing.
        health: what `/healthz` and `/readyz` answer; None: they are not served.

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
    if health is not None:
        server.set_app(_with_health(make_wsgi_app(registry), health))
    log.info("metrics are at http://%s:%d/metrics", host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _with_health(metrics: "WSGIApplication", health: Health) -> "WSGIApplication":
    """Return the HTTP application with the paths of the health checks."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in (LIVE, READY):
            return metrics(environ, start_response)
        is_good, words = health.answer(path)
        body = json.dumps(words).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("200 OK" if is_good else "503 Service Unavailable", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return application
