"""Every error that a person or an operator is meant to read.

    AnimatoError
    +- UserError          the person's input; the sentence says what to do next
    |  +- MediaError      about one file: EmptyFile, MediaTooLarge, UnsupportedMedia, ...
    |  +- NoFaceFound, NoSuchFace, FaceBoxOutside, UnknownTemplate, UnknownEngine, ...
    |  +- OrderRefused     an order that is not taken: in jobs/service_errors.py
    +- OperatorError      ours: BrokenTemplate, EngineUnavailable, EncoderFailed, DiskFull, ...
    |  +- WeightsError    about weight files: WeightsMissing, WeightsCorrupt, DownloadFailed, ...
    |  +- QueueError      about the server of the queues: in jobs/service_errors.py
    |  +- StoreError      about the file store: likewise
    +- Cancelled          somebody asked to stop; nothing is wrong

Each class carries one English sentence with named fields: a gettext msgid. The command line prints
it, the bot translates it, a queue carries the class and its fields (`to_dict`, `from_dict`).
"""

from typing import Any, ClassVar

Field = str | int | float


class AnimatoError(Exception):
    """Base of all errors with a sentence for people.

    Args:
        **fields: the values of the sentence's named fields.
    """

    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, **fields: Field) -> None:
        self.fields = fields
        super().__init__(self.sentence.format(**fields))

    def to_dict(self) -> dict[str, Any]:
        """The error as plain JSON data: its class's name and its fields."""
        return {"error": type(self).__name__, "fields": self.fields}

    def __reduce__(self) -> tuple[Any, ...]:
        return AnimatoError.from_dict, (self.to_dict(),)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "AnimatoError":
        """The error that `to_dict` wrote.

        Raises:
            KeyError: `data` names no error of this file, or lacks a field of its sentence.
        """
        return _CLASSES[data["error"]](**data["fields"])

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _CLASSES[cls.__name__] = cls


_CLASSES: dict[str, type[AnimatoError]] = {"AnimatoError": AnimatoError}


class UserError(AnimatoError):
    """The person's input; the sentence is all that is shown."""


class OperatorError(AnimatoError):
    """Ours to mend; shown to the operator with the traceback in the log."""


class Cancelled(AnimatoError):
    """The work was stopped because somebody asked for it."""

    sentence = "Cancelled."


# --- the person's files ---


class MediaError(UserError):
    """One file that cannot be used; `name` is its file name, never its path."""


class FileMissing(MediaError):
    """No such file, or a folder."""

    sentence = "There is no file {name}: check the path."


class FileUnreadable(MediaError):
    """It is there, but no plain file or not allowed to be read."""

    sentence = "{name} cannot be read ({reason}): choose a file that you may read."


class EmptyFile(MediaError):
    """Zero bytes."""

    sentence = "{name} is empty: send the file again."


class MediaTooLarge(MediaError):
    """More bytes than the limit."""

    sentence = (
        "{name} has {size_mb} MB, more than the {limit_mb} MB that are taken: send a smaller one."
    )


class UnsupportedMedia(MediaError):
    """Not a picture that we read."""

    sentence = (
        "{name} is not a picture that can be read: send a JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC "
        "file."
    )


class MediaDamaged(MediaError):
    """The header is right, the rest is cut or broken."""

    sentence = "{name} is cut off or damaged: save or send it again."


class DecoderFailed(MediaError):
    """A decoder crashed, hung or ate memory; the file is to blame until proven otherwise."""

    sentence = (
        "{name} could not be decoded safely ({reason}): convert it with another program and try "
        "again."
    )


class PhotoTooSmall(MediaError):
    """A side is shorter than the limit."""

    sentence = (
        "{name} is {width} x {height} px, and each side needs at least {minimum} px: send a "
        "larger photo."
    )


class PhotoTooManyPixels(MediaError):
    """More pixels than the limit; told from the header, before decoding."""

    sentence = (
        "{name} claims {width} x {height} px, more than the {limit_mp} megapixels that are taken: "
        "send a smaller copy."
    )


