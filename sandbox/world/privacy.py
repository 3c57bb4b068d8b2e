"""Privacy mode: which messages of a group the bot receives."""

from sandbox.formatting.entities import commands_of
from sandbox.world.chats import Message
from sandbox.world.people import Bot

SERVICE = frozenset(
    {
        "new_chat_members",
        "left_chat_member",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "forum_topic_created",
    }
)
HIDDEN = "privacy mode"
NOT_A_MEMBER = "the bot is not in this group"


def why_hidden(
    message: Message, bot: Bot, *, privacy_mode: bool, caption_commands: bool
) -> str | None:
    """Return why the bot does not receive a person's message; None if it does.

    In a group with privacy mode the bot receives service messages, replies to its own messages,
    messages sent via it, commands that name it, and commands without a name if it was the last bot
    to write there. As an administrator, or without privacy mode, it receives everything.
    """
    chat = message.chat
    if not chat.is_group:
        return None
    if not chat.has_bot:
        return NOT_A_MEMBER
    sees_all = not privacy_mode or chat.bot_status == "administrator"
    answers_bot = message.reply_to is not None and message.reply_to.is_of_bot
    is_its_own = message.via_bot is not None or bool(SERVICE & message.content.keys())
    if sees_all or answers_bot or is_its_own:
        return None
    commands = _commands(message, "text", "entities")
    if caption_commands:
        commands += _commands(message, "caption", "caption_entities")
    return None if any(_is_for(command, bot, message) for command in commands) else HIDDEN


def _is_for(command: str, bot: Bot, message: Message) -> bool:
    addressee = command.partition("@")[2]
    if addressee:
        return addressee.lower() == bot.username.lower()
    # There is only one bot: if it has written at all, it was the last.
    return any(other.is_of_bot for other in message.chat.messages.values())


def _commands(message: Message, text_field: str, entities_field: str) -> list[str]:
    content = message.content
    return commands_of(content.get(text_field, ""), content.get(entities_field, []))
