"""The commands of private chats."""

from collections.abc import Sequence
from itertools import accumulate

from bot.callback_data import ButtonAction, ButtonData
from bot.conversation.draft_cards import DraftCards
from bot.conversation.draft_text import paused_text
from bot.conversation.media_handler import LONG_CLIP, ServiceTerms
from bot.drafts.draft_store import DRAFT_KEPT_S
from bot.gateway.command_lists import admin_commands
from bot.gateway.inbox import ASIDE_S
from bot.gateway.messenger import Button, Keyboard, MessageContent
from bot.gateway.updates import Command, IncomingMessage
from bot.history.inline import TEMPLATE_LINK
from bot.history.store import KEPT_S
from bot.orders.card_text import cancel_text, title_of
from bot.orders.order_cards import CLOSED_KEPT_S, OrderCard
from bot.orders.ordering import Ordering
from bot.people import Role
from bot.services import Services
from bot.texts import Texts
from jobs.findings import VOICE_MAX_S
from jobs.orders import OrderState
from jobs.queues.outbox import KEPT_DELIVERY_S, KEPT_ORDER_S

# Telegram allows 4096, but counts some characters twice.
_MOST_CHARACTERS = 3000
_MOST_BUTTONS = 50
_MB = 1_000_000
_HOUR_S = 3600
_DAY_S = 86_400