class UnsupportedClip(MediaError):
    """Not a video that we read, or a format that may open other files."""

    sentence = (
        "{name} is not a video that can be read: send an MP4, MOV, WebM, MKV, AVI or GIF file."
    )


class NoVideoStream(MediaError):
    """A media file without a picture track."""

    sentence = "{name} has sound but no picture: send a video."


class NoFrameDecoded(MediaError):
    """A picture track of which no frame could be decoded."""

    sentence = (
        "No picture could be decoded from {name}: it is cut off or damaged, send another clip."
    )


class ClipTooManyPixels(MediaError):
    """Frames larger than the limit."""

    sentence = (
        "{name} has frames of {width} x {height} px, more than the {limit_mp} megapixels that are "
        "taken: send a smaller video."
    )


class ClipTooLong(MediaError):
    """More of the clip is wanted than is taken."""

    sentence = (
        "{duration_s:.1f} s of {name} are wanted, more than the {limit_s:g} s that are taken: "
        "choose a shorter part with a start and a duration."
    )


class StartBeyondEnd(MediaError):
    """The chosen start lies behind the clip's end."""

    sentence = "{name} has no picture at {start_s:g} s: choose an earlier start."


# --- the person's wishes ---


class NoFaceFound(UserError):
    """The photo has no face that the finder sees."""

    sentence = (
        "No face was found in {name}: try a photo with a larger, more frontal face, draw a box "
        "round the face with --face_box left,upper,right,lower, or take the middle of the picture "
        "with --face centre."
    )


class NoFaceInClip(UserError):
    """The driving clip's first frame has no face that the finder sees."""

    sentence = (
        "No face was found at the beginning of {name}: choose a part that begins with a frontal "
        "face (--start), or draw a box round it with --driving_face_box left,upper,right,lower."
    )


class NoSuchFace(UserError):
    """A face number that the photo does not have."""

    sentence = "There is no face {number}: the photo has {count}, numbered from 1, largest first."


class FaceBoxOutside(UserError):
    """A face box that does not lie in the picture or is too small to animate."""

    sentence = (
        "The face box {box} does not fit the picture of {width} x {height} px: it needs at least "
        "{minimum} px a side and must lie inside."
    )


class UnknownTemplate(UserError):
    """A template name that the catalogue does not have."""

    sentence = "There is no movement called {name}: choose one of {known}."


class NotSeamless(UserError):
    """A repeat was asked of a movement whose end does not meet its beginning."""

    sentence = "{name} does not end where it begins and cannot be repeated: leave out --loop."


class UnknownEngine(UserError):
    """An engine name without a file."""

    sentence = "There is no engine called {name}: choose one of {known}."


class UnknownWeights(UserError):
    """A name that the weights' catalogue does not have."""

    sentence = "There are no weights called {name}: choose one of {known}."


class NoSuchFrame(UserError):
    """A driving frame that the clip does not have."""

    sentence = (
        "There is no driving frame {number}: the clip has {count}, numbered from 0 (--best_frame)."
    )


class OutputNotWritable(UserError):
    """The place for the result cannot be written."""

    sentence = "{path} cannot be written ({reason}): choose another --output."


# --- ours ---


class BrokenTemplate(OperatorError):
    """An entry of the templates' catalogue that cannot be used."""

    sentence = "{file}, line {line}: {reason}"


class BrokenTrack(OperatorError):
    """A stored track that fails its checks."""

    sentence = "{name} is not a usable track file ({reason}): build it again."


class EngineUnavailable(OperatorError):
    """An engine whose needs are not met."""

    sentence = "The engine {name} cannot run here; it needs {needs}."


class ExtraMissing(OperatorError):
    """Libraries that the base installation does not bring."""

    sentence = "{what} needs the extra {extra}: {command}."


class WeightsError(OperatorError):
    """About weight files: their catalogue, their folder, their download."""


