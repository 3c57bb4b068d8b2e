"""Albums: several photos at once get one card that asks which of them to animate.

Telegram does not say where an album ends, so it counts as complete after a second without another
message. Albums wait in Redis, and one task handles all of them, so that a restart loses none. An
album with one photo is treated as a photo; a clip or a recording among the pictures leads them.
"""

import asyncio
import logging
from contextlib import suppress
from functools import partial

from telegram.error import BadRequest, Forbidden, TelegramError

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.album_store import Album, AlbumPart, AlbumStore, album_id_of, part_of
from bot.conversation.media_handler import MediaHandler
from bot.gateway.application import describe_error
from bot.gateway.messenger import Button, ChatTarget, MessageContent, even_width, in_rows
from bot.gateway.updates import IncomingMessage, IncomingTap, Media, TapAnswer
from bot.services import Services
from bot.texts import Texts, speaking
from jobs.errors import AnimatoError
from jobs.service_errors import RecordError
from jobs.tasks import end_tasks

log = logging.getLogger(__name__)

COMPLETE_AFTER_S = 1.0
_PAUSE_S = 2.0
_LONGEST_S = 60.0
_IN_A_ROW = 5
EACH = "each"


class Albums:
    """Handles albums."""

    def __init__(self, services: Services, store: AlbumStore, media_handler: MediaHandler) -> None:
        self._services = services
        self._store = store
        self._media_handler = media_handler
        self._is_changed = asyncio.Event()
        self._in_progress: dict[str, asyncio.Task[None]] = {}

    async def add(self, incoming: IncomingMessage, media: Media) -> None:
        """Store a message of an album.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        album = album_id_of(incoming.chat_id, incoming.album_id or "")
        due_s = self._services.clock() + COMPLETE_AFTER_S
        await self._store.add(album, part_of(incoming, media), due_s)
        self._is_changed.set()

    async def run(self) -> None:
        """Ask about albums as soon as they are complete, until cancelled."""
        try:
            while True:
                pause_s = _PAUSE_S
                try:
                    pause_s = await self._begin_due()
                except AnimatoError as error:
                    log.warning("albums: %s", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_changed.wait(), pause_s)
                self._is_changed.clear()
        finally:
            await end_tasks(self._in_progress.values())

    async def tap(self, tap: IncomingTap) -> TapAnswer:
        """Handle a tap on an album's card.

        Raises:
            QueueUnavailable: try again later.
        """
        _, button = self._services.texts, ButtonData.decode(tap.data)
        # The button has the album's id in the place of a draft's.
        album = await self._store.read(button.draft_id) if button else None
        if button is None or album is None or album.parts[0].chat_id != tap.chat_id:
            text = _("These photos are not kept any more. Send them again.")
            return TapAnswer(text, is_alert=True)
        if button.argument == EACH:
            return TapAnswer(then=partial(self._begin, album, album.photos))
        number = int(button.argument) if button.argument.isdecimal() else 0
        if 1 <= number <= len(album.photos):
            return TapAnswer(then=partial(self._begin, album, album.photos[number - 1 : number]))
        return TapAnswer(then=partial(self._drop, album))

    # --- inside -----------------------------------------------------------------------------------

    async def _begin_due(self) -> float:
        """Start handling the complete albums; return the time until the next one, s."""
        now_s, next_s = self._services.clock(), _LONGEST_S
        for album, due_s in (await self._store.waiting()).items():
            if album in self._in_progress:
                continue  # `run` is woken when it is done
            if due_s > now_s:
                next_s = min(next_s, due_s - now_s)
                continue
            task = asyncio.create_task(self._handle(album, due_s))
            self._in_progress[album] = task
            task.add_done_callback(partial(self._on_handled, album))
        return next_s

    def _on_handled(self, album_id: str, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("an album is skipped until the next start: %s", describe_error(error))
            return
        del self._in_progress[album_id]
        self._is_changed.set()

    async def _handle(self, name: str, due_s: float) -> None:
        try:
            album = await self._store.read(name)
            if album is not None:
                first = album.parts[0]
                language = await self._services.languages.of(first.chat_id, first.person_id)
                with speaking(language):
                    await self._ask(album)
        except (Forbidden, BadRequest) as error:
            log.warning("an album's chat refuses: %s", error)
        except RecordError as error:
            log.error("an album is given up: %s", error)
        except (TelegramError, AnimatoError) as error:
            log.warning("an album waits: %s", error)
            with suppress(AnimatoError):
                await self._store.postpone(name, self._services.clock() + _PAUSE_S)
            return
        await self._store.settle(name, due_s)

    async def _ask(self, album: Album) -> None:
        """Handle a single photo at once; ask the person about several."""
        new = album.not_begun
        if len(album.photos) > 1 and (album.card is not None or len(new) > 1):
            await self._show(album)
            return
        for part in new:
            await self._take(album, part)
        first = album.parts[0]
        if not album.photos and album.lead is not None:
            await self._media_handler.take_lead(_message_of(first), album.lead)
        elif not album.photos:
            text = self._services.texts(first.refusal, name=first.name)
            await self._media_handler.say(_message_of(first), text)

    async def _show(self, album: Album) -> None:
        messenger, first = self._services.messenger, album.photos[0]
        content = album_content(album, self._services.texts)
        if album.card is None or not await messenger.edit(first.chat_id, album.card, content):
            target = ChatTarget(first.chat_id, first.thread_id, first.message_id)
            note = partial(self._store.note_card, album.album_id)
            await self._services.card_sender.send(f"album:{album.album_id}", target, content, note)

    async def _begin(self, album: Album, parts: tuple[AlbumPart, ...]) -> None:
        for part in parts:
            await self._take(album, part)
        await self._show(await self._store.read(album.album_id) or album)

    async def _take(self, album: Album, part: AlbumPart) -> None:
        if part.photo is not None:
            await self._media_handler.begin(_message_of(part), part.photo, album.lead)
            # Last, so that an interrupted photo is begun again.
            await self._store.note_begun(album.album_id, part.message_id)

    async def _drop(self, album: Album) -> None:
        if album.card is not None:
            chat_id = album.parts[0].chat_id
            await self._services.messenger.delete(chat_id, album.card.message_id)
        await self._store.forget(album.album_id)


def album_content(album: Album, _: Texts) -> MessageContent:
    """Ask which photos of an album to animate."""
    count, begun = len(album.photos), album.begun
    if not album.not_begun:
        text = _.plural("I am working on the photo.", "I am working on all {count} photos.", count)
        return MessageContent(text)
    text = _.plural(
        "You sent {count} photo. Should I animate it?",
        "You sent {count} photos. Which one should I animate?",
        count,
    )
    if begun:
        text = _.plural(
            "You sent {count} photo. Another one?", "You sent {count} photos. Another one?", count
        )
    buttons = [
        _button(album, f"{'✓ ' if part.message_id in begun else ''}{number}", str(number))
        for number, part in enumerate(album.photos, start=1)
    ]
    rows = in_rows(buttons, even_width(count, _IN_A_ROW))
    each = _button(album, _("Each of them"), EACH)
    close = _button(album, _("✖️ Close") if begun else _("✖️ Cancel"), "")
    return MessageContent(text, (*rows, (each, close)))


def _button(album: Album, label: str, argument: str) -> Button:
    return Button(label, ButtonData(ButtonAction.ALBUM, album.album_id, 0, argument))


def _message_of(part: AlbumPart) -> IncomingMessage:
    return IncomingMessage(part.chat_id, part.person_id, part.message_id, part.thread_id)
