"""What to read first: the lists in CONTRIBUTING.md name files that exist, and stay short."""

import re

import pytest

from tests.unit.test_house import text_of

# The most files, and the most lines of all of them together.
LIMITS = {
    "The path of a photo": (16, 4_500),
    "From `run_job` to the mp4": (8, 1_700),
}


def files_of(title: str) -> list[str]:
    """The files of the numbered list under a heading."""
    section = text_of("CONTRIBUTING.md").partition(f"### {title}\n")[2].partition("\n#")[0]
    return re.findall(r"^\d+\. `(.+?)`: ", section, re.MULTILINE)


@pytest.mark.parametrize("title", LIMITS)
def test_reading_list_names_few_files_that_exist(title: str) -> None:
    most_files, most_lines = LIMITS[title]
    files = files_of(title)
    assert 0 < len(files) <= most_files
    assert len(set(files)) == len(files)
    lengths = {name: len(text_of(name).splitlines()) for name in files}
    print(f"{title}: {len(files)} files, {sum(lengths.values())} lines: {lengths}")  # noqa: T201 - see it with -s
    assert sum(lengths.values()) <= most_lines
