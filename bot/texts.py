"""The texts of the bot: every sentence is a gettext msgid, in English.

    _ = ENGLISH
    _("Your place: {place}", place=3)
    _.plural("{count} photo", "{count} photos", count)

Messages are plain text, so that no name or file name can break one.
"""

import gettext


class Texts:
    """The sentences in one language.

    Args:
        translations: of that language; without them, English.
    """

    def __init__(self, translations: gettext.NullTranslations | None = None) -> None:
        self._translations = translations or gettext.NullTranslations()

    def __call__(self, message: str, **fields: object) -> str:
        """The sentence with its named fields filled in; without fields, as it is."""
        text = self._translations.gettext(message)
        return text.format(**fields) if fields else text

    def plural(self, one: str, many: str, count: int, **fields: object) -> str:
        """The sentence for a number of things; `count` is one of its fields."""
        chosen = self._translations.ngettext(one, many, count)
        return chosen.format(count=count, **fields)


ENGLISH = Texts()
