"""The catalogues of translations: reads them, and brings them up to date with the code."""

from collections.abc import Iterable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from bot.translations import CATALOGUE, LOCALES
from tools.msgids import Message

_WIDTH = 100
_HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def languages() -> list[str]:
    """Return the languages that have a catalogue."""
    return sorted(path.parent.name for path in LOCALES.glob(f"*/{CATALOGUE}"))


def read_catalogue(language: str, folder: Path = LOCALES) -> Catalog:
    """Return a language's catalogue; an empty one if there is none.

    Raises:
        PoFileError: it is not readable, such as after a merge with conflicts.
    """
    path = folder / language / CATALOGUE
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def updated(catalogue: Catalog, messages: Iterable[Message]) -> Catalog:
    """Return a catalogue of exactly these messages, with the translations that were there."""
    result = Catalog(locale=catalogue.locale)
    # Babel's own rule has a form for millions in some languages.
    result.mime_headers = [("Plural-Forms", catalogue.plural_forms)]
    for message in sorted(messages, key=lambda one: sorted(one.places)):
        known = catalogue.get(message.msgid)
        ids = (message.msgid, message.plural) if message.plural else message.msgid
        has_forms = known is not None and isinstance(known.string, tuple)
        result.add(
            ids,
            known.string if known is not None and has_forms == bool(message.plural) else None,
            locations=[(place, 0) for place in sorted(message.places)],
            flags={"fuzzy"} if known is not None and known.fuzzy else (),
        )
    return result


def write_catalogue(catalogue: Catalog, language: str, folder: Path = LOCALES) -> None:
    """Write a language's catalogue, without dates and line numbers, which would always change."""
    path = folder / language / CATALOGUE
    path.parent.mkdir(parents=True, exist_ok=True)
    header = _HEADER.format(language=language, plural_forms=catalogue.plural_forms)
    with path.open("wb") as file:
        file.write(header.encode())
        write_po(file, catalogue, width=_WIDTH, omit_header=True, include_lineno=False)
