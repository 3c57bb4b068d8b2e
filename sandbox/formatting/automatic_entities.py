"""Entities that Telegram detects in plain text: commands, mentions and URLs."""

import re
from collections.abc import Iterator

from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.spans import Span

_PATTERNS = {
    "mention": re.compile(r"(?<!\w)@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)"),
    "bot_command": re.compile(
        r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>@])"
    ),
    # Telegram recognises every top-level domain; these are enough for trying a bot.
    "url": re.compile(
        r"(?<!\w)(?:https?|tg)://[^\s<>\"]+"
        r"|(?<![\w@./:+-])(?:[A-Za-z0-9-]{1,63}\.)+"
        r"(?:app|com|de|dev|es|eu|fr|info|io|it|me|net|org|ru|uk)(?![\w@-]|\.\w)"
        r"(?::\d{1,5})?(?:[/?#][^\s<>\"]*)?",
        re.IGNORECASE,
    ),
}
_AFTER_URL = ".,:;!?'*)]}…"  # punctuation of the sentence around a URL


def automatic_spans(text: str) -> list[Span]:
    """Return what is found, in order and without overlaps."""
    kept: list[Span] = []
    for span in sorted(_all_spans(text), key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _all_spans(text: str) -> Iterator[Span]:
    for kind, pattern in _PATTERNS.items():
        for found in pattern.finditer(text):
            whole = found[0].rstrip(_AFTER_URL) if kind == "url" else found[0]
            if kind != "url" or _is_link(whole):
                yield Span(kind, found.start(), found.start() + len(whole))


def _is_link(url: str) -> bool:
    try:
        checked_link(url)
    except BadLink:
        return False
    return True
