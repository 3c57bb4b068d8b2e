"""Other forms of a result: a longer video, a round one, a GIF, a video sticker.

    make_form -> VIDEO    the pictures repeated without encoding them again, with silence
                 ROUND    a square around the face, as Telegram's video notes are
                 GIF      `AnimatedPicture`
                 STICKER  VP9 with alpha, at most 3 s and 256 KB

The file's comment, which tells how the result was made, is kept in each form. The visible mark is
drawn anew where what is cut out would not show it.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.media.animated_picture import AnimatedPicture
from inference.media.clip_frames import clip_frames
from inference.media.ffmpeg import THREADS, Ffmpeg, file_url, input_arguments
from inference.media.probe import VideoProbe, open_container, probe
from inference.media.thumbnail import write_thumbnail
from inference.media.visible_mark import Ground, VisibleMark, noted
from inference.media.writer import BT709
from jobs.errors import DiskFull, EncoderFailed, MediaDamaged
from jobs.media_tasks import Form, Made, MakeForm
from jobs.model import CropBox, square_inside

_VIDEO_LEAST_S = 8.0
_ROUND_MOST_S, _ROUND_LEAST_PX, _ROUND_MOST_PX = 59.0, 384, 640
_GIF_MOST_S = 15.0
STICKER_PX = 512
_STICKER_MOST_S, _STICKER_FPS, _STICKER_BYTES = 2.95, 30, 256_000
# A seamless movement is shown faster, up to this, so that the sticker can loop.
_STICKER_FASTEST = 1.5
_STICKER_RATES_KBIT = (600, 420, 280, 160, 80)
# The side of the square around a face, in sides of the face's box; video notes are shown round.
_ROUND_SHARE, _STICKER_SHARE = 2.4, 2.04
_LEAST_SQUARE_PX = 96
# The half axes of the oval around a head, in the same unit; and how much of them there must be.
_OVAL, _OVAL_LEAST = (0.82, 1.0), 0.8
_RIM_PX = 10
# The height of the visible mark in forms that are shown small, of their width.
_ROUND_MARK, _STICKER_MARK_PX = 0.065, 44


def make_form(task: MakeForm, folder: Path) -> Made:
    """Make a form of a result, and for videos a thumbnail.

    Raises:
        MediaError: the result cannot be read.
        EncoderFailed: ffmpeg failed, with its last message.
        DiskFull: no room.
    """
    source = Path(task.video)
    result = _Result(source, task, probe(source), _metadata(source))
    make = {
        Form.VIDEO: _video,
        Form.ROUND: _round,
        Form.GIF: _gif,
        Form.STICKER: _sticker,
    }[task.form]
    return make(result, folder)


@dataclass(frozen=True)
class _Result:
    """A result to be converted.

    Attributes:
        path: its file.
        task: what to make of it.
        shown: its size, rate and length.
        metadata: of the file.
    """

    path: Path
    task: MakeForm
    shown: VideoProbe
    metadata: dict[str, str]

    @property
    def comment(self) -> str:
        """Tells how it was made."""
        return self.metadata.get("comment", "")

    @property
    def mark(self) -> CropBox | None:
        """Where its pictures have the visible mark, px."""
        return noted(self.metadata.get("description", ""))

    @property
    def faces(self) -> tuple[CropBox, ...]:
        """The boxes of all its faces, px."""
        own = self.task.face_box
        return (*(() if own is None else (own,)), *self.task.other_faces)

    @property
    def duration_s(self) -> float:
        """How long it plays, s."""
        if not self.shown.duration_s:
            raise MediaDamaged(name=self.path.name)
        return self.shown.duration_s


def _video(result: _Result, folder: Path) -> Made:
    target, shown = folder / "video.mp4", result.shown
    times = 1
    if result.task.is_seamless and not shown.has_audio:
        times = max(1, math.ceil(_VIDEO_LEAST_S / result.duration_s))
    inputs = ["-stream_loop", str(times - 1), *input_arguments(result.path)]
    sound = ["-map", "0:a:0", "-c:a", "copy"]
    if not shown.has_audio:
        # Telegram turns silent videos into animations.
        inputs += ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono"]
        sound = ["-map", "1:a:0", "-c:a", "aac", "-b:a", "32k", "-shortest"]
    mark = VisibleMark(result.mark) if result.mark else None
    _run([*inputs, "-map", "0:v:0", "-c:v", "copy", *sound, *_mp4(result, mark)], target)
    return _made(target, (shown.width, shown.height), result.duration_s * times, has_sound=True)


def _round(result: _Result, folder: Path) -> Made:
    target, square = folder / "round.mp4", _square(result, _ROUND_SHARE)
    side = min(_ROUND_MOST_PX, max(_ROUND_LEAST_PX, square.width)) // 2 * 2
    sound = ["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k"] if result.shown.has_audio else ["-an"]
    seen = np.zeros((side, side), np.uint8)
    cv2.circle(seen, (side // 2, side // 2), side // 2, (255,), -1)
    ground = Ground.of_part(square, side, result.faces, mark_px=_ROUND_MARK * side, is_round=True)
    mark, drawn, pictures = _new_mark(result, square, seen, ground), [], _crop(square, side)
    if mark is not None:
        overlay = folder / "mark.png"
        Image.fromarray(mark.on_nothing(side, side)).save(overlay)
        drawn = ["-f", "image2", "-i", file_url(overlay)]
        pictures += "[v];[v][1:v]overlay"
    arguments = [
        *(*input_arguments(result.path), *drawn),
        *("-filter_complex", f"[0:v]{pictures},format=yuv420p,setsar=1,{BT709}[shown]"),
        *("-map", "[shown]", *sound, "-t", f"{_ROUND_MOST_S:.3f}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-profile:v", "high"),
        *("-threads", str(THREADS), *_mp4(result, mark)),
    ]
    _run(arguments, target)
    duration_s = min(_ROUND_MOST_S, result.duration_s)
    return _made(target, (side, side), duration_s, has_sound=result.shown.has_audio)


def _gif(result: _Result, folder: Path) -> Made:
    target, shown = folder / "animation.gif", result.shown
    picture = AnimatedPicture(".gif", shown.width, shown.height, shown.frame_rate)
    most = int(_GIF_MOST_S * shown.frame_rate)
    width, height = picture.size
    for number, frame in enumerate(clip_frames(result.path, shown.width, shown.height)):
        if number == most:
            break
        picture.add(frame.picture())
    try:
        picture.save(target, result.comment)
    except OSError as exc:
        raise DiskFull(path=str(target)) from exc
    return Made(
        names=(target.name,),
        size_bytes=target.stat().st_size,
        width=width,
        height=height,
        duration_s=min(_GIF_MOST_S, result.duration_s),
    )


def _sticker(result: _Result, folder: Path) -> Made:
    target, mask, rim = (folder / name for name in ("sticker.webm", "mask.png", "rim.png"))
    square = _square(result, _STICKER_SHARE)
    mark = _draw_outline(square, result, mask, rim)
    faster = 1.0
    if result.task.is_seamless:
        faster = min(_STICKER_FASTEST, max(1.0, result.duration_s / _STICKER_MOST_S))
    duration_s = min(_STICKER_MOST_S, result.duration_s / faster)
    rate = min(Fraction(_STICKER_FPS), result.shown.frame_rate)
    pictures = (
        f"[0:v]{_crop(square, STICKER_PX)},setpts=PTS/{faster:.6f},fps={rate}[v];"
        "[v][2:v]overlay=format=auto,format=yuva420p[w];[1:v]format=gray[m];[w][m]alphamerge"
    )
    for rate_kbit in _STICKER_RATES_KBIT:
        arguments = [
            *input_arguments(result.path),
            *("-f", "image2", "-loop", "1", "-i", file_url(mask)),
            *("-f", "image2", "-loop", "1", "-i", file_url(rim)),
            *("-filter_complex", pictures, "-an", "-t", f"{duration_s:.6f}"),
            *("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"),
            *("-b:v", f"{rate_kbit}k", "-deadline", "good", "-cpu-used", "4", "-row-mt", "1"),
            *("-threads", str(THREADS), *_tags(result, mark), "-f", "webm"),
        ]
        _run(arguments, target)
        size_bytes = target.stat().st_size
        if size_bytes <= _STICKER_BYTES:
            return Made(
                names=(target.name,),
                size_bytes=size_bytes,
                width=STICKER_PX,
                height=STICKER_PX,
                duration_s=duration_s,
            )
    raise EncoderFailed(reason=f"the sticker has {size_bytes} bytes")


def _square(result: _Result, share: float) -> CropBox:
    """Return a square part around the face, inside the picture.

    Args:
        result: with the face.
        share: the side of the square, in sides of the face's box.
    """
    width, height = result.shown.width, result.shown.height
    box = result.task.face_box
    if box is None:
        return square_inside((width / 2, height / 2), width, width, height)
    side = max(_LEAST_SQUARE_PX, share * max(box.width, box.height))
    return square_inside(box.centre, side, width, height)


def _crop(square: CropBox, side: int) -> str:
    """Return ffmpeg's filters that cut out a square and scale it."""
    size = f"{square.width}:{square.height}:{square.left}:{square.upper}"
    return f"crop={size}:exact=1,scale={side}:{side}:flags=lanczos"


