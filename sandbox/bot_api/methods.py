"""Every method that the server knows, by its name."""

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
    "setMyName": profile.set_my_name,
    "getMyName": profile.get_my_name,
    "setMyDescription": profile.set_my_description,
    "getMyDescription": profile.get_my_description,
    "setMyShortDescription": profile.set_my_short_description,
    "getMyShortDescription": profile.get_my_short_description,
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
    "sendMediaGroup": media.send_media_group,
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
    "getChat": chats.get_chat,
    "getChatMember": chats.get_chat_member,
    "getChatAdministrators": chats.get_chat_administrators,
    "leaveChat": chats.leave_chat,
    "getUserProfilePhotos": chats.get_user_profile_photos,
}

_BY_LOWER_NAME = {name.lower(): name for name in METHODS}


def name_of(given: str) -> str | None:
    """The name as it is written here; names are compared without regard to case."""
    return _BY_LOWER_NAME.get(given.lower())
