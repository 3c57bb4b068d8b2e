"""A voice leads the face: as curves where the engine evaluates them, else shown on a portrait."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Self

from inference.engine import Driving
from inference.faces.finder import find_faces
from inference.faces.loading import landmarker
from inference.template_build import drawn_frames, driving_portrait
from inference.voice.speech import Speech, read_speech
from jobs.errors import RecordedHead
from jobs.findings import VoiceFindings
from jobs.model import Face
from jobs.templates import CurveMotion, Template


@dataclass(frozen=True)
class ShownSpeech:
    """A speech for engines that need a clip: the sample portrait speaks it.

    It has no identity, so that nothing of a person's voice stays in an engine's cache.
    """

    speech: Speech
    face: Face

    @classmethod
    def of(cls, speech: Speech, checkpoints_dir: Path) -> Self:
        """Return the speech with the portrait's face; in its first frame, that is at rest.

        Engines compare each frame with the first one, also if the sound begins with an open mouth.

        Raises:
            OperatorError: the landmark network cannot be loaded.
        """
        values = speech.values.copy()
        values[0] = 0
        face = find_faces(driving_portrait(), landmarker(checkpoints_dir))[0]
        return cls(replace(speech, values=values), face)

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return self.speech.frame_count

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return self.speech.frame_rate

    @contextmanager
    def opened(self) -> Iterator[Driving]:
        """The frames as an engine takes them, while the block lasts; rendered as they are read."""
        with closing(drawn_frames(self.speech)) as frames:
            yield Driving(
                frames,
                self.face,
                frame_rate=self.frame_rate,
                frame_count=self.frame_count,
            )


def speech_of(voice: VoiceFindings, template: Template | None) -> Speech:
    """Return how a voice moves a face.

    Args:
        voice: what the gate found.
        template: leads everything but the mouth; None: the voice leads all.

    Raises:
        RecordedHead: the template is a recorded one.
        BrokenSpeech: the curves cannot be used.
    """
    speech = read_speech(voice.curves_path)
    return speech if template is None else replace(speech, head=head_of(template))


def head_of(template: Template) -> CurveMotion:
    """Return the movement that leads the head while a voice leads the mouth.

    Raises:
        RecordedHead: it is a recorded one.
    """
    if not isinstance(template.motion, CurveMotion):
        raise RecordedHead(name=template.name)
    return template.motion
