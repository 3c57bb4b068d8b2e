"""Read a YAML list entry by entry, with the line number of every value.

PyYAML's loader drops line numbers, accepts duplicate keys, and rejects the whole file for one
missing bracket; other loaders have line numbers but reject the whole file too. People edit these
files by hand, so one broken entry must not affect the others.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]  # to a value: keys of mappings, indices of lists
Lines = dict[Path, int]

# Seven times as fast, where PyYAML was built with it; the other one describes faults better.
_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 50
# PyYAML's exceptions for values that are not of the kind that they claim to be.
_UNUSABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Entry:
    """One item of the list.

    Attributes:
        data: plain data; the keys of mappings are texts.
        lines: the line of each value by its path, from 1; the path of the item itself is ().
    """

    data: object
    lines: Lines


@dataclass(frozen=True)
class YamlProblem:
    """An item that is not valid.

    Attributes:
        line: where, from 1.
        reason: what is wrong, without a full stop.
    """

    line: int
    reason: str


def load_yaml(text: str) -> Any:
    """Return the data of a YAML text.

    Raises:
        yaml.YAMLError: it is none, or has a value that cannot be used.
    """
    try:
        if not _is_deep(text):
            with suppress(yaml.YAMLError):
                return _FAST_LOADER(text).get_single_data()
        return yaml.safe_load(text)
    except (*_UNUSABLE, RecursionError) as error:
        message = "it has an unusable value, or is nested too deeply"
        raise yaml.YAMLError(message) from error


def read_entries(text: str) -> list[Entry | YamlProblem]:
    """Return every item of the list, in order; a broken one does not affect the others.

    Args:
        text: a YAML list whose dashes are in the first column.
    """
    # Items are parsed one by one, because a parser cannot continue after a syntax error.
    starts = [0, *(match.start() for match in re.finditer(r"^-(?=\s|$)", text, re.MULTILINE))]
    found: list[Entry | YamlProblem] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        found += _read_part(text[start:end], lines_before=text.count("\n", 0, start))
    return found


def _read_part(text: str, *, lines_before: int) -> list[Entry | YamlProblem]:
    """Return the items of one part of the file; none if it contains only comments."""
    if not _is_deep(text):
        try:
            return _items(_FAST_LOADER(text), lines_before)
        except yaml.YAMLError:
            pass
    try:
        return _items(yaml.SafeLoader(text), lines_before)
    except yaml.YAMLError as error:
        line, reason = _syntax_error(error, text)
        return [YamlProblem(line + lines_before, reason)]
    except RecursionError:
        return [YamlProblem(lines_before + 1, "this is nested too deeply")]


def _is_deep(text: str) -> bool:
    """Whether it may be nested so deeply that the fast loader, which recurses in C, would crash."""
    if re.search(r"^[ ?:-]{100}", text, re.MULTILINE):
        return True
    depth = 0
    for bracket in re.findall(r"[][{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > _DEEPEST:
            return True
    return False


def _items(loader: Any, lines_before: int) -> list[Entry | YamlProblem]:
    root = loader.get_single_node()
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return []
    if not isinstance(root, yaml.SequenceNode):
        reason = "the file must be a list of entries that begin with '- '"
        return [YamlProblem(root.start_mark.line + 1 + lines_before, reason)]
    return [_Item(loader, lines_before).read(item) for item in root.value]


def _syntax_error(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return the line, from 1 in `text`, and the reason of a parser's error."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return line, f"the character {chr(error.character)!r} is not allowed"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return (mark.line if mark else 0) + 1, f"this is not YAML: {error.problem or error.context}"
    return 1, "this is not YAML"


class _InvalidNode(Exception):
    """Carries a node and a reason out of a nested value."""


@dataclass
class _Item:
    """Converts the parser's nodes into plain data and collects their lines."""

    loader: Any
    lines_before: int
    lines: Lines = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def read(self, node: yaml.Node) -> Entry | YamlProblem:
        """Return the item of a node."""
        try:
            return Entry(self._plain(node, node, ()), self.lines)
        except _InvalidNode as refused:
            faulty, reason = refused.args
            return YamlProblem(self._line(faulty), reason)

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 1 + self.lines_before

    def _plain(self, node: yaml.Node, key: yaml.Node, path: Path) -> object:
        """Return the data of a node; its line is that of its key, if it has one."""
        self.lines[path] = self._line(key)
        if id(node) in self.seen:
            # A few nested aliases can expand to more data than fits into memory.
            raise _InvalidNode(node, "an alias (*) cannot be used here: write the value again")
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(one, one, (*path, at)) for at, one in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except _UNUSABLE as error:
            raise _InvalidNode(node, f"{node.value!r} is not a usable value") from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _InvalidNode(key_node, "a key must be a word")
            # Its text: YAML would read the language code `no` as false.
            key = str(key_node.value)
            if key in data:
                raise _InvalidNode(key_node, f"{key} is given twice")
            data[key] = self._plain(value_node, key_node, (*path, key))
        return data
