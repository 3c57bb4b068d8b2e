"""Errors about files that are intact, but of a kind that is not read.

They belong to the tree of `jobs/errors.py`. `AnimatoError.from_dict` knows them wherever this
module has been imported; the queues and the gate import it.
"""

from jobs.errors import MediaError


class UnsupportedKind(MediaError):
    """A picture of a format that is read, in a variant that is not."""

    sentence = "{name} is of a kind that is not read: save it as JPEG or PNG and send that."


class CameraRaw(MediaError):
    """A camera's raw file, with at most a preview as a picture."""

    sentence = "{name} is a camera's raw file: export it as JPEG and send that."


class UnsupportedCodec(MediaError):
    """A clip without a picture track that can be decoded."""

    sentence = (
        "The pictures of {name} are in the codec {codec}, which cannot be decoded: save it as an "
        "MP4 with H.264 and send that."
    )
