"""Check a clip for a movement of the owner's: crop it to the head, measure its track, preview it.

the clip -> gate -> cropped to a square, silent: clip.mp4
-> its track: track.npz
-> the movement on the portrait of the shipped movements: preview.mp4
"""

import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from inference.media.gate import ClipPart, LookLimits, look_at_clip
from inference.media.limits import ClipLimits
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.mesh.measuring import measure_track
from inference.mesh.track import Track, write_track
from inference.square_crop import clip_square, crop_square
from inference.template_build import drawn_frames
from jobs.errors import FaceNotFollowed, NoFaceInClip
from jobs.findings import ClipFindings
from jobs.media_tasks import CheckTemplate, Made
from jobs.model import CropBox, square_inside

CLIP, TRACK, PREVIEW = "clip.mp4", "track.npz", "preview.mp4"
# The square around the face, in sides of the face's box: the head and the shoulders.
_MARGIN = 2.2
_LEAST_PX, _MOST_PX = 64, 512
_PREVIEW_PX, _PREVIEW_STEP = 320, 2
_COMMENT = "A movement of this bot's owner"
_PREVIEW_COMMENT = "AI-generated: a recorded movement on a public-domain portrait (NASA)"


def check_template(task: CheckTemplate, folder: Path, checkpoints_dir: Path) -> Made:
    """Make the files of a movement; the facts are the cropped clip's `ClipFindings`.

    Raises:
        MediaError: the clip cannot be used, or shows no face that can be followed.
        DiskFull, EncoderFailed: a file cannot be written.
    """
    source = Path(task.clip)
    limits = LookLimits.for_clips(ClipLimits(max_duration_s=task.clip_s))
    limits = replace(limits, checkpoints_dir=checkpoints_dir)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        look = look_at_clip(ClipPart(source), Path(work), limits)
        if not look.faces:
            raise FaceNotFollowed(name=source.name)
        clip = _crop(look, folder / CLIP)
    try:
        with ClipReader(clip.path) as frames:
            track = measure_track(frames, clip.faces[0], clip.frame_rate)
    except NoFaceInClip as error:
        raise FaceNotFollowed(name=source.name) from error
    write_track(track, folder / TRACK)
    _preview(track, folder / PREVIEW)
    return Made(
        names=(PREVIEW, CLIP, TRACK),
        size_bytes=(folder / PREVIEW).stat().st_size,
        width=_PREVIEW_PX,
        height=_PREVIEW_PX,
        duration_s=clip.duration_s,
        facts={"clip": clip.model_copy(update={"file": CLIP}).model_dump(mode="json")},
    )


def _crop(look: ClipFindings, target: Path) -> ClipFindings:
    """Write the square around the head, and return what is in it."""
    boxes = (look.faces[0].box, *look.later_faces)
    wanted = clip_square(boxes, _MARGIN)
    square = square_inside(wanted.centre, wanted.width, look.width, look.height)
    side = min(_MOST_PX, max(_LEAST_PX, square.width)) // 2 * 2
    with (
        ClipReader(look.path) as frames,
        VideoWriter(target, side, side, look.frame_rate, comment=_COMMENT) as writer,
    ):
        for frame in frames:
            writer.write(crop_square(frame, square, side))

    def moved(box: CropBox) -> CropBox:
        return box.moved(-square.left, -square.upper).scaled(side / square.width)

    face = look.faces[0].model_copy(update={"box": moved(look.faces[0].box)})
    return ClipFindings(
        file=str(target),
        width=side,
        height=side,
        original_width=side,
        original_height=side,
        faces=(face,),
        later_faces=tuple(map(moved, look.later_faces)),
        warnings=look.warnings,
        frame_rate=look.frame_rate,
        frame_count=look.frame_count,
        has_sound=False,
    )


def _preview(track: Track, target: Path) -> None:
    rate = track.frame_rate / _PREVIEW_STEP
    side = _PREVIEW_PX
    with VideoWriter(target, side, side, rate, comment=_PREVIEW_COMMENT, crf=22) as writer:
        for frame in islice(drawn_frames(track), 0, None, _PREVIEW_STEP):
            small = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
            writer.write(np.asarray(small, dtype=np.uint8))
