"""The files of messages, in memory."""

import hashlib
import itertools
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

Kind = Literal["photo", "video", "animation", "video_note", "document", "sticker"]
DOWNLOAD_LIMIT_BYTES = 20 * 2**20


@dataclass(frozen=True)
class StoredFile:
    """Bytes under an id. `path` is what the download's address ends in."""

    file_id: str
    file_unique_id: str
    path: str
    content: bytes
    content_type: str

    def as_json(self) -> JsonObject:
        """What every media object of the Bot API begins with."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.file_unique_id,
            "file_size": len(self.content),
        }


@dataclass(frozen=True)
class Attachment:
    """The media of a message, as the fields that the message shows (`{"photo": [...]}`)."""

    kind: Kind
    fields: JsonObject


class FileStore:
    """Every file that was ever sent. The same bytes have one unique id and, sent twice, two ids."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._paths: dict[str, StoredFile] = {}
        self._attachments: dict[str, Attachment] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._files)

    def add(self, content: bytes, kind: str, suffix: str, content_type: str) -> StoredFile:
        """Keeps the bytes under a new id."""
        number = next(self._numbers)
        digest = hashlib.sha1(content, usedforsecurity=False).digest()
        stored = StoredFile(
            file_id=f"{kind}-{number}-{secrets.token_urlsafe(16)}",
            file_unique_id=urlsafe_b64encode(digest[:12]).decode(),
            path=f"{kind}s/file_{number}{suffix}",
            content=content,
            content_type=content_type,
        )
        self._files[stored.file_id] = stored
        self._paths[stored.path] = stored
        return stored

    def attach(self, attachment: Attachment, *files: StoredFile) -> Attachment:
        """Lets a message that names one of the files show the whole attachment again."""
        for stored in files:
            self._attachments[stored.file_id] = attachment
        return attachment

    def get(self, file_id: str) -> StoredFile:
        """The file of an id.

        Raises:
            ApiError: 400 if there is none.
        """
        try:
            return self._files[file_id]
        except KeyError:
            raise _wrong_identifier() from None

    def at(self, path: str) -> StoredFile | None:
        """The file behind a download address."""
        return self._paths.get(path)

    def attachment(self, file_id: str, kind: Kind) -> Attachment:
        """What a message of this kind shows that names the id.

        An animation may also be named as a document: its messages carry both.

        Raises:
            ApiError: 400 if there is none, or if it is of another kind.
        """
        found = self._attachments.get(file_id)
        if found is None:
            raise _wrong_identifier()
        # A silent video that was sent as a video has become an animation, and goes by both names.
        same = {found.kind, kind} in ({"animation", "document"}, {"animation", "video"})
        if found.kind != kind and not (same and found.kind == "animation"):
            name = {"video_note": "VideoNote"}.get(found.kind, found.kind.capitalize())
            wanted = {"video_note": "VideoNote"}.get(kind, kind.capitalize())
            raise bad_request(f"can't use file of type {name} as {wanted}")
        return found


def _wrong_identifier() -> Exception:
    return bad_request("wrong file identifier/HTTP URL specified")
