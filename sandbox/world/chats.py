"""Chats and their messages."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.json_types import JsonObject
from sandbox.world.people import Bot, Person

ChatType = Literal["private", "group", "supergroup"]
OUTSIDE = frozenset({"left", "kicked"})  # statuses of those who are not in a group
SUPERGROUP_BASE = -1_000_000_000_000  # ids of supergroups are below it

# The author that Telegram gives for what administrators write anonymously.
ANONYMOUS_ADMIN: JsonObject = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}

# And the author of what people write in a group as one of their channels.
CHANNEL_BOT: JsonObject = {
    "id": 136817688,
    "is_bot": True,
    "first_name": "Channel",
    "username": "Channel_Bot",
}

_chat_instances = itertools.count(5_000_001)


@dataclass(eq=False)
class Message:
    """One message.

    Attributes:
        content: fields of the Message: text or media, caption, entities, or a service event.
        topic: the message that opened its forum topic.
        reply_markup: the inline keyboard.
        hidden_because: why the bot did not receive it.
        is_anonymous: an administrator wrote it as the group.
        channel: the title of the channel as which its author wrote it, or empty.
        reactions: of the bot.
    """

    message_id: int
    chat: "Chat"
    author: Person | Bot
    content: JsonObject
    date: int
    reply_to: "Message | None" = None
    topic: "Message | None" = None
    reply_markup: JsonObject | None = None
    media_group_id: str | None = None
    via_bot: Bot | None = None
    inline_message_id: str | None = None
    is_anonymous: bool = False
    channel: str = ""
    edit_date: int | None = None
    hidden_because: str | None = None
    reactions: tuple[str, ...] = ()

    @property
    def is_of_bot(self) -> bool:
        """Whether the bot wrote it."""
        return isinstance(self.author, Bot)

    @property
    def is_there(self) -> bool:
        """Whether it has not been deleted."""
        return self.message_id in self.chat.messages

    def _root(self) -> "Message":
        """Return the first message of the chain of replies."""
        message = self
        while message.reply_to is not None:
            message = message.reply_to
        return message

    def as_json(self, *, with_reply: bool = True) -> JsonObject:
        """Return the Message; replies are nested one level deep."""
        found: JsonObject = {
            "message_id": self.message_id,
            "from": self.author.as_user(),
            "chat": self.chat.as_json(),
            "date": self.date,
        }
        if self.is_anonymous:
            found |= {"from": ANONYMOUS_ADMIN, "sender_chat": self.chat.as_json()}
        if self.channel:
            channel_id = SUPERGROUP_BASE - 3_000_000_000 - self.author.user_id
            channel = {"id": channel_id, "type": "channel", "title": self.channel}
            found |= {"from": CHANNEL_BOT, "sender_chat": channel}
        if self.topic is not None:
            found |= {"message_thread_id": self.topic.message_id, "is_topic_message": True}
        elif self.reply_to is not None and self.chat.type == "supergroup":
            # As on Telegram: this looks like a topic's id, but messages cannot be sent to it.
            found["message_thread_id"] = self._root().message_id
        # In a topic, a message that is not a reply replies to the message that opened the topic.
        reply_to = self.reply_to or (self.topic if self.topic is not self else None)
        if with_reply and reply_to is not None and reply_to.is_there:
            found["reply_to_message"] = reply_to.as_json(with_reply=False)
        if self.via_bot is not None:
            found["via_bot"] = self.via_bot.as_user()
        if self.edit_date is not None:
            found["edit_date"] = self.edit_date
        if self.media_group_id is not None:
            found["media_group_id"] = self.media_group_id
        found |= self.content
        if self.reply_markup is not None:
            found["reply_markup"] = self.reply_markup
        return found

    def as_seen(self) -> JsonObject:
        """Return the Message and, under `sim`, what the page shows beside it."""
        return self.as_json() | {
            "sim": {
                "delivered": None if self.is_of_bot else self.hidden_because is None,
                "reason": self.hidden_because,
                "reactions": list(self.reactions),
                "author_id": self.author.user_id,
            }
        }

    def edit(self, content: JsonObject, reply_markup: JsonObject | None) -> None:
        """Replace content and keyboard."""
        self.content = content
        self.reply_markup = reply_markup
        self.edit_date = int(time.time())


@dataclass(eq=False)
class Chat:
    """A private chat, whose id is its person's, or a group.

    Attributes:
        person: of a private chat.
        is_started: whether the person has opened the private chat.
        members: persons' ids and their status: `creator`, `administrator`, `member`, `left` or
            `kicked`.
        bot_status: one of the last four.
        migrated_to: the supergroup's id, once the group has been upgraded.
        topics: the messages that opened a topic, by id.
    """

    chat_id: int
    type: ChatType
    person: Person | None = None
    title: str = ""
    is_forum: bool = False
    is_started: bool = False
    members: dict[int, str] = field(default_factory=dict)
    bot_status: str = "member"
    migrated_to: int | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    topics: dict[int, Message] = field(default_factory=dict)
    chat_instance: str = field(default_factory=lambda: str(next(_chat_instances)))
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def is_group(self) -> bool:
        """Whether it is a group or supergroup."""
        return self.type != "private"

    @property
    def has_bot(self) -> bool:
        """Whether the bot is in it."""
        return not self.is_group or self.bot_status not in OUTSIDE

    def has_person(self, user_id: int) -> bool:
        """Whether a person is in it."""
        if self.person is not None:
            return user_id == self.chat_id
        return self.members.get(user_id, "left") not in OUTSIDE

    def as_json(self) -> JsonObject:
        """Return the Chat."""
        if self.person is not None:
            return self.person.as_private_chat()
        chat: JsonObject = {"id": self.chat_id, "type": self.type, "title": self.title}
        return chat | ({"is_forum": True} if self.is_forum else {})

    def as_seen(self) -> JsonObject:
        """Return the chat for the page."""
        if self.person is not None:
            return self.as_json() | {
                "person_id": self.person.user_id,
                "is_started": self.is_started,
            }
        return self.as_json() | {
            "is_forum": self.is_forum,
            "topics": [
                {
                    "message_thread_id": topic.message_id,
                    "name": topic.content["forum_topic_created"]["name"],
                }
                for topic in self.topics.values()
            ],
            "members": {str(user_id): status for user_id, status in self.members.items()},
            "bot_status": self.bot_status,
            "migrated_to": self.migrated_to,
        }

    def add(self, author: Person | Bot, content: JsonObject, **details: Any) -> Message:
        """Add a message; `details` are further attributes of it."""
        message = Message(next(self.ids), self, author, content, int(time.time()), **details)
        self.messages[message.message_id] = message
        return message

    def open_topic(self, author: Person | Bot, name: str) -> Message:
        """Add a topic, and return the message that opens it."""
        content = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        message = self.add(author, content)
        message.topic = message
        self.topics[message.message_id] = message
        return message
