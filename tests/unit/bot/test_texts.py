import datetime as dt
import gettext
from pathlib import Path

import pytest

from bot.texts import (
    ENGLISH,
    Texts,
    best_language,
    current_language,
    language_name,
    speak,
    speaking,
)
from bot.translations import CATALOGUE, translated_texts

HEADER = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"""
PLURALS = """
msgid "{count} photo"
msgid_plural "{count} photos"
msgstr[0] "{count} фотография"
msgstr[1] "{count} фотографии"
msgstr[2] "{count} фотографий"

msgid "It lasts {seconds:g} s"
msgstr "Длится {seconds:g} сек"

#, fuzzy
msgid "doubtful"
msgstr "сомнительно"
"""
SLAVIC = {1: "фотография", 3: "фотографии", 5: "фотографий", 11: "фотографий", 22: "фотографии"}


class _Shouting(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return message.upper()

    def ngettext(self, one: str, many: str, count: int) -> str:
        return (one if count == 1 else many).upper()


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    for language in ("ru", "uk"):
        (tmp_path / language).mkdir()
        (tmp_path / language / CATALOGUE).write_text(HEADER + PLURALS, "utf-8")
    return translated_texts(tmp_path)


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


def test_a_language_that_is_set_lasts_until_another_one() -> None:
    with speaking("en"):
        speak("de")
        assert current_language() == "de"
    assert current_language() == "en"


@pytest.mark.parametrize("language", ["ru", "uk"])
@pytest.mark.parametrize("count", SLAVIC)
def test_slavic_languages_have_three_plural_forms(texts: Texts, language: str, count: int) -> None:
    with speaking(language):
        said = texts.plural("{count} photo", "{count} photos", count)
    assert said == f"{count} {SLAVIC[count]}"


def test_a_missing_or_doubtful_translation_is_english(texts: Texts) -> None:
    with speaking("ru"):
        assert texts("Not translated") == "Not translated"
        assert texts("doubtful") == "doubtful"


def test_numbers_have_the_decimal_separator_of_the_language(texts: Texts) -> None:
    message, fields = "It lasts {seconds:g} s", {"seconds": 7.5}
    assert texts(message, **fields) == "It lasts 7.5 s"
    with speaking("ru"):
        assert texts(message, **fields) == "Длится 7,5 сек"
        # File names and other texts are left alone.
        assert texts("{name} is empty", name="a.jpg") == "a.jpg is empty"


def test_dates_are_written_as_in_the_language(texts: Texts) -> None:
    when = dt.date(2026, 11, 3)
    assert (texts.date(when), texts.day(when)) == ("Nov 3, 2026", "11/3")
    with speaking("ru"):
        assert texts.date(when).startswith("3 нояб. 2026")
        assert texts.day(when) == "03.11"
    with speaking("fr"):  # not translated: as in the English sentence around it
        assert texts.day(when) == "11/3"


@pytest.mark.parametrize(
    ("code", "language"),
    [("ru", "ru"), ("pt-br", "pt"), ("PT_BR", "pt"), ("fr", None), ("", None), (None, None)],
)
def test_a_client_code_is_matched_with_a_known_language(
    code: str | None, language: str | None
) -> None:
    assert best_language(code, ("en", "pt", "ru")) == language


def test_languages_are_listed_by_their_own_names(texts: Texts) -> None:
    assert texts.languages == ("en", "ru", "uk")
    assert [language_name(code) for code in texts.languages] == ["English", "Русский", "Українська"]
    assert ENGLISH.languages == ("en",)
