"""Download one file: resumed, from the next mirror if need be, and verified by its hash.

Received bytes are kept in a `.part` file, so that an interrupted download can be resumed. Because
the hash is known, the bytes may come from several mirrors. If the result is wrong, the file is
downloaded again from one mirror alone.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqdm import tqdm

from inference.weights.catalogue import Digests, WeightsFile, digests_of
from inference.weights.checkpoint_file import WEB_PAGE, unexpected_content
from inference.weights.folder import Say, writing
from jobs.weights_errors import DownloadFailed

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_REASONS = {
    401: "it requires a login (401)",
    403: "access is forbidden (403)",
    404: "the file no longer exists (404)",
    410: "the file no longer exists (410)",
    429: "too many people are downloading (429)",
    503: "the server is busy (503)",
}


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries for one mirror.

    Attributes:
        connect_s: time to connect.
        read_s: time until the next bytes arrive.
        attempts: number of requests, as long as each of them brings something.
        pause_s: time between two of them.
        retry_after_s: the longest Retry-After that is waited for.
    """

    connect_s: float = 15.0
    read_s: float = 30.0
    attempts: int = 20
    pause_s: float = 2.0
    retry_after_s: float = 60.0


class _Refused(Exception):
    """This mirror does not give the file."""


class _Interrupted(Exception):
    """The transfer ended early; it can be resumed."""


