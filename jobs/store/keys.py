"""The names of files in the file store: who made them and for whom is in the key.

    inputs/<draft>/<name>              a photo or a clip as it came
    looks/<draft>/<name>               what the gate made of it
    results/<order>/<attempt>.mp4      what an attempt uploaded
    results/<order>/<attempt>.jpg      its thumbnail, until it is delivered

A draft's files are deleted together, and so are an order's: their folder is what has a deadline.
"""

import re

# Also what a name on a disk and in an address may be everywhere, without any quoting.
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,9}}")

INPUTS = "inputs"
LOOKS = "looks"
RESULTS = "results"


def input_key(draft: str, name: str) -> str:
    """The key of a photo or a clip as it came."""
    return checked(f"{INPUTS}/{_segment(draft)}/{_segment(name)}")


def look_key(draft: str, name: str) -> str:
    """The key of what the gate made: a normalised photo or clip, a numbered sheet."""
    return checked(f"{LOOKS}/{_segment(draft)}/{_segment(name)}")


def result_key(order: str, attempt: int) -> str:
    """The key of what one attempt at an order uploads; attempts count from 1."""
    return checked(f"{RESULTS}/{_segment(order)}/{attempt}.mp4")


def result_thumbnail_key(order: str, attempt: int) -> str:
    """The key of the thumbnail of what one attempt uploads."""
    return checked(f"{RESULTS}/{_segment(order)}/{attempt}.jpg")


def draft_folders(draft: str) -> tuple[str, str]:
    """Where all files of a draft lie."""
    return f"{INPUTS}/{_segment(draft)}", f"{LOOKS}/{_segment(draft)}"


def result_folder(order: str) -> str:
    """Where all attempts at an order lie."""
    return f"{RESULTS}/{_segment(order)}"


def order_of(result: str) -> str:
    """The order whose result it is, or the folder of whose results."""
    return result.split("/")[1]


def folder_of(key: str) -> str:
    """The first two parts of a key: what has a deadline."""
    return "/".join(key.split("/")[:2])


def is_key(text: str) -> bool:
    """Whether a text can be a key: relative, no `..`, nothing hidden, letters, digits and `._-`."""
    return _KEY.fullmatch(text) is not None and ".." not in text


def checked(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: it is none, see `is_key`.
    """
    if not is_key(key):
        message = f"{key!r} is no key of a file"
        raise ValueError(message)
    return key


def _segment(name: str) -> str:
    """One part of a key.

    Raises:
        ValueError: it is none, or more than one.
    """
    if "/" in name:
        message = f"{name!r} is no part of a key"
        raise ValueError(message)
    return checked(name)
