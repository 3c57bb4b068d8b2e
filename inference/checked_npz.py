"""npz files that are read like input from a stranger: no pickles, nothing larger than expected."""

import lzma
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from inference.media.file import replacing

UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, ArithmeticError, EOFError),
    *(RuntimeError, MemoryError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What numpy, zipfile and the functions here raise for a file that is not what it should be."""


class ArrayForm(NamedTuple):
    """What an array must be.

    Attributes:
        dtype: of its values.
        shape: of one frame's values.
        low: the smallest value; may be an array that broadcasts to `shape`.
        high: the largest one, likewise.
    """

    dtype: Any
    shape: tuple[int, ...]
    low: float | npt.NDArray[np.float32]
    high: float | npt.NDArray[np.float32]

    def cut(self, values: npt.NDArray[np.floating[Any]]) -> Any:
        """Return the values (n, ...) of all frames in that type, within the limits."""
        result = np.empty(values.shape, self.dtype)
        for index, of_frame in enumerate(values):
            result[index] = np.clip(np.nan_to_num(of_frame), self.low, self.high)
        return result


def write_npz(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays as a compressed npz file; `path` is replaced when it is complete."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_count(archive: zipfile.ZipFile, name: str, most: int) -> int:
    """Return the length of an array from its header; raises one of `UNREADABLE`."""
    with archive.open(f"{name}.npy") as file:
        shape, _ = _header(file)
    demand(1 <= shape[0] <= most, f"its shape is {shape}")
    return shape[0]


def read_array(archive: zipfile.ZipFile, name: str, form: ArrayForm, count: int) -> Any:
    """Read an array of `count` values of that form; nothing larger is unpacked.

    Raises one of `UNREADABLE`.
    """
    wanted = np.dtype(form.dtype)
    shape = (count, *form.shape)
    with archive.open(f"{name}.npy") as file:
        demand(_header(file) == (shape, wanted), f"{name} has a wrong shape or type")
        size = int(np.prod(shape)) * wanted.itemsize
        content = file.read(size + 1)
    demand(len(content) == size, f"{name} has a wrong length")
    array = np.frombuffer(content, wanted).reshape(shape)
    # False for NaN too.
    demand(((array >= form.low) & (array <= form.high)).all(), f"{name} has a wrong value")
    return array


def demand(condition: object, reason: str) -> None:
    """Raise ValueError with the reason unless the condition is true."""
    if not condition:
        raise ValueError(reason)


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array in the npy format, version 1.0, in C order."""
    demand(np.lib.format.read_magic(file) == (1, 0), "its arrays are of an unknown version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    demand(not is_fortran or len(shape) < 2, "its arrays are in another order")
    return shape, dtype
