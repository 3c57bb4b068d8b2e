"""What a confined process can do and what not; each mechanism alone, and both together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.media.ffmpeg import programs
from inference.process.confinement import working_mechanisms
from tests.conftest import Require

ROOT = Path(__file__).parents[4]

# Runs as a process of its own; prints how each attempt ended: "done", or the error.
PROGRAM = """
import ctypes, errno, json, os, platform, signal, socket, struct, subprocess, sys, tempfile
from pathlib import Path
import inference.process.confinement as confinement

mechanism, work, secret, source, program, checkout, victim = sys.argv[1:]
work, secret, victim = Path(work), Path(secret), int(victim)
libc = ctypes.CDLL(None, use_errno=True)

def absent(*_):
    raise OSError("not here")

if mechanism == "seccomp":
    confinement._landlock = absent
if mechanism == "Landlock":
    confinement._seccomp = absent
if mechanism != "none":
    confinement.confine([Path(source)], work, [Path(program)])

def call(name, *arguments):
    column = ("x86_64", "aarch64").index(platform.machine())
    number = confinement._REFUSED[name][column] if isinstance(name, str) else name
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def run(*command):
    subprocess.run(command, check=True, capture_output=True)

def forked():
    if (child := os.fork()) == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def connected():
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))

def fill_own_folder():
    (work / "deeper").mkdir()
    (work / "deeper" / "a").write_text("words")
    (work / "deeper" / "a").rename(work / "b")
    with tempfile.TemporaryFile(dir=work) as file:
        file.write(b"words")
    assert (work / "b").read_text() == "words"
    (work / "b").unlink()
    (work / "deeper").rmdir()

ATTEMPTS = {
    "own folder": fill_own_folder,
    "own input": lambda: Path(source).read_bytes(),
    "own program": lambda: run(program, "-version"),
    "own child": forked,
    "nothing": lambda: Path(os.devnull).write_text("words"),
    "read a file": secret.read_text,
    "read by a longer way": lambda: (work / ".." / secret.name).read_text(),
    "list a folder": lambda: os.listdir(secret.parent),
    "read a checkout": lambda: Path(checkout, "README.md").read_text(),
    "read an environment": lambda: Path(f"/proc/{victim}/environ").read_bytes(),
    "read own parent": lambda: Path(f"/proc/{os.getppid()}/cmdline").read_bytes(),
    "read passwords": lambda: Path("/etc/passwd").read_text(),
    "write a file": lambda: secret.write_text("mine"),
    "append to a file": lambda: secret.open("a").close(),
    "cut a file": lambda: os.truncate(secret, 0),
    "create a file": lambda: (secret.parent / "new").touch(),
    "create a folder": lambda: (secret.parent / "new folder").mkdir(),
    "delete a file": secret.unlink,
    "take a file": lambda: secret.rename(work / "taken"),
    "link a file": lambda: os.link(secret, work / "linked"),
    "point at a file": lambda: (work / "pointer").symlink_to(secret),
    "make a pipe": lambda: os.mkfifo(work / "pipe"),
    "change the input": lambda: Path(source).open("r+").close(),
    "start a shell": lambda: run("/bin/sh", "-c", ":"),
    "start Python": lambda: run(sys.executable, "-c", ""),
    "connect": connected,
    "signal": lambda: os.kill(victim, 0),
    "TCP": lambda: socket.socket().close(),
    "IPv6": lambda: socket.socket(socket.AF_INET6).close(),
    "Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "netlink": lambda: call("socket", 16, 3, 0),
    "pair of sockets": lambda: call("socketpair", 1, 1, 0, 0),
    "ring": lambda: call("io_uring_setup", 1, 0),
    "trace": lambda: call("ptrace", 0x4206, victim, 0, 0),
    "memory of others": lambda: call("process_vm_readv", victim, 0, 0, 0, 0, 0),
    "file in memory": lambda: call("memfd_create", 0, 0),
    "own session": lambda: call("setsid"),
    "own group": lambda: call("setpgid", 0, 0),
    "namespace": lambda: call("unshare", 0),
    "other numbers": lambda: call(0x40000000 + 41, 2, 1, 0),
}

