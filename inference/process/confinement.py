"""Confine a process that decodes files of strangers: no other files, no network, no other process.

Linux has two mechanisms for this, and each is used where the kernel offers it:

Landlock   access only to the named files and folders; no TCP connection, no signal to other
           processes (newer kernels)
seccomp    no system call that opens a socket or reaches another process

Both hold for everything that the process starts, and cannot be undone. Other systems have neither.

    python -m inference.process.confinement     print what works here, one mechanism a line
"""

import ctypes
import os
import platform
import struct
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from jobs.child_environment import PYTHON, child_environment, python_path

_PR_SET_NO_NEW_PRIVS = 38

# --- Landlock (linux/landlock.h) ---
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READ = _READ_FILE | _READ_DIR
_CHANGE = _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _REFER
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# How many of the rights to files each version knows.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP_SINCE, _TCP = 4, 0b11  # bind and connect
_SCOPE_SINCE, _SCOPE = 6, 0b11  # abstract sockets and signals

# What programs and libraries read besides themselves.
_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share"),
    *("/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/dev/urandom", "/proc/cpuinfo", "/sys/devices/system/cpu"),
)
_NULL = "/dev/null"
_LOADERS = ("/lib64/ld-linux*", "/lib/ld-linux*")

# --- seccomp (linux/seccomp.h, linux/filter.h) ---
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # the latter with EPERM
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_X32 = 0x40000000  # x86-64's second numbering of all calls begins here
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Refused calls, with their numbers on x86-64 and on 64-bit ARM.
_REFUSED = {
    # the network; io_uring could do the same
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "io_uring_setup": (425, 425),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    # leaving the process group, with which everything is killed
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # files without a path, and other roots
    "memfd_create": (319, 279),
    "open_by_handle_at": (304, 265),
    "execveat": (322, 281),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    # what else nothing here needs
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "perf_event_open": (298, 241),
}


def confine(
    readable: Iterable[Path] = (), folder: Path | None = None, programs: Iterable[Path] = ()
) -> tuple[str, ...]:
    """Confine this process, which must have no other thread yet.

    Args:
        readable: files and folders that may be read besides Python's and the system's libraries.
        folder: the only folder that may be changed.
        programs: files, or folders of files, that may be executed.

    Returns:
        The mechanisms that are in force now; none where the system has none.
    """
    if sys.platform != "linux":
        return ()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return ()
    rules = [(Path(path), _READ) for path in (*_SYSTEM, *_libraries())]
    rules += [(path, _READ) for path in readable]
    loaders = [path for pattern in _LOADERS for path in Path("/").glob(pattern[1:])]
    rules += [(path, _READ | _EXECUTE) for path in (*loaders, *programs)]
    rules += [(Path(_NULL), _READ_FILE | _WRITE_FILE)]
    if folder is not None:
        rules.append((folder, _READ | _CHANGE))
    found = []
    with suppress(OSError):
        found.append(f"Landlock {_landlock(libc, rules)}")
    with suppress(OSError):
        _seccomp(libc)
        found.append("seccomp")
    return tuple(found)


def working_mechanisms() -> tuple[str, ...]:
    """Return what confines processes on this machine, found by confining one."""
    run = subprocess.run(
        (sys.executable, "-P", "-m", "inference.process.confinement"),
        env=child_environment(*PYTHON, PYTHONPATH=python_path()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return tuple(run.stdout.splitlines()) if run.returncode == 0 else ()


def _libraries() -> list[str]:
    """The folders that this Python imports from; of a checkout, its packages alone.

    Beside them, a checkout may hold settings, data and weights. Installed packages may consist of
    links to an installer's cache (`uv --link-mode=symlink`), which is then read, too.
    """
    root = Path(__file__).resolve().parents[2]
    paths = {path for path in sys.path if path}
    if root.name not in ("site-packages", "dist-packages"):
        paths = {path for path in paths if not root.is_relative_to(Path(path).resolve())}
        ours = ("inference", "jobs", "templates", "config", "checkpoints/weights.yaml")
        paths |= {str(root / name) for name in ours}
    notes = [note for path in paths for note in Path(path).glob("*.dist-info/METADATA")]
    paths |= {str(note.resolve().parents[1]) for note in notes if note.is_symlink()}
    further = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [*paths, f"{sys.base_prefix}/lib", *filter(None, further)]


def _landlock(libc: ctypes.CDLL, rules: Iterable[tuple[Path, int]]) -> int:
    """Allow what the rules say and nothing else; return the version of Landlock.

    Raises:
        OSError: the kernel has no Landlock, or refuses.
    """
    version = _call(libc, _CREATE_RULESET, None, 0, _VERSION_FLAG)
    rights = (1 << _RIGHTS.get(version, _RIGHTS[5])) - 1
    attributes = [rights]
    attributes += [_TCP] if version >= _TCP_SINCE else []
    attributes += [_SCOPE] if version >= _SCOPE_SINCE else []
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    ruleset = _call(libc, _CREATE_RULESET, packed, len(packed), 0)
    try:
        for path, wanted in rules:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # what is not there needs no permission
            allowed = rights & (wanted if path.is_dir() else wanted & _OF_FILES)
            try:
                rule = struct.pack("=Qi", allowed, place)
                _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
            finally:
                os.close(place)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """Make a system call.

    Raises:
        OSError: it failed.
    """
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        _fail()
    return result


def _seccomp(libc: ctypes.CDLL) -> None:
    """Refuse the system calls of `_REFUSED`.

    Raises:
        OSError: the kernel has no seccomp, refuses, or has other numbers for the calls.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES or sys.maxsize < 1 << 32:
        message = f"no table of system calls for {machine}"
        raise OSError(message)
    column = list(_ARCHITECTURES).index(machine)
    numbers = [both[column] for both in _REFUSED.values()]
    # (code, jump if true, jump if false, operand); the last instruction refuses, the one before
    # allows. Calls by the numbers of another architecture are refused.
    steps = [(_LOAD, 0, 0, _ARCHITECTURE_AT)]
    steps += [(_IF_EQUAL, 0, len(numbers) + 3, _ARCHITECTURES[machine])]
    steps += [(_LOAD, 0, 0, _NUMBER_AT), (_IF_AT_LEAST, len(numbers) + 1, 0, _X32)]
    steps += [(_IF_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0) != 0:
        _fail()


def _fail() -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in confine()))
