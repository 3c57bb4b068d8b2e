"""The main path: a wish becomes an mp4.

Frames are read, animated, pasted back and encoded a few at a time, so memory does not grow with the
clip's length. The input is only what the gate wrote (`inference/media/gate.py`).
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from inference.arrays import Picture
from inference.choose import (
    DrivingClip,
    TemplateSource,
    faces_to_move,
    faces_to_spare,
    motions_side_by_side,
    one_movement,
)
from inference.engine import Driving, Engine, Motion
from inference.media.photo import read_normalised
from inference.media.visible_mark import Ground, VisibleMark
from inference.media.writer import VideoWriter
from inference.paste import paste_back
from inference.show_all import CRF, close_up, lengths_of, sheet_ground, sheets
from inference.speaking import ShownSpeech
from jobs.errors import Cancelled
from jobs.model import CropBox
from jobs.show_all import FRAME_RATE, frame_count, work_for_lengths
from jobs.wish import Video, Wish

COMMENT = "AI-generated: a portrait animated with Animato"

Report = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames, once per batch."""


@dataclass(frozen=True)
class Listener:
    """Follows an animation.

    Attributes:
        report: called after every batch.
        is_cancelled: asked after every batch.
        show: called with the first frame of the video.
    """

    report: Report = lambda _done, _total: None
    is_cancelled: Callable[[], bool] = lambda: False
    show: Callable[[Picture], None] = lambda _frame: None


@dataclass(frozen=True)
class FrameStream:
    """The frames of a video about to be written.

    Attributes:
        batches: frames, uint8 (height, width, 3) RGB.
        width: px.
        height: px.
        frame_rate: frames per second, exact.
        frame_count: number of frames, as far as is known.
        face_count: how many faces move.
        work_frames: work in frames of an ordinary video; None: as many as are written x faces.
        audio_from: the clip or voice whose sound it gets, or None.
        crf: quality, as `VideoWriter` takes it.
        mark: the visible mark that the frames get, or None.
    """

    batches: Iterable[Iterable[Picture]]
    width: int
    height: int
    frame_rate: Fraction
    frame_count: int
    face_count: int = 1
    work_frames: int | None = None
    audio_from: Path | None = None
    crf: int = 18
    mark: VisibleMark | None = None


def animate_photo(
    wish: Wish,
    engine: Engine,
    output: Path,
    source: TemplateSource,
    listener: Listener | None = None,
) -> Video:
    """Make the video `output`; it appears there whole or not at all.

    Args:
        wish: what is wanted; its files are paths.
        engine: makes the frames.
        output: where the video goes.
        source: where templates are found.
        listener: follows the work and may stop it.

    Raises:
        Cancelled: the listener requested it.
        UserError: photo, clip, face or template cannot be used.
        OutputNotWritable, DiskFull, EncoderFailed: the video cannot be written.
    """
    started = time.monotonic()
    listener = listener or Listener()
    make = _side_by_side if wish.movement.templates else _animated
    with (
        make(wish, engine, source) as stream,
        VideoWriter(
            output,
            stream.width,
            stream.height,
            stream.frame_rate,
            audio_from=stream.audio_from,
            comment=COMMENT,
            description=stream.mark.note if stream.mark else "",
            loop=wish.loop,
            crf=stream.crf,
        ) as writer,
    ):
        for batch in stream.batches:
            for frame in batch:
                shown = stream.mark.drawn(frame) if stream.mark else frame
                writer.write(shown)
                if writer.frame_count == 1:
                    listener.show(shown)
            listener.report(writer.frame_count, stream.frame_count)
            if listener.is_cancelled():
                raise Cancelled
    width, height = writer.file_size
    return Video(
        size_bytes=output.stat().st_size,
        width=width,
        height=height,
        frame_count=writer.file_frame_count,
        frame_rate=writer.file_frame_rate,
        has_sound=writer.has_sound,
        engine=engine.name,
        label=engine.label,
        digital_source_type=engine.digital_source_type,
        work_frames=stream.work_frames or writer.frame_count * stream.face_count,
        render_s=time.monotonic() - started,
    )


@contextmanager
def _animated(wish: Wish, engine: Engine, source: TemplateSource) -> Iterator[FrameStream]:
    """The photo with one movement, pasted back unless only the moving part is wanted."""
    movement = one_movement(wish, engine, source)
    photo = read_normalised(wish.photo.path)
    faces = faces_to_move(wish, engine, photo)
    engine.still_faces = faces_to_spare(wish, faces)
    crop = engine.crop_for(faces, photo)
    engine.prepare(photo, faces)
    view = wish.view or CropBox(left=0, upper=0, right=photo.shape[1], lower=photo.shape[0])
    part, width, height = crop.box, crop.frame_width, crop.frame_height
    if wish.paste_back:
        part, width, height = view, view.width, view.height
    boxes = [face.box for face in (*wish.photo.faces, *faces)]
    ground = Ground.of_part(part, width, boxes, moving=crop.box)

    def whole(frame: Picture) -> Picture:
        pasted = paste_back(photo, frame, crop)
        return pasted[view.upper : view.lower, view.left : view.right]

    def shown(driving: Driving | None, motion: "Motion | None") -> Generator[Iterable[Picture]]:
        for batch in engine.animate(driving, motion):
            yield (whole(frame) if wish.paste_back else frame for frame in batch)

    with ExitStack() as stack:
        driving, motion = None, None
        if isinstance(movement, DrivingClip | ShownSpeech):
            driving = stack.enter_context(movement.opened())
        else:
            motion = movement
        yield FrameStream(
            stack.enter_context(closing(shown(driving, motion))),
            width,
            height,
            movement.frame_rate,
            movement.frame_count,
            len(faces),
            audio_from=_sound_of(wish),
            mark=VisibleMark.on(ground) if wish.mark else None,
        )


def _sound_of(wish: Wish) -> Path | None:
    """The file with the sound that the video gets."""
    leader = wish.voice or (wish.clip if wish.clip is not None and wish.clip.has_sound else None)
    return leader.path if leader is not None and wish.audio else None


@contextmanager
def _side_by_side(wish: Wish, engine: Engine, source: TemplateSource) -> Iterator[FrameStream]:
    """The face with several movements side by side (`inference/show_all.py`)."""
    motions = motions_side_by_side(wish, engine, source)
    photo = read_normalised(wish.photo.path)
    face = faces_to_move(wish, engine, photo)[0]
    close = close_up(photo, face, faces_to_spare(wish, [face]))
    lengths = lengths_of(motions)
    ground = sheet_ground(close, len(motions))
    with closing(sheets(close, motions, engine)) as frames:
        yield FrameStream(
            ([frame] for frame in frames),
            ground.width,
            ground.height,
            frame_rate=Fraction(FRAME_RATE),
            frame_count=frame_count(lengths),
            work_frames=work_for_lengths(lengths),
            crf=CRF,
            mark=VisibleMark.on(ground) if wish.mark else None,
        )
