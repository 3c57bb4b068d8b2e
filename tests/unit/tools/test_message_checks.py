"""Each mistake in a translation is one line; the shipped translations have none."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError

from bot.translations import CATALOGUE
from jobs.templates import Catalogue as Movements
from tools.catalogues import languages, read_catalogue, updated, write_catalogue
from tools.message_checks import (
    problems_of,
    problems_of_code,
    problems_of_english,
    problems_of_titles,
)
from tools.messages import check
from tools.msgids import Message, Use

ORDERS = Message("You have {count} order", "You have {count} orders")
BUTTON = Message("✖️ {title}", uses={Use.BUTTON})
PLAIN = Message("It lasts {seconds:g} s")
MESSAGES = {one.msgid: one for one in (ORDERS, BUTTON, PLAIN)}
GOOD: dict[str, str | tuple[str, ...]] = {
    ORDERS.msgid: ("Один заказ", "{count} заказа", "{count} заказов"),
    BUTTON.msgid: "✖️ {title}",
    PLAIN.msgid: "Длится {seconds:g} сек",
}


def catalogue(**changes: str | tuple[str, ...]) -> Catalog:
    """A Russian catalogue; changes by `orders`, `button` and `plain`."""
    result = Catalog(locale="ru")
    keys = {"orders": ORDERS.msgid, "button": BUTTON.msgid, "plain": PLAIN.msgid}
    strings = GOOD | {keys[name]: string for name, string in changes.items()}
    for msgid, string in strings.items():
        plural = MESSAGES[msgid].plural
        result.add((msgid, plural) if plural else msgid, string)
    return result


def test_good_catalogue_has_no_problems() -> None:
    assert list(problems_of("ru", catalogue(), MESSAGES)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"plain": ""}, "ru: not translated"),
        ({"plain": "Длится {second:g} сек"}, "ru: its fields are not seconds but second"),
        ({"plain": "Длится {seconds} сек"}, "ru: its fields are not seconds but seconds"),
        ({"plain": "Длится {seconds:g сек"}, "ru: its fields are not seconds but not readable"),
        ({"plain": "Длится"}, "ru: its fields are not seconds but none"),
        ({"orders": ("{count} заказ", "{count} заказа")}, "ru: 3 plural forms are needed"),
        ({"orders": ("{count} заказ", "", "{count} заказов")}, "ru: 3 plural forms are needed"),
        (
            {"orders": ("заказ", "{count} заказа", "{number} заказов")},
            "ru: its fields are not count but number",
        ),
        (
            {"button": "✖️ Отменить вот этот самый заказ {title}"},
            "ru: 35 characters, over the limit of 30 (button)",
        ),
    ],
)
def test_each_mistake_is_a_line(changes: dict[str, str | tuple[str, ...]], problem: str) -> None:
    (found,) = problems_of("ru", catalogue(**changes), MESSAGES)
    assert found.startswith(problem)


def test_doubtful_and_unused_translations_are_problems() -> None:
    doubtful = catalogue()
    message = doubtful.get(PLAIN.msgid)
    assert message is not None
    message.flags.add("fuzzy")
    (found,) = problems_of("ru", doubtful, MESSAGES)
    assert found == 'ru: doubtful (fuzzy): "It lasts {seconds:g} s"'
    (found,) = problems_of("ru", catalogue(), {ORDERS.msgid: ORDERS, BUTTON.msgid: BUTTON})
    assert found == 'ru: no longer used: "It lasts {seconds:g} s"'


def test_english_has_to_fit_too() -> None:
    long = Message("x" * 201, uses={Use.ANSWER, Use.MESSAGE})
    (found,) = problems_of_english({long.msgid: long})
    assert found.startswith("en: 201 characters, over the limit of 200 (answer): ")


def test_movement_needs_a_short_title_in_each_language() -> None:
    movement = next(iter(Movements.load()))
    assert list(problems_of_titles(movement, ("en", "ru"))) == []
    (found,) = problems_of_titles(movement, ("en", "xx"))
    assert found == "xx: the movement smile has no title"
    long = movement.model_copy(update={"title": {"en": "A very long title of a smile"}})
    (found,) = problems_of_titles(long, ("en",))
    assert found == "en: the title of smile has over 24 letters"


@pytest.mark.parametrize("code", ["xx", "ptbr", "pt_BR"])
def test_code_of_a_language_is_checked(code: str) -> None:
    assert len(list(problems_of_code(code))) == 1


def test_update_keeps_translations_and_drops_what_is_unused(tmp_path: Path) -> None:
    new = Message("A new sentence")
    write_catalogue(updated(catalogue(), [ORDERS, PLAIN, new]), "ru", tmp_path)
    before = (tmp_path / "ru" / CATALOGUE).read_text("utf-8")
    read = read_catalogue("ru", tmp_path)
    assert {one.id[0] if isinstance(one.id, tuple) else one.id for one in read if one.id} == {
        ORDERS.msgid,
        PLAIN.msgid,
        new.msgid,
    }
    assert [one.string for one in read if one.id == PLAIN.msgid] == [GOOD[PLAIN.msgid]]
    # The same again changes nothing.
    write_catalogue(updated(read, [ORDERS, PLAIN, new]), "ru", tmp_path)
    assert (tmp_path / "ru" / CATALOGUE).read_text("utf-8") == before


def test_catalogue_with_the_marks_of_a_merge_is_not_read(tmp_path: Path) -> None:
    write_catalogue(catalogue(), "ru", tmp_path)
    path = tmp_path / "ru" / CATALOGUE
    path.write_text(path.read_text("utf-8") + "<<<<<<< HEAD\n", "utf-8")
    with pytest.raises(PoFileError, match="misformatted"):
        read_catalogue("ru", tmp_path)


def test_shipped_translations_have_no_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert languages() == ["de", "es", "pt", "ru", "uk"]
    assert check() == 0, capsys.readouterr().out
