"""Docstrings, comments and documents name only files and functions that are there."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
ROOMS = ("animato", "bot", "inference", "jobs", "sandbox", "worker", "tests", "benchmarks")
DATA = ("templates", "checkpoints", "config", "docs", ".github")
OTHER_TEXTS = (
    *("Makefile", "Dockerfile", "pyproject.toml", "README.md", "CONTRIBUTING.md", ".env.example"),
    *("docker-compose.yml", "docker-compose.gpu.yml", "docker-compose.sandbox.yml", ".ci/run"),
    ".github/workflows/ci.yml",
)
# The reader's own, or another program's.
OTHERS_FILES = frozenset({"docker-compose.override.yml", "prometheus.yml"})
ENDINGS = "py|md|lua|ya?ml|toml|js|css|html"

FILE = re.compile(rf"(?<![\w./<>*-])[\w./-]*\w\.(?:{ENDINGS})\b(?![\w/*-])")
# `Engine.animate`, `jobs.model`
DOTTED = re.compile(
    rf"`(?![^`]*\.(?:{ENDINGS}|jpg|png|mp4|m4a|ogg|npz)`)([A-Za-z_]\w*(?:\.\w+)+)(?:\([^`]*\))?`"
)
# In examples: texts.plural(...)
CALL = re.compile(r"(?<![\w.`])([a-z_]\w*)\.([a-z_]\w*)\(")
# `paste_back`, `load()`
PLAIN = re.compile(r"`([A-Za-z]\w*_\w+)(?:\(\))?`|`([A-Za-z]\w*)\(\)`")
COMMENT = re.compile(r"(?:^ *|  )(# .*)$", re.MULTILINE)
DOCUMENT = re.compile(r"\b(?:DESIGN|STYLE|SPEC|PRODUCT|PLAN|ROADMAP|ISSUE)\b(?= ?§? ?\d|\.md)")

# What a class has of bases that are not ours.
INHERITED = frozenset(name for base in (BaseModel, Exception, str, dict) for name in dir(base))


@dataclass
class Module:
    """A file of ours.

    Attributes:
        names: what it defines at its top.
        classes: what each of its classes defines.
        bases: of each class.
        used: all names in its code, and all words in its strings.
        texts: its docstrings and comments.
    """

    names: set[str] = field(default_factory=set)
    classes: dict[str, set[str]] = field(default_factory=dict)
    bases: dict[str, list[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    @property
    def members(self) -> set[str]:
        """What any of its classes defines."""
        return {name for inner in self.classes.values() for name in inner}


def module_of(source: str) -> Module:
    module, tree = Module(texts=COMMENT.findall(source)), ast.parse(source)
    for top in tree.body:
        module.names.update(names_of(top))
        if isinstance(top, ast.ClassDef):
            module.classes[top.name] = {name for inner in ast.walk(top) for name in names_of(inner)}
            module.bases[top.name] = [
                ast.unparse(base).split("[")[0].split(".")[-1] for base in top.bases
            ]
    docstrings = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as constant):
                docstrings.add(constant)
                module.texts.append(text)
            case ast.Constant(value=str(text)) if node not in docstrings:
                module.used.update(re.findall(r"\w+", text))
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                module.used.add(name)
            case ast.keyword(arg=str(name)):
                module.used.add(name)
        module.used.update(names_of(node))
    return module


def names_of(node: ast.AST) -> Iterator[str]:
    """What a statement makes known."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            for inner in (inner for target in targets for inner in ast.walk(target)):
                if isinstance(inner, ast.Name | ast.Attribute):
                    yield inner.id if isinstance(inner, ast.Name) else inner.attr
        case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                yield (alias.asname or alias.name).split(".")[0]
        case ast.If() | ast.Try():
            for inner in ast.iter_child_nodes(node):
                yield from names_of(inner)


# --- what is there --------------------------------------------------------------------------------


