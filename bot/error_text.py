"""The sentence that a person in the chat reads about an error.

A `UserError` says what is wrong and what to do next; where its sentence is about the command line,
the chat has another one. An `OperatorError` is only called our mistake, without any detail.
"""

import math
from collections.abc import Mapping

from bot.gateway.updates import MediaFile
from bot.texts import Texts
from jobs.errors import (
    AnimatoError,
    Cancelled,
    ClipTooLong,
    EmptyFile,
    FaceBoxOutside,
    MediaDamaged,
    MediaTooLarge,
    NoFaceFound,
    NoFaceInBox,
    NoFaceInClip,
    NoSound,
    NoSuchFace,
    NotSeamless,
    NoVideoStream,
    SoundTooLong,
    SoundTooShort,
    StartBeyondEnd,
    UnknownEngine,
    UnknownTemplate,
    UnsupportedClip,
    UnsupportedMedia,
    UnsupportedSound,
    UserError,
)
from jobs.service_errors import PhotoBlocked, TooManyOrdersToday

OURS = "Something went wrong on our side. Please try again in a few minutes."

# Msgids: the first matching class counts. Only its fields may be used.
_IN_A_CHAT: dict[type[AnimatoError], str] = {
    Cancelled: "Cancelled.",
    NoFaceFound: (
        "I found no face in this photo. Try one with a larger, more frontal face, or choose the "
        "part of the picture to animate."
    ),
    NoFaceInClip: (
        "I found no face in your clip. Send one that begins with a face seen from the front, or "
        "choose a movement instead."
    ),
    NoFaceInBox: (
        "I see no face in this part of the picture. Choose the part that the face fills, or send "
        "a photo in which it is larger and clearer."
    ),
    NoSuchFace: "There is no face {number} in this photo; it has {count}. Tap one of the numbers.",
    FaceBoxOutside: (
        "This part of the picture is too small to animate. Choose another one, or send a larger "
        "photo."
    ),
    NotSeamless: "This movement cannot be repeated. Choose another one.",
    UnknownTemplate: "This movement is no longer available. Choose another one.",
    UnknownEngine: "This engine is no longer available. Choose a movement again.",
    ClipTooLong: ("This clip is longer than the {limit_s:g} s that I accept. Send a shorter one."),
    NoVideoStream: (
        "{name} has sound but no picture. Send a video; or send it as an audio file for the photo "
        "to say."
    ),
    UnsupportedSound: (
        "I cannot read {name} as a recording. Send a voice message, or an OGG, MP3, M4A or WAV "
        "file."
    ),
    NoSound: "{name} has no sound. Send a voice message, or an audio file with a voice.",
    SoundTooShort: "This recording is too short. Send a longer one.",
    SoundTooLong: (
        "This recording is longer than the {limit_s:g} s that I accept. Send a shorter one."
    ),
    StartBeyondEnd: "The clip has no picture there. Send another clip.",
    MediaTooLarge: (
        "{name} is {size_mb} MB, but I can accept at most {limit_mb} MB. Send it as a photo, not "
        "as a file, or send a smaller picture."
    ),
    UnsupportedMedia: (
        "I cannot read {name} as a picture. Send a photo, or a JPEG, PNG, WebP, BMP, TIFF, GIF or "
        "HEIC file."
    ),
    UnsupportedClip: (
        "I cannot read {name} as a video. Send a video, a video message, a GIF, or an MP4, "
        "MOV, WebM, MKV or AVI file."
    ),
    EmptyFile: "{name} is empty. Send it again.",
    TooManyOrdersToday: (
        "You have reached your limit: {limit} in 24 hours. The next video is possible in {time}; "
        "I keep the photo."
    ),
    MediaDamaged: "{name} is cut off or damaged. Send it again.",
}
_OF_A_VOICE: dict[type[AnimatoError], str] = {
    MediaTooLarge: (
        "{name} is {size_mb} MB, but I can accept at most {limit_mb} MB. Send a shorter recording."
    ),
}
_OF_A_CLIP: dict[type[AnimatoError], str] = {
    MediaTooLarge: (
        "{name} is {size_mb} MB, but I can accept at most {limit_mb} MB. Send a shorter clip, or "
        "one with fewer pixels."
    ),
}


def error_text(error: AnimatoError, _: Texts, lead: MediaFile | None = None) -> str:
    """Return the sentence for the person.

    Args:
        error: what went wrong.
        lead: the clip or the recording that it is about; None: it is about something else.
    """
    sentences, fields = _IN_A_CHAT, error.fields
    if isinstance(error, TooManyOrdersToday):
        seconds = 3600 * int(fields["hours"]) + 60 * int(fields["minutes"])
        fields = {**fields, "time": wait_text(seconds, _)}
    if lead is not None:
        sentences = _IN_A_CHAT | (_OF_A_VOICE if lead.is_voice else _OF_A_CLIP)
    text = _(sentence_in_chat(type(error), sentences) or OURS, **fields)
    if isinstance(error, PhotoBlocked) and (contact := error.fields["contact"]):
        text += " " + _("The owner: {contact}", contact=contact)
    return text


def sentence_in_chat(
    kind: type[AnimatoError], sentences: Mapping[type[AnimatoError], str] = _IN_A_CHAT
) -> str | None:
    """Return the sentence for a kind of error, a msgid; None if it is only called our mistake."""
    for one, sentence in sentences.items():
        if issubclass(kind, one):
            return sentence
    return kind.sentence if issubclass(kind, UserError) else None


def wait_text(seconds: float, _: Texts) -> str:
    """How long to wait, in hours and minutes, rounded up.

    No time of day is given: Telegram does not tell in which zone a person is.
    """
    hours, minutes = divmod(max(1, math.ceil(seconds / 60)), 60)
    if not hours:
        return _("{minutes} min", minutes=minutes)
    if not minutes:
        return _("{hours} h", hours=hours)
    return _("{hours} h {minutes} min", hours=hours, minutes=minutes)
