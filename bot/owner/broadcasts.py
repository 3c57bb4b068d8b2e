"""/broadcast: one message to everybody who uses the bot and has not switched that off.

    ask  -> a preview, and a question with the number of people
    send -> their ids become a list in Redis; `work` takes them from it one by one
    stop -> the list is deleted

An id is taken from the list before its message is sent, so nobody gets a message twice: if the bot
dies in between, one person may not get it at all.
"""

import asyncio
import logging
import secrets
from enum import StrEnum

from telegram.error import BadRequest, Forbidden, TelegramError

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, CardMessage, ChatBusy, ChatTarget, MessageContent
from bot.owner.buttons import OwnerAction, owner_button
from bot.record_store import BotRecord, RecordStore
from bot.services import Services
from bot.texts import Texts, speaking
from jobs.connection import queue_errors
from jobs.queues.keys import BROADCAST_KEY, BROADCAST_PEOPLE_KEY

log = logging.getLogger(__name__)

# Well below Telegram's limit of 30 messages in a second, so that others are still answered.
_PAUSE_S = 0.1
_SHOWN_EVERY = 50
_MOST_CHARACTERS = 3500
_KEPT_S = 7 * 86_400
# Telegram's error text about a person who has deleted the account.
_NO_CHAT = "chat not found"


class State(StrEnum):
    """What happens to a broadcast."""

    ASKED = "asked"
    SENDING = "sending"
    ENDED = "ended"
    STOPPED = "stopped"


class Broadcast(BotRecord):
    """The last broadcast.

    Attributes:
        name: its id, in its buttons.
        text: what is sent.
        state: what happens to it.
        admin: who asked for it.
        message: the message that shows its progress.
        total: how many people get it.
        delivered: how many have got it.
        blocked: how many have blocked the bot.
        failed: how many could not be reached for another reason.
        skipped: how many did not want it any more when it was their turn.
    """

    name: str = ""
    text: str = ""
    state: State = State.ENDED
    admin: int = 0
    message: int = 0
    total: int = 0
    delivered: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def tried(self) -> int:
        """How many people have had their turn."""
        return self.delivered + self.blocked + self.failed + self.skipped