@cache
def modules() -> dict[str, Module]:
    """Our files by their paths from the root."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return {
        path.relative_to(ROOT).as_posix(): module_of(path.read_text("utf-8"))
        for path in (*sorted(paths), ROOT / "prepare.py")
    }


@cache
def by_stem() -> dict[str, list[Module]]:
    found = defaultdict(list)
    for path, module in modules().items():
        found[Path(path).stem].append(module)
    return found


@cache
def by_class() -> dict[str, list[Module]]:
    found = defaultdict(list)
    for module in modules().values():
        for name in module.classes:
            found[name].append(module)
    return found


@cache
def endings_of_paths() -> frozenset[str]:
    """All that a file of the repository may be called: its path from the root, or its end."""
    inside = [path for folder in (*ROOMS, *DATA) for path in (ROOT / folder).rglob("*.*")]
    parts = [path.relative_to(ROOT).parts for path in (*inside, *ROOT.iterdir())]
    return frozenset("/".join(one[start:]) for one in parts for start in range(len(one)))


@cache
def used_names() -> frozenset[str]:
    """All names in the code, and all words in its strings and data."""
    data = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    texts = [path.read_text("utf-8") for path in data if path.suffix in (".lua", ".js", ".html")]
    texts += [(ROOT / name).read_text("utf-8") for name in OTHER_TEXTS if name[-3:] != ".md"]
    used = [module.used for module in modules().values()]
    return frozenset().union(*used, *(re.findall(r"\w+", text) for text in texts))


@cache
def members(owner: str) -> frozenset[str]:
    """The attributes of the classes of a name, and of their bases."""
    found: set[str] = set()
    for module in by_class()[owner]:
        found |= module.classes[owner]
        for base in module.bases[owner]:
            found |= members(base) if base in by_class() else INHERITED
    return frozenset(found)


def is_there(name: str) -> bool:
    """Whether a dotted name is of something that exists, or of nothing of ours."""
    first, second, *_ = parts = name.split(".")
    if first in ROOMS:
        return is_in_room(parts)
    if first in by_class():
        return second in members(first)
    homes = by_stem().get(first)
    return not homes or any(second in home.names | home.members for home in homes)


def is_in_room(parts: list[str]) -> bool:
    path = "/".join(parts)
    if (ROOT / path).is_dir() or f"{path}.py" in modules():
        return True
    homes = (
        (modules().get("/".join(parts[:count]) + ".py"), parts[count:])
        for count in range(1, len(parts))
    )
    return any(
        home is not None
        and rest[0] in home.names
        and (len(rest) == 1 or rest[1] in home.classes.get(rest[0], set()))
        for home, rest in homes
    )


# --- what is wrong --------------------------------------------------------------------------------


def missing(text: str, home: str = "") -> list[str]:
    """The names in a text of files, functions and documents that are not there.

    Args:
        text: of a docstring, a comment or a document.
        home: the file that it is in; instances of its own classes may have any name.
    """
    found = [name for name in FILE.findall(text) if not is_file(name)]
    found += [name for name in DOTTED.findall(text) if not is_there(name)]
    own = modules()[home].members if home in modules() else set()
    for owner, name in CALL.findall(text):
        if name not in own and not is_there(f"{owner}.{name}"):
            found.append(f"{owner}.{name}()")
    if home in modules():
        plain = (one or other for one, other in PLAIN.findall(text))
        found += [name for name in plain if name not in used_names()]
    return [*found, *DOCUMENT.findall(text)]


def is_file(name: str) -> bool:
    named = name.removeprefix("./")
    if named.startswith(("/", "..")) or named in OTHERS_FILES:
        return True
    if named.split("/")[0] in (*ROOMS, *DATA) and "/" in named:
        return (ROOT / named).is_file()
    return named in endings_of_paths()


def texts() -> Iterator[tuple[str, str]]:
    """Each text, after the name of the file that it is in."""
    for name, module in modules().items():
        for text in module.texts:
            yield name, text
    for path in (*sorted((ROOT / "docs").glob("*.md")), *(ROOT / name for name in OTHER_TEXTS)):
        yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def test_texts_name_only_what_is_there() -> None:
    assert [f"{file}: {name}" for file, text in texts() for name in missing(text, file)] == []


def test_scripts_name_only_files_that_are_there() -> None:
    scripts = [
        path for end in ("js", "lua", "html", "css") for path in ROOT.glob(f"[bijs]*/**/*.{end}")
    ]
    assert len(scripts) > 20
    found = {path.name: FILE.findall(path.read_text("utf-8")) for path in scripts}
    wrong = [(one, name) for one, names in found.items() for name in names if not is_file(name)]
    assert wrong == []


HOME = "bot/texts.py"


@pytest.mark.parametrize(
    "text",
    [
        "See jobs/queues/gone.py for more.",
        "as `gone.py` says",
        "docs/gone.md explains it",
        "Its keyboard is a new wish (DESIGN 5).",
        "`Texts.gone` does",
        "`jobs.gone` is not there",
        "`jobs.model.Gone` neither",
        "_ = texts.gone(language)",
        # In two parts: a name that is in our code anywhere is let through.
        "calls `gone_for" + "_good` first",
    ],
)
def test_name_of_what_is_not_there_is_found(text: str) -> None:
    assert len(missing(text, HOME)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "See jobs/queues/keys.py, `queue_worker.py`, queues/queue_worker.py and prepare.py.",
        "inference/engines/<name>.py, docs/*.md, https://example.org/a.html, /etc/gone.yaml",
        "`Texts.plural`, `jobs.model.Value`, `jobs.queues`, `inference.fomm.**`, `np.uint8`",
        "texts.plural(one, many, 3), asyncio.run(main()), `paste_back()`",
        "the design of 5 engines; ISO 8601, DEAD_AFTER_S 30",
    ],
)
def test_names_of_what_is_there_and_of_others_are_let_through(text: str) -> None:
    assert missing(text, HOME) == []
