"""One file over HTTP: resumed, from the next mirror if need be, and proven before anybody reads it.

What arrives is kept in a `.part` file, so that a broken or stopped download goes on where it ended.
The file is pinned by its hash, so parts of it may come from different mirrors; if the whole then is
not the published file, it is fetched from one mirror alone.
"""

import email.utils
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn
from urllib.parse import urlsplit

from tqdm import tqdm

from inference.weights.catalogue import Digests, WeightsFile, digests_of
from inference.weights.checkpoint_file import BEGINNING_BYTES, odd_content
from inference.weights.folder import Say, writing
from jobs.errors import DownloadFailed

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_REASONS = {
    401: "it wants a login (401)",
    403: "it is forbidden (403)",
    404: "there is no such file any more (404)",
    410: "there is no such file any more (410)",
    429: "too many people are downloading (429)",
    503: "the server is busy (503)",
}
_BUSY = (429, 503)


@dataclass(frozen=True)
class Patience:
    """How long a mirror is waited for.

    Attributes:
        connect_s: until it answers the call.
        read_s: until the next bytes come.
        attempts: on one mirror, as long as each brings something.
        pause_s: between two attempts.
        retry_after_s: the longest wait that a busy mirror may ask for.
    """

    connect_s: float = 15.0
    read_s: float = 30.0
    attempts: int = 20
    pause_s: float = 2.0
    retry_after_s: float = 60.0


class _Refused(Exception):
    """This mirror will not give the file."""


class _BrokenOff(Exception):
    """The transfer ended early; what has arrived can be gone on with."""


class _Useless(Exception):
    """What had arrived earlier does not fit what this mirror has; it is deleted."""


