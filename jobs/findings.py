"""What the gate found in a photo, a clip or a voice message, and the normalised files it wrote.

It travels in the wish, so that nothing is measured twice.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from jobs.model import CropBox, Face, FrameRate, MediaWarning, Value

FileRef = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A key of the file store while a value is queued, a path where it is made or rendered."""

SPEECH_FRAME_RATE = 25
"""Frames per second of a face that speaks."""

VOICE_MIN_S = 0.3
"""The shortest voice message or other sound that a face speaks, s."""

VOICE_MAX_S = 60
"""The longest one, s."""


class Findings(Value):
    """What the gate found in a photo or a clip, and the normalised file it wrote.

    Attributes:
        file: the normalised file.
        name: the original file name, for error messages.
        width: of the normalised picture, px; 0 in a record of an earlier version that lacks it.
        height: same for the height.
        original_width: of the upright original, px; boxes drawn by people refer to it.
        original_height: same for the height.
        faces: largest first; of a clip those in its first frames.
        warnings: what the person should know before going on.
    """

    file: FileRef
    name: str = ""
    width: int = Field(ge=0)
    height: int = Field(ge=0)
    original_width: int = Field(ge=0)
    original_height: int = Field(ge=0)
    faces: tuple[Face, ...] = ()
    warnings: tuple[MediaWarning, ...] = ()

    @property
    def path(self) -> Path:
        """The normalised file where it is a path."""
        return Path(self.file)

    @property
    def scale(self) -> float:
        """Size of the normalised picture / size of the original, by the longer side."""
        longer = max(self.original_width, self.original_height)
        return max(self.width, self.height) / longer

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, as it may be in a record of an earlier version."""
        return self.width > 0


class PhotoFindings(Findings):
    """What the gate found in a photo; `file` is an upright RGB PNG without metadata.

    Attributes:
        sheet: the photo with its faces numbered, a PNG; with a numbered grid if it has none.
    """

    sheet: FileRef


class ClipFindings(Findings):
    """What the gate found in a clip; `file` is an mp4 (8-bit H.264, constant rate, AAC).

    Attributes:
        frame_rate: frames per second, exact.
        frame_count: number of frames.
        has_sound: whether it has sound.
        later_faces: boxes of the largest face in a few later frames, in order; a frame in which it
            was not found has none.
    """

    frame_rate: FrameRate
    frame_count: int = Field(gt=0)
    has_sound: bool
    later_faces: tuple[CropBox, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long the clip plays, s."""
        return float(self.frame_count / self.frame_rate)


class VoiceFindings(Value):
    """What the gate found in a voice message or any other sound, and the files it wrote.

    Attributes:
        file: the sound that the video gets, AAC in an m4a file.
        curves: how a mouth speaks it, see `inference/voice/speech.py`.
        name: the original file name, for error messages.
        frame_count: number of frames of `SPEECH_FRAME_RATE` that cover the sound.
        warnings: what the person should know before going on.
    """

    file: FileRef
    curves: FileRef
    name: str = ""
    frame_count: int = Field(gt=0)
    warnings: tuple[MediaWarning, ...] = ()

    @property
    def path(self) -> Path:
        """The sound where it is a path."""
        return Path(self.file)

    @property
    def curves_path(self) -> Path:
        """The curves where they are a path."""
        return Path(self.curves)

    @property
    def duration_s(self) -> float:
        """How long it is, s."""
        return self.frame_count / SPEECH_FRAME_RATE
