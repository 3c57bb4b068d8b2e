"""Run a command as a process: logging, signals, errors and exit codes.

Exit codes: 0 success, 1 unusable input, 2 usage error, 3 operator error or bug, 130 Ctrl-C.
"""

import atexit
import gc
import io
import logging
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from animato.logs import is_json_log
from jobs.errors import AnimatoError, UserError
from jobs.temp_folder import own_temp_files

log = logging.getLogger(__name__)

TEXT_FORMAT = "%(levelname)s %(name)s: %(message)s"
NOTHING_WRITTEN = "nothing was written"
_STOPPED = 130


def run(
    work: Callable[[], None], *, is_verbose: bool = False, stopped: str = NOTHING_WRITTEN
) -> int:
    """Run a command and return its exit code; print its error to stderr.

    Args:
        work: the command.
        is_verbose: whether to log everything.
        stopped: printed when it is interrupted.
    """
    logging.basicConfig(
        level=logging.DEBUG if is_verbose else logging.WARNING,
        format=TEXT_FORMAT,
    )
    for name in ("httpx", "httpcore", "numba", "PIL"):
        # The first two log whole URLs, which may contain a password.
        logging.getLogger(name).setLevel(logging.WARNING)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores it on purpose.
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _stop)
    # At the end Python would search all objects for cycles, which takes 0.1 s.
    atexit.register(gc.freeze)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without emoji shows a question mark.
        sys.stdout.reconfigure(errors="replace")
    return _exit_code(work, stopped)


def _exit_code(work: Callable[[], None], stopped: str) -> int:
    """Run the work and turn every way to end into an exit code."""
    try:
        with own_temp_files():
            work()
        sys.stdout.flush()
    except UserError as error:
        code = _print_error(str(error), 1)
    except AnimatoError as error:
        log.debug("operator error", exc_info=True)
        code = _print_error(str(error), 3)
    except KeyboardInterrupt:
        code = _print_error(f"stopped; {stopped}", _STOPPED)
    except BrokenPipeError:
        # The reader of our output has exited.
        sys.stderr.close()
        code = 0
    except OSError as error:
        log.debug("system error", exc_info=True)
        code = _print_error(f"the system refused: {error}", 3)
    except ModuleNotFoundError as error:
        log.debug("missing module", exc_info=True)
        module = (error.name or "a module").partition(".")[0]
        code = _print_error(
            f"this command needs {module}, which is not installed here (the bot's image has no "
            "picture libraries; the worker's image has them)",
            3,
        )
    except Exception as error:
        # Our errors exit with 3; Python's own code would be 1.
        log.exception("unexpected error")
        code = _print_error(_why(error) or "this is a bug; please report the lines above", 3)
    else:
        code = 0
    return code


def _why(error: Exception) -> str | None:
    """Return the likely reason, if one is known."""
    if not isinstance(error, ImportError):
        return None
    from inference.opencv_build import gui_opencv_warning  # noqa: PLC0415 - seldom needed

    return gui_opencv_warning()


def _print_error(sentence: str, code: int) -> int:
    if is_json_log():
        log.log(logging.WARNING if code == _STOPPED else logging.ERROR, "%s", sentence)
        return code
    newline = "\n" if code == _STOPPED else ""
    sys.stderr.write(f"{newline}animato: {sentence}\n")
    return code


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
