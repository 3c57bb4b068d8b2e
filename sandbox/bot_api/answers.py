"""Answers to callback queries and inline queries."""

import re

from sandbox.bot_api.sending import caption_fields, text_fields
from sandbox.errors import bad_request
from sandbox.formatting.entities import utf16_length
from sandbox.formatting.keyboards import checked_markup
from sandbox.json_types import JsonObject
from sandbox.media.files import Kind
from sandbox.parameters import Parameters
from sandbox.world.telegram import Telegram

ANSWER_LIMIT = 200
RESULTS_LIMIT = 50
RESULT_ID_BYTES = 64
# The field with the file id and the kind of media, by the result's type.
CACHED: dict[str, tuple[str, Kind]] = {
    "photo": ("photo_file_id", "photo"),
    "gif": ("gif_file_id", "animation"),
    "mpeg4_gif": ("mpeg4_file_id", "animation"),
    "video": ("video_file_id", "video"),
    "document": ("document_file_id", "document"),
    "sticker": ("sticker_file_id", "sticker"),
}


async def answer_callback_query(telegram: Telegram, call: Parameters) -> bool:
    """Answer a tap: with a notification, an alert, a URL, or nothing."""
    query = telegram.queries.unanswered(call.text("callback_query_id"), "callback")
    text = call.text("text")
    if text is not None and utf16_length(text) > ANSWER_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    url = call.text("url")
    if url is not None and not re.match(r"(https?://)?t\.me/|tg://", url):
        raise bad_request("URL_INVALID")
    answer = {"text": text, "show_alert": call.boolean("show_alert"), "url": url}
    telegram.answer(query, answer)
    return True


async def answer_inline_query(telegram: Telegram, call: Parameters) -> bool:
    """Answer an inline query. Media must be named by file id: the sandbox downloads nothing."""
    query = telegram.queries.unanswered(call.text("inline_query_id"), "inline")
    results = call.objects("results") or []
    if len(results) > RESULTS_LIMIT:
        raise bad_request("RESULTS_TOO_MUCH")
    ids = [str(result.get("id", "")) for result in results]
    if len(set(ids)) < len(ids):
        raise bad_request("RESULT_ID_DUPLICATE")
    for result in results:
        content_of_result(telegram, result)
    answer = {
        "results": results,
        "button": _checked_button(call.json_object("button")),
        "next_offset": call.text("next_offset") or "",
        "cache_time": call.integer("cache_time"),
        "is_personal": call.boolean("is_personal"),
    }
    telegram.answer(query, answer)
    return True


def _checked_button(button: JsonObject | None) -> JsonObject | None:
    """Return the button above the results.

    Raises:
        ApiError: 400 if its text is empty or its start parameter invalid.
    """
    if button is None:
        return None
    if not str(button.get("text") or "").strip():
        raise bad_request("can't parse inline query results button: Can't find field \"text\"")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(button.get("start_parameter") or "")):
        raise bad_request("START_PARAM_INVALID")
    return button


def content_of_result(telegram: Telegram, result: JsonObject) -> JsonObject:
    """Return the content of the message that choosing the result sends.

    Raises:
        ApiError: 400 for a result that Telegram would reject.
    """
    item = Parameters(result)
    if not 1 <= len(str(result.get("id", "")).encode()) <= RESULT_ID_BYTES:
        raise bad_request("RESULT_ID_INVALID")
    checked_markup(item.json_object("reply_markup"))
    written = item.json_object("input_message_content")
    attachment = None
    if (result_type := str(result.get("type"))) in CACHED:
        field, kind = CACHED[result_type]
        file_id = item.text(field)
        if file_id is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        attachment = telegram.files.attachment(file_id, kind)
        if kind in {"video", "document"} and not item.text("title"):
            raise bad_request("can't parse inline query result: Can't find field \"title\"")
    elif result_type != "article" or not result.get("title"):
        raise bad_request("can't parse inline query result: Unsupported type or no title specified")
    if written is not None:
        return text_fields(Parameters(written | {"text": written.get("message_text", "")}))
    if attachment is None:
        raise bad_request("can't parse inline query result: Can't find field input_message_content")
    return attachment.fields | caption_fields(item)
