"""The whole state of the sandbox, in memory, and the actions that both sides share."""

import asyncio
import itertools
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.errors import SimError
from sandbox.faults import Faults
from sandbox.json_types import JsonObject
from sandbox.limits import TOTAL_LIMIT, FloodLimits
from sandbox.media.files import FileStore
from sandbox.parameters import UPLOAD_LIMIT_BYTES
from sandbox.watching import CallLog, EventStream
from sandbox.world.bot_profile import BotProfile
from sandbox.world.chats import SUPERGROUP_BASE, Chat, Message
from sandbox.world.people import LANGUAGES, Bot, Person, first_persons
from sandbox.world.queries import Queries, Query
from sandbox.world.updates import UpdateQueue
from sandbox.world.webhook import Webhook

OWNER_ID, ADMIN_ID = 7, 9


@dataclass(frozen=True)
class Settings:
    """How the server behaves; can be changed at any time.

    Attributes:
        privacy_mode: the setting at BotFather.
        caption_commands: whether a command in a caption passes privacy mode; what Telegram does is
            not documented.
        enforce_limits: whether flood limits are answered with 429.
        inline_feedback: whether the bot receives `chosen_inline_result` updates.
    """

    privacy_mode: bool = True
    caption_commands: bool = False
    enforce_limits: bool = False
    inline_feedback: bool = True