def result(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:
        return type(error).__name__
    return "done"

print(json.dumps({name: result(attempt) for name, attempt in ATTEMPTS.items()}))
"""

OWN = ("own folder", "own input", "own program", "own child", "nothing")
# What each mechanism refuses.
LANDLOCK = (
    *("read a file", "read by a longer way", "list a folder", "read a checkout"),
    *("read an environment", "read own parent", "read passwords", "write a file"),
    *("append to a file", "cut a file", "create a file", "create a folder", "delete a file"),
    *("take a file", "link a file", "point at a file", "make a pipe", "change the input"),
    *("start a shell", "start Python", "connect", "signal"),
)
SECCOMP = (
    *("connect", "TCP", "IPv6", "Unix socket", "netlink", "pair of sockets", "ring", "trace"),
    *("memory of others", "file in memory", "own session", "own group", "namespace"),
    "other numbers",
)

# EXDEV: between folders of different rights, files can be neither moved nor linked.
REFUSALS = ("EACCES", "EPERM", "EXDEV")


def attempts(mechanism: str, folder: Path) -> dict[str, str]:
    """How each attempt ends in a process that is confined by that mechanism."""
    (folder / "work").mkdir()
    (folder / "secret").write_text("secret")
    (folder / "source").write_text("words")
    arguments = (folder / "work", folder / "secret", folder / "source", programs()[0], ROOT)
    run = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, mechanism, *map(str, (*arguments, os.getpid()))],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "work")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(
    ("mechanism", "refused"),
    [("Landlock", LANDLOCK), ("seccomp", SECCOMP), ("both", {*LANDLOCK, *SECCOMP})],
)
def test_a_confined_process_does_its_work_and_nothing_else(
    tmp_path: Path, require: Require, mechanism: str, refused: tuple[str, ...]
) -> None:
    works = " ".join(working_mechanisms())
    for name in ("Landlock", "seccomp") if mechanism == "both" else (mechanism,):
        require(name in works, f"this kernel has no {name}")
    ended = attempts(mechanism, tmp_path)
    assert {name: ended[name] for name in OWN} == dict.fromkeys(OWN, "done")
    assert {name: ended[name] for name in refused if ended[name] not in REFUSALS} == {}
    if mechanism != "seccomp":
        assert (tmp_path / "secret").read_text() == "secret"
        assert {path.name for path in tmp_path.iterdir()} == {"work", "secret", "source"}
        assert list((tmp_path / "work").iterdir()) == []


AFTER_ITS_DELETION = ("take a file", "link a file")


def test_the_attempts_succeed_in_a_process_that_is_not_confined(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux has these calls")
    ended = attempts("none", tmp_path)
    succeeded = {name for name, error in ended.items() if error == "done"}
    assert succeeded >= {*OWN, *LANDLOCK} - {"connect", *AFTER_ITS_DELETION}
    assert succeeded >= {"TCP", "Unix socket", "own session"}


def test_installed_packages_that_are_links_to_a_cache_can_be_imported(
    tmp_path: Path, require: Require
) -> None:
    require("Landlock" in " ".join(working_mechanisms()), "this kernel has no Landlock")
    cache, installed = tmp_path / "cache" / "abc", tmp_path / "site-packages"
    for name, text in {"linked/__init__.py": "", "linked-1.dist-info/METADATA": "Name: it"}.items():
        for place in (cache, installed):
            (place / name).parent.mkdir(parents=True)
        (cache / name).write_text(text)
        (installed / name).symlink_to(cache / name)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from inference.process.confinement import confine\n"
        "confine()\nimport linked\nprint('imported')\nPath(sys.argv[1]).read_text()\n"
    )
    (cache.parent / "other").write_text("words")
    run = subprocess.run(
        [sys.executable, "-P", "-c", code, str(cache.parent / "other")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(installed)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.stdout == "imported\n", run.stderr
    assert run.stderr.splitlines()[-1].startswith("PermissionError: ")


def test_a_system_without_either_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys\nsys.platform = 'darwin'\n"
        "from inference.process.confinement import confine\n"
        "assert confine() == ()\nimport socket\nsocket.socket().close()\n"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert working_mechanisms() == ()
