"""A list in YAML, entry by entry, that remembers on which line everything stands.

The ordinary loader forgets the lines, lets the second of two equal keys win, and gives up the whole
file for one missing bracket. People edit these files by hand, so none of that will do.
"""

import re
from dataclasses import dataclass, field

import yaml

Place = tuple[str | int, ...]  # the way to a value: keys of mappings, indices of lists
Lines = dict[Place, int]


@dataclass(frozen=True)
class Entry:
    """One item of the list as plain data.

    Attributes:
        data: mappings (their keys are texts), lists, texts, numbers, booleans, dates, None.
        lines: for each place in the data its line in the file, from 1; the item itself is ().
    """

    data: object
    lines: Lines


@dataclass(frozen=True)
class YamlProblem:
    """An item that is not YAML, or not YAML that we take.

    Attributes:
        line: where, from 1.
        reason: what is wrong, without a full stop.
    """

    line: int
    reason: str


def read_entries(text: str) -> list[Entry | YamlProblem]:
    """Every item of the list, in order; a broken one takes no other down.

    Args:
        text: the file: a YAML list whose dashes stand in the first column.
    """
    # Items are parsed one by one, because a parser cannot go on after a slip.
    starts = [0, *(match.start() for match in re.finditer(r"^-(?=\s|$)", text, re.MULTILINE))]
    found: list[Entry | YamlProblem] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        found += _read_part(text[start:end], lines_before=text.count("\n", 0, start))
    return found


def _read_part(text: str, *, lines_before: int) -> list[Entry | YamlProblem]:
    """The items of one part of the file, none for comments only."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
            return []
        if not isinstance(root, yaml.SequenceNode):
            line = root.start_mark.line + 1 + lines_before
            return [YamlProblem(line, "the file must be a list of entries that begin with '- '")]
        return [_Reading(loader, lines_before).entry(item) for item in root.value]
    except yaml.YAMLError as error:
        line, reason = _slip(error, text)
        return [YamlProblem(line + lines_before, reason)]
    except RecursionError:
        return [YamlProblem(lines_before + 1, "this is nested too deeply")]


def _slip(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line, from 1 in `text`, and the reason of a parser's error."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return line, f"the character {chr(error.character)!r} is not allowed"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return (mark.line if mark else 0) + 1, f"this is not YAML: {error.problem or error.context}"
    return 1, "this is not YAML"


class _Refused(Exception):
    """Carries a problem out of the depth of an item."""

    def __init__(self, line: int, reason: str) -> None:
        self.problem = YamlProblem(line, reason)
        super().__init__(reason)


@dataclass
class _Reading:
    """Turns the parser's nodes into plain data and writes down their lines."""

    loader: yaml.SafeLoader
    lines_before: int
    lines: Lines = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def entry(self, node: yaml.Node) -> Entry | YamlProblem:
        """The item that a node stands for."""
        self.lines[()] = self._line(node)
        try:
            return Entry(self._plain(node, ()), self.lines)
        except _Refused as refused:
            return refused.problem

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 1 + self.lines_before

    def _plain(self, node: yaml.Node, place: Place) -> object:
        if id(node) in self.seen:
            # A few nested aliases can stand for more data than fits the memory.
            raise _Refused(
                self._line(node), "an alias (*) cannot be used here: write the value again"
            )
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*place, index)) for index, item in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except ValueError as error:
            raise _Refused(self._line(node), f"{node.value!r} is not a usable value") from error

    def _item(self, node: yaml.Node, place: Place) -> object:
        self.lines[place] = self._line(node)
        return self._plain(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = self._line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Refused(line, "a key must be a word")
            # The text itself: YAML would read the language code `no` as false.
            key = str(key_node.value)
            if key in data:
                raise _Refused(line, f"{key} is given twice")
            self.lines[(*place, key)] = line
            data[key] = self._plain(value_node, (*place, key))
        return data
