"""Finds the msgids: every English sentence that the bot says, and how long it may be.

They are

- literal first arguments of `_`, `texts`, `texts.plural` and `msgid` in `bot/`
- constants of modules in `bot/` that read like a sentence, such as those that are translated later
- what workers publish and the bot shows: sentences of errors, warnings, engines, states, and the
  descriptions of the movements
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import bot
from bot.error_text import sentence_in_chat
from inference.engine import find_engine
from inference.engine_names import engine_names
from jobs.errors import UserError
from jobs.model import MediaWarning
from jobs.orders import OrderState
from jobs.queues.heartbeats import WorkerState
from jobs.templates import SHIPPED_TEMPLATES, Catalogue

ROOT = Path(__file__).parent.parent
# The texts of these files are for the owner's screen, in English.
_NOT_FOR_CHATS = tuple(
    f"bot/gateway/{name}.py" for name in ("checks", "connection", "polling", "round_trip")
)
_CALLS = {"_", "texts", "_texts", "msgid"}
_SENTENCE = re.compile(r"\W*[A-Z{][^\n]*\s[\s\S]*[.?!:]")


class Use(Enum):
    """Where a text is shown, and how many characters Telegram allows there.

    Buttons may be longer, but are cut off on a phone.
    """

    MESSAGE = 4096
    CAPTION = 1024
    DESCRIPTION = 512
    COMMAND = 256
    ANSWER = 200
    SHORT_DESCRIPTION = 120
    BUTTON = 30


@dataclass
class Message:
    """A sentence.

    Attributes:
        msgid: in English.
        plural: the same for several things, or None.
        places: the files where it was found.
        uses: where it is shown.
    """

    msgid: str
    plural: str | None = None
    places: set[str] = field(default_factory=set)
    uses: set[Use] = field(default_factory=set)

    @property
    def limit(self) -> int:
        """The most characters that fit everywhere."""
        return min((use.value for use in self.uses), default=Use.MESSAGE.value)


@dataclass
class Found:
    """The messages by msgid, and what is wrong in the code, one line each."""

    messages: dict[str, Message] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(
        self, place: str, msgid: str, plural: str | None = None, use: Use | None = None
    ) -> None:
        """Add a message, or another place where it is used."""
        message = self.messages.setdefault(msgid, Message(msgid, plural))
        message.plural = message.plural or plural
        message.places.add(place)
        if use is not None:
            message.uses.add(use)


def find_msgids() -> Found:
    """Return all messages of the program."""
    found = Found()
    for path in sorted((ROOT / "bot").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        _Reader(place, found).read(path.read_text("utf-8"))
    _add_published(found)
    return found


def find_in_source(source: str, place: str = "bot/example.py") -> Found:
    """Return the messages of one file."""
    found = Found()
    _Reader(place, found).read(source)
    return found


class _Reader:
    """Reads one file."""

    def __init__(self, place: str, found: Found) -> None:
        self._place = place
        self._found = found

    def read(self, source: str) -> None:
        """Find its messages."""
        tree = ast.parse(source)
        known: set[ast.AST] = set()
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and _name_of(call.func) in {*_CALLS, "plural"}:
                self._read_call(call)
                known.update(ast.walk(call))
        if self._place not in _NOT_FOR_CHATS:
            self._read_constants(tree, known)
        for use, node in _uses_in(tree):
            for msgid in _literals_in(node):
                if msgid in self._found.messages:
                    self._found.messages[msgid].uses.add(use)

    def _read_call(self, call: ast.Call) -> None:
        count = 2 if _name_of(call.func) == "plural" else 1
        literals = [
            arg.value
            for arg in call.args[:count]
            if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        if len(literals) == count:
            self._found.add(self._place, literals[0], literals[1] if count > 1 else None)
        elif call.args and isinstance(call.args[0], ast.JoinedStr | ast.BinOp | ast.IfExp):
            line = f"{self._place}:{call.lineno}: a msgid must be a literal, with named fields"
            self._found.problems.append(line)

    def _read_constants(self, tree: ast.Module, known: set[ast.AST]) -> None:
        """Find sentences outside calls: those of the module are messages, others are forgotten."""
        of_module = set[ast.AST]()
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                of_module.update(ast.walk(statement.value))
        known.update(_others_than_texts(tree))
        for node in ast.walk(tree):
            if node in known or not isinstance(node, ast.Constant):
                continue
            text = node.value
            if not isinstance(text, str) or not _SENTENCE.fullmatch(text):
                continue
            if node in of_module:
                self._found.add(self._place, text)
            elif text not in self._found.messages:
                line = f'{self._place}:{node.lineno}: not translated: "{text[:50]}"'
                self._found.problems.append(line)


def _others_than_texts(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what people in a chat do not read: docstrings, the log, errors for programmers."""
    for node in ast.walk(tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_logged = isinstance(node, ast.Call) and (
            isinstance(node.func, ast.Attribute) and _name_of(node.func.value) == "log"
        )
        is_error_class = isinstance(node, ast.ClassDef) and any(
            isinstance(one, ast.Assign) and _name_of(one.targets[0]) == "sentence"
            for one in node.body
        )
        if is_docstring or is_logged or is_error_class or isinstance(node, ast.Raise):
            yield from ast.walk(node)


def _uses_in(tree: ast.Module) -> Iterator[tuple[Use, ast.AST]]:
    """Yield nodes whose texts are shown somewhere with a narrower limit than messages."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            if function.name.endswith("_commands"):
                yield Use.COMMAND, function
            elif function.name == "caption":
                yield Use.CAPTION, function
            elif function.name == "descriptions":
                yield from _descriptions_in(function)
            for use in (Use.BUTTON, Use.ANSWER):
                yield from ((use, node) for node in _shown_by_calls(function, use))


def _descriptions_in(function: ast.AST) -> Iterator[tuple[Use, ast.AST]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield from zip((Use.DESCRIPTION, Use.SHORT_DESCRIPTION), node.value.elts, strict=True)


def _shown_by_calls(function: ast.AST, use: Use) -> Iterator[ast.AST]:
    """Yield the calls that show texts so, and the values of the names that they are given."""
    nodes = list(ast.walk(function))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _use_of(node) is use]
    yield from calls
    names = {node.id for call in calls for node in ast.walk(call) if isinstance(node, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.Assign) and names & set(map(_name_of, node.targets)):
            yield node.value


def _use_of(call: ast.Call) -> Use | None:
    name = _name_of(call.func).lower()
    if name.endswith("button") or name == "_tap":
        return Use.BUTTON
    return Use.ANSWER if name in ("tapanswer", "answer", "_refuse") else None


def _literals_in(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _name_of(node: ast.AST) -> str:
    """Return the last name of `a.b.c`, or an empty text."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _add_published(found: Found) -> None:
    """Add what is not in the bot's code: what it shows of errors, workers and movements."""
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        importlib.import_module(module.name)  # defines errors of its own
    for error in _kinds_of(UserError):
        if error.__module__.startswith("animato."):
            continue  # of the command line only
        found.add("jobs/errors.py", sentence_in_chat(error) or "", use=Use.ANSWER)
    for warning in MediaWarning:
        found.add("jobs/model.py", warning.value)
    for state in (*OrderState, *WorkerState):
        found.add("jobs/orders.py", state.value)
    for engine in map(find_engine, engine_names()):
        place = f"inference/engines/{engine.name}.py"
        found.add(place, engine.label, use=Use.CAPTION)
        found.add(place, engine.credits or engine.title)
        found.add(place, engine.button, use=Use.BUTTON)
    for template in Catalogue.load(SHIPPED_TEMPLATES):
        found.add("templates/templates.yaml", template.description)
    found.messages.pop("", None)


def _kinds_of(kind: type[UserError]) -> Iterable[type[UserError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _kinds_of(one)
