"""`python -m tools.messages update` and `... check`: the translations of the bot's sentences."""

import sys
from collections.abc import Iterator

from babel.messages.pofile import PoFileError

from bot.texts import DEFAULT_LANGUAGE
from jobs.templates import Catalogue
from tools.catalogues import languages, read_catalogue, updated, write_catalogue
from tools.message_checks import (
    problems_of,
    problems_of_code,
    problems_of_english,
    problems_of_titles,
)
from tools.msgids import find_msgids


def update() -> int:
    """Bring all catalogues up to date with the code; return the exit status."""
    found = find_msgids()
    for language in languages():
        catalogue = updated(read_catalogue(language), found.messages.values())
        write_catalogue(catalogue, language)
        missing = sum(not one.string or one.string == ("",) for one in catalogue if one.id)
        print(f"{language}: {len(found.messages)} sentences, {missing} not translated")
    return _report(iter(found.problems))


def check() -> int:
    """Print every problem in a line; return the exit status."""
    return _report(_problems())


def _problems() -> Iterator[str]:
    found, known = find_msgids(), languages()
    yield from found.problems
    yield from problems_of_english(found.messages)
    for language in known:
        yield from problems_of_code(language)
        try:
            catalogue = read_catalogue(language)
        except PoFileError as error:
            yield f"{language}: {error}"
        else:
            yield from problems_of(language, catalogue, found.messages)
    for template in Catalogue.load():
        yield from problems_of_titles(template, (DEFAULT_LANGUAGE, *known))


def _report(problems: Iterator[str]) -> int:
    count = 0
    for count, problem in enumerate(problems, start=1):  # noqa: B007 - counted
        print(problem)
    return 1 if count else 0


if __name__ == "__main__":
    commands = {"update": update, "check": check}
    sys.exit(commands[sys.argv[1]]())
