"""The texts of the bot: every sentence is a gettext msgid, in English.

    _ = services.texts
    _("Your place: {place}", place=3)
    _.plural("{count} photo", "{count} photos", count)

They are in the language of the person or the group that they are for: `speaking` sets it for the
code that it encloses. Messages are plain text, so that no name or file name can break one.
"""

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_LANGUAGE = "en"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)


class Texts:
    """The sentences in all languages.

    Args:
        translations: by language; English needs none, and replaces a language that is missing.
    """

    def __init__(self, translations: Mapping[str, gettext.NullTranslations] | None = None) -> None:
        self._translations = translations or {}

    def __call__(self, message: str, **fields: object) -> str:
        """The sentence with its named fields filled in; without fields, as it is."""
        text = self._current.gettext(message)
        return text.format(**fields) if fields else text

    def plural(self, one: str, many: str, count: int, **fields: object) -> str:
        """The sentence for a number of things; `count` is one of its fields."""
        chosen = self._current.ngettext(one, many, count)
        return chosen.format(count=count, **fields)

    @property
    def _current(self) -> gettext.NullTranslations:
        return self._translations.get(current_language(), _ENGLISH)


def current_language() -> str:
    """Return the language of the texts that are made now."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Make texts in a language within the block, and in the tasks that begin there."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


_ENGLISH = gettext.NullTranslations()
ENGLISH = Texts()
