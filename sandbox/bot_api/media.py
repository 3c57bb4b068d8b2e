"""Sending media."""

from collections.abc import Awaitable, Callable

from sandbox.bot_api.sending import caption_fields, destination_of, markup_of, post
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaOptions, attach
from sandbox.media.files import Attachment, Kind
from sandbox.parameters import ATTACH, Parameters, Upload
from sandbox.world.telegram import Telegram

EDITABLE: frozenset[Kind] = frozenset({"photo", "video", "animation", "document"})


def sender(kind: Kind) -> Callable[[Telegram, Parameters], Awaitable[JsonObject]]:
    """Return the method that sends one medium of this kind."""

    async def send(telegram: Telegram, call: Parameters) -> JsonObject:
        destination_of(telegram, call)
        markup_of(call)  # a bad keyboard is refused before anything is stored
        caption = {} if kind in {"video_note", "sticker"} else caption_fields(call)
        attachment = await attachment_of(telegram, call, kind, call)
        # Looked up again: the chat may have changed while the media was read.
        return post(telegram, call, destination_of(telegram, call), attachment.fields | caption)

    return send


async def attachment_of(
    telegram: Telegram, call: Parameters, kind: Kind, item: Parameters
) -> Attachment:
    """Return the medium that a call, or an item of its `media`, uploads or names by file id.

    Raises:
        ApiError: 400 for a URL, an unknown file id, a missing part, a file that cannot be read.
    """
    name = "media" if "media" in item else kind
    upload = _find_upload(call, item, name)
    if upload is None:
        file_id = item.text(name)
        if file_id is None:
            raise bad_request(f"there is no {kind} in the request")
        if "://" in file_id:
            raise bad_request("wrong HTTP URL specified: this server reaches no other machine")
        return telegram.files.attachment(file_id, kind)
    picture = _find_upload(call, item, "thumbnail")
    options = MediaOptions(
        width=item.integer("length" if kind == "video_note" else "width"),
        height=item.integer("length" if kind == "video_note" else "height"),
        duration=item.integer("duration"),
        thumbnail=None if picture is None else picture.content,
    )
    files = telegram.files
    attachment = await attach(files, kind, upload, options)
    if telegram.files is not files:  # a reset has removed it
        raise bad_request("wrong file identifier/HTTP URL specified")
    return attachment


def _find_upload(call: Parameters, item: Parameters, name: str) -> Upload | None:
    text = item.text(name) or ""
    if not text.startswith(ATTACH):
        return call.upload(name) if item is call else None
    upload = call.upload(text.removeprefix(ATTACH))
    if upload is None:
        raise bad_request(f'attached file "{text.removeprefix(ATTACH)}" not found')
    return upload


def input_media(given: JsonObject | None) -> tuple[Kind, Parameters]:
    """Return kind and fields of an InputMedia object.

    Raises:
        ApiError: 400 if it is not one.
    """
    if given is not None and isinstance(given.get("media"), str):
        kind = next((kind for kind in EDITABLE if kind == given.get("type")), None)
        if kind is not None:
            return kind, Parameters(given)
    raise bad_request("can't parse InputMedia: Unsupported type or no media specified")


async def content_of(
    telegram: Telegram, call: Parameters, kind: Kind, item: Parameters
) -> JsonObject:
    """Return the content of a message with this InputMedia object."""
    caption = caption_fields(item)
    attachment = await attachment_of(telegram, call, kind, item)
    return attachment.fields | caption
