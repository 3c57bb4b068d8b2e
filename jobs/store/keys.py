"""The keys of files in the file store.

    inputs/<draft>/<name>              a photo, a clip or a voice message as it was sent
    looks/<draft>/<name>               normalised photos, clips and voices, numbered sheets, and how
                                       a mouth speaks the voices
    tracks/<clip>/track.npz            how a clip's face moves; shared by all drafts with that clip
    results/<order>/<start>.mp4        the result of the worker's n-th start
    results/<order>/<start>.jpg        its thumbnail
    templates/<clip>/<name>            clip, track and preview of a movement of the owner's
    media/<job>/<name>                 the files of a job of the queue `media`, until its delivery

The files of a draft or an order are deleted together: the deadline is that of their folder. A track
is deleted with the last draft that holds its clip; `<clip>` is the SHA-256 (hex) of the normalised
clip, which its key in `looks` ends in.
"""

import re

# Valid in file names and URLs everywhere, without quoting.
_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT}){{0,9}}")

INPUTS = "inputs"
LOOKS = "looks"
RESULTS = "results"
TRACKS = "tracks"
MEDIA_FILES = "media"

_TEMPLATE_CLIP_KEY = re.compile(r"templates/([0-9a-f]{64})/clip\.mp4")
_CLIP_KEY = re.compile(rf"{LOOKS}/{_SEGMENT}/.+-([0-9a-f]{{64}})\.mp4")


def input_key(draft: str, name: str) -> str:
    """Return the key of a photo, a clip or a voice message as it was sent."""
    return check_key(f"{INPUTS}/{_segment(draft)}/{_segment(name)}")


def look_key(draft: str, name: str) -> str:
    """Return the key of a file that the gate wrote, other than a clip."""
    return check_key(f"{LOOKS}/{_segment(draft)}/{_segment(name)}")


def clip_key(draft: str, look_id: str, digest: str) -> str:
    """Return the key of a normalised clip; `digest` is the SHA-256 (hex) of its content."""
    return look_key(draft, f"{look_id}-{digest}.mp4")


def track_key(clip: str) -> str | None:
    """Return the key of the track of a clip; None if the key does not name the clip's content.

    Args:
        clip: the key of a normalised clip; that of an earlier version has no digest.
    """
    if (of_template := _TEMPLATE_CLIP_KEY.fullmatch(clip)) is not None:
        return template_key(of_template[1], "track.npz")
    found = _CLIP_KEY.fullmatch(clip)
    return None if found is None else f"{TRACKS}/{found[1]}/track.npz"


def template_key(digest: str, name: str) -> str:
    """Return the key of a file of a movement of the owner's.

    Args:
        digest: the SHA-256 (hex) of its clip.
        name: `clip.mp4`, `track.npz` or `preview.mp4`.
    """
    return check_key(f"templates/{_segment(digest)}/{_segment(name)}")


def result_key(order: str, start_number: int) -> str:
    """Return the key of the result of a start; starts count from 1."""
    return check_key(f"{RESULTS}/{_segment(order)}/{start_number}.mp4")


def result_thumbnail_key(order: str, start_number: int) -> str:
    """Return the key of the thumbnail of that result."""
    return check_key(f"{RESULTS}/{_segment(order)}/{start_number}.jpg")


def media_key(job: str, name: str) -> str:
    """Return the key of a file of a job of the queue `media`."""
    return check_key(f"{media_folder(job)}/{_segment(name)}")


def media_folder(job: str) -> str:
    """Return the folder of the files of a job of the queue `media`."""
    return f"{MEDIA_FILES}/{_segment(job)}"


def draft_folders(draft: str) -> tuple[str, str]:
    """Return the folders of a draft's files."""
    return f"{INPUTS}/{_segment(draft)}", f"{LOOKS}/{_segment(draft)}"


def result_folder(order: str) -> str:
    """Return the folder of an order's results."""
    return f"{RESULTS}/{_segment(order)}"


def order_of(result: str) -> str:
    """Return the order of a result's key or folder."""
    return result.split("/")[1]


def folder_of(key: str) -> str:
    """Return the folder of a key, which has a deadline: its first two parts."""
    return "/".join(key.split("/")[:2])


def is_key(text: str) -> bool:
    """Whether a text is a valid key: relative, no `..`, no hidden names, letters, digits, `._-`."""
    return _KEY.fullmatch(text) is not None and ".." not in text


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        ValueError: it is invalid, see `is_key`.
    """
    if not is_key(key):
        message = f"{key!r} is not a key of a file"
        raise ValueError(message)
    return key


def _segment(name: str) -> str:
    """Return one part of a key.

    Raises:
        ValueError: it is not one part.
    """
    if "/" in name:
        message = f"{name!r} is not a part of a key"
        raise ValueError(message)
    return check_key(name)