class Broadcasts:
    """Asks about broadcasts, sends and stops them.

    Args:
        is_on: whether the settings allow broadcasts.
        pause_s: between two messages.
    """

    def __init__(self, services: Services, *, is_on: bool, pause_s: float = _PAUSE_S) -> None:
        self._services = services
        self._is_on = is_on
        self._pause_s = pause_s
        self._redis = services.queues.client
        self._url = services.queues.url
        self._records = RecordStore(self._redis, self._url, Broadcast.read, _KEPT_S)

    async def ask(self, admin: int, target: ChatTarget, text: str) -> None:
        """Show a preview, and ask whether to send it."""
        _, messenger = self._services.texts, self._services.messenger
        problem = await self._problem(text)
        if problem is not None:
            await messenger.send(target, MessageContent(problem))
            return
        name = secrets.token_hex(4)
        people = await self._services.people.reachable()
        await messenger.send(target, self._content(text))
        question = _.plural(
            "Send this message to {count} person?",
            "Send this message to {count} people?",
            len(people),
        )
        send = owner_button(_("📣 Send"), OwnerAction.BROADCAST, name)
        cancel = owner_button(_("✖️ Cancel"), OwnerAction.STOP_BROADCAST, name)
        content = MessageContent(question, ((send, cancel),))
        sent = await messenger.send(ChatTarget(target.chat_id), content)
        new = Broadcast(name=name, text=text, state=State.ASKED, admin=admin, message=sent)
        await self._records.change_or_create(BROADCAST_KEY, new, lambda _known: new)

    async def send(self, name: str) -> MessageContent:
        """Begin to send; return what the question's message shows then."""
        known = await self._read()
        if known.name == name and known.state is State.ASKED:
            people = await self._services.people.reachable()
            with queue_errors(self._url):
                async with self._redis.pipeline(transaction=True) as pipe:
                    pipe.delete(BROADCAST_PEOPLE_KEY)
                    if people:
                        pipe.rpush(BROADCAST_PEOPLE_KEY, *people)
                        pipe.expire(BROADCAST_PEOPLE_KEY, _KEPT_S)
                    await pipe.execute()
            known = await self._change(name, state=State.SENDING, total=len(people))
        return self._progress(known, name)

    async def stop(self, name: str) -> MessageContent:
        """Stop sending, or do not begin; return what the message shows then."""
        known = await self._read()
        if known.name == name and known.state in (State.ASKED, State.SENDING):
            known = await self._change(name, state=State.STOPPED)
            with queue_errors(self._url):
                await self._redis.delete(BROADCAST_PEOPLE_KEY)
        return self._progress(known, name)

    async def work(self) -> None:
        """Send until everybody had their turn. If it fails, the next call continues."""
        while (known := await self._read()).state is State.SENDING:
            with queue_errors(self._url):
                person = await self._redis.lpop(BROADCAST_PEOPLE_KEY)
            if person is None:
                known = await self._change(known.name, state=State.ENDED)
                await self._show(known)
                return
            field = await self._send_to(int(str(person)), known.text)
            known = await self._count(known.name, field)
            if known.tried % _SHOWN_EVERY == 0:
                await self._show(known)
            await asyncio.sleep(self._pause_s)

    async def _send_to(self, person_id: int, text: str) -> str:
        """Send it to one person; return the name of the counter to increase."""
        if not (await self._services.people.person(person_id)).is_reachable:
            return "skipped"  # changed since the list was made
        with speaking(await self._services.languages.of(person_id, person_id)):
            content = self._content(text)
        try:
            await self._services.messenger.send(ChatTarget(person_id), content)
        except (TelegramError, ChatBusy) as error:
            is_unknown = isinstance(error, BadRequest) and _NO_CHAT in str(error).lower()
            if isinstance(error, Forbidden) or is_unknown:
                log.info("a person cannot be reached: %s", type(error).__name__)
                await self._services.people.change_known(person_id, has_blocked=True)
                return "blocked"
            log.warning("a message may not have arrived: %s", type(error).__name__)
            return "failed"
        return "delivered"

    async def _problem(self, text: str) -> str | None:
        """Return why a text cannot be sent, or None."""
        _ = self._services.texts
        if not self._is_on:
            return _("Broadcasts are off. ANIMATO_BROADCAST=true in the settings allows them.")
        if (await self._read()).state is State.SENDING:
            return _("The last message is still being sent. Stop it first, or wait.")
        if not text:
            return _("Write the message after the command: /broadcast Hello everybody!")
        if len(text) > _MOST_CHARACTERS:
            return _("That is too long: {most} characters fit.", most=_MOST_CHARACTERS)
        return None

    def _content(self, text: str) -> MessageContent:
        return MessageContent(text, ((news_button(self._services.texts),),))

    def _progress(self, known: Broadcast, name: str) -> MessageContent:
        _ = self._services.texts
        if known.name != name:
            return MessageContent(_("This button is too old."))
        counts = _(
            "{delivered} of {total} delivered, {blocked} have blocked the bot, {failed} failed.",
            delivered=known.delivered,
            total=known.total,
            blocked=known.blocked,
            failed=known.failed,
        )
        match known.state:
            case State.SENDING:
                stop = owner_button(_("⏹ Stop"), OwnerAction.STOP_BROADCAST, name)
                return MessageContent(_("Sending ...") + "\n" + counts, ((stop,),))
            case State.STOPPED if not known.total:
                return MessageContent(_("Not sent."))
            case State.STOPPED:
                return MessageContent(_("Stopped.") + "\n" + counts)
        return MessageContent(_("Sent.") + "\n" + counts)

    async def _show(self, known: Broadcast) -> None:
        try:
            card = CardMessage(message_id=known.message)
            with speaking(await self._services.languages.of(known.admin, known.admin)):
                content = self._progress(known, known.name)
            await self._services.messenger.edit(known.admin, card, content)
        except TelegramError as error:
            log.info("the admin's message is not up to date: %s", type(error).__name__)

    async def _read(self) -> Broadcast:
        return await self._records.read(BROADCAST_KEY) or Broadcast()

    async def _change(self, name: str, **changes: object) -> Broadcast:
        """Change the broadcast of that name, unless there is another one or it was stopped."""

        def changed(known: Broadcast) -> Broadcast:
            is_open = known.name == name and known.state is not State.STOPPED
            return known.model_copy(update=changes) if is_open else known

        return await self._records.change(BROADCAST_KEY, changed) or Broadcast()

    async def _count(self, name: str, field: str) -> Broadcast:
        """Increase a counter, even if the broadcast was stopped meanwhile."""

        def counted(known: Broadcast) -> Broadcast:
            count = {field: getattr(known, field) + 1}
            return known.model_copy(update=count) if known.name == name else known

        return await self._records.change(BROADCAST_KEY, counted) or Broadcast()


def news_button(_: Texts) -> Button:
    """The button under a broadcast with which a person gets no more of them."""
    return Button(_("🔕 Stop these messages"), ButtonData(ButtonAction.NEWS, argument="off"))
