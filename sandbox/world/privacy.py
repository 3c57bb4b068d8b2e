"""Privacy mode: which messages of a group a bot gets to see."""

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
    """Why the bot does not get a person's message; None when it does.

    Private chats hide nothing. In a group the bot gets, under privacy mode: service messages,
    answers to its own messages, messages sent with its help, commands that name it, and commands
    that name nobody when it was the last bot to write there. As an admin, or without privacy mode,
    it gets everything.
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
    # There is one bot here: if a bot has written, it was the last.
    return any(other.is_of_bot for other in message.chat.messages.values())


def _commands(message: Message, text_field: str, entities_field: str) -> list[str]:
    content = message.content
    return commands_of(content.get(text_field, ""), content.get(entities_field, []))
