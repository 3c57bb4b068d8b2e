"""What the bot says when it comes to a group."""

import pytest

from bot.groups.groups import Groups
from tests.integration.bot import talk as talks
from tests.integration.bot.talk import Talk
from tests.integration.sandbox.desk import FAMILY

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, "Bad Request: not enough rights to send text messages to the chat"),
        (403, "Forbidden: bot was kicked from the supergroup chat"),
    ],
)
async def test_group_where_the_bot_may_not_write_is_greeted_when_it_may(
    talk: Talk, code: int, reason: str
) -> None:
    parts = talk.parts
    groups = Groups(parts.services, talk.media_handler, parts.ordering)
    await talk.desk.fault(method="sendMessage", code=code, description=reason)
    await groups.greet(FAMILY)
    assert await talk.desk.messages(FAMILY) == []
    await groups.greet(FAMILY)
    (greeting,) = await talk.desk.messages(FAMILY)
    assert "Reply to a photo" in greeting["text"]
