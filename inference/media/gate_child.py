"""The gate's child: decodes one stranger's file under limits and reports what it found.

    stdin   {"kind": "photo" | "clip" | "voice" | "media", "source", "files", "folder",
             "memory_bytes", "cpu_s", "file_bytes", "niceness", "checkpoints_dir", ...}
    stdout  {"ready": true}               the libraries are loaded, decoding begins
            PhotoFindings, ClipFindings, VoiceFindings or Made; {"error", "fields"} if the file
            cannot be used

It writes only into `folder`, reads besides that only the files of its request, and has no network
(`inference/process/confinement.py`). `inference/media/gate.py` starts it and kills it if it hangs.
It ends by itself if its parent dies or `cpu_s` of processor time are used up. The limits are set
before any decoder is loaded.
"""

import errno
import json
import math
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from inference.process.confinement import confine
from inference.process.niceness import lower_priority

if TYPE_CHECKING:
    from inference.media.photo import Photo
    from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
    from jobs.model import Face, MediaWarning

_OPEN_FILES = 256
_CPU_MARGIN_S = 5  # between the soft and the hard limit on processor time
_DARK = 40  # mean luminance of the face, of 255
_SMALL_FACE_PX = 64
# Longer side of the frames in which faces and cuts are searched.
_CLIP_VIEW_PX = 640
# A mouth that opens no further than this has found no voice to speak; music alone makes it flicker.
_SHUT = 0.15


def main() -> None:
    """Read the request, set the limits, and answer."""
    request = json.load(sys.stdin)
    answers = _own_answer_channel()
    _limit(request["memory_bytes"], request["cpu_s"], request["file_bytes"])
    lower_priority(request["niceness"])
    _confine(request)
    _end_in_time(request["parent"], request["cpu_s"])
    from jobs.errors import AnimatoError, DecoderFailed, DiskFull  # noqa: PLC0415

    source = Path(request["source"])
    try:
        look = _load(request)
    except AnimatoError as error:
        look = _refusal(error)
    _say(answers, json.dumps({"ready": True}))
    try:
        answer = look(source, Path(request["folder"]), request).model_dump_json()
    except MemoryError:
        failed = DecoderFailed(name=source.name, reason="it needed too much memory")
        answer = json.dumps(failed.to_dict())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        answer = json.dumps(DiskFull(path=tempfile.gettempdir()).to_dict())
    except AnimatoError as error:
        answer = json.dumps(error.to_dict())
    # An ffmpeg that reaches the limit on processor time ends as if the clip did, or fails.
    if _used_s() >= request["cpu_s"]:
        answer = json.dumps(DecoderFailed(name=source.name, reason="it took too long").to_dict())
    _say(answers, answer)


def _own_answer_channel() -> TextIO:
    """The original stdout; from now on, what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


def _limit(memory_bytes: int, cpu_s: float, file_bytes: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        # For each process; `_end_in_time` adds those that have ended.
        resource.RLIMIT_CPU: math.ceil(cpu_s),
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        # At the hard limit on processor time Linux sends SIGKILL, as the out-of-memory killer does;
        # SIGXCPU, at the soft limit, is unambiguous.
        margin = _CPU_MARGIN_S if kind == resource.RLIMIT_CPU else 0
        soft, ceiling = (
            value if hard == resource.RLIM_INFINITY else min(value, hard)
            for value in (limit, limit + margin)
        )
        # macOS refuses the limit on memory.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (soft, ceiling))


def _confine(request: dict[str, Any]) -> None:
    """Confine this process to the files of its request."""
    if request.get("task", {}).get("kind") == "template":
        return  # it starts a look at the clip, and reads only what that has written
    from inference.media.ffmpeg import programs  # noqa: PLC0415

    networks = Path(request["checkpoints_dir"]).glob("*.task")
    files = map(Path, (request["source"], *request.get("files", ())))
    confine([*files, *networks], Path(request["folder"]), programs())


def _used_s() -> float:
    """Return the processor time of this process and its ended children, s."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _end_in_time(parent: int, cpu_s: float) -> None:
    """End this process if its processor time is used up or its parent has died."""

    def watch() -> None:
        while os.getppid() == parent:
            if _used_s() >= cpu_s:
                os.kill(os.getpid(), signal.SIGXCPU)
            time.sleep(0.5)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _load(request: dict[str, Any]) -> Any:
    """Load what that kind of file needs and return the function that looks at it.

    Raises:
        OperatorError: the landmark network cannot be loaded.
    """
    if request["kind"] == "voice":
        import inference.voice.analysis  # noqa: PLC0415

        return _look_at_voice
    import cv2  # noqa: PLC0415

    # Each thread reserves address space, which is limited.
    cv2.setNumThreads(2)
    if request["kind"] == "media":
        from inference.media.media_tasks import do_task  # noqa: PLC0415

        return do_task
    if request["kind"] == "clip":
        import inference.media.normalised_clip  # noqa: F401, PLC0415

        return _look_at_clip
    _load_network(request)
    return _look_at_photo