class _Busy(Exception):
    """The mirror asks to come back later."""

    def __init__(self, reason: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(reason)


class Download:
    """The download of one file.

    Args:
        wanted: the file, with its size and hashes.
        part: where the bytes go; what is there already is resumed. No other process may write it.
        say: called with a sentence for each problem on the way.
        retry_policy: timeouts and retries.
        shows_progress: whether a progress bar is drawn on stderr, if that is a terminal.
    """

    def __init__(
        self,
        wanted: WeightsFile,
        part: Path,
        say: Say,
        retry_policy: RetryPolicy,
        *,
        shows_progress: bool,
    ) -> None:
        self._wanted = wanted
        self._part = part
        self._say = say
        self._retry_policy = retry_policy
        self._shows_progress = shows_progress

    def fetch(self, urls: Sequence[str]) -> Digests:
        """Download the file into `part`, verify it and return its digests.

        Args:
            urls: the mirrors, in order of preference.

        Raises:
            DownloadFailed: no mirror gave the file; the reasons are listed.
            DiskFull, WeightsFolderRefused: `part` cannot be written.
        """
        import httpx  # noqa: PLC0415 - part of the extra

        # An earlier download may have been stopped after the last byte.
        if self._size() >= self._wanted.limit_bytes and (digests := self._verified()):
            return digests
        reasons = []
        with httpx.Client(
            timeout=httpx.Timeout(self._retry_policy.read_s, connect=self._retry_policy.connect_s),
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            headers={"User-Agent": "animato", "Accept-Encoding": "identity"},
        ) as client:
            for url in urls:
                try:
                    return self._from_mirror(client, url)
                except _Refused as refused:
                    # Without a user name and password.
                    reasons.append(f"{urlsplit(url).netloc.rpartition('@')[2]}: {refused}")
                    self._say(reasons[-1])
        raise DownloadFailed(
            name=self._wanted.name,
            reasons="; ".join(reasons) or "the catalogue has no address",
            file=self._wanted.file,
            folder=str(self._part.parent),
        )

    def discard(self) -> None:
        """Delete the received bytes."""
        with writing(self._part):
            self._part.unlink(missing_ok=True)

    # --- one mirror -------------------------------------------------------------------------------

    def _from_mirror(self, client: "httpx.Client", url: str) -> Digests:
        """Download from one mirror, with as many requests as it takes.

        Raises:
            _Refused: this mirror does not give the file.
        """
        attempts, was_busy = 0, False
        while True:
            before = self._size()
            try:
                self._request(client, url)
                if digests := self._verified():
                    return digests
                if before == 0:
                    raise _Refused("it has another file than the published one")
                self._say("the earlier part was of another file: starting again")
            except _Busy as busy:
                if was_busy or busy.wait_s > self._retry_policy.retry_after_s:
                    raise _Refused(str(busy)) from busy
                was_busy = True
                self._say(f"{busy}: trying again in {busy.wait_s:.0f} s")
                time.sleep(busy.wait_s)
            except _Interrupted as interrupted:
                attempts += 1
                if self._size() == before or attempts >= self._retry_policy.attempts:
                    raise _Refused(str(interrupted)) from interrupted
                self._say(f"{interrupted}: resuming at {self._size() / 1e6:.1f} MB")
                time.sleep(self._retry_policy.pause_s)

    def _request(self, client: "httpx.Client", url: str) -> None:
        """Append the response to one request, which is to reach the end of the file.

        Raises:
            _Refused, _Busy, _Interrupted: it did not.
        """
        import httpx  # noqa: PLC0415 - part of the extra

        have = self._size()
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            with client.stream("GET", url, headers=headers) as response:
                # Range not satisfiable: there is no more than what we have.
                if not (have and response.status_code == 416):
                    _check_headers(response)
                    self._append(response, have if response.status_code == 206 else 0)
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            reason = "its certificate is not trusted" if "CERTIFICATE" in str(exc) else "no answer"
            raise _Refused(reason) from exc
        except httpx.TimeoutException as exc:
            raise _Interrupted("no more data arrived") from exc
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            raise _Refused("it redirects to an address that is not http or https") from exc
        except httpx.TooManyRedirects as exc:
            raise _Refused("it redirects too many times") from exc
        except httpx.HTTPError as exc:
            log.debug("the transfer ended with %r", exc)
            raise _Interrupted("the transfer broke off") from exc
        if self._wanted.size_bytes and self._size() < self._wanted.size_bytes:
            raise _Interrupted("the transfer broke off")

    def _append(self, response: "httpx.Response", start: int) -> None:
        """Write the body at `start`.

        Raises:
            _Refused: it is not the file, judged by its first bytes or size.
            _Interrupted: it begins elsewhere; the part is deleted.
        """
        given = response.headers.get("Content-Range", f"bytes {start}-")
        if response.status_code == 206 and not given.startswith(f"bytes {start}-"):
            self.discard()
            raise _Interrupted("it does not resume where it was asked to")
        chunks = response.iter_raw()
        first = next(chunks, b"")
        if start == 0 and (reason := unexpected_content(first)):
            raise _Refused(reason)
        have, size, limit = start, self._wanted.size_bytes, self._wanted.limit_bytes
        header = "Content-Range" if response.status_code == 206 else "Content-Length"
        total = response.headers.get(header, "").rpartition("/")[2]
        if total.isdecimal() and (int(total) > limit or size not in (None, int(total))):
            raise _Refused(f"its file has {total} bytes instead of {size or f'at most {limit}'}")
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
            for chunk in chain([first], chunks):
                have += len(chunk)
                if have > limit:
                    break
                file.write(chunk)
                bar.update(len(chunk))
        if have > limit:
            self.discard()
            raise _Refused(f"it sends more than {limit} bytes")

    # --- the part ---------------------------------------------------------------------------------

    def _size(self) -> int:
        try:
            return self._part.stat().st_size
        except OSError:
            return 0

    def _verified(self) -> Digests | None:
        """Return the part's digests if it is the file; delete it otherwise."""
        with writing(self._part):
            digests = digests_of(self._part)
        if self._wanted.match(digests):
            return digests
        self._say(
            f"the download is not {self._wanted.name} ({digests.size_bytes} bytes, sha256 "
            f"{digests.sha256}): deleted"
        )
        self.discard()
        return None


def _check_headers(response: "httpx.Response") -> None:
    """Raise unless a response has a file or a part of one.

    Raises:
        _Busy: it has a Retry-After in seconds.
        _Refused: it has something else.
    """
    status, headers = response.status_code, response.headers
    if status not in (200, 206):
        reason = _REASONS.get(status, f"the server answers with status {status}")
        retry_after = headers.get("Retry-After", "")
        if status in (429, 503) and retry_after.isdecimal():
            raise _Busy(reason, float(retry_after))
        raise _Refused(reason)
    coding = headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise _Refused(f"it compresses the file ({coding})")
    if headers.get("Content-Type", "").startswith("text/html"):
        raise _Refused(WEB_PAGE)
