"""Lists in commands' answers: as long as a message may be."""

from bot.conversation.commands import text_of
from bot.texts import ENGLISH


def test_list_that_is_too_long_says_how_much_it_leaves_out() -> None:
    lines = ["x" * 99] * 50
    assert text_of(lines[:30], ENGLISH) == "\n".join(lines[:30])
    assert text_of(lines, ENGLISH).splitlines() == [*lines[:30], "and 20 more"]


def test_text_without_fields_may_hold_braces() -> None:
    assert ENGLISH("a {movement}") == "a {movement}"
