"""Chats and their messages, as the server keeps them."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Literal

from sandbox.formatting.keyboards import inline_keyboard_of
from sandbox.json_types import JsonObject
from sandbox.world.people import Bot, Person

ChatType = Literal["private", "group", "supergroup"]
OUTSIDE = frozenset({"left", "kicked"})  # what somebody is who is not in a group
SUPERGROUP_BASE = -1_000_000_000_000  # ids of supergroups lie below it

# The user that the real server names as the author of what admins write anonymously.
ANONYMOUS_ADMIN: JsonObject = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}

_chat_instances = itertools.count(5_000_001)


@dataclass(eq=False)
class Message:
    """One message. `content` is what it shows: text or media, caption, entities, a service event.

    `topic` is the message that opened the forum topic in which it lies. `reply_markup` keeps every
    kind of keyboard; only inline ones are part of what a bot reads. `hidden_because` says why the
    bot never saw the message. `is_anonymous`: an admin writes as the group itself.
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
    is_protected: bool = False
    is_anonymous: bool = False
    edit_date: int | None = None
    hidden_because: str | None = None
    reactions: tuple[str, ...] = ()

    @property
    def is_of_bot(self) -> bool:
        """True if the bot wrote it."""
        return isinstance(self.author, Bot)

    @property
    def is_there(self) -> bool:
        """False once it has been deleted."""
        return self.message_id in self.chat.messages

    @property
    def inline_keyboard(self) -> JsonObject | None:
        """The keyboard under the message, if it has one."""
        return inline_keyboard_of(self.reply_markup)

    def _root(self) -> "Message":
        """The message that began the chain of answers in which this one stands."""
        message = self
        while message.reply_to is not None:
            message = message.reply_to
        return message

    def as_json(self, *, with_reply: bool = True) -> JsonObject:
        """The message as the Bot API gives it; quotes are one level deep."""
        found: JsonObject = {
            "message_id": self.message_id,
            "from": self.author.as_user(),
            "chat": self.chat.as_json(),
            "date": self.date,
        }
        if self.is_anonymous:
            found |= {"from": ANONYMOUS_ADMIN, "sender_chat": self.chat.as_json()}
        if self.topic is not None:
            found |= {"message_thread_id": self.topic.message_id, "is_topic_message": True}
        elif self.reply_to is not None and self.chat.type == "supergroup":
            # The real server's trap: an id that looks like a topic's, and cannot be sent to.
            found["message_thread_id"] = self._root().message_id
        # A message in a topic that answers nothing else answers the message that opened the topic.
        reply_to = self.reply_to or (self.topic if self.topic is not self else None)
        if with_reply and reply_to is not None and reply_to.is_there:
            found["reply_to_message"] = reply_to.as_json(with_reply=False)
        if self.via_bot is not None:
            found["via_bot"] = self.via_bot.as_user()
        if self.edit_date is not None:
            found["edit_date"] = self.edit_date
        if self.is_protected:
            found["has_protected_content"] = True
        if self.media_group_id is not None:
            found["media_group_id"] = self.media_group_id
        found |= self.content
        if self.inline_keyboard is not None:
            found["reply_markup"] = self.inline_keyboard
        return found

    def as_seen(self) -> JsonObject:
        """The message with what only a person's screen knows, under `sim`."""
        markup = self.reply_markup if self.inline_keyboard is None else None
        return self.as_json() | {
            "sim": {
                "delivered": None if self.is_of_bot else self.hidden_because is None,
                "reason": self.hidden_because,
                "reactions": list(self.reactions),
                "reply_markup": markup,
                "author_id": self.author.user_id,
            }
        }

    def edit(self, content: JsonObject, reply_markup: JsonObject | None) -> None:
        """Puts other content and another keyboard into the message."""
        self.content = content
        self.reply_markup = reply_markup
        self.edit_date = int(time.time())


@dataclass(eq=False)
class Chat:
    """A private chat, whose id is its person's, or a group.

    `members` maps persons' ids to `creator`, `administrator`, `member`, `left` or `kicked`, and
    `bot_status` is one of the last four. A group that was upgraded names its successor.
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
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def is_group(self) -> bool:
        """True for groups and supergroups."""
        return self.type != "private"

    @property
    def has_bot(self) -> bool:
        """True for private chats, and for groups in which the bot is."""
        return not self.is_group or self.bot_status not in OUTSIDE

    def has_person(self, user_id: int) -> bool:
        """True for the person of a private chat and for those who are in a group."""
        if self.person is not None:
            return user_id == self.chat_id
        return self.members.get(user_id, "left") not in OUTSIDE

    def as_json(self) -> JsonObject:
        """The Bot API's Chat."""
        if self.person is not None:
            return self.person.as_private_chat()
        chat: JsonObject = {"id": self.chat_id, "type": self.type, "title": self.title}
        return chat | ({"is_forum": True} if self.is_forum else {})

    def as_seen(self) -> JsonObject:
        """The chat with what only the sandbox knows."""
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

    def add(self, author: Person | Bot, content: JsonObject) -> Message:
        """A new message at the end of the chat."""
        message = Message(next(self._ids), self, author, content, int(time.time()))
        self.messages[message.message_id] = message
        return message

    def skip_message_ids(self, count: int) -> None:
        """Lets no message have the next ids."""
        for _ in range(count):
            next(self._ids)

    def open_topic(self, author: Person | Bot, name: str) -> Message:
        """A new topic of a forum: the message that opens it."""
        content = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        message = self.add(author, content)
        message.topic = message
        self.topics[message.message_id] = message
        return message
