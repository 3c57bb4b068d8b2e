"""What `doctor` says of the bot's settings at BotFather."""

from telegram import User

from bot.gateway.checks import check_flags
from jobs.check_results import State


def bot_user(*, inline: bool) -> User:
    return User(
        4242,
        "Animato",
        is_bot=True,
        can_join_groups=True,
        can_read_all_group_messages=False,
        supports_inline_queries=inline,
    )


def test_inline_mode_that_is_off_is_told_with_what_to_write() -> None:
    found = {one.about: one for one in check_flags(bot_user(inline=False))}
    assert found["inline"].state is State.MISSING
    for phrase in ("/setinline,", "/setinlinefeedback", "no Share button"):
        assert phrase in found["inline"].says
    assert {one.state for one in check_flags(bot_user(inline=True))} == {State.OK}
