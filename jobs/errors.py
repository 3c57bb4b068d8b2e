"""Every error that a person or an operator is meant to read.

    AnimatoError
    +- UserError          the person's input; the sentence says what to do next
    |  +- MediaError      about one file: EmptyFile, MediaTooLarge, UnsupportedMedia, ...
    |  +- NoFaceFound, NoSuchFace, FaceBoxOutside, UnknownTemplate, UnknownEngine, ...
    |  +- OrderRefused    an order that is not accepted (jobs/service_errors.py)
    +- OperatorError      for the operator to fix: BrokenTemplate, EngineUnavailable, ...
    |  +- WeightsError    about weight files (jobs/weights_errors.py)
    |  +- QueueError      about Redis/Valkey (jobs/service_errors.py)
    |  +- StoreError      about the file store (jobs/service_errors.py)
    +- Cancelled          somebody asked to stop; nothing is wrong

Each class has one English sentence with named fields: a gettext msgid. The command line prints it,
the bot translates it, the queues store the class and its fields (`to_dict`,
`error_from_dict` in `jobs/service_errors.py`).
"""

from typing import Any, ClassVar

Field = str | int | float


class AnimatoError(Exception):
    """Base of all errors with a sentence for people.

    Args:
        **fields: the values of the sentence's named fields.

    Raises:
        KeyError: a field of the sentence is missing.
    """

    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, **fields: Field) -> None:
        self.fields = fields
        super().__init__(self.sentence.format(**fields))

    def to_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON data: its class's name and its fields."""
        return {"error": type(self).__name__, "fields": self.fields}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields)


def _rebuild(kind: type[AnimatoError], fields: dict[str, Field]) -> AnimatoError:
    return kind(**fields)


def os_reason(error: OSError) -> str:
    """Return the system's reason for refusing, for use inside a sentence."""
    return (error.strerror or "it was refused").lower()


class UserError(AnimatoError):
    """Caused by the person's input; only the sentence is shown."""


class OperatorError(AnimatoError):
    """For the operator to fix; shown to them, with the traceback in the log."""


class Cancelled(AnimatoError):
    """The work was cancelled."""

    sentence = "Cancelled."


# --- the person's files ---


class MediaError(UserError):
    """One file that cannot be used; `name` is its file name, never its path."""


class FileMissing(MediaError):
    sentence = "There is no file {name}: check the path."


class FileUnreadable(MediaError):
    """The file exists, but is not a plain file or may not be read."""

    sentence = "{name} cannot be read ({reason}): choose a file that you may read."


class EmptyFile(MediaError):
    sentence = "{name} is empty: send the file again."


class MediaTooLarge(MediaError):
    sentence = "{name} has {size_mb} MB, over the limit of {limit_mb} MB: send a smaller one."


class UnsupportedMedia(MediaError):
    sentence = (
        "{name} is not a picture that can be read: send a JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC "
        "file."
    )


class UnsupportedKind(MediaError):
    """A picture of a supported format, in a variant that is not supported."""

    sentence = "The format of {name} is not supported: save it as JPEG or PNG and send that."


class CameraRaw(MediaError):
    sentence = "{name} is a camera's raw file: export it as JPEG and send that."


class MediaDamaged(MediaError):
    """The header is right, the rest is cut off or broken."""

    sentence = "{name} is cut off or damaged: save or send it again."


class DecoderFailed(MediaError):
    """A decoder crashed, hung or used too much memory; the file is assumed to be the cause."""

    sentence = (
        "{name} could not be decoded safely ({reason}): convert it with another program and try "
        "again."
    )


class PhotoTooSmall(MediaError):
    sentence = (
        "{name} is {width} x {height} px, and each side needs at least {minimum} px: send a "
        "larger photo."
    )


class PhotoTooManyPixels(MediaError):
    """More pixels than the limit, found in the header before decoding."""

    sentence = (
        "{name} has {width} x {height} px, over the limit of {limit_mp} megapixels: send a smaller "
        "copy."
    )


class UnsupportedClip(MediaError):
    """Not a video that we read, or a format that may open other files."""

    sentence = (
        "{name} is not a video that can be read: send an MP4, MOV, WebM, MKV, AVI or GIF file."
    )


class UnsupportedCodec(MediaError):
    sentence = (
        "The pictures of {name} are in the codec {codec}, which cannot be decoded: save it as an "
        "MP4 with H.264 and send that."
    )


class NoVideoStream(MediaError):
    sentence = "{name} has sound but no picture: send a video."


class NoFrameDecoded(MediaError):
    sentence = (
        "No picture could be decoded from {name}: it is cut off or damaged, send another clip."
    )


class ClipTooManyPixels(MediaError):
    sentence = (
        "{name} has frames of {width} x {height} px, over the limit of {limit_mp} megapixels: send "
        "a smaller video."
    )


class ClipTooLong(MediaError):
    sentence = (
        "{duration_s:.1f} s of {name} were requested, over the limit of {limit_s:g} s: choose a "
        "shorter part with a start and a duration."
    )


class StartBeyondEnd(MediaError):
    sentence = "{name} has no picture at {start_s:g} s: choose an earlier start."


class UnsupportedSound(MediaError):
    """Neither a sound nor a video that we read, or a format that may open other files."""

    sentence = "{name} is not a sound that can be read: send an OGG, MP3, M4A, WAV or video file."


