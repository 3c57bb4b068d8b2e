"""The environment of child processes: only named variables, so that no secret slips in."""

import os
from fnmatch import fnmatchcase
from pathlib import Path

# Paths and language: no program runs well without them.
_EVERY_PROGRAM = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
)
PYTHON = ("PYTHON*", "IMAGEIO_FFMPEG_EXE")
"""For our own programs."""

# For programs that reach other machines, and for those that compute with networks.
_NETWORK = ("*_PROXY", "SSL_CERT_*", "XDG_CACHE_HOME")
_DEVICES = (
    *("CUDA_*", "CUBLAS_*", "CUDNN_*", "NVIDIA_*", "HIP_*", "HSA_*", "ROCR_*"),
    *("TORCH*", "PYTORCH_*", "OMP_*", "GOMP_*", "KMP_*", "MKL_*", "OPENBLAS_*", "NUMBA_*"),
)
ENGINE = (*PYTHON, *_NETWORK, *_DEVICES)
"""For engine processes, which may download weights."""

SERVICE = (*ENGINE, "ANIMATO_*")
"""For the bot and the workers: our settings, including secrets."""

STORES = ("REDIS_URL", "STORE_URL", "AWS_*")
"""Variables of other software that give access to Redis or the file store; secret."""


_PACKAGES = str(Path(__file__).resolve().parents[1])


def python_path() -> str:
    """Return the PYTHONPATH of a child: that of this process, then the folder of these packages."""
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(filter(None, (*own, _PACKAGES)))


def child_environment(*names: str, **values: str) -> dict[str, str]:
    """Return the environment for a child process.

    Args:
        *names: which of our variables it gets besides those that every program gets, in upper case;
            `*` stands for any characters.
        **values: variables to set.
    """
    passed = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatchcase(name.upper(), pattern) for pattern in (*_EVERY_PROGRAM, *names))
    }
    return passed | values
