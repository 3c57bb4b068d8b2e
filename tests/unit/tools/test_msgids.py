"""What is found in the code, and how long it may be."""

import pytest

from tools.msgids import Use, find_in_source, find_msgids

MODULE = '''
"""What this module is for, in one sentence."""

_LATER = "This is said later."
_NAMES = {1: "Two words."}
_PLAIN = "not-a-sentence"


def content(_, texts, log, card):
    """A docstring is for programmers."""
    log.info("This is for the log.")
    label = _("A label")
    rows = [Button(label), Button(_("Another label"), "data")]
    text = _.plural("{count} photo", "{count} photos", 3)
    if card is None:
        raise ValueError("This is for programmers.")
    return rows, text, TapAnswer(texts("An answer"), _(_LATER))


def private_commands(_):
    return (("help", _("How to use it")),)
'''


def test_literals_and_constants_are_found_and_nothing_else() -> None:
    found = find_in_source(MODULE)
    assert set(found.messages) == {
        "A label",
        "Another label",
        "An answer",
        "How to use it",
        "This is said later.",
        "Two words.",
        "{count} photo",
    }
    assert found.messages["{count} photo"].plural == "{count} photos"
    assert found.problems == []


def test_limit_follows_from_where_a_text_is_shown() -> None:
    messages = find_in_source(MODULE).messages
    assert messages["A label"].uses == messages["Another label"].uses == {Use.BUTTON}
    assert messages["An answer"].limit == 200
    assert messages["How to use it"].limit == 256
    assert messages["This is said later."].limit == 4096


@pytest.mark.parametrize(
    "code", ['_(f"You sent {count}")', '_("You sent " + what)', '_("one" if one else "many")']
)
def test_computed_msgid_is_a_problem(code: str) -> None:
    (problem,) = find_in_source(code).problems
    assert problem == "bot/example.py:1: a msgid must be a literal, with named fields"


def test_sentence_that_is_not_translated_is_a_problem() -> None:
    code = 'def f(send):\n    send("You have no open orders.")\n'
    (problem,) = find_in_source(code).problems
    assert problem == 'bot/example.py:2: not translated: "You have no open orders."'


def test_everything_that_workers_and_errors_say_is_found() -> None:
    found = find_msgids()
    assert found.problems == []
    for said in (
        "Livelier",  # an engine's button
        "The photo is very dark; a brighter one gives a better result.",
        "This bot is private: ask its owner to let you in.",  # an error of the bot
        "Telegram no longer has {name}. Please send it again.",  # one of the workers
        "A friendly no that dies away.",  # a movement
    ):
        assert said in found.messages
    # The chat says it in other words.
    assert "{name} is empty: send the file again." not in found.messages
