"""Groups: `/animate` in answer to a photo, or under one; one card, and the video in its topic.

Only what is meant for the bot is looked at, whatever else it may be able to read there.
"""

from bot.conversation.media_handler import MediaHandler
from bot.drafts.draft_store import draft_id
from bot.gateway.messenger import ChatTarget, MessageContent
from bot.gateway.updates import DrivingClip, IncomingMessage, Media, SourcePhoto, Unusable
from bot.orders.ordering import Ordering
from bot.services import Services
from bot.texts import Texts
from bot.wording import cancelling_words
from jobs.drafts import Draft
from jobs.queues.outcomes import CancelOutcome
from jobs.templates import Catalogue, Template
from jobs.wish import Movement

ANIMATE = "animate"
_SHOWN_CHARACTERS = 40


class Groups:
    """Serves groups.

    Args:
        office: the parts of the bot.
        reception: has photos looked at.
        ordering: takes orders back.
        catalogue: the movements.
    """

    def __init__(
        self, services: Services, reception: MediaHandler, ordering: Ordering, catalogue: Catalogue
    ) -> None:
        self._services = services
        self._reception = reception
        self._ordering = ordering
        self._catalogue = catalogue

    async def animate(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Begins a draft; the movement, if one is named, is ordered as soon as a face is settled.

        Args:
            incoming: the command's message; everything answers to it.
            media: what the message brings, or the one that it answers; None: nothing.
        """
        _ = self._services.texts
        wish = " ".join(incoming.text.split()[1:])
        template = self._template(wish)
        if incoming.person < 0:
            text = _("I cannot see who you are. Write as yourself, and not as the group, please.")
            await self._reception.say(incoming, text)
        elif isinstance(media, Unusable):
            await self._reception.say(incoming, _(media.sentence, name=media.name))
        elif not isinstance(media, SourcePhoto):
            await self.help(incoming)
        elif wish and template is None:
            names = ", ".join(one.name for one in self._catalogue)
            text = _(
                "There is no movement {wish}. There are: {names}. With /animate alone you choose "
                "by buttons.",
                wish=wish[:_SHOWN_CHARACTERS],
                names=names,
            )
            await self._reception.say(incoming, text)
        else:
            draft = Draft(
                draft=draft_id(incoming.chat, incoming.message_id),
                chat=incoming.chat,
                person=incoming.person,
                message_id=incoming.message_id,
                thread_id=incoming.thread_id,
                photo=media.file,
                motion=Movement(template=template.name) if template else None,
            )
            await self._reception.go_on(await self._services.drafts.begin(draft))

    async def answer(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Takes a clip that answers to a card of the same person; anything else is not for us."""
        if incoming.reply_to is None or not isinstance(media, DrivingClip):
            return
        draft = await self._services.drafts.answered(incoming.chat, incoming.reply_to)
        if draft is not None and draft.person == incoming.person:
            await self._reception.take_clip(incoming, media.file)

    async def help(self, incoming: IncomingMessage) -> None:
        """How to use the bot in a group."""
        await self._reception.say(incoming, self._how_to())

    async def greet(self, chat: int) -> None:
        """Says the same in a group that the bot has just come to."""
        await self._services.messenger.send(ChatTarget(chat), MessageContent(self._how_to()))

    async def cancel(self, incoming: IncomingMessage) -> None:
        """Takes back what the person has ordered in this group."""
        _ = self._services.texts
        became = [
            await self._ordering.cancel_order(card)
            for card in await self._ordering.open_orders(incoming.person)
            if card.chat == incoming.chat
        ]
        count = sum(one in (CancelOutcome.REMOVED, CancelOutcome.TOLD) for one in became)
        text = _("Nothing of yours is in the queue here.")
        if count:
            text = _.plural("{count} video cancelled.", "{count} videos cancelled.", count)
        elif became:
            text = cancelling_words(became[-1], _)
        await self._reception.say(incoming, text)

    async def may_tap(self, draft: Draft, person: int) -> bool:
        """Whether somebody else may use a draft's buttons: the group's admins may."""
        return draft.is_group and await self._services.messenger.is_chat_admin(draft.chat, person)

    def _template(self, wish: str) -> Template | None:
        """The movement of that name or title, in any language."""
        for template in self._catalogue:
            if wish.casefold() in {one.casefold() for one in names_of(template)}:
                return template
        return None

    def _how_to(self) -> str:
        return how_to_text(self._services.messenger.bot.username, self._services.texts)


def names_of(template: Template) -> tuple[str, ...]:
    """What people may call a movement: its name, and its title in each language."""
    return (template.name, *template.title.values())


def how_to_text(bot_name: str, _: Texts) -> str:
    """How to use the bot in a group.

    Args:
        bot_name: its name on Telegram; with it, commands arrive in every group.
        _: the sentences.
    """
    return _(
        "Answer to a photo with /{command}@{bot}, or write that under a photo that you send, and I "
        "bring it to life.",
        command=ANIMATE,
        bot=bot_name,
    )