def _new_mark(
    result: _Result, square: CropBox, seen: npt.NDArray[np.uint8], ground: Ground
) -> VisibleMark | None:
    """Return the visible mark of a form that shows a part of a marked result.

    None if the result has none, or if the form shows the result's own.

    Args:
        result: the result.
        square: the part that the form shows, px of the result.
        seen: where the form is seen, 255, or not, 0.
        ground: the form's.
    """
    if result.mark is None:
        return None
    place = result.mark.moved(-square.left, -square.upper).scaled(ground.width / square.width)
    is_inside = min(place.sides) >= 0 and max(place.sides) <= ground.width
    if is_inside and seen[place.upper : place.lower, place.left : place.right].min() == 255:
        return None
    return VisibleMark.on(ground)


def _draw_outline(square: CropBox, result: _Result, mask: Path, rim: Path) -> VisibleMark | None:
    """Draw a sticker's outline: an oval around the head, or a square with round corners.

    Args:
        square: the part of the video that becomes the sticker.
        result: the video.
        mask: what is opaque; a PNG, grey.
        rim: the white rim inside of it, and the visible mark, which is returned; a PNG with alpha.
    """
    outer = np.zeros((STICKER_PX, STICKER_PX), np.uint8)
    inner = outer.copy()
    oval = _oval(square, result.task.face_box)
    for picture, inset in ((outer, 0), (inner, _RIM_PX)):
        if oval is not None:
            centre, (width, height) = oval
            axes = width - inset, height - inset
            cv2.ellipse(picture, centre, axes, 0, 0, 360, (255,), -1, cv2.LINE_AA)
            continue
        radius = STICKER_PX // 8
        ends = inset + radius, STICKER_PX - inset - radius
        sides = inset, STICKER_PX - 1 - inset
        cv2.rectangle(picture, (ends[0], sides[0]), (ends[1], sides[1]), (255,), -1)
        cv2.rectangle(picture, (sides[0], ends[0]), (sides[1], ends[1]), (255,), -1)
        for x in ends:
            for y in ends:
                cv2.circle(picture, (x, y), radius, (255,), -1, cv2.LINE_AA)
    white = np.full((STICKER_PX, STICKER_PX, 4), 255, np.uint8)
    white[..., 3] = 255 - inner
    over = Image.fromarray(white)
    ground = Ground.of_part(square, STICKER_PX, result.faces, mark_px=_STICKER_MARK_PX, gap_px=26)
    if oval is not None:
        # Heads are inside of it, the mark is outside: only the faces themselves must stay free.
        ground = replace(ground, faces=(), drawn=ground.faces, gap_px=6)
    mark = _new_mark(result, square, inner, ground)
    if mark is not None:
        alone = mark.on_nothing(STICKER_PX, STICKER_PX)
        over.alpha_composite(Image.fromarray(alone))
        outer = np.maximum(outer, np.minimum(2 * alone[..., 3].astype(int), 255)).astype(np.uint8)
    over.save(rim)
    Image.fromarray(outer).save(mask)
    return mark


