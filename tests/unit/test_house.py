"""The house itself: sizes, documents that agree with the code, the Makefile, the rules of tests."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobs.settings import Settings, variable_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
TARGETS = (
    *("demo", "sandbox", "neural", "test", "fuzz"),
    *("lint", "bench", "templates", "clean", "help"),
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (re.split("[#;]", line)[0].strip() for line in text_of("constraints.txt").splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {normal(name): version for name, version in pairs}


# --- the code's size ------------------------------------------------------------------------------


def test_no_python_file_is_longer_than_450_lines() -> None:
    rooms = ("animato", "bot", "inference", "jobs", "sandbox", "worker", "tests", "benchmarks")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 10
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


# --- versions -------------------------------------------------------------------------------------


def test_constraints_are_exact_and_name_no_place() -> None:
    for line in text_of("constraints.txt").splitlines():
        assert re.fullmatch(
            r"(#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+]+(; python_version [!=]= '3\.\d+')?|)", line
        ), line


def test_constraints_pin_torch_and_everything_that_is_asked_for() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wishes = [wish for wishes in lists for wish in wishes]
    names = {normal(re.split(r"[<>=!~\[; ]", wish, maxsplit=1)[0]) for wish in wishes}
    assert names - pins().keys() == set()
    assert pins()["torch"] == "2.13.0"


# --- documents ------------------------------------------------------------------------------------


def as_shown(default: object) -> str:
    """A setting's default as the table writes it."""
    if isinstance(default, Path):
        is_ours = default.is_absolute()
        return f"`{default.name}` beside the program" if is_ours else f"`./{default}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`" if default else "none"


def test_settings_table_equals_the_class() -> None:
    rows = re.findall(
        r"^\| `(ANIMATO_\w+)` \| (.*?) \|", text_of("docs/configure.md"), re.MULTILINE
    )
    assert [name for name, _ in rows] == [variable_of(field) for field in Settings.model_fields]
    for (_, shown), field in zip(rows, Settings.model_fields.values(), strict=True):
        default = field.default
        assert shown == as_shown(default)


def test_readme_names_the_two_commands_first() -> None:
    commands = re.findall(r"^```sh\n(.*?)\n```", text_of("README.md"), re.MULTILINE | re.DOTALL)
    assert commands[0] == "make demo"
    assert commands[1] == ".venv/bin/animato up"


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "help"])
def test_readme_and_help_name_every_make_target(target: str) -> None:
    assert f"make {target}" in text_of("README.md")
    assert re.search(rf"^{target}:", text_of("Makefile"), re.MULTILINE)
    assert f'"make {target} ' in text_of("Makefile")


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in DOCUMENTS)]
)
def test_links_of_the_documents_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text_of(name)):
        assert (ROOT / name).parent.joinpath(target).exists(), target


# --- the Makefile ---------------------------------------------------------------------------------

ANSWERS = """#!/bin/sh
# Plays a Python of one version: says it, and can or cannot make environments.
case "$2" in
    *version_info*) echo "{major} {minor}" ;;
    *ensurepip*) exit {without_venv} ;;
esac
case "$*" in
    *"-m venv"*) echo "$0 $*" >> {record}; mkdir -p .venv/bin; : > .venv/bin/python ;;
esac
"""


