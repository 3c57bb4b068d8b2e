"""`/history`: the last results with small pictures, and what can be done with each.

/history -> a text with numbers, at once
-> queue `media`: a worker draws the sheet -> the text becomes a picture with caption
a number -> send again, as file, other forms, delete
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from telegram.error import BadRequest, Forbidden

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, CardMessage, Keyboard, MessageContent, even_width, in_rows
from bot.gateway.updates import IncomingMessage, IncomingTap, TapAnswer
from bot.history.result_taps import ResultTaps
from bot.history.store import HistoryEntry
from bot.orders.media_delivery import MediaOutcome
from bot.orders.media_requests import NobodyServes, request_media
from bot.orders.result_files import delete_result
from bot.orders.result_keyboard import form_rows
from bot.services import Services
from jobs.media_jobs import MediaJob
from jobs.media_tasks import DrawSheet, Form
from jobs.service_errors import TooManyMediaJobs

log = logging.getLogger(__name__)

PAGE_SIZE = 9
_NUMBERS_IN_A_ROW = 3  # as in the sheet
_REMEMBERED = 1000
_GONE = "This video is not in your history any more."


class Verb(StrEnum):
    """What a button does; a `+` follows if its message has the sheet."""

    PAGE = "page"
    BACK = "back"  # as PAGE, in older messages
    OPEN = "open"
    FORMS = "forms"
    SEND = "send"
    FILE = "file"
    DELETE = "delete"


@dataclass(frozen=True)
class _Page:
    """One page of a history.

    Attributes:
        entries: its results, the newest first.
        number: which page, from 0.
        count: how many there are.
        has_picture: whether its message has the sheet.
    """

    entries: tuple[HistoryEntry, ...]
    number: int
    count: int
    has_picture: bool

    @property
    def first_number(self) -> int:
        """The number of its first result."""
        return self.number * PAGE_SIZE + 1

    @property
    def sheet(self) -> DrawSheet | None:
        """The picture of its results; None if there are none."""
        if not self.entries:
            return None
        pictures = tuple(entry.thumbnail_key for entry in self.entries)
        return DrawSheet(pictures=pictures, first_number=self.first_number)


@dataclass
class _Shown:
    """What a message shows, as far as it is known since the start.

    Attributes:
        lock: held while the message is edited, so that no edit overtakes a later one.
        waits_for: the sheet that it takes when it is drawn; None while it shows one result.
        sheet: the sheet that it has.
        has_picture: whether it has a sheet, maybe one from before the start.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waits_for: DrawSheet | None = None
    sheet: DrawSheet | None = None
    has_picture: bool = False


