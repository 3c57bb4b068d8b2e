"""Who may use the buttons of a draft and of its results."""

from bot.drafts.draft import Draft
from bot.people import Role
from bot.services import Services


async def may_use(services: Services, draft: Draft, person_id: int) -> bool:
    """Whether it is the person's own, or the person is an admin of the bot or of the group."""
    if draft.person_id == person_id or await services.people.role(person_id) is Role.ADMIN:
        return True
    return draft.is_group and await services.messenger.is_chat_admin(draft.chat_id, person_id)


async def may_remove(services: Services, draft: Draft, person_id: int) -> bool:
    """Whether a person may cancel and delete: as `may_use`, or as the author of the photo."""
    return draft.photo_author_id == person_id or await may_use(services, draft, person_id)
