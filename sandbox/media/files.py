"""The files of messages, in memory."""

import hashlib
import itertools
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from sandbox.errors import bad_request
from sandbox.json_types import JsonObject

Kind = Literal["photo", "video", "animation", "video_note", "voice", "audio", "document", "sticker"]
DOWNLOAD_LIMIT_BYTES = 20 * 2**20


@dataclass(frozen=True)
class StoredFile:
    """A file and its ids. `path` is the last part of its download URL."""

    file_id: str
    file_unique_id: str
    path: str
    content: bytes
    content_type: str

    def as_json(self) -> JsonObject:
        """Return the fields that all media objects of the Bot API have."""
        return {
            "file_id": self.file_id,
            "file_unique_id": self.file_unique_id,
            "file_size": len(self.content),
        }


@dataclass(frozen=True)
class Attachment:
    """The media of a message, as fields of the Message (`{"photo": [...]}`)."""

    kind: Kind
    fields: JsonObject


class FileStore:
    """All files ever sent. Equal contents share a unique id, but not a file id."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._paths: dict[str, StoredFile] = {}
        self._attachments: dict[str, Attachment] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._files)

    def add(self, content: bytes, kind: str, suffix: str, content_type: str) -> StoredFile:
        """Store a file under new ids."""
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
        """Let a later message show the attachment by the id of one of its files."""
        for stored in files:
            self._attachments[stored.file_id] = attachment
        return attachment

    def get(self, file_id: str) -> StoredFile:
        """Return the file of an id.

        Raises:
            ApiError: 400 if there is none.
        """
        try:
            return self._files[file_id]
        except KeyError:
            raise _wrong_identifier() from None

    def at(self, path: str) -> StoredFile | None:
        """Return the file at a download path."""
        return self._paths.get(path)

    def attachment(self, file_id: str, kind: Kind) -> Attachment:
        """Return the attachment to send again by its file id.

        Raises:
            ApiError: 400 if there is none, or if it is of another kind.
        """
        found = self._attachments.get(file_id)
        if found is None:
            raise _wrong_identifier()
        # An animation is also a document, and may have been sent as a silent video.
        if found.kind == "animation" and kind in {"document", "video"}:
            return found
        if found.kind != kind:
            name, wanted = (_type_name(one) for one in (found.kind, kind))
            raise bad_request(f"can't use file of type {name} as {wanted}")
        return found


def _type_name(kind: Kind) -> str:
    return "VideoNote" if kind == "video_note" else kind.capitalize()


def _wrong_identifier() -> Exception:
    return bad_request("wrong file identifier/HTTP URL specified")