class _Busy(Exception):
    """The mirror asks to come back later."""

    def __init__(self, reason: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(reason)


class Download:
    """The download of one file.

    Args:
        wanted: the file: its size and hashes.
        part: where the bytes go; what is already there is gone on with. Nobody else may write it.
        say: told what goes wrong on the way.
        patience: with slow and busy mirrors.
        shows_progress: whether a bar is drawn on stderr, if that is a terminal.
    """

    def __init__(
        self, wanted: WeightsFile, part: Path, say: Say, patience: Patience, *, shows_progress: bool
    ) -> None:
        self._wanted = wanted
        self._part = part
        self._note = part.with_name(f"{part.name}.json")
        self._say = say
        self._patience = patience
        self._shows_progress = shows_progress
        self._was_resumed = False

    def fetch(self, urls: Sequence[str]) -> Digests:
        """Leaves the whole, proven file in `part`; its digests.

        Args:
            urls: the file's addresses, asked in this order.

        Raises:
            DownloadFailed: no address gave the file; says why for each.
            DiskFull, WeightsFolderRefused: `part` cannot be written.
        """
        import httpx  # noqa: PLC0415 - it belongs to the extra

        # It may have been stopped between the last byte and the first use.
        if self._size() >= self._wanted.limit_bytes and (digests := self._proven()):
            return digests
        timeout = httpx.Timeout(self._patience.read_s, connect=self._patience.connect_s)
        reasons = []
        with httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            headers={"User-Agent": "animato", "Accept-Encoding": "identity"},
        ) as client:
            for url in urls:
                try:
                    return self._from_mirror(client, url)
                except _Refused as refused:
                    host = _place(url).partition("/")[0]
                    self._say(f"{host}: {refused}")
                    reasons.append(f"{host}: {refused}")
        raise DownloadFailed(
            name=self._wanted.name,
            reasons="; ".join(reasons) or "the catalogue has no address",
            file=self._wanted.file,
            folder=str(self._part.parent),
        )

    def discard(self) -> None:
        """Deletes what has arrived."""
        with writing(self._part):
            self._part.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)

    # --- one mirror -------------------------------------------------------------------------------

    def _from_mirror(self, client: "httpx.Client", url: str) -> Digests:
        """The file from one address, in as many attempts as it takes.

        Raises:
            _Refused: this address does not give it.
        """
        attempt, has_restarted, was_busy = 0, False, False
        while True:
            before = self._size()
            try:
                self._stream(client, url)
                digests = self._proven()
                if digests:
                    return digests
                if not self._was_resumed:
                    raise _Refused("it has another file than the published one")
                raise _Useless("what had arrived earlier was of another file")
            except _Useless as useless:
                if has_restarted:
                    raise _Refused(str(useless)) from useless
                has_restarted = True
                self._say(f"{useless}: beginning again")
            except _Busy as busy:
                if was_busy or busy.wait_s > self._patience.retry_after_s:
                    raise _Refused(str(busy)) from busy
                was_busy = True
                self._say(f"{busy}: trying again in {busy.wait_s:.0f} s")
                time.sleep(busy.wait_s)
            except _BrokenOff as broken:
                attempt += 1
                if self._size() <= before or attempt >= self._patience.attempts:
                    raise _Refused(str(broken)) from broken
                self._say(f"{broken}: going on at {self._size() / 1e6:.1f} MB")
                time.sleep(self._patience.pause_s)

    def _stream(self, client: "httpx.Client", url: str) -> None:
        """Appends to the part what one request brings, to the file's end.

        Raises:
            _Refused, _Busy, _BrokenOff, _Useless: it did not work.
        """
        import httpx  # noqa: PLC0415 - it belongs to the extra

        have, etag = self._size(), self._noted_etag(url)
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if etag:
                headers["If-Range"] = etag
        try:
            with client.stream("GET", url, headers=headers) as response:
                if have and response.status_code == 416:
                    # It has no more than we have, which may be the whole.
                    self._was_resumed = True
                    return
                _check_status(response)
                start = self._start(response, have, etag)
                self._receive(response, start, url)
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            reason = "its certificate is not trusted" if "CERTIFICATE" in str(exc) else "no answer"
            raise _Refused(reason) from exc
        except httpx.TimeoutException as exc:
            raise _BrokenOff("it has gone silent") from exc
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            raise _Refused("it leads to an address that is not http or https") from exc
        except httpx.TooManyRedirects as exc:
            raise _Refused("it leads in circles") from exc
        except httpx.HTTPError as exc:
            log.debug("the transfer ended with %r", exc)
            raise _BrokenOff("the transfer broke off") from exc
        if self._wanted.size_bytes and self._size() < self._wanted.size_bytes:
            raise _BrokenOff("the transfer broke off")

    def _start(self, response: "httpx.Response", have: int, etag: str) -> int:
        """Where the answer begins in the file: at what we have, or at 0.

        Raises:
            _Useless: it begins elsewhere, or the file has changed meanwhile.
        """
        self._was_resumed = response.status_code == 206 and have > 0
        if response.status_code == 200:
            return 0
        has_changed = bool(etag) and response.headers.get("ETag", etag) != etag
        given = response.headers.get("Content-Range", "")
        if has_changed or not given.startswith(f"bytes {have}-"):
            self.discard()
            raise _Useless("it does not go on where it was asked to")
        return have

    def _receive(self, response: "httpx.Response", start: int, url: str) -> None:
        """Writes the body from `start` on.

        Raises:
            _Refused: it is not the file, told from its type, beginning or length.
        """
        chunks = response.iter_raw()
        beginning = _beginning(chunks) if start == 0 else b""
        _check_kind(response, beginning)
        self._check_length(response)
        self._remember(url, response.headers.get("ETag", ""))
        have, limit = start, self._wanted.limit_bytes
        with self._open(start) as (file, bar):
            for chunk in chain([beginning], chunks):
                have += len(chunk)
                if have > limit:
                    break
                file.write(chunk)
                bar.update(len(chunk))
        if have > limit:
            self.discard()
            raise _Refused(f"it sends more than {limit} bytes")

    def _check_length(self, response: "httpx.Response") -> None:
        """Nothing, if the announced length may be the file's.

        Raises:
            _Refused: it is another one.
        """
        announced = response.headers.get("Content-Length", "")
        if response.status_code == 206:
            announced = response.headers.get("Content-Range", "").rpartition("/")[2]
        size, limit = self._wanted.size_bytes, self._wanted.limit_bytes
        if not announced.isdecimal():
            return
        if int(announced) > limit or size not in (None, int(announced)):
            expected = size or f"at most {limit}"
            raise _Refused(f"its file has {announced} bytes instead of {expected}")

    # --- the part ---------------------------------------------------------------------------------

    def _size(self) -> int:
        try:
            return self._part.stat().st_size
        except OSError:
            return 0

    @contextmanager
    def _open(self, start: int) -> Iterator[tuple[BinaryIO, "tqdm[NoReturn]"]]:
        """The part, open for writing from `start` on, and the bar of its progress."""
        with (
            writing(self._part),
            self._part.open("ab" if start else "wb") as file,
            tqdm(
                desc=self._wanted.name,
                total=self._wanted.probable_bytes,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=None if self._shows_progress else True,
                dynamic_ncols=True,
            ) as bar,
        ):
            yield file, bar

    def _proven(self) -> Digests | None:
        """The part's digests if it is the file; else it is deleted."""
        with writing(self._part):
            digests = digests_of(self._part)
        if self._wanted.match(digests):
            return digests
        self._say(
            f"what arrived is not {self._wanted.name} ({digests.size_bytes} bytes, sha256 "
            f"{digests.sha256}): deleted"
        )
        self.discard()
        return None

    def _noted_etag(self, url: str) -> str:
        """The ETag of the bytes in the part, if they came from here and it gave one; else empty."""
        try:
            note = json.loads(self._note.read_text("utf-8"))
            return str(note["etag"]) if note["mirror"] == _place(url) else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _remember(self, url: str, etag: str) -> None:
        """Writes down whose bytes the part holds."""
        # A weak one does not promise equal bytes.
        note = {"mirror": _place(url), "etag": "" if etag.startswith("W/") else etag}
        with writing(self._note):
            self._note.write_text(json.dumps(note), "utf-8")


def _check_status(response: "httpx.Response") -> None:
    """Nothing, if the answer is a file or a part of one.

    Raises:
        _Busy: it says when to come back.
        _Refused: it is anything else.
    """
    status = response.status_code
    if status in (200, 206):
        return
    reason = _REASONS.get(status, f"the server answers with status {status}")
    wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if status in _BUSY and wait_s is not None:
        raise _Busy(reason, wait_s)
    raise _Refused(reason)


def _check_kind(response: "httpx.Response", beginning: bytes) -> None:
    """Nothing, if a body of this type and beginning may be weights.

    Raises:
        _Refused: it is a web page or a pointer, or it is packed.
    """
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise _Refused(f"it packs the file ({coding})")
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    odd = odd_content(b"<" if is_page else beginning)
    if odd:
        raise _Refused(odd)


def _retry_after_s(text: str) -> float | None:
    """How long a server asks to wait, given as seconds or as a date; None if it does not say."""
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _place(url: str) -> str:
    """An address without what may be secret in it: host, port and path."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _beginning(chunks: Iterator[bytes]) -> bytes:
    """The first bytes of a body, taken from its chunks; shorter only if the body is."""
    taken = b""
    for chunk in chunks:
        taken += chunk
        if len(taken) >= BEGINNING_BYTES:
            break
    return taken
