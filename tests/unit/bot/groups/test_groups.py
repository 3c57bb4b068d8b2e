"""Groups: whose command it is, who is in, what a movement may be called."""

from telegram import ChatMemberBanned, ChatMemberLeft, ChatMemberMember, User

from bot.groups.groups import how_to_text, names_of
from bot.groups.handlers import is_for, is_member
from bot.texts import ENGLISH
from jobs.templates import Catalogue

BOT = User(4242, "Animato", is_bot=True)


def test_command_that_names_another_bot_is_not_for_us() -> None:
    assert is_for("/animate smile", "animato_bot")
    assert is_for("/animate@Animato_Bot smile", "animato_bot")
    assert not is_for("/animate@other_bot", "animato_bot")


def test_bot_that_left_or_was_thrown_out_is_no_member() -> None:
    assert is_member(ChatMemberMember(BOT))
    assert not is_member(ChatMemberLeft(BOT))
    assert not is_member(ChatMemberBanned(BOT, 0))  # type: ignore[arg-type]  # 0: for ever


def test_movement_is_called_by_its_name_or_its_title() -> None:
    names = names_of(Catalogue.load().get("smile"))
    assert names[0] == "smile"
    assert "Smile" in names


def test_how_to_names_the_bot_so_that_the_command_arrives_everywhere() -> None:
    assert "/animate@animato_bot" in how_to_text("animato_bot", ENGLISH)