def _load_network(request: dict[str, Any]) -> None:
    """Load the landmark network, if faces are looked for.

    Raises:
        OperatorError: it cannot be loaded.
    """
    if request["find_faces"]:
        from inference.faces.loading import landmarker  # noqa: PLC0415

        landmarker(Path(request["checkpoints_dir"]))


def _refusal(error: Exception) -> Any:
    def look(*_: object) -> None:
        raise error

    return look


def _look_at_photo(source: Path, folder: Path, request: dict[str, Any]) -> "PhotoFindings":
    from inference.faces.finder import find_faces  # noqa: PLC0415
    from inference.media.limits import PhotoLimits  # noqa: PLC0415
    from inference.media.numbered_sheet import draw_faces, draw_grid  # noqa: PLC0415
    from inference.media.photo import read_photo, write_png  # noqa: PLC0415
    from jobs.findings import PhotoFindings  # noqa: PLC0415

    photo = read_photo(source, PhotoLimits(**request["limits"]))
    picture = photo.picture
    faces = find_faces(picture) if request["find_faces"] else ()
    write_png(picture, folder / "photo.png")
    sheet = draw_faces(picture, faces) if faces else draw_grid(picture)
    write_png(sheet, folder / "sheet.png")
    return PhotoFindings(
        file=str(folder / "photo.png"),
        sheet=str(folder / "sheet.png"),
        name=_shown(source),
        width=picture.shape[1],
        height=picture.shape[0],
        original_width=photo.original_width,
        original_height=photo.original_height,
        faces=faces,
        warnings=_photo_warnings(photo, faces),
    )


def _photo_warnings(photo: "Photo", faces: "tuple[Face, ...]") -> "tuple[MediaWarning, ...]":
    from jobs.model import MediaWarning  # noqa: PLC0415

    warnings = [MediaWarning.PHOTO_CUT] if photo.is_cut else []
    part = picture = photo.picture
    if faces:
        box = faces[0].box
        part = picture[max(0, box.upper) : box.lower, max(0, box.left) : box.right]
        if box.width < _SMALL_FACE_PX:
            warnings.append(MediaWarning.SMALL_FACE)
    # ITU-R BT.601 luminance.
    red, green, blue = part.reshape(-1, 3).mean(axis=0)
    if 0.299 * red + 0.587 * green + 0.114 * blue < _DARK:
        warnings.append(MediaWarning.VERY_DARK)
    return tuple(warnings)


