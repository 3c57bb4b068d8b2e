"""The methods of the Bot API that the sandbox has, by name."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sandbox.bot_api import answers, chats, editing, media, profile, receiving, sending
from sandbox.parameters import Parameters
from sandbox.world.telegram import Telegram

Method: TypeAlias = Callable[[Telegram, Parameters], Awaitable[object]]

METHODS: dict[str, Method] = {
    "getMe": profile.get_me,
    "setMyCommands": profile.set_my_commands,
    "getMyCommands": profile.get_my_commands,
    "deleteMyCommands": profile.delete_my_commands,
    "getMyName": profile.get_my_name,
    "setMyDescription": profile.text_setter("description"),
    "getMyDescription": profile.text_getter("description"),
    "setMyShortDescription": profile.text_setter("short_description"),
    "getMyShortDescription": profile.text_getter("short_description"),
    "getUpdates": receiving.get_updates,
    "setWebhook": receiving.set_webhook,
    "deleteWebhook": receiving.delete_webhook,
    "getWebhookInfo": receiving.get_webhook_info,
    "getFile": receiving.get_file,
    "sendMessage": sending.send_message,
    "sendPhoto": media.sender("photo"),
    "sendVideo": media.sender("video"),
    "sendAnimation": media.sender("animation"),
    "sendVideoNote": media.sender("video_note"),
    "sendDocument": media.sender("document"),
    "sendSticker": media.sender("sticker"),
    "editMessageText": editing.edit_message_text,
    "editMessageCaption": editing.edit_message_caption,
    "editMessageMedia": editing.edit_message_media,
    "editMessageReplyMarkup": editing.edit_message_reply_markup,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "setMessageReaction": editing.set_message_reaction,
    "answerCallbackQuery": answers.answer_callback_query,
    "answerInlineQuery": answers.answer_inline_query,
    "sendChatAction": chats.send_chat_action,
    "getChatMember": chats.get_chat_member,
    "getUserProfilePhotos": chats.get_user_profile_photos,
}

_BY_LOWER_NAME = {name.lower(): name for name in METHODS}


def name_of(given: str) -> str | None:
    """Return a method's name in its usual spelling; case does not matter."""
    return _BY_LOWER_NAME.get(given.lower())