class NoSound(MediaError):
    sentence = "{name} has no sound: send a voice message, or a video with sound."


class UnsupportedSoundCodec(MediaError):
    sentence = "The sound of {name} cannot be decoded: save it as MP3 or WAV and send that."


class SoundTooShort(MediaError):
    sentence = "{name} is shorter than {limit_s:g} s: send a longer sound."


class SoundTooLong(MediaError):
    sentence = (
        "{name} is longer than {limit_s:g} s: send a shorter sound, or cut it with --duration."
    )


class SoundEndsSoon(MediaError):
    sentence = "{name} ends less than {limit_s:g} s after {start_s:g} s: choose an earlier start."


class StartBeyondSound(MediaError):
    sentence = "{name} has no sound at {start_s:g} s: choose an earlier start."


# --- the person's choices ---


class NoFaceFound(UserError):
    sentence = (
        "No face was found in {name}: try a photo with a larger, more frontal face, draw a box "
        "round the face with --face_box left,upper,right,lower, or take the middle of the picture "
        "with --face centre."
    )


class FaceNotFollowed(MediaError):
    """A clip for a movement of the owner's that shows no face, or one that cannot be followed."""

    sentence = (
        "No face can be followed in {name}: send a clip that shows one person from the front, from "
        "its beginning, in good light."
    )


class NoFaceInClip(UserError):
    sentence = (
        "No face was found in {name}: choose a part that begins with a frontal face (--start), or "
        "draw a box round it with --driving_face_box left,upper,right,lower."
    )


class NoSuchFace(UserError):
    sentence = "There is no face {number}: the photo has {count}, numbered from 1, largest first."


class FaceBoxOutside(UserError):
    sentence = (
        "The face box {box} does not fit the picture of {width} x {height} px: it needs at least "
        "{minimum} px a side and must lie inside."
    )


class NoFaceInBox(UserError):
    sentence = (
        "No face can be made out in the chosen part of the picture: choose the part that a face "
        "fills, or send a picture in which it is larger and clearer."
    )


class UnknownTemplate(UserError):
    sentence = "There is no movement called {name}: choose one of {known}."


class NotSeamless(UserError):
    """A loop of a movement whose end does not meet its beginning."""

    sentence = "{name} does not end where it begins and cannot be repeated: leave out --loop."


class RecordedHead(UserError):
    """A recorded movement cannot lead the head while a voice leads the mouth."""

    sentence = (
        "{name} is a recorded movement, and only a drawn one can go with a voice: choose another."
    )


class UnknownEngine(UserError):
    sentence = "There is no engine called {name}: choose one of {known}."


class UnknownWeights(UserError):
    sentence = "There are no weights called {name}: choose one of {known}."


class NoSuchFrame(UserError):
    sentence = (
        "There is no driving frame {number}: the clip has {count}, numbered from 0 (--best_frame)."
    )


class OutputNotWritable(UserError):
    sentence = "{path} cannot be written ({reason}): choose another --output."


# --- for the operator ---


class BrokenTemplate(OperatorError):
    """An entry of the templates' catalogue that cannot be used."""

    sentence = "{file}, line {line}: {reason}"


class BrokenTrack(OperatorError):
    sentence = "{name} is not a usable track ({reason}): run `animato templates build`."


class BrokenSpeech(OperatorError):
    sentence = "{name} does not hold the curves of a speech ({reason})."


class EngineUnavailable(OperatorError):
    sentence = "The engine {name} cannot run here; it needs {needs}."


class ExtraMissing(OperatorError):
    """Libraries that the base installation does not include."""

    sentence = "{what} needs the extra {extra}: {command}."


class LandmarkLibraryMissing(OperatorError):
    sentence = (
        "Faces are found with the library ai-edge-litert, which is not installed: run "
        "`.venv/bin/pip install -c constraints.txt ai-edge-litert`; there is no build of it for "
        "Macs with Intel processors."
    )


class EngineFailed(OperatorError):
    sentence = "The engine {name} failed: {reason}."


class EngineDied(EngineFailed):
    """The engine's process has ended by itself; another attempt may succeed."""


class EngineHung(EngineFailed):
    """The engine took too long and its process was killed; another attempt may succeed."""


class DeviceUnavailable(OperatorError):
    """A device that this machine or this build of torch does not have."""

    sentence = (
        "The device {name} is not available ({reason}): set ANIMATO_DEVICE to auto, or use --cpu."
    )


class TemplateNotBuilt(OperatorError):
    sentence = "The driving video of {name} is missing or outdated: run `animato templates build`."


class EncoderFailed(OperatorError):
    sentence = "The video could not be written: {reason}"


class FfmpegMissing(OperatorError):
    sentence = (
        "The ffmpeg program cannot be started: install imageio-ffmpeg again, or set "
        "IMAGEIO_FFMPEG_EXE to its path."
    )


class DiskFull(OperatorError):
    sentence = "There is no room left to write {path}: free some space and try again."


class GateFailed(OperatorError):
    """The gate's child could not be started or gave no usable answer."""

    sentence = "The check of the input could not run: {reason}"


class ProcessKilled(OperatorError):
    sentence = "{what} was killed by {signal} from outside: is the machine short of memory?"


class BrokenConfig(OperatorError):
    sentence = "The config {file} cannot be used: {reason}."


class BadSettings(OperatorError):
    """A setting that cannot be used."""

    sentence = "{reason}"
