"""The settings of a group: who may change them, and what they do."""

import pytest

from bot.groups.group_settings import GroupSettingsStore, WhoMayAsk
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot
from tests.integration.bot.talk import text_of
from tests.integration.sandbox.desk import ALICE, BOB, FAMILY

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]
HERE = {"chat_id": FAMILY}


def groups(served_bot: ServedBot) -> GroupSettingsStore:
    return GroupSettingsStore(served_bot.queues.client, served_bot.queues.url)


async def asks(served_bot: ServedBot, person: int = BOB, chat: int = FAMILY) -> Message:
    """A person's order for a photo of Alice's."""
    photo = await served_bot.photo(ALICE, chat_id=chat)
    where = {"chat_id": chat, "reply_to": photo["message_id"]}
    return await served_bot.says("/animate@animato_bot smile", person, **where)


async def test_only_admins_of_the_group_change_its_settings(served_bot: ServedBot) -> None:
    await served_bot.says("/settings@animato_bot", ALICE, **HERE)
    page = await served_bot.shows("The settings of this group", FAMILY)
    refused = await served_bot.tap("Orders here", page, BOB)
    assert refused["show_alert"] is True
    for setting, question, choice in (
        ("Orders here", "Should I take orders", "Off"),
        ("Who may ask", "Who may ask me", "Only admins"),
        ("Videos in 24 hours", "How many videos", "5"),
    ):
        await served_bot.tap(setting, page, ALICE)
        choices = await served_bot.shows(question, FAMILY)
        await served_bot.tap(choice, choices, ALICE)
        page = await served_bot.shows(choice, FAMILY)
    found = await groups(served_bot).read(FAMILY)
    assert not found.is_on
    assert (found.who_may_ask, found.orders_per_day) == (WhoMayAsk.ADMINS, 5)
    text = "Who may ask: Only admins\n📅 Videos in 24 hours: 5"
    assert text in text_of(await served_bot.shows(text, FAMILY))


async def test_group_that_is_off_is_told_so_in_one_sentence(served_bot: ServedBot) -> None:
    await groups(served_bot).change(FAMILY, is_on=False)
    await asks(served_bot)
    await served_bot.shows("turned me off in this group", FAMILY)
    assert served_bot.worker.looks == []


async def test_card_from_before_the_group_was_switched_off_orders_nothing(
    served_bot: ServedBot,
) -> None:
    photo = await served_bot.photo(ALICE, **HERE)
    await served_bot.says("/animate@animato_bot", BOB, **HERE, reply_to=photo["message_id"])
    card = await served_bot.shows("Which movement?", FAMILY)
    await groups(served_bot).change(FAMILY, is_on=False)
    assert "turned me off in this group" in (await served_bot.tap("😊", card, BOB))["text"]
    assert served_bot.worker.orders == []


async def test_card_from_before_only_admins_may_ask_orders_nothing(served_bot: ServedBot) -> None:
    photo = await served_bot.photo(ALICE, **HERE)
    await served_bot.says("/animate@animato_bot", BOB, **HERE, reply_to=photo["message_id"])
    card = await served_bot.shows("Which movement?", FAMILY)
    await groups(served_bot).change(FAMILY, who_may_ask=WhoMayAsk.ADMINS)
    assert "only its admins may ask" in (await served_bot.tap("😊", card, BOB))["text"]
    assert served_bot.worker.orders == []


async def test_where_only_admins_may_ask_others_are_told_so(served_bot: ServedBot) -> None:
    await groups(served_bot).change(FAMILY, who_may_ask=WhoMayAsk.ADMINS)
    await served_bot.people.agree(ALICE)
    await asks(served_bot)
    await served_bot.shows("only its admins may ask", FAMILY)
    # An anonymous admin writes as the group.
    await served_bot.people.agree(FAMILY)
    photo = await served_bot.photo(ALICE, **HERE)
    where = {**HERE, "reply_to": photo["message_id"], "anonymous": "true"}
    await served_bot.says("/animate@animato_bot smile", ALICE, **where)
    await until(lambda: served_bot.worker.orders)
    await asks(served_bot, ALICE)
    await until(lambda: len(served_bot.worker.orders) == 2)
    assert [order.person for order in served_bot.worker.orders] == [FAMILY, ALICE]
    await served_bot.video(FAMILY)


async def test_limit_of_a_group_counts_everybody_and_says_when_the_next_is_possible(
    served_bot: ServedBot,
) -> None:
    await groups(served_bot).change(FAMILY, orders_per_day=1)
    await served_bot.people.agree(ALICE)
    await asks(served_bot)
    await served_bot.video(FAMILY)
    await asks(served_bot, ALICE)
    await served_bot.shows("limit: 1 in 24 hours. The next video is possible in 24 h", FAMILY)
    assert len(served_bot.worker.orders) == 1


async def test_settings_and_counts_move_with_a_group_that_is_upgraded(
    served_bot: ServedBot,
) -> None:
    await groups(served_bot).change(FAMILY, orders_per_day=1)
    await asks(served_bot)
    await served_bot.video(FAMILY)
    moved = (await served_bot.desk.post("upgrade", chat_id=FAMILY))["chat_id"]
    await asks(served_bot, chat=moved)
    await served_bot.shows("The next video is possible in", moved)
