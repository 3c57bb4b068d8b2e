"""Sending photos, videos, animations, round videos, documents, stickers and albums."""

import itertools
from collections.abc import Awaitable, Callable

from sandbox.bot_api.sending import caption_fields, destination_of, markup_of, post
from sandbox.errors import bad_request
from sandbox.json_types import JsonObject
from sandbox.media.attachments import MediaWishes, attach
from sandbox.media.files import Attachment, Kind
from sandbox.parameters import ATTACH, Parameters, Upload
from sandbox.world.telegram import NewMessage, Telegram

ALBUM_KINDS: frozenset[Kind] = frozenset({"photo", "video", "document"})
ALBUM_SIZES = range(2, 11)
EDITABLE: frozenset[Kind] = frozenset({"photo", "video", "animation", "document"})

_album_numbers = itertools.count(1)


def sender(kind: Kind) -> Callable[[Telegram, Parameters], Awaitable[JsonObject]]:
    """The method that sends one medium of this kind."""

    async def send(telegram: Telegram, call: Parameters) -> JsonObject:
        destination_of(telegram, call)
        caption = {} if kind in {"video_note", "sticker"} else caption_fields(call)
        markup_of(call)  # a bad keyboard is refused before anything is kept
        attachment = await attachment_of(telegram, call, kind, call)
        content = attachment.fields | caption | _spoiler(call, attachment)
        # Looked up again: while the media was made, everything may have changed.
        destination = destination_of(telegram, call)
        return post(telegram, call, destination, content).as_json()

    return send


async def attachment_of(
    telegram: Telegram, call: Parameters, kind: Kind, item: Parameters, *, in_album: bool = False
) -> Attachment:
    """The medium that a call, or an item of its `media`, names: uploaded, or known by its id.

    Raises:
        ApiError: 400 for an address in the internet, an unknown id, a missing part, a broken file.
    """
    name = "media" if "media" in item else kind
    upload = _uploaded(call, item, name)
    if upload is None:
        file_id = item.text(name)
        if file_id is None:
            raise bad_request(f"there is no {kind} in the request")
        if "://" in file_id:
            raise bad_request("wrong HTTP URL specified: this server reaches no other machine")
        return telegram.files.attachment(file_id, kind)
    picture = _uploaded(call, item, "thumbnail")
    wishes = MediaWishes(
        width=item.integer("length" if kind == "video_note" else "width"),
        height=item.integer("height"),
        duration=item.integer("duration"),
        thumbnail=None if picture is None else picture.content,
        silent_video_is_animation=telegram.settings.silent_video_is_animation and not in_album,
    )
    beginnings = telegram.beginnings
    attachment = await attach(telegram.files, kind, upload, wishes)
    if telegram.beginnings != beginnings:
        raise bad_request("wrong file identifier/HTTP URL specified")  # it went with the reset
    return attachment


def _uploaded(call: Parameters, item: Parameters, name: str) -> Upload | None:
    text = item.text(name) or ""
    if not text.startswith(ATTACH):
        return call.upload(name) if item is call else None
    upload = call.upload(text.removeprefix(ATTACH))
    if upload is None:
        raise bad_request(f'attached file "{text.removeprefix(ATTACH)}" not found')
    return upload


def _spoiler(item: Parameters, attachment: Attachment) -> JsonObject:
    covered = item.boolean("has_spoiler") and attachment.kind in {"photo", "video", "animation"}
    return {"has_media_spoiler": True} if covered else {}


def input_media(given: JsonObject | None, allowed: frozenset[Kind]) -> tuple[Kind, Parameters]:
    """Kind and fields of an InputMedia object.

    Raises:
        ApiError: 400 if it is not one, or of another kind.
    """
    if given is not None and isinstance(given.get("media"), str):
        kind = next((kind for kind in allowed if kind == given.get("type")), None)
        if kind is not None:
            return kind, Parameters(given)
    raise bad_request("can't parse InputMedia: Unsupported type or no media specified")


async def content_of(
    telegram: Telegram, call: Parameters, kind: Kind, item: Parameters, *, in_album: bool = False
) -> JsonObject:
    """What a message shows of an InputMedia object."""
    caption = caption_fields(item)
    attachment = await attachment_of(telegram, call, kind, item, in_album=in_album)
    return attachment.fields | caption | _spoiler(item, attachment)


async def send_media_group(telegram: Telegram, call: Parameters) -> list[JsonObject]:
    """SendMediaGroup: all of them or none."""
    destination_of(telegram, call)
    given = call.objects("media")
    if given is None or len(given) not in ALBUM_SIZES:
        raise bad_request("media group must include 2-10 items")
    items = [input_media(item, ALBUM_KINDS) for item in given]
    if len({kind == "document" for kind, _ in items}) > 1:
        raise bad_request("document can't be mixed with other media types")
    for _, item in items:
        caption_fields(item)
    contents = [await content_of(telegram, call, kind, item, in_album=True) for kind, item in items]
    destination = destination_of(telegram, call)
    album = str(10**16 + next(_album_numbers))
    return [
        telegram.post(
            destination.chat,
            telegram.bot,
            NewMessage(
                content,
                reply_to=destination.reply_to,
                topic=destination.topic,
                media_group_id=album,
                is_protected=call.boolean("protect_content"),
            ),
        ).as_json()
        for content in contents
    ]
