"""The line-keeping YAML reader, beyond what the catalogue's own tests show."""

import pytest
import yaml

from jobs import yaml_lines
from jobs.templates import SHIPPED_TEMPLATES
from jobs.yaml_lines import Entry, YamlProblem, load_yaml, read_entries


def test_every_place_has_its_line() -> None:
    text = "# one\n- a: 1\n  b:\n    - x\n    - [y,\n       z]\n- c: 2\n"
    first, second = read_entries(text)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert first.data == {"a": 1, "b": ["x", ["y", "z"]]}
    assert first.lines == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, 0): 5,
        ("b", 1, 1): 6,
    }
    assert second.lines == {(): 7, ("c",): 7}


def test_a_list_in_brackets_and_an_indented_one_are_read_too() -> None:
    for text in ("[{a: 1}, {a: 2}]", "---\n  - a: 1\n  - a: 2\n", "-\n  a: 1\n-\n  a: 2\n"):
        assert [entry.data for entry in read_entries(text) if isinstance(entry, Entry)] == [
            {"a": 1},
            {"a": 2},
        ]


def test_nothing_and_comments_only_are_no_entries() -> None:
    assert read_entries("") == []
    assert read_entries("# nothing yet\n\n---\n") == []


def test_a_refused_item_of_an_indented_list_takes_no_other_down() -> None:
    problem, entry = read_entries("  - {a: 1, a: 2}\n  - {b: 3}\n")
    assert problem == YamlProblem(1, "a is given twice")
    assert isinstance(entry, Entry)
    assert entry.data == {"b": 3}


def test_words_beside_the_list_are_a_problem_on_their_line() -> None:
    entry, problem = read_entries("- a: 1\nversion: 2\n")[0], read_entries("x: 1\n- a: 1\n")[0]
    assert isinstance(entry, YamlProblem)
    assert entry.line == 2
    assert isinstance(problem, YamlProblem)
    assert problem.line == 1


def test_aliases_that_would_fill_the_memory_are_refused() -> None:
    lines = ["- a0: &a0 [x, x]"]
    lines += [f"  a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]" for i in range(1, 40)]
    (problem,) = read_entries("\n".join(lines))
    assert isinstance(problem, YamlProblem)
    assert "alias" in problem.reason


def test_brackets_without_end_are_a_problem() -> None:
    (problem,) = read_entries("- " + "[" * 100_000)
    assert isinstance(problem, YamlProblem)


@pytest.mark.parametrize(
    "text",
    [
        "- " + "[" * 20_000,
        "- " + "{a: " * 20_000,
        "- " * 20_000,
        "- " + "? " * 20_000,
        "- a:\n" + "\n".join(" " * depth + "a:" for depth in range(2, 1500)),
    ],
)
def test_nesting_of_any_depth_is_a_problem_and_no_crash(text: str) -> None:
    (problem,) = read_entries(text)
    assert isinstance(problem, YamlProblem)
    assert problem.reason == "this is nested too deeply"


def test_data_and_lines_are_the_same_by_either_loader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (SHIPPED_TEMPLATES / "templates.yaml").read_text("utf-8")
    entries, plain = read_entries(text), load_yaml(text)
    monkeypatch.setattr(yaml_lines, "_FAST_LOADER", yaml.SafeLoader)
    assert read_entries(text) == entries
    assert load_yaml(text) == plain


UNUSABLE = ("!!bool x", "!!timestamp x", "!!int ''", "!!float ''", "2001-99-99", "9" * 5000)


@pytest.mark.parametrize("value", UNUSABLE)
def test_value_that_is_not_of_its_kind_is_a_problem_of_its_entry_alone(value: str) -> None:
    problem, entry = read_entries(f"- a: {value}\n- b: 1\n")
    assert isinstance(problem, YamlProblem)
    assert problem.line == 1
    assert problem.reason.endswith("is not a usable value")
    assert isinstance(entry, Entry)


@pytest.mark.parametrize("value", UNUSABLE)
def test_text_with_a_value_that_is_not_of_its_kind_is_no_yaml(value: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(f"a: {value}")
