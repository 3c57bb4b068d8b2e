"""The main path: a photo and a movement become an mp4.

It streams: frames are read, animated, pasted back and encoded a few at a time, so that memory does
not grow with the clip's length. It takes only what the gate has written (`inference.media.gate`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from inference.engine import Driving, Engine, Picture
from inference.flow.track import Track
from inference.media.photo import read_normalised
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.paste import paste_back
from jobs.errors import Cancelled
from jobs.model import CropBox, Face
from jobs.templates import CurveMotion

COMMENT = "AI-generated: a portrait animated with Animato"

Report = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames, once per batch."""


@dataclass(frozen=True)
class DrivingClip:
    """A normalised clip and what an engine is told of it (`inference.engine.Driving`)."""

    path: Path
    face: Face
    frame_rate: Fraction
    frame_count: int
    later_faces: tuple[CropBox, ...] = ()
    identity: str | None = None


@dataclass(frozen=True)
class Animation:
    """What is to be made.

    Attributes:
        photo: the normalised photo.
        face: whose face moves, in px of the photo.
        movement: a clip, or a motion for an engine that evaluates motions.
        is_pasted_back: whether the whole photo is shown, or only the part that the engine makes.
        has_audio: whether the clip's sound is kept.
        loop: how often the movement is shown; more than once only without sound.
    """

    photo: Path
    face: Face
    movement: DrivingClip | CurveMotion | Track
    is_pasted_back: bool = True
    has_audio: bool = True
    loop: int = 1


@dataclass(frozen=True)
class AnimationResult:
    """What was made: an mp4, its size in px, and how long it took."""

    path: Path
    width: int
    height: int
    frame_count: int
    frame_rate: Fraction
    elapsed_s: float


def animate_photo(
    animation: Animation,
    engine: Engine,
    output: Path,
    *,
    report: Report = lambda _done, _total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> AnimationResult:
    """Makes the mp4 `output`; it appears there whole or not at all.

    Raises:
        Cancelled: `is_cancelled` said so between two batches.
        MediaError: the photo or the clip cannot be read.
        OutputNotWritable, DiskFull, EncoderFailed: the mp4 cannot be written.
    """
    started = time.monotonic()
    photo = read_normalised(animation.photo)
    crop = engine.crop_for(animation.face, photo)
    engine.prepare(photo, animation.face)

    def shown(frame: Picture) -> Picture:
        return paste_back(photo, frame, crop) if animation.is_pasted_back else frame

    movement = animation.movement
    width, height = crop.frame_width, crop.frame_height
    if animation.is_pasted_back:
        height, width = photo.shape[:2]
    with (
        _opened(movement) as driving,
        VideoWriter(
            output,
            width,
            height,
            movement.frame_rate,
            audio_from=_sound_of(animation),
            comment=COMMENT,
            loop=animation.loop,
        ) as writer,
    ):
        motion = None if isinstance(movement, DrivingClip) else movement
        for batch in engine.animate(driving, motion):
            for frame in batch:
                writer.write(shown(frame))
            report(writer.frame_count, movement.frame_count)
            if is_cancelled():
                raise Cancelled
    file_width, file_height = writer.file_size
    return AnimationResult(
        path=output,
        width=file_width,
        height=file_height,
        frame_count=writer.file_frame_count,
        frame_rate=writer.file_frame_rate,
        elapsed_s=time.monotonic() - started,
    )


@contextmanager
def _opened_clip(clip: DrivingClip) -> Iterator[Driving]:
    with ClipReader(clip.path) as frames:
        yield Driving(frames, clip.face, clip.later_faces, clip.frame_rate, clip.identity)


def _opened(movement: DrivingClip | CurveMotion | Track) -> AbstractContextManager[Driving | None]:
    return _opened_clip(movement) if isinstance(movement, DrivingClip) else nullcontext()


def _sound_of(animation: Animation) -> Path | None:
    movement = animation.movement
    return movement.path if animation.has_audio and isinstance(movement, DrivingClip) else None
