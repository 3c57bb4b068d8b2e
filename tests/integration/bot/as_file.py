"""A result as a file, asked for without a tap."""

from bot.drafts.draft import Draft
from jobs.media_tasks import Form
from jobs.queues.outbox import Resend
from tests.integration.bot.parts import BotParts


async def file_asked(parts: BotParts, draft: Draft, tap: str = "77") -> None:
    """A tap on "As file" under the first result of a draft."""
    entry = (await parts.services.history.read(draft.person_id)).find(draft.draft_id, 1)
    assert entry is not None
    await parts.history.forms.send(entry, file_of(draft), tap)


def file_of(draft: Draft) -> Resend:
    """The first result of a draft as a file, in its chat."""
    return Resend(
        person=draft.person_id,
        draft=draft.draft_id,
        number=1,
        form=Form.FILE,
        chat=draft.chat_id,
    )
