"""The texts of the bot: every sentence is a gettext msgid, in English.

    _ = services.texts
    _("Your place: {place}", place=3)
    _.plural("{count} photo", "{count} photos", count)

They are in the language of the person or the group that they are for: `speaking` sets it for the
code that it encloses. Messages are plain text, so that no name or file name can break one.

Babel extracts literal msgids from these calls. One that is kept elsewhere is marked with `msgid`.
"""

import datetime as dt
import gettext
import string
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import get_decimal_symbol

DEFAULT_LANGUAGE = "en"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)


class Texts:
    """The sentences in all languages.

    Args:
        translations: by language; English needs none, and replaces a language that is missing.
    """

    def __init__(self, translations: Mapping[str, gettext.NullTranslations] | None = None) -> None:
        self._translations = translations or {}

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of all languages, in the order of their own names."""
        return tuple(sorted({DEFAULT_LANGUAGE, *self._translations}, key=language_name))

    def __call__(self, message: str, **fields: object) -> str:
        """The sentence with its named fields filled in; without fields, as it is."""
        text = self._current.gettext(message)
        return self._formatter.format(text, **fields) if fields else text

    def plural(self, one: str, many: str, count: int, **fields: object) -> str:
        """The sentence for a number of things; `count` is one of its fields."""
        chosen = self._current.ngettext(one, many, count)
        return self._formatter.format(chosen, count=count, **fields)

    def date(self, when: dt.date) -> str:
        """A date, such as Nov 30, 2026."""
        return format_date(when, "medium", self._language)

    def day(self, when: dt.date) -> str:
        """A day of a month in numbers, such as 11/30."""
        return format_skeleton("MMdd", when, locale=self._language)

    @property
    def _language(self) -> str:
        language = current_language()
        return language if language in self._translations else DEFAULT_LANGUAGE

    @property
    def _current(self) -> gettext.NullTranslations:
        return self._translations.get(current_language(), _ENGLISH)

    @property
    def _formatter(self) -> "_Formatter":
        return _formatter_of(self._language)


class _Formatter(string.Formatter):
    """Formats numbers with the decimal separator of a language."""

    def __init__(self, language: str) -> None:
        self._separator = get_decimal_symbol(language)

    def format_field(self, value: object, format_spec: str) -> str:
        """Format the value of a field."""
        text = str(super().format_field(value, format_spec))
        return text.replace(".", self._separator) if isinstance(value, float) else text


@cache
def _formatter_of(language: str) -> _Formatter:
    return _Formatter(language)


def msgid(message: str) -> str:
    """Mark a sentence that is translated later; returns it as it is."""
    return message


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


def speak(language: str) -> None:
    """Make texts in a language from now on, in the current task."""
    _language.set(language)


def best_language(code: str | None, known: Collection[str]) -> str | None:
    """Return the language of `known` that a code such as `pt-br` means; None if there is none."""
    plain = (code or "").lower().replace("_", "-")
    return next((one for one in (plain, plain.partition("-")[0]) if one in known), None)


def language_name(language: str) -> str:
    """Return a language's own name for itself, such as Deutsch."""
    name = Locale.parse(language).get_display_name() or language
    return name[:1].upper() + name[1:]


_ENGLISH = gettext.NullTranslations()
ENGLISH = Texts()
