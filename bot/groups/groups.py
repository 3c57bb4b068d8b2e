"""Groups: `/animate` as a reply to a photo, or as its caption.

Only messages for the bot are handled, whatever else it can read there. With privacy mode on, a bot
receives commands that name it and replies to its messages; whether a command in a caption counts is
not documented. So captions are answered, but advised only if the bot receives all messages.
"""

import logging

from telegram.error import BadRequest, Forbidden

from bot.conversation.draft_text import paused_text
from bot.conversation.media_handler import MediaHandler
from bot.drafts.draft_store import new_draft
from bot.gateway.messenger import SEEN_EMOJI, ChatTarget, MessageContent
from bot.gateway.updates import IncomingMessage, LeadMedia, Media, PhotoMedia, UnusableMedia
from bot.orders.card_text import cancel_text
from bot.orders.order_cards import OrderCard
from bot.orders.ordering import Ordering
from bot.orders.permissions import check_group
from bot.services import Services
from bot.texts import Texts
from jobs.queues.outcomes import CancelOutcome
from jobs.service_errors import OrderRefused
from jobs.templates import Template

log = logging.getLogger(__name__)

ANIMATE = "animate"
_SHOWN_CHARACTERS = 40


class Groups:
    """Handles messages in groups."""

    def __init__(
        self,
        services: Services,
        media_handler: MediaHandler,
        ordering: Ordering,
    ) -> None:
        self._services = services
        self._media_handler = media_handler
        self._ordering = ordering

    async def animate(
        self, incoming: IncomingMessage, media: Media | None, author_id: int | None = None
    ) -> None:
        """Begin a draft. A named movement is ordered as soon as a face is chosen.

        Args:
            incoming: the command's message; all answers reply to it.
            media: of the message or the one that it replies to, or None.
            author_id: who sent that other message, or None.
        """
        _ = self._services.texts
        name = " ".join(incoming.text.split()[1:])
        template = self._template(name)
        refusal = await self._refusal(incoming)
        if refusal is not None:
            await self._media_handler.say(incoming, _(refusal))
        elif isinstance(media, UnusableMedia):
            await self._media_handler.say(incoming, _(media.sentence, name=media.name))
        elif not isinstance(media, PhotoMedia):
            await self.help(incoming)
        elif name and template is None:
            names = ", ".join(one.name for one in self._services.movements)
            text = _(
                "There is no movement {wish}. There are: {names}. Or write only "
                "/{command}@{bot} and choose with buttons.",
                wish=name[:_SHOWN_CHARACTERS],
                names=names,
                command=ANIMATE,
                bot=self._services.messenger.bot.username,
            )
            await self._media_handler.say(incoming, text)
        else:
            await self._see(incoming)
            draft = new_draft(incoming, media.file, template=template.name if template else None)
            draft = draft.model_copy(update={"photo_author_id": author_id})
            await self._media_handler.look_at(await self._services.drafts.begin(draft))

    async def answer(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Take a clip or a recording that replies to a card of the same person; ignore the rest."""
        if not isinstance(media, LeadMedia):
            return
        draft = await self._services.drafts.draft_of_message(incoming.chat_id, incoming.reply_to)
        if draft is not None and draft.person_id == incoming.person_id:
            await self._see(incoming)
            await self._media_handler.take_lead(incoming, media.file)

    async def help(self, incoming: IncomingMessage) -> None:
        """Explain how to use the bot in a group."""
        text = self._how_to()
        if await self._services.people.is_paused_for(incoming.person_id):
            text = f"{text}\n\n{paused_text(self._services.texts)}"
        await self._media_handler.say(incoming, text)

    async def point_to_private(self, incoming: IncomingMessage) -> None:
        """Say that a command works only in the private chat."""
        name = incoming.text.partition("@")[0]
        text = self._services.texts(
            "{command} works only in our private chat: t.me/{bot}",
            command=name,
            bot=self._services.messenger.bot.username,
        )
        await self._media_handler.say(incoming, text)

    async def greet(self, chat_id: int) -> None:
        """Explain the same when the bot joins a group, once within a day."""
        groups = self._services.group_settings
        if not await groups.is_greeted(chat_id):
            content = MessageContent(self._how_to())
            try:
                await self._services.messenger.send(ChatTarget(chat_id), content)
            except (BadRequest, Forbidden) as error:
                log.info("a group is not greeted: %s", error)  # the bot may not write there
                return
            await groups.note_greeting(chat_id)

    async def cancel(self, incoming: IncomingMessage) -> None:
        """Cancel the person's orders in this group."""
        _ = self._services.texts
        outcome = [
            await self._ordering.cancel_order(card)
            for card in await self._services.order_cards.all_open()
            if card.chat_id == incoming.chat_id and _is_asker(incoming, card)
        ]
        count = sum(one in (CancelOutcome.REMOVED, CancelOutcome.TOLD) for one in outcome)
        text = _("You have no open orders here.")
        if count:
            text = _.plural("{count} video cancelled.", "{count} videos cancelled.", count)
        elif outcome:
            text = cancel_text(outcome[-1], _)
        await self._media_handler.say(incoming, text)

    async def _refusal(self, incoming: IncomingMessage) -> str | None:
        """Return why nobody, or not this person, may ask in this group, a msgid; else None."""
        try:
            await check_group(self._services, incoming.chat_id, incoming.person_id)
        except OrderRefused as error:
            return error.sentence
        return None

    async def _see(self, incoming: IncomingMessage) -> None:
        await self._services.messenger.react(incoming.chat_id, incoming.message_id, SEEN_EMOJI)

    def _template(self, name: str) -> Template | None:
        """Return the movement of that name or title, in any language, or None."""
        for template in self._services.movements:
            if name.casefold() in {one.casefold() for one in names_of(template)}:
                return template
        return None

    def _how_to(self) -> str:
        bot = self._services.messenger.bot
        sees_all = bool(bot.can_read_all_group_messages)
        return how_to_text(bot.username, self._services.texts, sees_all=sees_all)


def names_of(template: Template) -> tuple[str, ...]:
    """Return a movement's name, and its title in each language."""
    return (template.name, *template.title.values())


def how_to_text(bot_name: str, _: Texts, *, sees_all: bool = False) -> str:
    """How to use the bot in a group.

    Args:
        bot_name: commands with it arrive in every group.
        sees_all: whether the bot receives all messages, so that a caption reaches it.
    """
    text = _(
        "Reply to a photo with /{command}@{bot}, and I bring it to life. To let it follow your "
        "clip or say your voice message, reply with that to my message.",
        command=ANIMATE,
        bot=bot_name,
    )
    if sees_all:
        text += " " + _("The command may also be the caption of a photo.")
    return text + "\n" + _("Admins of the group: /settings@{bot}", bot=bot_name)


def _is_asker(incoming: IncomingMessage, card: OrderCard) -> bool:
    """Whether an order is of whoever writes."""
    # The order keeps the group's former id if an anonymous admin asked and the group has moved.
    is_of_group = card.person_id == card.order.chat and incoming.person_id == incoming.chat_id
    return card.person_id == incoming.person_id or is_of_group
