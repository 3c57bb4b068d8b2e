"""What Telegram finds in a text by itself: commands, mentions, hashtags, addresses."""

import re
from collections.abc import Iterator

from sandbox.formatting.links import BadLink, checked_link
from sandbox.formatting.spans import Span

_COMMAND = re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>@])")
# Names have four characters or more, but for three inline bots of Telegram's own.
_MENTION = re.compile(r"(?<!\w)@(?:gif|pic|vid|[A-Za-z][A-Za-z0-9_]{3,31})(?!\w)")
_HASHTAG = re.compile(r"(?<![\w#])#(?=\w*[^\W\d])\w{1,256}(?![\w#])")
_CASHTAG = re.compile(r"(?<![\w$])\$[A-Z]{3,8}(?![\w$])")
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9_.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w@-])"
)
_FULL_URL = re.compile(r"(?<!\w)(?:https?|tg|ton)://[^\s<>\"]+", re.IGNORECASE)
# Telegram knows all top-level domains; these are enough for conversations on a desk.
_BARE_URL = re.compile(
    r"(?<![\w@./:+-])(?:[A-Za-z0-9-]{1,63}\.)+"
    r"(?:app|biz|com|de|dev|es|eu|fr|info|io|it|me|net|org|ru|uk|us)(?![\w@-]|\.\w)"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"]*)?",
    re.IGNORECASE,
)
# A sentence's own signs end it, not the address in it.
_SENTENCE_SIGNS = ".,:;!?'*…"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def automatic_spans(text: str) -> list[Span]:
    """Everything that is found, in order, nothing within anything else."""
    found = sorted(_all_spans(text), key=lambda span: (span.start, -span.end))
    kept: list[Span] = []
    for span in found:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _all_spans(text: str) -> Iterator[Span]:
    kinds = {
        "mention": _MENTION,
        "bot_command": _COMMAND,
        "hashtag": _HASHTAG,
        "cashtag": _CASHTAG,
        "email": _EMAIL,
    }
    for kind, pattern in kinds.items():
        for found in pattern.finditer(text):
            yield Span(kind, found.start(), found.end())
    for pattern in (_FULL_URL, _BARE_URL):
        for found in pattern.finditer(text):
            url = _without_sentence(found[0])
            if _is_link(url):
                yield Span("url", found.start(), found.start() + len(url))


def _without_sentence(url: str) -> str:
    """The address without what belongs to the sentence around it."""
    while url:
        last = url[-1]
        opening = _BRACKETS.get(last)
        is_foreign = opening is not None and url.count(last) > url.count(opening)
        if last not in _SENTENCE_SIGNS and not is_foreign:
            break
        url = url[:-1]
    return url


def _is_link(url: str) -> bool:
    try:
        checked_link(url)
    except BadLink:
        return False
    return True
