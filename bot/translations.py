"""Reads the translations: `locales/<language>/messages.po`, as they are, without a compile step."""

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.texts import Texts

LOCALES = Path(__file__).parent / "locales"
CATALOGUE = "messages.po"


@cache
def translated_texts(folder: Path = LOCALES) -> Texts:
    """Return the texts in all languages of a folder, which is read once."""
    paths = sorted(folder.glob(f"*/{CATALOGUE}"))
    return Texts({path.parent.name: read_translation(path) for path in paths})


def read_translation(path: Path) -> gettext.GNUTranslations:
    """Return the translations of a catalogue; doubtful ones (fuzzy) are left out."""
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=path.parent.name))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
