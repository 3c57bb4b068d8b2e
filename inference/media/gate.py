"""The gate: a stranger's photo, clip or sound is decoded in a short-lived, limited child process.

    start_photo_look, start_lead_look, start_media_task -> check the file
                          -> start `inference.media.gate_child`
    RunningLook.answer (`running_look.py`) -> wait, or kill it -> check its answer -> move the
                          files it wrote to the caller's folder

`look_at` does all of it and waits; workers use the parts.

Whatever the bytes do to a decoder happens in the child, which has limits on memory, time and files,
no secrets in its environment and a folder of its own. Only the normalised files are used
afterwards. The protocol is described in `inference/media/gate_child.py`.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from inference.media.file import check_file
from inference.media.limits import ClipLimits, PhotoLimits, SoundLimits
from inference.media.running_look import ChildLimits, Found, RunningLook
from jobs.errors import ProcessKilled
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from jobs.media_tasks import MediaTask

CHILD = (sys.executable, "-P", "-m", "inference.media.gate_child")
# A look whose process is killed from outside is attempted this many times.
_ATTEMPTS = 3

Result = TypeVar("Result")


@dataclass(frozen=True)
class LookLimits(ChildLimits):
    """What a photo, a clip and a voice may be, and what looking at one of them may cost.

    Attributes:
        photo: limits of the photo.
        clip: limits of the clip.
        voice: limits of the voice.
    """

    photo: PhotoLimits = field(default_factory=PhotoLimits)
    clip: ClipLimits = field(default_factory=ClipLimits)
    voice: SoundLimits = field(default_factory=SoundLimits)

    @classmethod
    def for_clips(cls, clip: ClipLimits, photo: PhotoLimits | None = None) -> Self:
        """Return limits with enough processor time for the longest clip that `clip` allows."""
        if clip.max_duration_s is None:
            raise ValueError("clips of any length need explicit limits")
        # A phone's clip in 4K at 60 frames per second and 10 bits takes 7 s per second.
        cpu_s = 120.0 + 14.0 * clip.max_duration_s
        return cls(photo or PhotoLimits(), clip, cpu_s=cpu_s, time_s=5 * cpu_s)


@dataclass(frozen=True)
class ClipPart:
    """A clip and the part of it that is used.

    Attributes:
        path: the original clip.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all that the limits allow.
        find_face: whether to look for the face that leads.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    find_face: bool = True


@dataclass(frozen=True)
class VoicePart:
    """A voice message, or any other file with sound, and the part of it that is used.

    Attributes:
        path: the original file.
        start_s: the beginning of the part, s.
        duration_s: its length, s; None for all.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None


Lead = ClipPart | VoicePart
"""What leads the face."""


def look_at(
    photo: Path,
    lead: Lead | None,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    find_faces: bool = True,
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[PhotoFindings, ClipFindings | VoiceFindings | None]:
    """Look at a photo and, if there is one, at a clip or a voice; both at the same time.

    Args:
        photo: the original photo.
        lead: the wanted part of a clip or a voice, or None.
        folder: where `photo.png`, `sheet.png` and the files of the lead are put; it exists.
        limits: the defaults if None.
        find_faces: whether to look for faces in the photo.
        meanwhile: called after the children have started; what it raises ends them.

    Raises:
        MediaError: one of the two cannot be used; then nothing is left in `folder`.
        GateFailed: the child could not run, or its answer was invalid.
        LandmarkLibraryMissing, WeightsError: it could not load the landmark network.
        ProcessKilled: it was killed from outside each time.
    """
    limits = limits or LookLimits()

    def both() -> tuple[PhotoFindings, ClipFindings | VoiceFindings | None]:
        with start_photo_look(photo, folder, limits, find_faces=find_faces) as photo_child:
            if lead is None:
                meanwhile()
                return photo_child.answer(PhotoFindings), None
            form: type[ClipFindings | VoiceFindings]
            form = VoiceFindings if isinstance(lead, VoicePart) else ClipFindings
            with start_lead_look(lead, folder, limits) as lead_child:
                meanwhile()
                photo_found = photo_child.answer(PhotoFindings)
                try:
                    return photo_found, lead_child.answer(form)
                except BaseException:
                    photo_found.path.unlink(missing_ok=True)
                    Path(photo_found.sheet).unlink(missing_ok=True)
                    raise

    return _retried(both)


def look_at_photo(
    path: Path,
    folder: Path,
    limits: LookLimits | None = None,
    *,
    child: Sequence[str] = CHILD,
) -> PhotoFindings:
    """Look at a photo alone; see `look_at`. `child` is the child's command line, for tests."""
    start = partial(start_photo_look, path, folder, limits or LookLimits(), command=child)
    return _answer(start, PhotoFindings)


def look_at_clip(part: ClipPart, folder: Path, limits: LookLimits | None = None) -> ClipFindings:
    """Look at a clip alone; see `look_at`."""
    start = partial(start_lead_look, part, folder, limits or LookLimits())
    return _answer(start, ClipFindings)


def _answer(start: Callable[[], RunningLook], form: type[Found]) -> Found:
    def one() -> Found:
        with start() as looking:
            return looking.answer(form)

    return _retried(one)


def _retried(look: Callable[[], Result]) -> Result:
    """The result of `look`, repeated if its process is killed from outside."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(ProcessKilled):
            return look()
    return look()


def start_photo_look(
    path: Path,
    folder: Path,
    limits: LookLimits,
    *,
    find_faces: bool = True,
    command: Sequence[str] = CHILD,
) -> RunningLook:
    """Start looking at a photo; see `look_at`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    check_file(path, limits.photo.max_bytes)
    request = {"kind": "photo", "limits": asdict(limits.photo), "find_faces": find_faces}
    return RunningLook(path, folder, limits, request, command)


def start_lead_look(
    lead: Lead, folder: Path, limits: LookLimits, *, command: Sequence[str] = CHILD
) -> RunningLook:
    """Start looking at a clip or a voice; see `look_at`.

    Raises:
        MediaError: the file cannot be opened, or is too large.
        GateFailed: the child cannot be started.
    """
    own_limits = limits.clip if isinstance(lead, ClipPart) else limits.voice
    check_file(lead.path, own_limits.max_bytes)
    request = {
        "kind": "clip" if isinstance(lead, ClipPart) else "voice",
        "limits": asdict(own_limits),
        "start_s": lead.start_s,
        "duration_s": lead.duration_s,
        "find_faces": isinstance(lead, ClipPart) and lead.find_face,
    }
    return RunningLook(lead.path, folder, limits, request, command)


def start_media_task(task: MediaTask, folder: Path, limits: LookLimits) -> RunningLook:
    """Start a task of the queue `media`; see `inference/media/media_tasks.py`.

    Args:
        task: its files are paths.
        folder: where the made files are put.
        limits: of memory and time.

    Raises:
        GateFailed: the child cannot be started.
    """
    request = {"kind": "media", "task": task.model_dump(mode="json"), "files": task.files}
    source = Path(task.files[0]) if task.files else folder
    return RunningLook(source, folder, limits, request, CHILD)