class Desk:
    """A copy of the Makefile where PATH holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        self.bin = folder / "bin"
        self.record = folder / "record"
        self.folder.mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "Makefile", self.folder)
        for tool in ("sh", "make", "tr", "touch", "mkdir", "echo", "rm", "find"):
            found = shutil.which(tool)
            assert found is not None, tool
            (self.bin / tool).symlink_to(found)

    def put_python(self, name: str, major: int, minor: int, *, has_venv: bool = True) -> None:
        """Puts a pretended Python on the PATH."""
        path = self.bin / name
        answers = ANSWERS.format(
            major=major, minor=minor, without_venv=int(not has_venv), record=self.record
        )
        path.write_text(answers, "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs make there."""
        return subprocess.run(
            [self.bin / "make", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def plan(self, target: str) -> str:
        """The commands that make would run there, none of them run."""
        for path in (self.folder / "pyproject.toml", self.folder / "constraints.txt"):
            if not path.exists():
                path.touch()
        done = self.make("--dry-run", target)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def chosen(self) -> str:
        """The Python that was asked to make the environment."""
        if not self.record.exists():
            return ""
        return Path(self.record.read_text("utf-8").partition(" -m")[0]).name


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def own_words(stderr: str) -> list[str]:
    """The lines that make itself did not write."""
    return [line for line in stderr.splitlines() if not re.match(r"g?make(\[\d+\])?: ", line)]


def test_help_is_the_default_and_needs_no_python(desk: Desk) -> None:
    done = desk.make()
    assert done.returncode == 0
    assert all(f"make {target} " in done.stdout for target in TARGETS if target != "help")
    assert done.stdout == desk.make("help").stdout


def test_old_python_gets_one_sentence(desk: Desk) -> None:
    desk.put_python("python3", 3, 8)
    done = desk.make("demo")
    assert done.returncode != 0
    (sentence,) = own_words(done.stderr)
    assert sentence.startswith("Python 3.11 or newer is needed, and python3 is 3.8: ")
    assert desk.chosen == ""


def test_missing_python_gets_one_sentence(desk: Desk) -> None:
    done = desk.make("demo")
    assert done.returncode != 0
    (sentence,) = own_words(done.stderr)
    assert sentence.startswith("Python 3.11 or newer is needed, and python3 is not there: ")


def test_python_without_venv_gets_one_sentence_with_the_package(desk: Desk) -> None:
    desk.put_python("python3", 3, 12, has_venv=False)
    done = desk.make("test")
    assert done.returncode != 0
    (sentence,) = own_words(done.stderr)
    assert "install the package python3.12-venv" in sentence
    assert desk.chosen == ""


def test_newest_usable_python_takes_the_place_of_an_old_one(desk: Desk) -> None:
    desk.put_python("python3", 3, 9)
    desk.put_python("python3.11", 3, 11)
    desk.put_python("python3.12", 3, 12)
    desk.make(".venv/bin/python")
    assert desk.chosen == "python3.12"


def test_usable_python3_is_preferred(desk: Desk) -> None:
    desk.put_python("python3", 3, 11)
    desk.put_python("python3.13", 3, 13)
    desk.make(".venv/bin/python")
    assert desk.chosen == "python3"


def test_named_python_is_used_and_no_other(desk: Desk) -> None:
    desk.put_python("python3", 3, 12)
    desk.put_python("python3.11", 3, 11)
    desk.put_python("python2", 2, 7)
    desk.make(".venv/bin/python", PYTHON="python3.11")
    assert desk.chosen == "python3.11"
    (sentence,) = own_words(Desk.make(desk, "-B", ".venv/bin/python", PYTHON="python2").stderr)
    assert "python2 is 2.7" in sentence


def test_second_run_makes_the_environment_not_again(desk: Desk) -> None:
    desk.put_python("python3", 3, 12)
    desk.make(".venv/bin/python")
    assert desk.make(".venv/bin/python").returncode == 0
    assert len(desk.record.read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize("target", ["neural", "test", "fuzz", "lint", "bench"])
def test_networks_are_installed_for_tests_and_for_who_asks(desk: Desk, target: str) -> None:
    commands = desk.plan(target)
    assert '--editable ".[neural]"' in commands
    assert "--constraint constraints.txt --no-deps face-alignment" in commands
    assert ('--editable ".[bot,sandbox,service,dev]"' in commands) == (target != "neural")


@pytest.mark.parametrize("target", ["demo", "sandbox", "templates"])
def test_demo_installs_no_network_library(desk: Desk, target: str) -> None:
    commands = desk.plan(target)
    wanted = '--editable ".[bot,sandbox,service]"' if target == "demo" else "--editable ."
    assert wanted in commands
    assert not re.search(r"neural|\[dev|torch|face-alignment", commands)


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_changed_versions_are_installed_anew_and_others_are_not(desk: Desk, changed: str) -> None:
    desk.put_python("python3", 3, 12)
    desk.make(".venv/bin/python")
    desk.plan("test")
    stamps = ("base", "service", "neural", "dev")
    for stamp in stamps:
        (desk.folder / ".venv" / f"{stamp}-installed").touch()
    assert "pip" not in desk.plan("test")
    later = (desk.folder / ".venv" / "dev-installed").stat().st_mtime + 60
    os.utime(desk.folder / changed, (later, later))
    commands = desk.plan("test")
    assert all(f".venv/{stamp}-installed" in commands for stamp in stamps)


def test_environment_whose_python_has_gone_is_made_anew(desk: Desk) -> None:
    desk.put_python("python3", 3, 12)
    desk.make(".venv/bin/python")
    python = desk.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    (desk.folder / ".venv" / "base-installed").touch()
    desk.make(".venv/base-installed")
    assert len(desk.record.read_text("utf-8").splitlines()) == 2


# --- the tests' own rules -------------------------------------------------------------------------

INNER = """
import socket, subprocess, sys, pytest

def test_reaches_out():
    socket.create_connection(("127.0.0.1", 9))

def test_needs_a_unicorn(require):
    require(True, "never said")
    require(False, "there is no unicorn")

def test_needs_a_dragon_in_the_processor(require_hardware):
    require_hardware(True, "never said")
    require_hardware(False, "this processor has no dragon")

def test_leaves_a_child_process_behind():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], env={})

def test_leaves_an_orphan_process_behind():
    start = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    subprocess.run([sys.executable, "-c", start, "import time; time.sleep(20)"], check=True)
"""


def run_inner(folder: Path, which: str, **environment: str) -> str:
    """The report of a pytest run with our conftest over one of the tests above."""
    unit = folder / "tests" / "unit"
    unit.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    (unit / "test_inner.py").write_text(INNER, "utf-8")
    outer = {name: value for name, value in os.environ.items() if name != "REQUIRE_ALL"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-ra",
            "-p",
            "no:cacheprovider",
            f"--basetemp={folder / 'base'}",
            "-k",
            which,
            "tests",
        ],
        cwd=folder,
        env=outer | {"ANIMATED_TEST_GRACE_S": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_unit_tests_have_no_sockets(tmp_path: Path) -> None:
    report = run_inner(tmp_path, "reaches_out")
    assert "SocketBlockedError" in report
    assert "1 failed" in report


def test_missing_need_skips_with_its_reason(tmp_path: Path) -> None:
    report = run_inner(tmp_path, "unicorn")
    assert "1 skipped" in report
    assert "there is no unicorn" in report


def test_missing_need_fails_where_all_are_required(tmp_path: Path) -> None:
    report = run_inner(tmp_path, "unicorn", REQUIRE_ALL="1")
    assert "1 failed" in report
    assert "REQUIRE_ALL=1, but there is no unicorn" in report


def test_what_no_installation_can_bring_is_skipped_and_said_even_there(tmp_path: Path) -> None:
    report = run_inner(tmp_path, "dragon", REQUIRE_ALL="1")
    assert "1 skipped" in report
    assert "this processor has no dragon" in report


def test_processor_and_gpu_are_never_a_missing_need() -> None:
    pattern = re.compile(r"\brequire\([^)]*(?:bfloat16|cuda|GPU|processor|/dev/|platform)")
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    assert [path.name for path in files if pattern.search(path.read_text("utf-8"))] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told from /proc")
@pytest.mark.parametrize("which", ["child", "orphan"])
def test_process_that_outlives_its_test_is_an_error(tmp_path: Path, which: str) -> None:
    report = run_inner(tmp_path, f"{which}_process")
    assert "processes are left behind" in report
    assert "1 error" in report
    found = re.search(r"(\d+) .*time\.sleep\(20\)", report)
    assert found is not None
    os.kill(int(found[1]), signal.SIGKILL)