class HistoryPages:
    """Shows histories."""

    def __init__(self, services: Services, result_taps: ResultTaps) -> None:
        self._services = services
        self._taps = result_taps
        self._shown: OrderedDict[tuple[int, int], _Shown] = OrderedDict()

    async def show(self, incoming: IncomingMessage) -> None:
        """Answer `/history`."""
        page = await self._page(incoming.person_id, 0)
        sent = await self._services.messenger.send(incoming.target, self._content(page))
        self._shown_in(incoming.chat_id, sent).waits_for = page.sheet
        # One sheet for each command, if its update is handled again.
        name = f"sheet-{incoming.message_id}"
        await self._request_sheet(incoming, sent, page, name)

    async def tap(self, incoming: IncomingTap) -> TapAnswer:
        """Handle the buttons of a history."""
        button = ButtonData.decode(incoming.data)
        verb = button.argument.removesuffix("+") if button else ""
        if button is None or verb in (Verb.PAGE, Verb.BACK):
            return TapAnswer(then=partial(self._turn, incoming, button), only_shows=True)
        history = await self._services.history.read(incoming.person_id)
        entry = history.find(button.draft_id, button.number)
        if entry is None:
            return TapAnswer(self._services.texts(_GONE), is_alert=True)
        match verb:
            case Verb.SEND:
                return await self._taps.send(incoming, entry, Form.LOOP)
            case Verb.FILE:
                return await self._taps.send(incoming, entry, Form.FILE)
            case Verb.DELETE:
                text = self._services.texts("Deleted.")
                return TapAnswer(text, then=partial(self._delete, incoming, button, entry))
        show = partial(self._show_entry, incoming, button, entry)
        return TapAnswer(then=show, only_shows=True)

    async def receive(self, outcome: MediaOutcome) -> None:
        """Put a sheet into the message that waits for it."""
        job, made = outcome.job, outcome.result
        message_id, number = map(int, job.reference.split())
        # What was shown before a restart is not known.
        shown = self._shown.get((job.chat, message_id))
        if made is None or shown is None or shown.waits_for != job.task:
            return  # the text stays
        picture = await self._services.store.get(made.key)
        async with shown.lock:
            page = await self._page(job.person, number, has_picture=True)
            if not shown.waits_for == page.sheet == job.task:
                return  # it shows something else by now, or the history has changed
            card = CardMessage(message_id=message_id)
            content = self._content(page)
            try:
                await self._services.messenger.edit_media(job.chat, card, picture, content)
            except BadRequest as error:
                log.info("the sheet cannot be shown: %s", error)
            else:
                shown.sheet, shown.waits_for, shown.has_picture = job.task, None, True

    # --- inside -----------------------------------------------------------------------------------

    async def _page(self, person: int, number: int, *, has_picture: bool = False) -> _Page:
        newest_first = (await self._services.history.read(person)).entries[::-1]
        last = max(0, (len(newest_first) - 1) // PAGE_SIZE)
        number = min(max(0, number), last)
        start = number * PAGE_SIZE
        entries = newest_first[start : start + PAGE_SIZE]
        return _Page(entries, number, last + 1, has_picture)

    async def _turn(self, incoming: IncomingTap, button: ButtonData | None) -> None:
        shown = self._shown_in(incoming.chat_id, incoming.message_id)
        async with shown.lock:
            shown.has_picture |= button is not None and button.argument.endswith("+")
            number = button.number if button else 0
            page = await self._page(incoming.person_id, number, has_picture=shown.has_picture)
            shown.waits_for = page.sheet
            await self._edit(incoming, self._content(page), has_picture=shown.has_picture)
        if shown.sheet != page.sheet:
            name = f"sheet-{incoming.query_id}"
            await self._request_sheet(incoming, incoming.message_id, page, name)

    async def _request_sheet(
        self, incoming: IncomingMessage | IncomingTap, message_id: int, page: _Page, name: str
    ) -> None:
        """Have a worker draw a page's sheet; without one, the text stays."""
        if page.sheet is None:
            return
        job = MediaJob(
            job_id=f"{name}-{incoming.person_id}",
            person=incoming.person_id,
            chat=incoming.chat_id,
            thread_id=incoming.thread_id,
            reference=f"{message_id} {page.number}",
            task=page.sheet,
        )
        try:
            await request_media(self._services, job)
        except (NobodyServes, TooManyMediaJobs) as error:
            log.info("no sheet for a history: %s", type(error).__name__)

    def _shown_in(self, chat: int, message_id: int) -> _Shown:
        shown = self._shown.setdefault((chat, message_id), _Shown())
        self._shown.move_to_end((chat, message_id))
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        return shown

    def _content(self, page: _Page) -> MessageContent:
        """The text and the buttons of a page."""
        _ = self._services.texts
        if not page.entries:
            return MessageContent(
                _("You have no videos yet. Send me a photo and choose a movement.")
            )
        lines = [
            f"{number}. {self._line(entry)}"
            for number, entry in enumerate(page.entries, start=page.first_number)
        ]
        head = _("Your last videos. Tap a number to send one again, or to delete it.")
        mark = "+" if page.has_picture else ""
        numbers = [
            Button(str(number), _data(entry, Verb.OPEN + mark))
            for number, entry in enumerate(page.entries, start=page.first_number)
        ]
        turns = [
            Button(label, ButtonData(ButtonAction.HISTORY, "", number, Verb.PAGE + mark))
            for label, number in (("«", page.number - 1), ("»", page.number + 1))
            if 0 <= number < page.count
        ]
        width = even_width(len(numbers), _NUMBERS_IN_A_ROW)
        keyboard = (*in_rows(numbers, width), tuple(turns))
        return MessageContent("\n".join((head, "", *lines)), keyboard)

    async def _show_entry(
        self, incoming: IncomingTap, button: ButtonData, entry: HistoryEntry
    ) -> None:
        """Show what can be done with a result, or its other forms."""
        shown = self._shown_in(incoming.chat_id, incoming.message_id)
        history = await self._services.history.read(incoming.person_id)
        place = [one.order_id for one in history.entries[::-1]].index(entry.order_id)
        async with shown.lock:
            shown.waits_for = None
            shown.has_picture |= button.argument.endswith("+")
            mark = "+" if shown.has_picture else ""
            if button.argument.startswith(Verb.FORMS):
                keyboard = self._forms_keyboard(entry, mark)
            else:
                keyboard = self._entry_keyboard(entry, place // PAGE_SIZE, mark)
            content = MessageContent(self._line(entry), keyboard)
            await self._edit(incoming, content, has_picture=shown.has_picture)

    def _entry_keyboard(self, entry: HistoryEntry, page: int, mark: str) -> Keyboard:
        _ = self._services.texts
        return (
            (
                Button(_("▶️ Send again"), _data(entry, Verb.SEND)),
                Button(_("📄 As file"), _data(entry, Verb.FILE)),
            ),
            (
                Button(_("🎞 Other forms"), _data(entry, Verb.FORMS + mark)),
                Button(_("🗑 Delete"), _data(entry, Verb.DELETE + mark)),
            ),
            (Button(_("« Back"), ButtonData(ButtonAction.HISTORY, "", page, Verb.PAGE + mark)),),
        )

    def _forms_keyboard(self, entry: HistoryEntry, mark: str) -> Keyboard:
        _, has_face = self._services.texts, entry.face_box is not None
        back = Button(_("« Back"), _data(entry, Verb.OPEN + mark))
        return (*form_rows(entry.draft, entry.number, _, has_face=has_face), (back,))

    def _line(self, entry: HistoryEntry) -> str:
        made = datetime.fromtimestamp(entry.made_s, UTC).date()
        return f"{entry.title}, {self._services.texts.date(made)}"

    async def _edit(
        self, incoming: IncomingTap, content: MessageContent, *, has_picture: bool
    ) -> None:
        card = CardMessage(message_id=incoming.message_id, has_media=has_picture)
        await self._services.messenger.edit(incoming.chat_id, card, content)

    async def _delete(self, incoming: IncomingTap, button: ButtonData, entry: HistoryEntry) -> None:
        """Delete a result: its entry, its files, and its messages if Telegram still allows it."""
        services = self._services
        await delete_result(services, incoming.person_id, entry.order_id)
        messages = [] if entry.message_id is None else [(entry.chat, entry.message_id)]
        card = await services.order_cards.read(entry.order_id)
        if card is not None:
            messages += [(card.chat_id, message_id) for message_id in card.files]
        for chat_id, message_id in messages:
            try:
                await services.messenger.delete(chat_id, message_id)
            except (BadRequest, Forbidden) as error:
                log.info("a message stays: %s", error)
        await self._turn(incoming, ButtonData(button.action, "", 0, button.argument))


def _data(entry: HistoryEntry, argument: str) -> ButtonData:
    return ButtonData(ButtonAction.HISTORY, entry.draft, entry.number, argument)