def _look_at_clip(source: Path, folder: Path, request: dict[str, Any]) -> "ClipFindings":
    from inference.media.limits import ClipLimits  # noqa: PLC0415
    from inference.media.normalised_clip import normalise_clip  # noqa: PLC0415

    with ThreadPoolExecutor(max_workers=1) as beside:
        normalising = beside.submit(
            normalise_clip,
            source,
            folder / "clip.mp4",
            ClipLimits(**request["limits"]),
            start_s=request["start_s"],
            duration_s=request["duration_s"],
        )
        # Meanwhile, what the rest needs is loaded.
        _load_network(request)
        from inference.media.clip_check import check_clip  # noqa: PLC0415
        from inference.media.clip_frames import clip_frames  # noqa: PLC0415
        from jobs.findings import ClipFindings  # noqa: PLC0415
        from jobs.model import MediaWarning  # noqa: PLC0415

        clip = normalising.result()
    reduction = min(1.0, _CLIP_VIEW_PX / max(clip.width, clip.height))
    width, height = max(1, round(clip.width * reduction)), max(1, round(clip.height * reduction))
    scale = clip.width / width
    with closing(clip_frames(clip.path, width, height)) as frames:
        findings = check_clip(frames, clip.frame_count, find_face=request["find_faces"])
    found = {
        MediaWarning.CLIP_SHORTENED: clip.shortened,
        MediaWarning.CLIP_DAMAGED: clip.damaged,
        MediaWarning.NO_PLAYABLE_SOUND: clip.lacks_sound_decoder,
    }
    return ClipFindings(
        file=str(clip.path),
        name=_shown(source),
        width=clip.width,
        height=clip.height,
        original_width=clip.original_width,
        original_height=clip.original_height,
        frame_rate=clip.frame_rate,
        frame_count=clip.frame_count,
        has_sound=clip.has_audio,
        faces=tuple(_enlarged(face, scale) for face in findings.faces),
        later_faces=tuple(box.scaled(scale) for box in findings.later_faces),
        warnings=(
            *(warning for warning, is_true in found.items() if is_true),
            *findings.warnings,
        ),
    )


def _look_at_voice(source: Path, folder: Path, request: dict[str, Any]) -> "VoiceFindings":
    from inference.media.limits import SoundLimits  # noqa: PLC0415
    from inference.media.sound import normalise_sound  # noqa: PLC0415
    from inference.voice.analysis import analyse  # noqa: PLC0415
    from inference.voice.phones import has_phones  # noqa: PLC0415
    from inference.voice.sound import read_sound  # noqa: PLC0415
    from inference.voice.speech import SpeechChannel, write_speech  # noqa: PLC0415
    from jobs.findings import VoiceFindings  # noqa: PLC0415
    from jobs.model import MediaWarning  # noqa: PLC0415

    sound = normalise_sound(
        source,
        folder / "voice.m4a",
        SoundLimits(**request["limits"]),
        start_s=request["start_s"],
        duration_s=request["duration_s"],
    )
    speech = analyse(read_sound(sound.path))
    write_speech(speech, folder / "voice.npz")
    found = {
        MediaWarning.SOUND_DAMAGED: sound.damaged,
        MediaWarning.NO_VOICE: speech.curve(SpeechChannel.JAW).max() < _SHUT,
        MediaWarning.NO_PHONES: not has_phones(),
    }
    return VoiceFindings(
        file=str(sound.path),
        curves=str(folder / "voice.npz"),
        name=_shown(source),
        frame_count=speech.frame_count,
        warnings=tuple(warning for warning, is_true in found.items() if is_true),
    )


def _shown(source: Path) -> str:
    """Its name as Unicode, whatever bytes the file system has."""
    return source.name.encode("utf-8", "replace").decode()


def _enlarged(face: "Face", scale: float) -> "Face":
    from jobs.model import CropBox  # noqa: PLC0415

    side = max(1, round(face.box.width * scale))
    left, upper = round(face.box.left * scale), round(face.box.upper * scale)
    box = CropBox(left=left, upper=upper, right=left + side, lower=upper + side)
    return face.model_copy(update={"box": box})


if __name__ == "__main__":
    main()
    # The answer is written. To take the libraries down in order takes longer than a look at a face.
    os._exit(0)
