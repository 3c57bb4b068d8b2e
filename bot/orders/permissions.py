"""Who may order, and who may use the buttons of a draft and of its results."""

from bot.drafts.draft import Draft
from bot.people import Role
from bot.services import Services
from jobs.service_errors import OrderRefused


class NotServed(OrderRefused):
    """The bot is private, and the person has no access."""

    sentence = "This bot is private: ask its owner to let you in."


class ShutOut(OrderRefused):
    """An admin has banned the person."""

    sentence = "You cannot order videos here any more: the owner of this bot has banned you."


class OrdersPaused(OrderRefused):
    """An admin has paused new orders."""

    sentence = "The owner has paused new videos. Please try again later."


class GroupIsOff(OrderRefused):
    """The group's admins have switched the bot off."""

    sentence = "The admins have turned me off in this group."


class OnlyGroupAdmins(OrderRefused):
    """The group's admins take no orders of others."""

    sentence = "In this group, only its admins may ask me for videos."


async def check_person(services: Services, person_id: int) -> Role:
    """Check that a person may order, and return their role.

    Raises:
        NotServed, ShutOut: the person may not use the bot.
        OrdersPaused: an admin has paused orders.
        QueueUnavailable: Redis does not answer.
    """
    role = await services.people.role(person_id)
    if role is Role.BANNED:
        raise ShutOut
    if role is Role.STRANGER:
        raise NotServed
    if role is not Role.ADMIN and await services.people.is_paused():
        raise OrdersPaused
    return role


async def check_group(services: Services, chat_id: int, person_id: int) -> None:
    """Check that a person may order in a chat, by the settings of the group.

    Raises:
        GroupIsOff, OnlyGroupAdmins: nobody, or not this person, may.
        QueueUnavailable: Redis does not answer.
    """
    if chat_id > 0:
        return
    group = await services.group_settings.read(chat_id)
    if not group.is_on:
        raise GroupIsOff
    # Anonymous admins write as the group.
    if not group.is_for_admins or person_id == chat_id:
        return
    if not await services.messenger.is_chat_admin(chat_id, person_id):
        raise OnlyGroupAdmins


async def may_use(services: Services, draft: Draft, person_id: int) -> bool:
    """Whether it is the person's own, or the person is an admin of the bot or of the group."""
    if draft.person_id == person_id or await services.people.role(person_id) is Role.ADMIN:
        return True
    return draft.is_group and await services.messenger.is_chat_admin(draft.chat_id, person_id)


async def may_remove(services: Services, draft: Draft, person_id: int) -> bool:
    """Whether a person may cancel and delete: as `may_use`, or as the author of the photo."""
    return draft.photo_author_id == person_id or await may_use(services, draft, person_id)
