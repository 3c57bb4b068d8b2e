"""Checks that the translations are complete, correct, and fit where Telegram shows them."""

import string
from collections.abc import Iterator, Mapping

from babel.core import UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Translation

from bot.texts import DEFAULT_LANGUAGE, language_name
from jobs.templates import Template
from tools.msgids import Message, Use

# What fields are counted as in a text whose length is limited.
_FIELD_CHARACTERS = {Use.BUTTON: 2, Use.ANSWER: 12}
_TITLE_CHARACTERS = 24
_SHOWN_CHARACTERS = 50


def problems_of(
    language: str, catalogue: Catalog, messages: Mapping[str, Message]
) -> Iterator[str]:
    """Yield what is wrong with a language's catalogue, one line each."""
    for message in messages.values():
        found = catalogue.get(message.msgid)
        if found is None or not any(_strings_of(found)):
            yield f"{language}: not translated: {_shown(message.msgid)}"
            continue
        for problem in _problems_of_translation(message, found, catalogue):
            yield f"{language}: {problem}: {_shown(message.msgid)}"
    for found in (*catalogue, *catalogue.obsolete.values()):
        msgid = str(found.id[0] if isinstance(found.id, list | tuple) else found.id)
        if msgid and msgid not in messages:
            yield f"{language}: no longer used: {_shown(msgid)}"


def problems_of_english(messages: Mapping[str, Message]) -> Iterator[str]:
    """Yield the English sentences that are too long, one line each."""
    for message in messages.values():
        for text in filter(None, (message.msgid, message.plural)):
            if problem := _too_long(message, text):
                yield f"{DEFAULT_LANGUAGE}: {problem}: {_shown(text)}"


def problems_of_titles(template: Template, known: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with a shipped movement's titles, one line each."""
    for language in known:
        title = template.title.get(language)
        if title is None:
            yield f"{language}: the movement {template.name} has no title"
        elif len(title) > _TITLE_CHARACTERS:
            yield f"{language}: the title of {template.name} has over {_TITLE_CHARACTERS} letters"


def problems_of_code(language: str) -> Iterator[str]:
    """Yield why a language's code is none: Telegram takes two letters, Babel must know it."""
    if len(language) != 2:
        yield f"{language}: Telegram takes only two-letter codes of languages"
        return
    try:
        language_name(language)
    except UnknownLocaleError:
        yield f"{language}: there is no such language"


def _problems_of_translation(
    message: Message, found: Translation, catalogue: Catalog
) -> Iterator[str]:
    strings = _strings_of(found)
    if found.fuzzy:
        yield "doubtful (fuzzy)"
    if bool(message.plural) != isinstance(found.string, tuple):
        yield "singular and plural do not fit"
        return
    if message.plural and (len(strings) != catalogue.num_plurals or not all(strings)):
        yield f"{catalogue.num_plurals} plural forms are needed"
        return
    wanted = _fields_of(message.plural or message.msgid)
    for text in strings:
        fields = _fields_of(text)
        # In a plural form for one thing, the number may be a word.
        if fields != wanted and not (message.plural and fields == wanted - {("count", "")}):
            yield f"its fields are not {_listed(wanted)} but {_listed(fields)}"
        elif problem := _too_long(message, text):
            yield problem


def _too_long(message: Message, text: str) -> str | None:
    narrowest = min(message.uses, key=lambda use: use.value, default=Use.MESSAGE)
    width = _FIELD_CHARACTERS.get(narrowest, 0)
    parts = string.Formatter().parse(text)
    count = sum(len(literal) + (0 if name is None else width) for literal, name, _, _ in parts)
    if count <= message.limit:
        return None
    return f"{count} characters, over the limit of {message.limit} ({narrowest.name.lower()})"


def _strings_of(found: Translation) -> tuple[str, ...]:
    return found.string if isinstance(found.string, tuple) else (str(found.string or ""),)


def _fields_of(text: str) -> set[tuple[str, str]]:
    """Return the named fields with their formats."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return {("not readable", "")}
    return {(name, spec or "") for _, name, spec, _ in parts if name is not None}


def _listed(fields: set[tuple[str, str]]) -> str:
    return ", ".join(sorted(name for name, _ in fields)) or "none"


def _shown(msgid: str) -> str:
    line = " ".join(msgid.split())
    return f'"{line[:_SHOWN_CHARACTERS]}"'