class Commands:
    """Answers commands."""

    def __init__(
        self,
        services: Services,
        ordering: Ordering,
        draft_cards: DraftCards,
        terms: ServiceTerms,
    ) -> None:
        self._services = services
        self._ordering = ordering
        self._draft_cards = draft_cards
        self._terms = terms
        self.by_name: dict[str, Command] = {
            "start": self.start,
            "templates": self.templates,
            "queue": self.queue,
            "cancel": self.cancel,
            "help": self.help,
            "privacy": self.privacy,
            "about": self.about,
        }

    async def start(self, incoming: IncomingMessage) -> None:
        """Greet; remember the movement of a link until the photo is sent."""
        _ = self._services.texts
        payload = incoming.text.partition(" ")[2].strip()
        if payload.startswith(TEMPLATE_LINK):
            name = payload.removeprefix(TEMPLATE_LINK)
            # Not `get`, which also knows hidden ones.
            template = next((one for one in self._services.movements if one.name == name), None)
            if template is None:
                text = _(
                    "I do not know this movement. /templates lists all of them; or just send me a "
                    "photo."
                )
                await self._say(incoming, text)
                return
            await self._services.drafts.update_conversation(incoming, template=template.name)
            text = _("{title}. Now send me a photo for it.", title=title_of(template))
            await self._invite(incoming, text)
            return
        text = _(
            "Hello! I bring portraits to life.\n\n"
            "1. Send me a photo with a face: a selfie, an old picture, a painting.\n"
            "2. Choose a movement, or send a clip for it to follow or a voice message for it to "
            "say.\n"
            "3. A little later you get the video.\n\n"
            "/templates shows the movements, /help explains more."
        )
        await self._invite(incoming, text)

    async def templates(self, incoming: IncomingMessage) -> None:
        """List the movements; show their buttons for the current photo."""
        _ = self._services.texts
        conversation = await self._services.drafts.conversation(incoming)
        draft = await self._services.drafts.read(conversation.draft_id)
        lines = [
            f"{title_of(one)}: {_(one.description)}" if one.description else title_of(one)
            for one in self._services.movements
        ]
        invitation = _("Send a photo to see them on your own face.")
        text = "\n".join((_("The movements:"), text_of(lines, _), "", invitation))
        await self._say(incoming, await self._with_pause(incoming, text))
        if draft is not None and not await self._draft_cards.is_ordered(draft):
            await self._draft_cards.show_below(draft)

    async def queue(self, incoming: IncomingMessage) -> None:
        """List the person's open orders."""
        _ = self._services.texts
        open_cards = await self._ordering.open_orders(incoming.person_id)
        lines = [await self._standing(card) for card in open_cards]
        if not lines:
            lines = [_("You have no open orders. Send me a photo.")]
        await self._say(incoming, text_of(lines, _), _cancel_rows(open_cards, _))

    async def cancel(self, incoming: IncomingMessage) -> None:
        """Cancel the only open order; ask which one if there are several."""
        _ = self._services.texts
        open_cards = await self._ordering.open_orders(incoming.person_id)
        if not open_cards:
            await self._services.drafts.update_conversation(
                incoming, lead=None, template=None, wants_lead=None
            )
            text = _("You have no open orders. Send me a photo at any time.")
            await self._say(incoming, text)
        elif len(open_cards) > 1:
            await self._say(incoming, _("Which one?"), _cancel_rows(open_cards, _))
        else:
            outcome = await self._ordering.cancel_order(open_cards[0])
            await self._say(incoming, cancel_text(outcome, _))

    async def help(self, incoming: IncomingMessage) -> None:
        """Explain what works well, and which files are accepted."""
        _, terms = self._services.texts, self._terms
        clip_s = (await self._services.limits.now()).clip_s
        text = _(
            "Send me a photo, a picture file or a sticker (up to {mb} MB), then choose a movement."
            "\n\n"
            "Best is one face, seen from the front, sharp and bright.\n\n"
            "A clip of your own (video, video message, GIF): one face from the front, in one take "
            "without cuts, shoulders still. It may last {most:g} s; I use the first {seconds:g} s "
            "and keep its sound.\n\n"
            "A voice message or an audio file, before or after the photo: the face says or sings "
            "it, in any language, with your recording as its sound. Up to {voice:g} s; one clear "
            "voice without music works best.\n\n"
            "In groups: reply to a photo with /animate@{bot}; then reply to my message with a clip "
            "or a voice message.\n\n"
            "/history shows your last videos, /queue your orders; /cancel cancels one; /privacy "
            "says what is stored, /delete_me deletes it.",
            mb=terms.file_bytes // _MB,
            bot=self._services.messenger.bot.username,
            seconds=clip_s,
            most=LONG_CLIP * clip_s,
            voice=VOICE_MAX_S,
        )
        if await self._services.people.role(incoming.person_id) is Role.ADMIN:
            lines = [f"/{name}: {description}" for name, description in admin_commands(_)]
            text = "\n".join((text, "", _("For admins:"), *lines))
        await self._say(incoming, text)

    async def privacy(self, incoming: IncomingMessage) -> None:
        """Explain what is stored, where and for how long, and how to delete it."""
        _, terms = self._services.texts, self._terms
        parts = [
            _(
                "What is stored, and how long:\n"
                "- photos, clips, recordings, and what was measured in them: {input_h:g} h after "
                "your last tap\n"
                "- videos: {result_h:g} h after they were sent\n"
                "- orders and their outcome: {order_h:g} h; what their messages show, and whether "
                "they were sent: {sent_h:g} h\n"
                "- your choices, Telegram's ids of your files, the list of your videos, and "
                "reports: {list_d:g} days\n"
                "- a message that could not be handled, with its text: {aside_d:g} days\n"
                "- your settings, and your consent with its date: until /delete_me\n"
                "- the settings of groups, and hashes of photos that the owner has blocked, with "
                "day and reason: without a time limit",
                input_h=terms.retain_input_h,
                result_h=terms.retain_result_h,
                order_h=KEPT_ORDER_S / _HOUR_S,
                sent_h=max(KEPT_DELIVERY_S, CLOSED_KEPT_S) / _HOUR_S,
                list_d=max(DRAFT_KEPT_S, KEPT_S) / _DAY_S,
                aside_d=ASIDE_S / _DAY_S,
            ),
            _(
                "Delete under a video and Cancel under a photo delete them at once; /delete_me "
                "deletes everything about you, except reports of your videos."
            ),
            _(
                "Where: on the machines and the storage that the owner of this bot uses, which may "
                "be rented. The owner and those who run the workers can technically see your "
                "photos and videos. Telegram keeps its own copies of what we send each other."
            ),
            _(
                "No voice is cloned or learned: the sound of a video is the recording itself. "
                "Every video says that it was made with AI."
            ),
        ]
        if terms.backup_days:
            parts.append(backups_text(terms.backup_days, _))
        await self._say(incoming, "\n\n".join(filter(None, (*parts, self._contact()))))

    async def about(self, incoming: IncomingMessage) -> None:
        """Name the owner, the licences and the AI label."""
        _ = self._services.texts
        offer, signing = await self._services.offers.now(), self._services.messenger.signing
        engines = [
            f"{name}: {_(info.credits or info.title)}."
            for name, info in sorted(offer.known.items())
            if offer.is_for_people(name) and (info.credits or info.title)
        ]
        parts = (
            _("Animato, free software (MIT licence)."),
            "\n".join(engines),
            _("Faces are found with MediaPipe's face landmarker (Google, Apache 2.0)."),
            _(
                "The sounds of speech are found with PocketSphinx (Carnegie Mellon University, "
                "BSD 2-Clause)."
            ),
            _("Every video's caption says how it was made."),
            _("Videos and GIF files are signed: their Content Credentials (C2PA) say so, too.")
            if signing is not None and signing.is_working
            else "",
            self._contact(),
        )
        await self._say(incoming, "\n\n".join(filter(None, parts)))

    async def text(self, incoming: IncomingMessage) -> None:
        """Answer text that is not a command."""
        _ = self._services.texts
        text = _("Send me a photo with a face, and I bring it to life. /help explains more.")
        await self._invite(incoming, text)

    def _contact(self) -> str:
        owner = self._terms.owner
        return self._services.texts("The owner of this bot: {owner}", owner=owner) if owner else ""

    async def _standing(self, card: OrderCard) -> str:
        """Describe an order in one line."""
        _ = self._services.texts
        status = await self._services.queues.status(card.ref)
        state = _("in the queue")
        if status is not None and status.state is OrderState.RUNNING:
            share = status.progress.share if status.progress else 0.0
            state = _("being made, {percent} %", percent=round(100 * share))
        elif status is not None and status.ahead is not None:
            place = card.shown.updated(status.ahead).place
            state = _("place {place}", place=place)
        return _("{title}: {state}", title=card.title, state=state)

    async def _invite(self, incoming: IncomingMessage, text: str) -> None:
        """Say something that asks for a photo."""
        text = await self._with_pause(incoming, text)
        await self._say(incoming, text, (_profile_row(self._services.texts),))

    async def _with_pause(self, incoming: IncomingMessage, text: str) -> str:
        """Add that no orders are taken now, if that is so."""
        if await self._services.people.is_paused_for(incoming.person_id):
            return f"{text}\n\n{paused_text(self._services.texts)}"
        return text

    async def _say(self, incoming: IncomingMessage, text: str, keyboard: Keyboard = ()) -> None:
        await self._services.messenger.send(incoming.target, MessageContent(text, keyboard))


def backups_text(days: int, _: Texts) -> str:
    """How long the owner keeps backups."""
    return _.plural(
        "The owner's backups are deleted after {count} day.",
        "The owner's backups are deleted after {count} days.",
        days,
    )


def text_of(lines: Sequence[str], _: Texts) -> str:
    """Join the lines that fit into a message, and count those left out."""
    ends = accumulate(len(line) + 1 for line in lines)
    shown = sum(end <= _MOST_CHARACTERS for end in ends)
    if shown == len(lines):
        return "\n".join(lines)
    return "\n".join((*lines[:shown], _("and {count} more", count=len(lines) - shown)))


def _profile_row(_: Texts) -> tuple[Button, ...]:
    return (Button(_("🙂 Use my profile picture"), ButtonData(ButtonAction.PROFILE_PHOTO)),)


def _cancel_rows(cards: list[OrderCard], _: Texts) -> tuple[tuple[Button, ...], ...]:
    return tuple(
        (
            Button(
                _("✖️ {title}", title=card.title),
                ButtonData(ButtonAction.CANCEL, card.draft_id, card.number),
            ),
        )
        for card in cards[:_MOST_BUTTONS]
    )
