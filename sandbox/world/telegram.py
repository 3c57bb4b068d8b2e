"""Everything that the server knows, in memory: persons, chats, files, updates, settings."""

import asyncio
import itertools
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from sandbox.errors import SimError
from sandbox.faults import Faults
from sandbox.json_types import JsonObject
from sandbox.limits import FloodLimits
from sandbox.media.avatars import avatar
from sandbox.media.files import Attachment, FileStore
from sandbox.parameters import UPLOAD_LIMIT_BYTES
from sandbox.watching import CallLog, EventStream
from sandbox.world.bot_profile import BotProfile, Place
from sandbox.world.chats import SUPERGROUP_BASE, Chat, Message
from sandbox.world.people import LANGUAGES, Bot, Person, first_persons
from sandbox.world.queries import Queries, Query
from sandbox.world.updates import UpdateQueue
from sandbox.world.webhook import Webhook

OWNER_ID, GUEST_ID, ADMIN_ID = 7, 8, 9


@dataclass(frozen=True)
class Settings:
    """How the server behaves; persons may change it at any time.

    `privacy_mode` is BotFather's setting. `caption_commands`: a command in a caption passes it
    (whether the real server lets it is not known). `inline_feedback`: chosen inline results are
    reported. `silent_video_is_animation`: a video without sound comes back as an animation. A tap
    can be answered for `callback_lifetime_s`.
    """

    privacy_mode: bool = True
    caption_commands: bool = False
    enforce_limits: bool = False
    inline_feedback: bool = True
    silent_video_is_animation: bool = True
    callback_lifetime_s: float = 60.0


@dataclass(frozen=True)
class NewMessage:
    """What somebody writes into a chat."""

    content: JsonObject
    reply_to: Message | None = None
    topic: Message | None = None
    reply_markup: JsonObject | None = None
    media_group_id: str | None = None
    via_bot: Bot | None = None
    inline_message_id: str | None = None
    is_protected: bool = False
    is_anonymous: bool = False


