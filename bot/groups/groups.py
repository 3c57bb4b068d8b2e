"""Groups: `/animate` as a reply to a photo, or as its caption.

Only messages for the bot are handled, whatever else it can read there.
"""

from bot.conversation.media_handler import MediaHandler
from bot.drafts.draft_store import new_draft
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.gateway.updates import IncomingMessage, LeadMedia, Media, PhotoMedia, UnusableMedia
from bot.movements import Movements
from bot.orders.card_text import cancel_text
from bot.orders.ordering import Ordering
from bot.services import Services
from bot.texts import Texts
from jobs.queues.outcomes import CancelOutcome
from jobs.templates import Template

ANIMATE = "animate"
_SHOWN_CHARACTERS = 40


class Groups:
    """Handles messages in groups."""

    def __init__(
        self,
        services: Services,
        media_handler: MediaHandler,
        ordering: Ordering,
        catalogue: Movements,
    ) -> None:
        self._services = services
        self._media_handler = media_handler
        self._ordering = ordering
        self._catalogue = catalogue

    async def animate(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Begin a draft. A named movement is ordered as soon as a face is chosen.

        Args:
            incoming: the command's message; all answers reply to it.
            media: of the message or the one that it replies to, or None.
        """
        _ = self._services.texts
        name = " ".join(incoming.text.split()[1:])
        template = self._template(name)
        if incoming.person_id < 0:
            text = _("I cannot see who you are. Please write as yourself, not as the group.")
            await self._media_handler.say(incoming, text)
        elif isinstance(media, UnusableMedia):
            await self._media_handler.say(incoming, _(media.sentence, name=media.name))
        elif not isinstance(media, PhotoMedia):
            await self.help(incoming)
        elif name and template is None:
            names = ", ".join(one.name for one in self._catalogue)
            text = _(
                "There is no movement {wish}. There are: {names}. Or write only /animate and "
                "choose with buttons.",
                wish=name[:_SHOWN_CHARACTERS],
                names=names,
            )
            await self._media_handler.say(incoming, text)
        else:
            draft = new_draft(incoming, media.file, template=template.name if template else None)
            await self._media_handler.look_at(await self._services.drafts.begin(draft))

    async def answer(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Take a clip or a recording that replies to a card of the same person; ignore the rest."""
        if not isinstance(media, LeadMedia):
            return
        draft = await self._services.drafts.draft_of_message(incoming.chat_id, incoming.reply_to)
        if draft is not None and draft.person_id == incoming.person_id:
            await self._media_handler.take_lead(incoming, media.file)

    async def help(self, incoming: IncomingMessage) -> None:
        """Explain how to use the bot in a group."""
        await self._media_handler.say(incoming, self._how_to())

    async def greet(self, chat_id: int) -> None:
        """Explain the same when the bot joins a group."""
        await self._services.messenger.send(ChatTarget(chat_id), MessageContent(self._how_to()))

    async def cancel(self, incoming: IncomingMessage) -> None:
        """Cancel the person's orders in this group."""
        _ = self._services.texts
        outcome = [
            await self._ordering.cancel_order(card)
            for card in await self._ordering.open_orders(incoming.person_id)
            if card.chat_id == incoming.chat_id
        ]
        count = sum(one in (CancelOutcome.REMOVED, CancelOutcome.TOLD) for one in outcome)
        text = _("You have no open orders here.")
        if count:
            text = _.plural("{count} video cancelled.", "{count} videos cancelled.", count)
        elif outcome:
            text = cancel_text(outcome[-1], _)
        await self._media_handler.say(incoming, text)

    def _template(self, name: str) -> Template | None:
        """Return the movement of that name or title, in any language, or None."""
        for template in self._catalogue:
            if name.casefold() in {one.casefold() for one in names_of(template)}:
                return template
        return None

    def _how_to(self) -> str:
        return how_to_text(self._services.messenger.bot.username, self._services.texts)


def names_of(template: Template) -> tuple[str, ...]:
    """Return a movement's name, and its title in each language."""
    return (template.name, *template.title.values())


def how_to_text(bot_name: str, _: Texts) -> str:
    """How to use the bot in a group; commands with `bot_name` arrive in every group."""
    return _(
        "Reply to a photo with /{command}@{bot}, or send a photo with that caption, and I bring it "
        "to life.",
        command=ANIMATE,
        bot=bot_name,
    )