class Telegram:
    """One server with one bot.

    Args:
        token: the bot's token.
        bot: the bot.
        settings: at the start and after a reset.
        messages_per_second: the flood limit of all chats together.
    """

    def __init__(
        self, token: str, bot: Bot, settings: Settings, messages_per_second: int = TOTAL_LIMIT
    ) -> None:
        self.token = token
        self.bot = bot
        self.profile = BotProfile()
        self.updates = UpdateQueue(time.time())
        self.calls = CallLog()
        self.events = EventStream()
        self.webhook: Webhook | None = None
        self._closed = asyncio.Event()
        self.server_id = secrets.token_hex(8)  # tells the page that this is another server
        self._first_settings = settings
        self._messages_per_second = messages_per_second
        self._down_until = 0.0
        self._begin()

    def _begin(self) -> None:
        self.settings = self._first_settings
        self._down_until = 0.0
        self.files = FileStore()
        self.faults = Faults()
        self.limits = FloodLimits(self._messages_per_second)
        self.queries = Queries()
        self.persons: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        self.inline_messages: dict[str, Message] = {}
        self._group_numbers = itertools.count(1)
        for person in first_persons():
            self.add_person(person)
        self.add_group("Family", "group", is_forum=False)
        club = self.add_group("Photo club", "supergroup", is_forum=True)
        club.open_topic(self.persons[OWNER_ID], "Portraits")

    def reset(self) -> None:
        """Return to the start; the bot's profile stays, and update ids go on."""
        self.queries.close()
        self.updates.forget_all()
        self._begin()
        self.events.emit("reset")

    def open(self) -> None:
        """Let the bot receive updates."""
        self._closed.clear()
        self.updates.open()
        if self.webhook is not None:
            self.webhook.start()

    async def close(self) -> None:
        """End all waiting, and stop the webhook."""
        self._closed.set()
        self.updates.close()
        self.queries.close()
        self.events.close()
        if self.webhook is not None:
            await self.webhook.stop()

    @property
    def is_down(self) -> bool:
        """Whether there is an outage."""
        return time.monotonic() < self._down_until

    def go_down(self, seconds: float) -> None:
        """Start an outage: no call and no download is answered, not even those in progress."""
        self._down_until = time.monotonic() + seconds
        self.updates.end_polls("outage")

    async def hold(self, seconds: float) -> None:
        """Wait, but not beyond the server's end."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    # --- people and chats -------------------------------------------------------------------------

    def add_person(self, person: Person) -> Person:
        """Add a person and their private chat."""
        self.persons[person.user_id] = person
        self.chats[person.user_id] = Chat(person.user_id, "private", person)
        self.events.emit("state")
        return person

    def add_group(
        self, title: str, kind: str, *, is_forum: bool, bot_status: str = "member"
    ) -> Chat:
        """Add a group of all people; Alice owns it and Admin is an administrator.

        Raises:
            SimError: an unknown kind, or a plain group with topics.
        """
        if kind not in {"group", "supergroup"} or (is_forum and kind == "group"):
            raise SimError("A group is a 'group' or a 'supergroup'; only a supergroup has topics.")
        number = next(self._group_numbers)
        chat = Chat(
            -1000 - number if kind == "group" else SUPERGROUP_BASE - 2_000_000_000 - number,
            "group" if kind == "group" else "supergroup",
            title=title,
            is_forum=is_forum,
            bot_status=bot_status,
            ids=itertools.count(2 if is_forum else 1),  # in a forum, 1 is the General topic
        )
        ranks = {OWNER_ID: "creator", ADMIN_ID: "administrator"}
        chat.members = {user_id: ranks.get(user_id, "member") for user_id in self.persons}
        self.chats[chat.chat_id] = chat
        self.events.emit("state")
        return chat

    def upgrade(self, group: Chat) -> Chat:
        """Upgrade a group to a supergroup; the bot receives both service messages."""
        if group.type != "group" or group.migrated_to is not None:
            raise SimError("Only a plain group can be upgraded, and only once.")
        upgraded = self.add_group(
            group.title, "supergroup", is_forum=False, bot_status=group.bot_status
        )
        upgraded.members = dict(group.members)
        owner = self.persons[OWNER_ID]
        for chat, event in (
            (group, {"migrate_to_chat_id": upgraded.chat_id}),
            (upgraded, {"migrate_from_chat_id": group.chat_id}),
        ):
            message = self.post(chat, owner, event)
            if chat.has_bot:
                self.tell_bot("message", message.as_json())
        group.migrated_to = upgraded.chat_id
        self.events.emit("state")
        return upgraded

    def is_admin(self, chat: Chat, user_id: int) -> bool:
        """Whether a person is the owner or an administrator of a group."""
        return chat.members.get(user_id) in {"creator", "administrator"}

    def commands_for(self, chat: Chat, person: Person) -> list[JsonObject]:
        """Return the bot's commands as this person sees them in this chat."""
        is_admin = self.is_admin(chat, person.user_id)
        return self.profile.commands_for(chat.chat_id, person.language_code, is_admin=is_admin)

    # --- messages ---------------------------------------------------------------------------------

    def post(
        self, chat: Chat, author: Person | Bot, content: JsonObject, **details: Any
    ) -> Message:
        """Add a message and show it on the page; this adds no update for the bot."""
        message = self.put(chat, author, content, **details)
        self.show(message)
        return message

    def put(self, chat: Chat, author: Person | Bot, content: JsonObject, **details: Any) -> Message:
        """Add a message without showing it; `details` are further attributes of `Message`."""
        message = chat.add(author, content, **details)
        if message.inline_message_id is not None:
            self.inline_messages[message.inline_message_id] = message
        return message

    def show(self, message: Message) -> None:
        """Show a new message on the page."""
        self.events.emit("message", chat_id=message.chat.chat_id, message=message.as_seen())

    def show_again(self, message: Message) -> None:
        """Show a changed message on the page."""
        self.events.emit("edited", chat_id=message.chat.chat_id, message=message.as_seen())

    def delete(self, message: Message) -> None:
        """Delete a message."""
        chat = message.chat
        del chat.messages[message.message_id]
        chat.topics.pop(message.message_id, None)
        self.events.emit("deleted", chat_id=chat.chat_id, message_ids=[message.message_id])

    def tell_bot(self, kind: str, content: JsonObject) -> JsonObject | None:
        """Add an update for the bot; None if it has not asked for this kind."""
        return self.updates.add(kind, content)

    def answer(self, query: Query, answer: JsonObject) -> None:
        """Answer a query, and show the answer on the page."""
        self.queries.answer(query, answer)
        self.events.emit("answer", query_id=query.query_id, kind=query.kind, answer=answer)

    @property
    def has_listener(self) -> bool:
        """Whether a program receives the bot's updates."""
        now_s = asyncio.get_running_loop().time()
        return self.webhook is not None or self.updates.is_polled(now_s)

    # --- for the page -----------------------------------------------------------------------------

    def as_seen(self) -> JsonObject:
        """Return bot, people, chats and settings."""
        return {
            "bot": self.bot.as_user()
            | {
                "description": self.profile.text("description", ""),
                "short_description": self.profile.text("short_description", ""),
                "is_listening": self.has_listener,
            },
            "persons": [
                person.as_user()
                | {
                    "blocks_bot": person.blocks_bot,
                    "photo": person.photo[-1]["file_id"] if person.photo else None,
                }
                for person in self.persons.values()
            ],
            "chats": [chat.as_seen() for chat in self.chats.values()],
            "settings": asdict(self.settings),
            "server": self.server_id,
            "token": self.token,
            "upload_limit_bytes": UPLOAD_LIMIT_BYTES,
            "languages": list(LANGUAGES),
        }

    def change_settings(self, changes: JsonObject) -> None:
        """Change settings."""
        self.settings = replace(self.settings, **changes)
        self.events.emit("state")