class Telegram:
    """One server with one bot.

    Args:
        token: what the bot has to show.
        bot: its name.
        settings: how the server behaves at the start and after a reset.
    """

    def __init__(self, token: str, bot: Bot, settings: Settings) -> None:
        self.token = token
        self.bot = bot
        self.profile = BotProfile()
        self.updates = UpdateQueue(time.time())
        self.calls = CallLog()
        self.events = EventStream()
        self.webhook: Webhook | None = None
        self._closed = asyncio.Event()
        self.server_id = secrets.token_hex(8)  # tells a page that what it knows is of another one
        self._first_settings = settings
        self._down_until = 0.0
        self.beginnings = 0  # a reset is another one; what a file was uploaded for may be gone
        self._begin()

    def _begin(self) -> None:
        self.beginnings += 1
        self.settings = self._first_settings
        self._down_until = 0.0
        self.files = FileStore()
        self.faults = Faults()
        self.limits = FloodLimits()
        self.queries = Queries()
        self.persons: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        self.inline_messages: dict[str, Message] = {}
        self._group_numbers = itertools.count(1)
        self._person_ids = itertools.count(10)
        for person in first_persons():
            self.add_person(person)
        self.add_group("Family", "group", is_forum=False)
        club = self.add_group("Photo club", "supergroup", is_forum=True)
        club.open_topic(self.persons[OWNER_ID], "Portraits")

    def reset(self) -> None:
        """Everything as at the start; what the bot said of itself stays, and update ids go on."""
        self.queries.close()
        self.updates.forget_all()
        self._begin()
        self.events.emit("reset")

    def open(self) -> None:
        """Lets the bot wait for updates."""
        self._closed.clear()
        self.updates.open()
        if self.webhook is not None:
            self.webhook.start()

    async def close(self) -> None:
        """Ends everybody's waiting, and the webhook's pushing."""
        self._closed.set()
        self.updates.close()
        self.queries.close()
        self.events.close()
        if self.webhook is not None:
            await self.webhook.stop()

    @property
    def is_down(self) -> bool:
        """True during an outage."""
        return time.monotonic() < self._down_until

    def go_down(self, seconds: float) -> None:
        """An outage: for so long every call and download, also those that wait, gets no answer."""
        self._down_until = time.monotonic() + seconds
        self.updates.end_polls("outage")

    async def hold(self, seconds: float) -> None:
        """Returns after the time, or when everything ends."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    # --- persons and chats ------------------------------------------------------------------------

    def add_person(self, person: Person) -> Person:
        """Somebody new, with a drawn profile picture, and their private chat with the bot."""
        content = avatar(person.first_name, person.user_id)
        stored = self.files.add(content, "photo", ".jpg", "image/jpeg")
        person.photo = [stored.as_json() | {"width": 320, "height": 320}]
        self.files.attach(Attachment("photo", {"photo": person.photo}), stored)
        self.persons[person.user_id] = person
        self.chats[person.user_id] = Chat(person.user_id, "private", person)
        self.events.emit("state")
        return person

    def next_person_id(self) -> int:
        """An id that nobody has."""
        return next(self._person_ids)

    def add_group(
        self, title: str, kind: str, *, is_forum: bool, bot_status: str = "member"
    ) -> Chat:
        """A group of all persons: the first one made it, the third is an admin.

        Raises:
            SimError: a plain group with topics.
        """
        if kind not in {"group", "supergroup"} or (is_forum and kind == "group"):
            raise SimError(
                "A group is a 'group' or a 'supergroup', and only the latter has topics."
            )
        number = next(self._group_numbers)
        chat = Chat(
            -1000 - number if kind == "group" else SUPERGROUP_BASE - 2_000_000_000 - number,
            "group" if kind == "group" else "supergroup",
            title=title,
            is_forum=is_forum,
            bot_status=bot_status,
        )
        if is_forum:
            chat.skip_message_ids(1)  # in a forum, 1 is General
        ranks = {OWNER_ID: "creator", ADMIN_ID: "administrator"}
        chat.members = {user_id: ranks.get(user_id, "member") for user_id in self.persons}
        self.chats[chat.chat_id] = chat
        self.events.emit("state")
        return chat

    def upgrade(self, group: Chat) -> Chat:
        """The supergroup that a group becomes; the bot gets both service messages."""
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
            message = self.post(chat, owner, NewMessage(event))
            if chat.has_bot:
                self.tell_bot("message", message.as_json())
        group.migrated_to = upgraded.chat_id
        self.events.emit("state")
        return upgraded

    def is_admin(self, chat: Chat, user_id: int) -> bool:
        """True for a group's owner and admins."""
        return chat.members.get(user_id) in {"creator", "administrator"}

    def commands_for(self, chat: Chat, person: Person) -> list[JsonObject]:
        """The bot's commands as this person sees them in this chat."""
        place = Place(
            chat.chat_id,
            person.user_id,
            chat.is_group,
            self.is_admin(chat, person.user_id),
            person.language_code,
        )
        return self.profile.commands_at(place)

    # --- messages ---------------------------------------------------------------------------------

    def post(self, chat: Chat, author: Person | Bot, new: NewMessage) -> Message:
        """Puts a message into a chat and on everybody's screen; the bot is not told here."""
        message = self.put(chat, author, new)
        self.show(message)
        return message

    def put(self, chat: Chat, author: Person | Bot, new: NewMessage) -> Message:
        """Puts a message into a chat; nobody sees it yet."""
        message = chat.add(author, new.content)
        message.reply_to = new.reply_to
        message.topic = new.topic
        message.reply_markup = new.reply_markup
        message.media_group_id = new.media_group_id
        message.via_bot = new.via_bot
        message.is_protected = new.is_protected
        message.is_anonymous = new.is_anonymous
        message.inline_message_id = new.inline_message_id
        if new.inline_message_id is not None:
            self.inline_messages[new.inline_message_id] = message
        return message

    def show(self, message: Message) -> None:
        """Puts a new message on everybody's screen."""
        self.events.emit("message", chat_id=message.chat.chat_id, message=message.as_seen())

    def show_again(self, message: Message) -> None:
        """Puts what has changed in a message on everybody's screen."""
        self.events.emit("edited", chat_id=message.chat.chat_id, message=message.as_seen())

    def delete(self, message: Message) -> None:
        """Takes a message out of its chat."""
        chat = message.chat
        del chat.messages[message.message_id]
        chat.topics.pop(message.message_id, None)
        self.events.emit("deleted", chat_id=chat.chat_id, message_ids=[message.message_id])

    def tell_bot(self, kind: str, content: JsonObject) -> JsonObject | None:
        """A new update for the bot; None if it has not asked for this kind."""
        return self.updates.add(kind, content)

    def answer(self, query: Query, answer: JsonObject) -> None:
        """Settles a question, and shows the answer to whoever asked."""
        self.queries.answer(query, answer)
        self.events.emit("answer", query_id=query.query_id, kind=query.kind, answer=answer)

    @property
    def has_listener(self) -> bool:
        """True if a program takes the bot's updates."""
        now_s = asyncio.get_running_loop().time()
        return self.webhook is not None or self.updates.is_polled(now_s)

    # --- what can be seen -------------------------------------------------------------------------

    def as_seen(self) -> JsonObject:
        """Bot, persons, chats and settings, for the page."""
        profile = self.profile
        return {
            "bot": self.bot.as_user()
            | {
                "first_name": profile.text("name", "") or self.bot.first_name,
                "description": profile.text("description", ""),
                "short_description": profile.text("short_description", ""),
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
        """Changes how the server behaves from now on."""
        self.settings = replace(self.settings, **changes)
        self.events.emit("state")
