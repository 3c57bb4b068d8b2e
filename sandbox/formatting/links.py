"""URLs as Telegram accepts them in links and buttons."""

import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(tg|ton|tonsite):", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\s@/?#]*@)?([^\s@/?#:]+)(:\d{1,5})?(?=[/?#]|$)")
_HOST_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)+")


class BadLink(Exception):
    """A URL that Telegram rejects; the text is its reason."""


def checked_link(url: str) -> str:
    """Normalise a URL as Telegram does: with a scheme, and a slash after the host.

    Raises:
        BadLink: not a URL, or a scheme that Telegram does not open.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _checked_http("http://", url)
    name = (scheme[1] or scheme[2]).lower()
    if name in {"tg", "ton", "tonsite"}:
        return url
    if name not in {"http", "https"}:
        reason = "Unsupported URL protocol"
        raise BadLink(reason)
    return _checked_http(f"{name}://", url[scheme.end() :])


def _checked_http(prefix: str, rest: str) -> str:
    if not rest or rest[0] in "/?#:":
        reason = "URL host is empty"
        raise BadLink(reason)
    host = _HOST.match(rest)
    # Telegram rejects host names without a dot, such as "localhost".
    if host is None or not _HOST_NAME.fullmatch(host[1]) or re.search(r"\s", rest):
        reason = "Wrong HTTP URL"
        raise BadLink(reason)
    path = rest[host.end() :]
    return prefix + rest[: host.end()] + (path if path.startswith("/") else f"/{path}")
