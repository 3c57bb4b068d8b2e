"""A web server on loopback that hands out one file, well or badly, as the test has planned."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

GATE_S = 60.0

Answer = Callable[["Handler"], None]


class FileServer:
    """Serves `content` under every path, with ETag and Range.

    Attributes:
        content: the file.
        etag: what it says of it.
        plans: for each path the answers to the next requests; when they are used up, or there are
            none, the file is served as it should be.
        requests: path and Range header of each request, in order.
        asked: set with the first request.
        left: set when a client hangs up in the middle of an answer.
        gate: what answers that wait wait for.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = '"first"'
        self.plans: dict[str, deque[Answer]] = defaultdict(deque)
        self.requests: list[tuple[str, str | None]] = []
        self.asked = threading.Event()
        self.left = threading.Event()
        self.gate = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.ours = self  # type: ignore[attr-defined]  # how handlers find the test's wishes
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """The address of a path, which begins with a slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def plan(self, path: str, *answers: Answer) -> None:
        """Lets the next requests of a path be answered like this."""
        self.plans[path] += answers

    def ranges(self, path: str) -> list[str | None]:
        """The Range headers of the requests of a path."""
        return [given for asked, given in self.requests if asked == path]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    @property
    def ours(self) -> FileServer:
        """The server with the test's wishes."""
        found: FileServer = self.server.ours  # type: ignore[attr-defined]  # set by FileServer
        return found

    def do_GET(self) -> None:
        """One answer, the planned one or the right one."""
        self.ours.requests.append((self.path, self.headers.get("Range")))
        self.ours.asked.set()
        plan = self.ours.plans[self.path]
        answer = plan.popleft() if plan else whole
        # One request a connection, so that no answer depends on the one before.
        self.close_connection = True
        try:
            answer(self)
        except ConnectionError:
            self.ours.left.set()

    def log_message(self, *_: object) -> None:
        """Nothing: tests print nothing."""

    def head(self, status: int, length: int | None, **headers: str) -> None:
        """Status line and headers; an underscore in a name stands for a dash."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()


# --- answers --------------------------------------------------------------------------------------


def whole(handler: Handler) -> None:
    """The file, or the part of it that is asked for."""
    content, etag = handler.ours.content, handler.ours.etag
    wish = handler.headers.get("Range")
    start = int(wish.removeprefix("bytes=").rstrip("-")) if wish else 0
    if handler.headers.get("If-Range", etag) != etag:
        wish, start = None, 0
    if start >= len(content):
        handler.head(416, 0, Content_Range=f"bytes */{len(content)}")
        return
    if wish:
        given = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206, len(content) - start, Content_Range=given, ETag=etag)
    else:
        handler.head(200, len(content), ETag=etag)
    handler.wfile.write(content[start:])


def ignores_range(handler: Handler) -> None:
    """The whole file, whatever is asked."""
    handler.head(200, len(handler.ours.content))
    handler.wfile.write(handler.ours.content)


def breaks_off(sent_bytes: int) -> Answer:
    """The right head, but the connection ends after so many bytes of the body."""

    def answer(handler: Handler) -> None:
        handler.head(200, len(handler.ours.content), ETag=handler.ours.etag)
        handler.wfile.write(handler.ours.content[:sent_bytes])

    return answer


def ends_early(sent_bytes: int) -> Answer:
    """No length is told, and the body is too short."""

    def answer(handler: Handler) -> None:
        handler.head(200, None)
        handler.wfile.write(handler.ours.content[:sent_bytes])

    return answer


def falls_silent(sent_bytes: int) -> Answer:
    """So many bytes, then nothing until the test opens the gate."""

    def answer(handler: Handler) -> None:
        breaks_off(sent_bytes)(handler)
        handler.wfile.flush()
        handler.ours.gate.wait(GATE_S)

    return answer


def waits(handler: Handler) -> None:
    """The file, when the test opens the gate."""
    handler.ours.gate.wait(GATE_S)
    whole(handler)


def sends(content: bytes, kind: str = "application/octet-stream") -> Answer:
    """Another body, with its right length."""

    def answer(handler: Handler) -> None:
        handler.head(200, len(content), Content_Type=kind)
        handler.wfile.write(content)

    return answer


def sends_without_length(content: bytes) -> Answer:
    """Another body, ended by the end of the connection."""

    def answer(handler: Handler) -> None:
        handler.head(200, None)
        handler.wfile.write(content)

    return answer


def goes_on_and_on(handler: Handler) -> None:
    """The file, and far more than any buffer on the way can hold."""
    handler.head(200, None)
    for _ in range(200):
        handler.wfile.write(handler.ours.content)


def lies(length: int) -> Answer:
    """The file with a wrong length."""

    def answer(handler: Handler) -> None:
        handler.head(200, length)
        handler.wfile.write(handler.ours.content)

    return answer


def status(code: int, **headers: str) -> Answer:
    """No file."""

    def answer(handler: Handler) -> None:
        handler.head(code, 0, **headers)

    return answer


def claims(content_range: str, **headers: str) -> Answer:
    """A part that is not the one that was asked for."""

    def answer(handler: Handler) -> None:
        handler.head(206, 10, Content_Range=content_range, **headers)
        handler.wfile.write(b"0123456789")

    return answer


def at_most(part_bytes: int) -> Answer:
    """Parts are no longer than this, as some servers do."""

    def answer(handler: Handler) -> None:
        content = handler.ours.content
        wish = handler.headers.get("Range", "bytes=0-")
        start = int(wish.removeprefix("bytes=").rstrip("-"))
        part = content[start : start + part_bytes]
        given = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
        handler.head(206, len(part), Content_Range=given)
        handler.wfile.write(part)

    return answer
