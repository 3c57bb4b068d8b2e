import gettext

from bot.texts import Texts, current_language, speaking


class _Shouting(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return message.upper()

    def ngettext(self, one: str, many: str, count: int) -> str:
        return (one if count == 1 else many).upper()


def test_a_sentence_is_in_the_language_that_is_spoken() -> None:
    texts = Texts({"ru": _Shouting()})
    with speaking("ru"):
        assert current_language() == "ru"
        assert texts("your place") == "YOUR PLACE"
        assert texts.plural("a photo", "photos", 2) == "PHOTOS"
    assert texts("your place") == "your place"


def test_a_language_without_translations_is_english() -> None:
    with speaking("xx"):
        assert Texts({"ru": _Shouting()})("Place {place}", place=3) == "Place 3"