def _oval(
    square: CropBox, face_box: CropBox | None
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return centre and half axes of an oval around the head, px of the sticker.

    None if there is no face, or not enough picture around it.
    """
    if face_box is None:
        return None
    scale = STICKER_PX / square.width
    side = max(face_box.width, face_box.height) * scale
    x = round((face_box.centre[0] - square.left) * scale)
    y = round((face_box.centre[1] - square.upper) * scale)
    width, height = (
        min(half * side, place, STICKER_PX - 1 - place)
        for half, place in zip(_OVAL, (x, y), strict=True)
    )
    if width < _OVAL_LEAST * _OVAL[0] * side or height < _OVAL_LEAST * _OVAL[1] * side:
        return None
    return (x, y), (round(width), round(height))


def _made(target: Path, size: tuple[int, int], duration_s: float, *, has_sound: bool) -> Made:
    """Return what was made of a video, with a thumbnail beside it."""
    width, height = size
    thumbnail = target.with_name("thumbnail.jpg")
    frame = next(clip_frames(target, width, height))
    write_thumbnail(frame.picture(), thumbnail)
    return Made(
        names=(target.name, thumbnail.name),
        size_bytes=target.stat().st_size,
        width=width,
        height=height,
        duration_s=duration_s,
        has_sound=has_sound,
    )


def _mp4(result: _Result, mark: VisibleMark | None) -> list[str]:
    return [*_tags(result, mark), "-movflags", "+faststart", "-f", "mp4"]


def _tags(result: _Result, mark: VisibleMark | None) -> list[str]:
    """Return the ffmpeg arguments for a form's metadata."""
    note = ["-metadata", f"description={mark.note}"] if mark else []
    return ["-map_metadata", "-1", "-metadata", f"comment={result.comment}", *note]


def _run(arguments: list[str], target: Path) -> None:
    """Run ffmpeg.

    Raises:
        DiskFull: no room.
        EncoderFailed: it failed.
    """
    with Ffmpeg([*arguments, "-y", file_url(target)]) as ffmpeg:
        status = ffmpeg.finish()
    if ffmpeg.is_disk_full:
        raise DiskFull(path=str(target))
    if status != 0:
        raise EncoderFailed(reason=ffmpeg.last_message)


def _metadata(path: Path) -> dict[str, str]:
    with open_container(path) as video:
        return dict(video.metadata)