class BrokenWeightsCatalogue(WeightsError):
    """A weights' catalogue that cannot be used."""

    sentence = "{file} cannot be used as a catalogue of weights: {reason}."


class WeightsMissing(WeightsError):
    """Weights that are wanted and not there."""

    sentence = "There are no weights at {path}: {hint}."


class WeightsCorrupt(WeightsError):
    """A file that is not the weights that it should be."""

    sentence = "{path} cannot be used as weights: {reason}."


class WeightsNeverFetched(WeightsError):
    """Weights without a known hash, which are not downloaded."""

    sentence = (
        "{name} is never downloaded, because nobody has recorded its hash: get it by hand "
        "({by_hand}), then run `animato weights import PATH`."
    )


class WeightsOffline(WeightsError):
    """A download would be needed, and downloads are switched off."""

    sentence = (
        "{name} would have to be downloaded, and ANIMATO_OFFLINE is set: put {file} into {folder} "
        "by hand, or unset it."
    )


class DownloadFailed(WeightsError):
    """No address gave the file."""

    sentence = (
        "{name} could not be downloaded: {reasons}. Try again later (what has arrived is kept), or "
        "put {file} into {folder} by hand."
    )


class WeightsFolderRefused(WeightsError):
    """The folder of the weights cannot be written."""

    sentence = (
        "{path} cannot be written ({reason}): let ANIMATO_CHECKPOINTS_DIR name a folder that can."
    )


class TooLittleRoom(WeightsError):
    """Less room than the weights need, told before anything is written."""

    sentence = (
        "{folder} has {free_mb} MB left, and {needed_mb} MB are needed: free some space, or let "
        "ANIMATO_CHECKPOINTS_DIR name another folder."
    )


class EngineFailed(OperatorError):
    """An engine whose computation went wrong."""

    sentence = "The engine {name} failed: {reason}."


class EngineDied(EngineFailed):
    """An engine whose process has ended by itself; another try may succeed."""


class EngineHung(EngineFailed):
    """An engine that took too long and whose process was killed; another try may succeed."""


class DeviceUnavailable(OperatorError):
    """A device that this machine or this build of torch does not have."""

    sentence = (
        "The device {name} is not there ({reason}): let ANIMATO_DEVICE be auto, or use --cpu."
    )


class TemplateNotBuilt(OperatorError):
    """A movement whose driving video is missing or out of date."""

    sentence = "The driving video of {name} is missing or outdated: run `animato templates build`."


class EncoderFailed(OperatorError):
    """ffmpeg could not write the result."""

    sentence = "The video could not be written: {reason}"


class FfmpegMissing(OperatorError):
    """The program that reads and writes videos is not there."""

    sentence = (
        "The ffmpeg program cannot be started: install imageio-ffmpeg again, or let "
        "IMAGEIO_FFMPEG_EXE name one."
    )


class DiskFull(OperatorError):
    """No room for the result."""

    sentence = "There is no room left to write {path}: free some space and try again."


class GateFailed(OperatorError):
    """The gate's child could not be started or gave no usable answer."""

    sentence = "The check of the input could not run: {reason}"


class ProcessKilled(OperatorError):
    """A child process that was killed from outside, often for lack of memory."""

    sentence = "{what} was killed by {signal} from outside: is the machine short of memory?"


class WeightsMismatch(WeightsError):
    """A checkpoint for networks of another shape than the config's."""

    sentence = (
        "{file} does not belong to {config}: {key} {reason}. Name the config that the weights were "
        "trained with (--config), or get the weights again."
    )


class WeightsDoubtful(WeightsError):
    """Weights that load and do not do what a model of faces does."""

    sentence = "The weights in {path} do not behave as a model of faces: look at {sheet}."


class BrokenConfig(OperatorError):
    """A network config that cannot be used."""

    sentence = "The config {file} cannot be used: {reason}."


class BadSettings(OperatorError):
    """A setting that cannot be used."""

    sentence = "{reason}"
